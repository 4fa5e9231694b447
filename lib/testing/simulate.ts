// Simulate: a scenario in virtual time. Days pass in milliseconds, and the same seed gives the same run.
//
// Whenever nothing can go on, the clock jumps to the next timer. Real I/O that is under way is waited for before time moves.

import { messageOf } from "../core/task/failure.js";
import type { TaskRecord, Wait } from "../core/task/record.js";
import { checkFinite, checkMs, checkOptions } from "../core/values/checks.js";
import { TaskManager } from "../manager/manager.js";
import { MANAGER_OPTIONS, type TaskManagerOptions } from "../manager/manager-options.js";
import { countedIds } from "./counted-ids.js";
import { type ManualClock, manualClock, quiet } from "./manual-clock.js";
import { type Script, type ScriptedAnswer, scriptAnswers } from "./scripted-answers.js";
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
  /** What is answered at the inbox: see `scriptAnswers`. A line that nobody asked for, or that did not fit its question, fails the simulation. */
  answers?: readonly ScriptedAnswer[] | undefined;
  /** How much virtual time there is; default 30 days. */
  maxMs?: number | undefined;
}

const SIMULATE_OPTIONS = ["seed", "answers", "maxMs", ...MANAGER_OPTIONS].filter(
  (name) => name !== "clock" && name !== "ids",
);

const THIRTY_DAYS = 30 * 24 * 60 * 60 * 1000;

/**
 * Runs `scenario` with a manager of its own in virtual time and gives what it gives; then closes the manager.
 *
 * The clock stands still while something goes on: promises, turns of the event loop, files being read, names being looked up. It does not
 * see a network reply, a thread's job or the platform's own timers: a scenario that waits for those wants a real clock.
 * Time passes in the scenario by `clock.sleep`; it moves by itself.
 *
 * Rejects with what the scenario rejects with; or, when it still waits and no timer is left to jump to, with an error that says who waits
 * for what. With a `seed`, the error names it, and has the scenario's own as `cause`.
 */
export async function simulate<T>(
  scenario: (world: World) => T | PromiseLike<T>,
  options: SimulateOptions = {},
): Promise<T> {
  checkOptions("simulate", options, ...SIMULATE_OPTIONS);
  const { seed, answers = [], maxMs = THIRTY_DAYS, retention, ...managerOptions } = options;
  checkFinite("seed", seed);
  checkMs("maxMs", maxMs);
  const random = seeded(seed ?? 0);
  const clock = manualClock(0, seed === undefined ? undefined : random);
  // Retention's own sweep, a month from now, is no timer to jump to.
  const kept = { ttlMs: Number.POSITIVE_INFINITY, ...retention };
  const manager = new TaskManager({ ...managerOptions, retention: kept, clock, ids: countedIds() });
  const script = scriptAnswers(manager, answers);
  let ended: { readonly value: T } | { readonly error: unknown };
  try {
    const value = await drive(
      clock,
      maxMs,
      async () => scenario({ manager, clock, random }),
      () => whoWaits(manager),
    );
    const why = wrongIn(script);
    ended = why === undefined ? { value } : { error: new Error(why, { cause: script.refusals[0] }) };
  } catch (error) {
    ended = { error: error instanceof Stuck ? new Error(withScript(error.message, script)) : error };
  }
  script.off();
  try {
    await drive(
      clock,
      Number.POSITIVE_INFINITY,
      () => manager.close(),
      () => whoWaits(manager),
    );
  } catch (error) {
    if ("value" in ended) ended = { error };
  }
  if ("value" in ended) return ended.value;
  if (seed === undefined) throw ended.error;
  throw new Error(`${messageOf(ended.error)} (seed ${seed})`, { cause: ended.error });
}

/** What is wrong with the script when the scenario is over. */
function wrongIn({ refusals, unused }: Script): string | undefined {
  const [refusal] = refusals;
  if (refusal !== undefined) return `A scripted answer was refused: ${refusal.message}`;
  const [line] = unused;
  return line === undefined ? undefined : `Nobody asked for the scripted answer to ${String(line.to)}`;
}

function withScript(message: string, script: Script): string {
  const why = wrongIn(script);
  return why === undefined ? message : `${message}\n  ${why}`;
}

class Stuck extends Error {}

/** How long, in real time, real work is waited for. */
const PATIENCE_MS = 30_000;

/** Moves time until what `run` gives has settled. */
async function drive<T>(clock: ManualClock, maxMs: number, run: () => Promise<T>, told: () => string): Promise<T> {
  let isOver = false;
  let busySince: number | undefined;
  const result = run();
  const over = () => {
    isOver = true;
  };
  result.then(over, over);
  for (;;) {
    await quiet();
    if (isOver) return result;
    const work = workUnderWay();
    if (work !== undefined) {
      busySince ??= performance.now();
      if (performance.now() - busySince < PATIENCE_MS) continue;
      throw new Stuck(`The scenario waits for real work that does not end: ${work}${told()}`);
    }
    if (busySince !== undefined) {
      // What the end of the work sets going goes on first.
      busySince = undefined;
      continue;
    }
    const { nextAt } = clock;
    if (nextAt === undefined || nextAt === Number.POSITIVE_INFINITY)
      throw new Stuck(`The scenario waits, and there is no timer left to jump to${told()}`);
    if (nextAt > maxMs) throw new Stuck(`The scenario was not over after ${maxMs} ms of virtual time${told()}`);
    await clock.advance(Math.max(0, nextAt - clock.now()));
  }
}

/** Files being read, names being looked up: real work that ends by itself. */
function workUnderWay(): string | undefined {
  return process.getActiveResourcesInfo().find((what) => what.includes("Req"));
}

function whoWaits(manager: TaskManager): string {
  const waiting = manager
    .list({ status: ["queued", "running", "blocked"] })
    .map((record) => `\n  ${inWords(manager, record)}`);
  return waiting.length === 0 ? "" : `:${waiting.join("")}`;
}

function inWords(manager: TaskManager, { id, title, status, blockedOn, lane }: TaskRecord): string {
  const name = title === undefined ? id : `${id} "${title}"`;
  if (status === "queued") {
    const held = blockedOn.map((wait) => ` and waits for ${waitInWords(manager, wait)}`).join("");
    return `${name} is in line in the lane ${lane}${held}`;
  }
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
    case "notice":
      return "a notice";
    case "process":
      return `the task of its id in another process`;
    case "kind":
    case "lane":
      return `a process that knows its ${wait.on}`;
    case "slot":
      return "a slot";
    case "rate":
      return `its rate, until ${wait.untilAt}`;
  }
}
