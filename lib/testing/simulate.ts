// Simulate: runs a scenario in virtual time. Days pass in milliseconds, and the same seed gives the same run.
//
// Owns when time moves. While promises, turns of the event loop or real I/O are pending, the clock stands still.
// Otherwise the clock jumps to the next timer.

import { messageOf } from "../core/task/failure.js";
import type { TaskRecord, Wait } from "../core/task/record.js";
import { boundedList } from "../core/values/bounded-list.js";
import { checkFinite, checkMs, checkOptions } from "../core/values/checks.js";
import { TaskManager } from "../manager/manager.js";
import { MANAGER_OPTIONS, type TaskManagerOptions } from "../manager/manager-options.js";
import { countedIds } from "./counted-ids.js";
import { type ManualClock, manualClock, quiet } from "./manual-clock.js";
import { type Script, type ScriptedAnswer, scriptAnswers } from "./scripted-answers.js";
import { seeded } from "./seeded.js";

/** The parts that `simulate` gives to a scenario. */
export interface World {
  /** The manager of the scenario. `simulate` closes it when the scenario has ended. */
  readonly manager: TaskManager;
  /** The clock of the manager. `simulate` advances it; a scenario waits with `clock.sleep`. */
  readonly clock: ManualClock;
  /**
   * Returns a number ≥ 0 and < 1. The same `seed` gives the same sequence of numbers; without a seed, the seed is 0.
   */
  readonly random: () => number;
}

/**
 * The options of `simulate`: those of a `TaskManager`, except `clock` and `ids`, which `simulate` sets, and these. With
 * a `store` the manager is opened, as by `TaskManager.open`, before the scenario begins.
 */
export interface SimulateOptions extends Omit<TaskManagerOptions, "clock" | "ids"> {
  /**
   * The seed of `random()` and of the order of timers that are due at the same instant. Without a seed these timers
   * fire in the order in which they were set.
   */
  seed?: number | undefined;
  /**
   * Answers for the inbox, as in `scriptAnswers`. The simulation fails when no question used an answer, or when an
   * answer did not fit its question.
   */
  answers?: readonly ScriptedAnswer[] | undefined;
  /** The limit of virtual time, in milliseconds; default 30 days. A scenario that has not ended by then fails. */
  maxMs?: number | undefined;
}

const SIMULATE_OPTIONS = ["seed", "answers", "maxMs", ...MANAGER_OPTIONS].filter(
  (name) => name !== "clock" && name !== "ids",
);

const THIRTY_DAYS = 30 * 24 * 60 * 60 * 1000;

/**
 * Runs `scenario` with a new manager in virtual time, closes the manager, and resolves with the scenario's value.
 *
 * Virtual time moves by itself, and a scenario waits with `clock.sleep`. The clock stands still while promises, turns
 * of the event loop, file operations or name look-ups are pending. `simulate` does not see network replies, jobs of
 * other threads or the platform's own timers: a scenario that waits for these needs a real clock.
 *
 * With a `store`, a scenario can restart in virtual time: it closes its manager and opens the store again by
 * `TaskManager.open({ store, clock, kinds })`. It closes each manager that it opened itself.
 *
 * Rejects with the error of the scenario, or of the store that does not open. If the scenario waits and no timer is
 * left, the call rejects with an error
 * that lists the waiting tasks and the reason of each. With a `seed`, the error's message contains the seed, and its
 * `cause` is the original error.
 *
 * @example
 * ```ts
 * import { simulate } from "errand/testing";
 *
 * const days = await simulate(async ({ manager, clock }) => {
 *   await manager.spawn((ctx) => ctx.sleep(3 * 86_400_000)).result();
 *   return clock.now() / 86_400_000;
 * });
 * console.log(days); // 3
 * ```
 *
 * @example
 * ```ts
 * import { defineKind, TaskManager } from "errand";
 * import { memoryStore, simulate } from "errand/testing";
 *
 * const nightly = defineKind({ name: "nightly", canReattach: () => true, run: (ctx) => ctx.sleep(86_400_000) });
 * const options = { store: memoryStore(), kinds: [nightly] };
 * await simulate(async ({ manager, clock }) => {
 *   manager.spawn(nightly, { id: "nightly-1" });
 *   await manager.close(); // the process ends, and the next one opens the store
 *   await using next = await TaskManager.open({ ...options, clock });
 *   console.log((await next.get("nightly-1")?.outcome())?.status, clock.now()); // succeeded 86400000
 * }, options);
 * ```
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
  // The sweep of the retention, a month from now, is not a timer for the clock to jump to.
  const retentionWithoutSweep = { ttlMs: Number.POSITIVE_INFINITY, ...retention };
  const opened = { ...managerOptions, retention: retentionWithoutSweep, clock, ids: countedIds() };
  const manager =
    opened.store === undefined
      ? new TaskManager(opened)
      : await drive(
          clock,
          maxMs,
          () => TaskManager.open(opened),
          () => "",
        );
  const script = scriptAnswers(manager, answers);
  let ended: { readonly value: T } | { readonly error: unknown };
  try {
    const value = await drive(
      clock,
      maxMs,
      async () => scenario({ manager, clock, random }),
      () => describeWaiting(manager),
    );
    const why = scriptFault(script);
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
      () => describeWaiting(manager),
    );
  } catch (error) {
    if ("value" in ended) ended = { error };
  }
  if ("value" in ended) return ended.value;
  if (seed === undefined) throw ended.error;
  throw new Error(`${messageOf(ended.error)} (seed ${seed})`, { cause: ended.error });
}

/** Describes the first fault of the script after the scenario has ended; `undefined` without a fault. */
function scriptFault({ refusals, unused }: Script): string | undefined {
  const [refusal] = refusals;
  if (refusal !== undefined) return `A scripted answer was refused: ${refusal.message}`;
  const [line] = unused;
  return line === undefined
    ? undefined
    : `No task asked the question of the scripted answer to ${String(line.to)}: remove the answer, or correct its "to"`;
}

function withScript(message: string, script: Script): string {
  const why = scriptFault(script);
  return why === undefined ? message : `${message}\n  ${why}`;
}

class Stuck extends Error {}

/** The longest real time, in milliseconds, for which `drive` waits for real work. */
const PATIENCE_MS = 30_000;
/** A read of a long file is several operations, with moments between them in which none is pending. */
const LOOKS_AFTER_WORK = 4;

/** Calls `run` and advances the clock until the promise of `run` has settled. */
async function drive<T>(clock: ManualClock, maxMs: number, run: () => Promise<T>, waiting: () => string): Promise<T> {
  let isOver = false;
  let busySince: number | undefined;
  let quietLooks = 0;
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
      quietLooks = 0;
      if (performance.now() - busySince < PATIENCE_MS) continue;
      throw new Stuck(
        `The scenario waits for real work that does not end: ${work}. Use a real clock for such work${waiting()}`,
      );
    }
    // Code that waited for the finished work runs before time moves, and may begin more of it.
    if (busySince !== undefined && ++quietLooks < LOOKS_AFTER_WORK) continue;
    busySince = undefined;
    quietLooks = 0;
    const { nextAt } = clock;
    if (nextAt === undefined || nextAt === Number.POSITIVE_INFINITY)
      throw new Stuck(
        `The scenario waits, and there is no timer left to jump to. Let the scenario give what is waited for, and let it wait with clock.sleep: a timer of the platform is real time${waiting()}`,
      );
    if (nextAt > maxMs)
      throw new Stuck(
        `The scenario was not over after ${maxMs} ms of virtual time. End it earlier, or raise maxMs${waiting()}`,
      );
    await clock.advance(Math.max(0, nextAt - clock.now()));
  }
}

/** Names a file operation or name look-up that is pending. This real work ends by itself. */
function workUnderWay(): string | undefined {
  return process.getActiveResourcesInfo().find((what) => what.includes("Req"));
}

/** Tasks that the error of a stuck scenario shows. */
const MOST_TASKS = 50;

function describeWaiting(manager: TaskManager): string {
  const waiting = manager
    .list({ status: ["queued", "running", "blocked"] })
    .map((record) => describeTask(manager, record));
  return waiting.length === 0 ? "" : `:\n  ${boundedList(waiting, "\n  ", MOST_TASKS)}`;
}

function describeTask(manager: TaskManager, { id, title, status, blockedOn, lane }: TaskRecord): string {
  const name = title === undefined ? id : `${id} "${title}"`;
  if (status === "queued") {
    const held = blockedOn.map((wait) => ` and waits for ${describeWait(manager, wait)}`).join("");
    return `${name} is in line in the lane ${lane}${held}`;
  }
  if (status === "running") return `${name} runs: it awaits something that is no wait of errand`;
  const waits = boundedList(blockedOn.map((wait) => describeWait(manager, wait)));
  return waits === "" ? `${name} was stopped and has not settled` : `${name} is blocked on ${waits}`;
}

function describeWait({ inbox }: TaskManager, wait: Wait): string {
  switch (wait.on) {
    case "input":
      return `an answer to ${JSON.stringify(inbox.get(wait.requestId)?.question)}`;
    case "tasks":
    case "children":
      return `${wait.on} ${boundedList(wait.taskIds, " ")}`;
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
