// Campaign: many kills, in the directories of a plan, and what was seen.
//
// A directory lives through the deaths of many processes, each of which goes on with what the one before left. The plan is of the seed
// alone: where each process dies, and what work it does. When a timer or a disk answers is not in the plan, so a process may miss its
// point. The campaign then continues with directories in which others are killed there.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { seeded } from "../../lib/testing/seeded.js";
import { Book } from "./book.js";
import { checkKilled, checkOpened } from "./check.js";
import { Child, type Compiled } from "./child.js";
import { nameOf, POINTS, type Point, STAGES, type Stage } from "./points.js";
import type { Told } from "./told.js";

export interface Plan {
  readonly kills: number;
  readonly seed: number;
  /** Only this one of its directories. */
  readonly directory?: number | undefined;
}

/** What was seen. */
export interface Report {
  kills: number;
  /** At no named point. */
  atRandom: number;
  /** By name: how many died there. */
  readonly atPoint: Map<string, number>;
  torn: number;
  compactions: number;
  opened: number;
  /** Closed by themselves before the kill came. */
  closed: number;
  /** Records held against the book. */
  records: number;
  events: number;
}

/** How one process ends. */
interface Life {
  readonly seed: number;
  readonly point?: Point;
  readonly time: number;
  /** Nobody opens the directory before it: it finds what the kill left. */
  readonly isFollowUp: boolean;
  readonly closes: boolean;
}

/** A law that did not hold, and how to come there again. */
export class CrashBreach extends Error {
  override readonly name = "CrashBreach";
}

/** Processes that a directory lives through; fewer in a short plan, so that no directory is waited for alone. */
const LIVES = 25;
/** For each turn of all points. */
const AT_RANDOM = 12;
const SEEDS = 2 ** 31;
const AT_A_TIME = 2;
/** When it has told so many lines and did not come to its point, the kill comes from outside. */
const PATIENCE = 5_000;
/** A process that tells nothing for so long hangs. */
const SILENT_MS = 60_000;
/** How often what was missed is played again. */
const AGAIN = 20;

export interface Campaign extends Plan {
  readonly compiled: Compiled;
  readonly onKill?: (report: Report) => void;
}

export async function campaign({ compiled, onKill, ...plan }: Campaign): Promise<Report> {
  const report: Report = {
    kills: 0,
    atRandom: 0,
    atPoint: new Map(POINTS.map((name) => [name, 0])),
    torn: 0,
    compactions: 0,
    opened: 0,
    closed: 0,
    records: 0,
    events: 0,
  };
  const play = async (all: ReadonlyMap<number, readonly Life[]>): Promise<void> => {
    const directories = all.entries();
    const breaches: unknown[] = [];
    const isOver = (): boolean => breaches.length > 0;
    const worker = async (): Promise<void> => {
      for (const [number, lives] of directories) {
        if (isOver()) return;
        await liveThrough({ plan, number, lives, compiled, report, onKill, isOver });
      }
    };
    const lanes = Array.from({ length: AT_A_TIME }, worker);
    await Promise.all(lanes.map((lane) => lane.catch((error: unknown) => breaches.push(error))));
    if (isOver()) throw breaches[0];
  };
  const planned = planOf(plan);
  const { directory } = plan;
  if (directory !== undefined) {
    await play(new Map([[directory, planned[directory] ?? repetition(plan, directory - planned.length)]]));
    return report;
  }
  await play(new Map(planned.entries()));
  const wanted = new Set(planned.flat().flatMap(({ point }) => (point === undefined ? [] : nameOf(point))));
  for (let turn = 0; turn < AGAIN; turn++) {
    const missed = missedBy(plan, report, wanted).map((stage) => turn * REPEATED.length + stage);
    await play(new Map(missed.map((number) => [planned.length + number, repetition(plan, number)])));
  }
  return report;
}

/** The numbers of the stages that must be played again. */
function missedBy({ kills }: Plan, report: Report, wanted: ReadonlySet<string>): readonly number[] {
  const isMissed = (kill: Stage["kills"][number]): boolean =>
    kill === "at random" ? report.kills < kills : wanted.has(nameOf(kill)) && report.atPoint.get(nameOf(kill)) === 0;
  return REPEATED.flatMap((stage, number) => (stage.kills.some(isMissed) ? number : []));
}

interface Directory {
  readonly plan: Plan;
  readonly number: number;
  readonly lives: readonly Life[];
  readonly compiled: Compiled;
  readonly report: Report;
  readonly onKill: ((report: Report) => void) | undefined;
  /** A law was broken in another one. */
  readonly isOver: () => boolean;
}

/** Deleted when all is well; kept when a law is broken. */
async function liveThrough({ plan, number, lives, compiled, report, onKill, isOver }: Directory): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), "errand-crash-"));
  const book = new Book();
  let snapshotSeq = 0;
  for (const [generation, life] of lives.entries()) {
    if (isOver()) break;
    let told: readonly Told[] = [];
    try {
      const death = life.point === undefined ? {} : { death: { point: life.point, time: life.time } };
      const child = new Child(compiled, {
        directory,
        seed: life.seed,
        generation,
        from: book.lastSeq + 1,
        ...death,
        ...(life.closes ? { rounds: 10 + (life.seed % 40) } : {}),
      });
      ({ told } = child);
      await killed(child, life, report);
      const before = book.lastSeq;
      const checked = await checkKilled(directory, book, child.told);
      report.events += book.lastSeq - before;
      report.records += checked.tasks;
      if (checked.isTorn) report.torn++;
      if (checked.snapshotSeq > snapshotSeq) report.compactions++;
      ({ snapshotSeq } = checked);
      if (life.seed % 3 === 0 && lives[generation + 1]?.isFollowUp !== true) {
        await checkOpened(directory, book, checked.isTorn);
        report.opened++;
      }
      onKill?.(report);
    } catch (error) {
      const point = life.point === undefined ? "at random" : `at ${nameOf(life.point)}, time ${life.time}`;
      const again = `npm run crash -- --seed ${plan.seed} --kills ${plan.kills} --directory ${number}`;
      const lines = `${directory}.told.jsonl`;
      await writeFile(lines, told.map((each) => `${JSON.stringify(each)}\n`).join(""));
      throw new CrashBreach(
        `${error instanceof Error ? error.message : String(error)}\n  after process ${generation} of directory ${number} was killed ${point}\n  kept for you: ${directory}, and what it told: ${lines}\n  again: ${again}`,
        { cause: error },
      );
    }
  }
  await rm(directory, { recursive: true, force: true });
}

async function killed(child: Child, life: Life, report: Report): Promise<void> {
  let isFromOutside = life.point === undefined;
  let isSilent = false;
  let heard = 0;
  const watch = setInterval(() => {
    isSilent ||= child.told.length === heard;
    heard = child.told.length;
    if (isSilent) child.kill();
  }, SILENT_MS);
  if (isFromOutside) await momentOf(child, life);
  else {
    let left = PATIENCE;
    await child.until(() => --left === 0);
    isFromOutside = left <= 0;
  }
  if (isFromOutside) child.kill();
  const { signal, code, stderr } = await child.ended;
  clearInterval(watch);
  if (isSilent) throw new Error(`The process told nothing for ${SILENT_MS} ms, after ${heard} lines`);
  if (signal !== "SIGKILL") {
    const last = child.told.at(-1);
    if (last?.told !== "shut" || code !== 0)
      throw new Error(`The process ended with ${signal ?? code} after it told ${JSON.stringify(last)}: ${stderr}`);
    report.closed++;
    return;
  }
  report.kills++;
  if (isFromOutside || life.point === undefined) report.atRandom++;
  else report.atPoint.set(nameOf(life.point), (report.atPoint.get(nameOf(life.point)) ?? 0) + 1);
}

/** While it opens, at some line that it tells, some time into its work, or while it closes. */
async function momentOf(child: Child, { seed, closes }: Life): Promise<void> {
  const next = seeded(seed + 1);
  const dice = next();
  if (closes) {
    await child.until(({ told }) => told === "closing");
    await pause(next() * 30);
  } else if (dice < 0.2) {
    await child.until(({ told }) => told === "up");
    await pause(next() * 20);
  } else if (dice < 0.5) {
    let left = 1 + Math.floor(next() * 1000);
    await child.until(() => --left === 0);
  } else {
    await child.until(({ told }) => told === "recovered");
    await pause(next() * 120);
  }
}

// ── the plan ─────────────────────────────────────────────────────────────────

/** In turns: every point once, and kills at random in between. */
function planOf({ kills, seed }: Plan): readonly (readonly Life[])[] {
  const next = seeded(seed);
  const roll = (sides: number): number => Math.floor(next() * sides);
  const rows: (readonly Life[])[] = [];
  // Some close before they are killed.
  for (let left = kills + 2 + Math.ceil(kills / 50); left > 0; ) {
    const turn = STAGES.map((stage) => rowOf(stage, roll));
    const atRandom = Math.min(AT_RANDOM, Math.max(1, left - turn.flat().length));
    for (let more = atRandom; more > 0; more--) turn.push(rowOf({ kills: ["at random"] }, roll));
    for (const row of shuffled(turn, roll)) {
      if (left > 0) rows.push(row);
      left -= row.length;
    }
  }
  const longest = Math.min(LIVES, Math.ceil(kills / (2 * AT_A_TIME)) + 1);
  const directories: Life[][] = [];
  for (const row of rows) {
    const last = directories.at(-1);
    if (last === undefined || last.length + row.length > longest) directories.push([...row]);
    else last.push(...row);
  }
  return directories;
}

/** The stages one by one, and a kill at random. */
const REPEATED: readonly Stage[] = [...STAGES, { kills: ["at random"] }];

/** The life of a directory after the plan: its number decides it, with the same work each time. */
function repetition({ seed }: Plan, number: number): readonly Life[] {
  const next = seeded(seed + 1 + number);
  const roll = (sides: number): number => Math.floor(next() * sides);
  const stage = REPEATED[number % REPEATED.length];
  return stage === undefined ? [] : rowOf(stage, roll);
}

type Roll = (sides: number) => number;

function rowOf({ kills, closes }: Stage, roll: Roll): readonly Life[] {
  return kills.map((kill, index) => ({
    seed: roll(SEEDS),
    ...(kill === "at random" ? {} : { point: kill }),
    time: kill === "at random" || index > 0 ? 1 : timeOf(kill, roll),
    isFollowUp: index > 0,
    closes: closes === true || (kill === "at random" && kills.length === 1 && roll(5) === 0),
  }));
}

function timeOf({ what, sort }: Point, roll: Roll): number {
  if (sort === "segment" && (what === "write" || what === "sync")) return 1 + roll(30);
  return sort === "own lock" || what === "makeDirectory" ? 1 : 1 + roll(2);
}

function shuffled<T>(list: readonly T[], roll: Roll): readonly T[] {
  const places = list.map((each) => ({ each, place: roll(SEEDS) }));
  return places.sort((one, other) => one.place - other.place).map(({ each }) => each);
}
