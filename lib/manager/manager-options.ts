// Manager options: what a manager can be created with, and the check of each option.
//
// Owns the list of option names. Reads no clock and starts nothing: a bad option throws before a manager exists.

import type { TaskStore } from "../core/durable/store.js";
import type { AnyTaskKind } from "../core/kinds/kind.js";
import { checkLane, type LaneOptions } from "../core/lanes/lane-options.js";
import type { Retention } from "../core/run/retention.js";
import { checkLimits, type Limits } from "../core/spawn/limits.js";
import type { Clock } from "../core/time/clock.js";
import {
  checkCount,
  checkFinite,
  checkKnown,
  checkMethod,
  checkMs,
  checkOneOf,
  checkOptions,
  checkText,
  checkType,
  show,
} from "../core/values/checks.js";
import type { Ids } from "../core/values/ids.js";
import { checkLogger, type Logger } from "../core/values/logger.js";

/**
 * The options of `new TaskManager` and `TaskManager.open`. Each is optional.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 *
 * const manager = new TaskManager({
 *   concurrency: 8, // at most eight tasks compute at once
 *   lanes: { default: { rate: { limit: 5, periodMs: 1_000 } } }, // at most five start in a second
 *   limits: { maxDepth: 4, maxQueued: 1_000 },
 *   logger: console,
 * });
 * console.log(await manager.spawn(() => "done").result()); // done
 * ```
 */
export interface TaskManagerOptions {
  /**
   * Keeps tasks over restarts; needs `TaskManager.open`. Without a store everything is in memory. One manager at a time
   * has a store open, unless several processes can share the store.
   */
  store?: TaskStore | undefined;
  /**
   * The kinds that can be started by name, and resumed after a restart. Two kinds of the same name are a `TypeError`.
   */
  kinds?: readonly AnyTaskKind[] | undefined;
  /**
   * `"strict"` (default): operations that add state wait for the store: a start, a promise, an event. `"relaxed"`:
   * nothing waits, and a crash may lose what was delivered in the last moments; only a task with an `id`, in a store
   * that several processes share, starts once that id is stored. With both, `handle.stored()` resolves once the state
   * is stored.
   */
  durability?: "strict" | "relaxed" | undefined;
  /** Slots of the whole manager, an integer ≥ 1. Default no limit: only lanes limit. */
  concurrency?: number | undefined;
  /**
   * The lanes, by name. A task that names no lane is in `"default"`, which has the `concurrency` of the manager unless
   * it is declared here with another one. A rate for all tasks without a lane: `{ default: { rate } }`.
   */
  lanes?: { readonly [lane: string]: LaneOptions } | undefined;
  /**
   * Bounds the number of tasks: depth, children, descendants, queued tasks. A spawn above a limit throws
   * `LimitExceededError` or `QueueFullError`.
   */
  limits?: Limits | undefined;
  /** Which ended tasks are kept, and for how long. Default: the newest 1 000, for 30 days. */
  retention?: Retention | undefined;
  /** The source of time. Default: the clock of the platform; tests use `manualClock` of `errand/testing`. */
  clock?: Clock | undefined;
  /** The source of ids. Default: random ids; tests use `countedIds` of `errand/testing`. */
  ids?: Ids | undefined;
  /**
   * Receives errors for which no caller waits: errors of listeners (without a listener for `listener.failed`), hooks,
   * schemas and stores, and the failure of a root task whose outcome no caller has read within 5 s. A logger that
   * throws changes nothing.
   */
  logger?: Logger | undefined;
  /** How long a stopped function may take to settle before it is abandoned. Milliseconds ≥ 0; default 5 000. */
  graceMs?: number | undefined;
  /**
   * Default true: inside a task's function, `manager.spawn` makes a child of that task, and any wait is a wait of that
   * task.
   */
  ambient?: boolean | undefined;
  /**
   * The time in the queue that one step of priority is worth, and the time by which a resumed task or a child of a
   * started task is ahead. Finite milliseconds ≥ 0; default 1 000.
   */
  agingMs?: number | undefined;
}

/** The names of all options of a manager. */
export const MANAGER_OPTIONS: ReadonlySet<string> = new Set<keyof TaskManagerOptions>([
  ...([
    "store",
    "kinds",
    "durability",
    "concurrency",
    "lanes",
    "limits",
    "retention",
    "clock",
    "ids",
    "logger",
    "graceMs",
    "ambient",
    "agingMs",
  ] as const),
]);

/** Options of a lane that are not those of a manager. */
const OF_A_LANE = ["rate", "perKey", "holdAbandoned"] as const satisfies readonly (keyof LaneOptions)[];

/** Throws a `TypeError` or `RangeError` that names the first option that does not fit. */
export function checkManagerOptions(options: TaskManagerOptions): void {
  checkType("options", options, "object");
  for (const name of OF_A_LANE)
    if (name in options)
      throw new TypeError(
        `TaskManager has no option "${name}": it belongs to a lane, as lanes: { default: { ${name} } }`,
      );
  checkKnown("TaskManager", options, MANAGER_OPTIONS);
  const { lanes = {}, limits, retention, clock, ids, logger } = options;
  checkCount("concurrency", options.concurrency, 1);
  checkType("lanes", lanes, "object");
  for (const [name, lane] of Object.entries(lanes)) {
    checkText("the name of a lane", name);
    checkLane(`lanes.${name}`, lane);
  }
  if (options.kinds !== undefined && !Array.isArray(options.kinds))
    throw new TypeError(`kinds must be a list of kinds, got ${show(options.kinds)}`);
  checkOneOf("durability", options.durability, ["strict", "relaxed"]);
  if (limits !== undefined) checkLimits(limits);
  if (retention !== undefined) {
    checkOptions("retention", retention, "maxFinished", "ttlMs");
    checkCount("retention.maxFinished", retention.maxFinished, 0);
    checkMs("retention.ttlMs", retention.ttlMs);
  }
  if (clock !== undefined) {
    for (const method of ["now", "setTimeout", "clearTimeout"]) checkMethod("clock", clock, method);
    for (const method of ["monotonic", "onSet"] as const)
      if (clock[method] !== undefined) checkMethod("clock", clock, method);
  }
  if (ids !== undefined) checkMethod("ids", ids, "next");
  checkLogger(logger);
  checkMs("graceMs", options.graceMs);
  checkMs("agingMs", options.agingMs);
  checkFinite("agingMs", options.agingMs);
  if (options.ambient !== undefined) checkType("ambient", options.ambient, "boolean");
}
