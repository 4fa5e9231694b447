// Simulate: a scenario in virtual time. Days pass in milliseconds, and the same seed gives the same run.
//
// Whenever nothing can go on, the clock jumps to the next timer. Real I/O that is under way is waited for before time moves.

import { TaskManager, type TaskManagerOptions } from "../core/manager.js";
import type { TaskRecord, Wait } from "../core/record.js";
import { countedIds } from "./counted-ids.js";
import { type ManualClock, manualClock, quiet } from "./manual-clock.js";
import { type ScriptedAnswer, scriptAnswers } from "./scripted-answers.js";
import { seeded } from "./seeded.js";

export interface World {
  readonly manager: TaskManager;
  readonly clock: ManualClock;
  /** Numbers from 0 to below 1, the same for the same seed. */
  readonly random: () => number;
}

export interface SimulateOptions extends Omit<TaskManagerOptions, "clock" | "ids"> {
  /** Gives `random()` its numbers, and timers that are due at the same instant their order. Without one they fire in the order they were set. */
  seed?: number | undefined;
  /** What is answered at the inbox: see `scriptAnswers`. A line that was not used, or that did not fit its question, fails the simulation. */
  answers?: readonly ScriptedAnswer[] | undefined;
  /** How much virtual time there is; default 30 days. */
  maxMs?: number | undefined;
}

const THIRTY_DAYS = 30 * 24 * 60 * 60 * 1000;

/**
 * Runs `scenario` with a manager of its own in virtual time and gives what it gives; then closes the manager.
 * Rejects with what the scenario rejects with; or, when it still waits and no timer is left to jump to, with an error that says who waits
 * for what. Errors name the seed.
 */
export async function simulate<T>(
  scenario: (world: World) => T | PromiseLike<T>,
  options: SimulateOptions = {},
): Promise<T> {
  const { seed, answers = [], maxMs = THIRTY_DAYS, ...managerOptions } = options;
  const random = seeded(seed ?? 0);
  const clock = manualClock(0, seed === undefined ? undefined : random);
  const manager = new TaskManager({ ...managerOptions, clock, ids: countedIds() });
  const script = scriptAnswers(manager, answers);
  const told = seed === undefined ? "" : ` (seed ${seed})`;
  const driver: Driver = { clock, maxMs, stuck: (why) => new Error(`${why}${told}${whoWaits(manager)}`) };
  try {
    const value = await drive(driver, async () => scenario({ manager, clock, random }));
    const [refusal] = script.refusals;
    if (refusal !== undefined)
      throw new Error(`A scripted answer was refused${told}: ${refusal.message}`, { cause: refusal });
    const [line] = script.unused;
    if (line !== undefined) throw new Error(`Nobody asked for the scripted answer to ${String(line.to)}${told}`);
    return value;
  } finally {
    script.off();
    await drive({ ...driver, maxMs: Number.POSITIVE_INFINITY }, () => manager.close());
  }
}

interface Driver {
  readonly clock: ManualClock;
  readonly maxMs: number;
  readonly stuck: (why: string) => Error;
}

/** Moves time until what `run` gives has settled. */
async function drive<T>({ clock, maxMs, stuck }: Driver, run: () => Promise<T>): Promise<T> {
  let isOver = false;
  let wasBusy = false;
  const result = run();
  const over = () => {
    isOver = true;
  };
  result.then(over, over);
  for (;;) {
    await quiet();
    if (isOver) return result;
    // What the end of a request sets going goes on first.
    const isBusy = hasRequestsUnderWay();
    if (isBusy || wasBusy) {
      wasBusy = isBusy;
      continue;
    }
    const { nextAt } = clock;
    if (nextAt === undefined) throw stuck("The scenario waits, and there is no timer left to jump to");
    if (nextAt > maxMs) throw stuck(`The scenario was not over after ${maxMs} ms of virtual time`);
    await clock.advance(Math.max(0, nextAt - clock.now()));
  }
}

/** Files being read, names being looked up, children being started: real work that ends by itself. */
function hasRequestsUnderWay(): boolean {
  return process.getActiveResourcesInfo().some((what) => /Req|ProcessWrap/.test(what));
}

function whoWaits(manager: TaskManager): string {
  const waiting = manager
    .list({ status: ["queued", "running", "blocked"] })
    .map((record) => `\n  ${inWords(manager, record)}`);
  return waiting.length === 0 ? "" : `:${waiting.join("")}`;
}

function inWords(manager: TaskManager, { id, title, status, blockedOn, lane }: TaskRecord): string {
  const name = title === undefined ? id : `${id} "${title}"`;
  if (status === "queued") return `${name} is in line in the lane ${lane}`;
  if (status === "running") return `${name} runs: it awaits something of its own`;
  const waits = blockedOn.map((wait) => waitInWords(manager, wait)).join(", ");
  return waits === "" ? `${name} was stopped and has not settled` : `${name} is blocked on ${waits}`;
}

function waitInWords({ inbox }: TaskManager, wait: Wait): string {
  switch (wait.on) {
    case "input":
      return `an answer to ${JSON.stringify(inbox.get(wait.requestId)?.question)}`;
    case "tasks":
    case "children":
      return `${wait.on} ${wait.taskIds.join(" ")}`;
    case "message":
      return "a message";
    case "time":
      return `time, until ${wait.untilAt}`;
    case "slot":
      return "a slot";
  }
}
