// Monitor: a kind that calls a function at each tick of an interval or of a cron pattern (§10).
//
// A monitor is one task. It sleeps on the clock of the manager without a slot, and calls `run` at each tick, never two
// calls at a time. Its rhythm (lib/kinds/monitor/) computes the next tick. Its checkpoint holds the count of ticks, so
// that the count continues after a restart.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskKind } from "../core/kinds/kind.js";
import { checkCount, checkKnown, checkType } from "../core/values/checks.js";
import type { TaskContext } from "../session/session.js";
import { defineKind, type KindDefinition } from "./define-kind.js";
import { rhythmOf } from "./monitor/rhythm.js";
import { type Every, planOf } from "./monitor/schedule.js";

/**
 * One tick. Instants are epoch milliseconds of the schedule: a tick that begins late has the instant at which it was
 * due.
 */
export interface Tick {
  /** The number of the tick, from 1. Retries and restarts continue the count. */
  readonly count: number;
  /** The newest instant of the schedule when the tick began. */
  readonly scheduledAt: number;
  /** The `scheduledAt` of the tick before; `undefined` in the first tick. */
  readonly lastAt?: number;
  /**
   * The number of scheduled ticks between `lastAt` (in the first tick: the start of the task) and this tick that did
   * not happen, because `run` took longer or the process was down; with a cron pattern also because the machine slept
   * or the clock was set. With a cron pattern at most 1 000 are counted.
   */
  readonly missed: number;
}

/** The options of `monitor`. */
export interface MonitorDefinition
  extends Pick<
    KindDefinition<never, never, unknown, unknown, never>,
    "description" | "lane" | "timeoutMs" | "elapsedTimeoutMs" | "retry"
  > {
  /** Default `"monitor"`. Monitors in the `kinds` of one manager need different names. */
  name?: string | undefined;
  /** The schedule: an interval or a cron pattern. */
  every: Every;
  /**
   * Called at each tick; the next tick waits until the call has settled. An error fails the task. `"stop"` ends the
   * task `succeeded`.
   */
  run: (ctx: TaskContext, tick: Tick) => void | "stop" | PromiseLike<void | "stop">;
  /** The task ends `succeeded` after this number of ticks. An integer ≥ 1; default no limit. */
  maxTicks?: number | undefined;
}

/**
 * A kind whose task calls `run` at each tick, and is `blocked` on `time` between ticks. The schedule is part of the
 * kind, so the kind takes no input: a spawn with an input is an `InvalidInputError`. Ticks never overlap and are not
 * made up for: a tick that was due while `run` was busy is skipped and counted in `tick.missed`.
 *
 * An interval ticks at `startedAt + n × ms`, for the first time after one `ms`, without drift. It is a duration: when
 * the wall clock is set or the machine sleeps, the ticks keep their distance, and `scheduledAt` is the time of the wall
 * clock when the tick was due.
 *
 * A cron pattern names instants: it ticks when the wall clock of its timezone shows them, at most 30 s late after the
 * machine slept or the clock was set. The task ends `succeeded` after the last instant of the pattern, and `failed`
 * when that instant is before its start. A cron pattern needs `croner` 10 or 11 (an optional peer: `npm install
 * croner`); an interval does not.
 *
 * A cancel between ticks takes effect at once. A cancel during a tick aborts `ctx.signal`, and no tick follows: the
 * status is `cancelled`, unless `run` returns `"stop"` or the tick was the last of `maxTicks`. `timeoutMs` counts only
 * the time in `run`, summed over all ticks of an attempt.
 *
 * A retry continues the schedule and the count, and so does a restart when the kind is registered; a tick that a crash
 * interrupted is not repeated. The monitor owns `ctx.checkpoint`: another value is an `InvalidInputError`. A post of
 * `run` wakes the owner with `wake: "onActivity"`.
 *
 * Throws before any task exists: `TypeError` (a pattern or timezone that croner rejects, an option of the wrong type or
 * name), `RangeError` (`ms` < 1 or not finite, `maxTicks` < 1, a pattern that no date fits), `Error` (croner is not
 * installed or does not load; `cause` says why).
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 * import { monitor } from "errand/kinds";
 *
 * const watchDisk = monitor({
 *   every: { ms: 10 },
 *   run: (_ctx, tick) => (tick.count === 3 ? "stop" : undefined),
 * });
 * console.log((await new TaskManager().spawn(watchDisk).outcome()).status); // succeeded
 * ```
 */
export function monitor(definition: MonitorDefinition): TaskKind<undefined, void> {
  checkType("definition", definition, "object");
  checkKnown("monitor", definition, DEFINITION);
  const { name = "monitor", every, run, maxTicks = Number.POSITIVE_INFINITY, ...more } = definition;
  checkType("run", run, "function");
  checkCount("maxTicks", maxTicks, 1);
  const plan = planOf(every);

  return defineKind<void, undefined, undefined, void, MonitorCheckpoint>({
    ...more,
    name,
    input: noInput,
    checkpoint: checkpointSchema,
    // A monitor can always resume: ticks that were missed meanwhile are counted.
    canReattach: () => true,
    run: async (ctx) => {
      let { count, lastAt }: MonitorCheckpoint = ctx.lastCheckpoint ?? { count: 0 };
      const rhythm = rhythmOf(plan, ctx, lastAt);
      while (count < maxTicks) {
        const due = await rhythm.next();
        if (due === undefined) return;
        const { scheduledAt, missed } = due;
        const tick: Tick = Object.freeze({
          count: ++count,
          scheduledAt,
          ...(lastAt === undefined ? {} : { lastAt }),
          missed,
        });
        lastAt = scheduledAt;
        // The checkpoint is stored before `run`, so that a tick that has begun is never repeated.
        await ctx.checkpoint({ count, lastAt });
        if (ctx.isCancelled) throw ctx.signal.reason;
        if ((await run(ctx, tick)) === "stop") return;
      }
    },
  });
}

const DEFINITION: ReadonlySet<string> = new Set<keyof MonitorDefinition>([
  ...(["name", "description", "lane", "timeoutMs", "elapsedTimeoutMs", "retry"] as const),
  ...(["every", "run", "maxTicks"] as const),
]);

/** Refuses every input, because an input would change nothing (§12). */
const noInput: StandardSchemaV1<undefined> & StandardJSONSchemaV1<undefined> = {
  "~standard": {
    version: 1,
    vendor: "errand",
    validate: (value) =>
      value === undefined
        ? { value }
        : { issues: [{ message: "a monitor takes no input: its schedule is part of its kind" }] },
    jsonSchema: { input: () => ({ ...NOTHING }), output: () => ({ ...NOTHING }) },
  },
};
/** A JSON Schema that no value fits. */
const NOTHING = { not: {} };

/** The count and the instant of the last tick that began. */
interface MonitorCheckpoint {
  readonly count: number;
  readonly lastAt?: number;
}

const checkpointSchema: StandardSchemaV1<MonitorCheckpoint> = {
  "~standard": {
    version: 1,
    vendor: "errand",
    validate: (value) =>
      isMonitorCheckpoint(value)
        ? { value }
        : { issues: [{ message: "the checkpoint of a monitor is its own: its count of ticks" }] },
  },
};

function isMonitorCheckpoint(value: unknown): value is MonitorCheckpoint {
  if (typeof value !== "object" || value === null) return false;
  const { count, lastAt, ...more } = value as { readonly [key: string]: unknown };
  return Number.isInteger(count) && Number.isFinite(lastAt) && Object.keys(more).length === 0;
}
