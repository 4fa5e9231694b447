// Monitor: a kind that runs at each tick of an interval or of a cron pattern (§10).
//
// One task: it sleeps on the manager's clock, holding no slot, and calls `run` at each tick, never two at a time. When the next tick comes is
// a question to its rhythm (lib/kinds/monitor/); how far it has come is its checkpoint, so that a restart goes on counting.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskKind } from "../core/kinds/kind.js";
import { checkCount, checkKnown, checkType } from "../core/values/checks.js";
import type { TaskContext } from "../session/session.js";
import { defineKind, type KindDefinition } from "./define-kind.js";
import { rhythmOf } from "./monitor/rhythm.js";
import { type Every, planOf } from "./monitor/schedule.js";

/** Instants are epoch milliseconds, of the schedule: a tick that begins late says when it was due. */
export interface Tick {
  /** From 1 on; a restart and a retry go on counting. */
  readonly count: number;
  /** The newest instant of the schedule when it began. */
  readonly scheduledAt: number;
  /** `scheduledAt` of the tick before; `undefined` in the first. */
  readonly lastAt?: number;
  /**
   * Ticks of the schedule between `lastAt` (at the first: the start of the task) and this one that did not happen, because `run` took longer or
   * the process was down; with a cron pattern also because the machine slept or the clock was set. Of a cron pattern at most 1 000 are counted.
   */
  readonly missed: number;
}

export interface MonitorDefinition
  extends Pick<
    KindDefinition<never, never, unknown, unknown, never>,
    "description" | "lane" | "timeoutMs" | "elapsedTimeoutMs" | "retry"
  > {
  /** Default `"monitor"`. Each monitor that a manager knows as one of its `kinds` needs a name of its own. */
  name?: string | undefined;
  every: Every;
  /** Called at each tick; the next one waits for it. A throw fails the task. `"stop"` ends it, `succeeded`. */
  run: (ctx: TaskContext, tick: Tick) => void | "stop" | PromiseLike<void | "stop">;
  /** It ends, `succeeded`, after so many: an integer ≥ 1; default no limit. */
  maxTicks?: number | undefined;
}

/**
 * A kind whose task calls `run` at each tick, and is `blocked` on `time` between them. Its schedule is part of the kind, so it takes no input:
 * a spawn with one is an `InvalidInputError`. Ticks never overlap and are never made up for: what
 * was due while `run` was busy is counted (`tick.missed`) and skipped.
 *
 * An interval ticks at `startedAt + n × ms`, the first time after one `ms`; it does not drift. It is a duration: when the wall clock is set, or
 * the machine sleeps, the ticks keep their distance, and `scheduledAt` is what the wall clock showed when the tick was due. A cron pattern names
 * instants: it ticks when the wall clock of its timezone shows them, at most 30 s late after the machine slept or the clock was set. Its
 * task ends `succeeded` with the last instant that the pattern names, and `failed` when that is before its start. A cron pattern needs `croner` 10 or 11 (an optional peer: `npm install croner`), an interval does not.
 *
 * A cancel between ticks takes effect at once; during one it aborts `ctx.signal`, and no more come: `cancelled`, unless `run` answers `"stop"`
 * or it was the last of `maxTicks`. `timeoutMs` counts the time in `run` alone, of all ticks of an attempt together. A retry, and a restart
 * where the kind is registered, go on with the schedule and the count; a tick that a crash cut short is not repeated.
 * `ctx.checkpoint` is the monitor's own: another value is refused (`InvalidInputError`). What `run` posts wakes the owner with `wake: "onActivity"`.
 *
 * Throws here, before any task: `TypeError` (a pattern or timezone that croner does not take, an option of the wrong type or name),
 * `RangeError` (`ms` < 1 or not finite, `maxTicks` < 1, a pattern that no date fits), `Error` (croner is not installed or does not load; `cause` says why).
 */
export function monitor(definition: MonitorDefinition): TaskKind<undefined, void> {
  checkType("definition", definition, "object");
  checkKnown("monitor", definition, DEFINITION);
  const { name = "monitor", every, run, maxTicks = Number.POSITIVE_INFINITY, ...more } = definition;
  checkType("run", run, "function");
  checkCount("maxTicks", maxTicks, 1);
  const plan = planOf(every);

  return defineKind<void, undefined, undefined, void, Reached>({
    ...more,
    name,
    input: noInput,
    checkpoint: reachedSchema,
    // Whatever was missed meanwhile is counted.
    canReattach: () => true,
    run: async (ctx) => {
      let { count, lastAt }: Reached = ctx.lastCheckpoint ?? { count: 0 };
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
        // Before `run`: a tick has begun once, whatever comes.
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

/** §12: an input that would change nothing is refused, and so is every input here. */
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
/** No value fits. */
const NOTHING = { not: {} };

/** How far it has come. */
interface Reached {
  readonly count: number;
  readonly lastAt?: number;
}

const reachedSchema: StandardSchemaV1<Reached> = {
  "~standard": {
    version: 1,
    vendor: "errand",
    validate: (value) =>
      isReached(value)
        ? { value }
        : { issues: [{ message: "the checkpoint of a monitor is its own: its count of ticks" }] },
  },
};

function isReached(value: unknown): value is Reached {
  if (typeof value !== "object" || value === null) return false;
  const { count, lastAt, ...more } = value as { readonly [key: string]: unknown };
  return Number.isInteger(count) && Number.isFinite(lastAt) && Object.keys(more).length === 0;
}
