// Rhythm: computes and awaits the next tick of a monitor (§10, C7).
//
// An interval is a duration: its ticks lie on a grid of the monotonic clock, and `scheduledAt` is the time of the wall
// clock at that point. A cron pattern names instants: they come when the wall clock shows them. Owns the last tick of
// an attempt. Sleeps by the context of the task, so that no slot is held.

import type { Clock } from "../../core/time/clock.js";
import type { TaskContext } from "../../session/session.js";
import type { Plan, Schedule } from "./schedule.js";

/** A tick that is due. */
export interface DueTick {
  /** The instant of the tick, in epoch milliseconds. */
  readonly scheduledAt: number;
  /** The number of scheduled ticks since the tick before that did not happen. */
  readonly missed: number;
}

/** The ticks of one attempt. */
export interface Rhythm {
  /** Waits for the next tick. `undefined`: no tick will come. Rejects like `ctx.sleep`. */
  next(): Promise<DueTick | undefined>;
}

/**
 * Counts from the tick `lastAt`, or from the start of the task. Throws a `RangeError` when no tick has happened and
 * none ever will.
 */
export function rhythmOf(plan: Plan, ctx: TaskContext, lastAt: number | undefined): Rhythm {
  const { clock } = ctx;
  const startedAt = ctx.record.startedAt ?? clock.now();
  if ("ms" in plan) return new Interval(ctx, clock, plan.ms, startedAt, lastAt);
  const { schedule, text } = plan;
  if (lastAt === undefined && schedule.after(startedAt) === undefined)
    throw new RangeError(
      `The cron pattern ${text} names no instant after the start of the task: use a pattern with later instants`,
    );
  return new PatternRhythm(ctx, clock, schedule, lastAt ?? startedAt);
}

/**
 * The largest difference between an instant counted from the start and the wall clock before the wall clock counts as
 * set.
 */
const APART_MS = 1_000;

class Interval implements Rhythm {
  readonly #ctx: TaskContext;
  readonly #clock: Required<Clock>;
  readonly #ms: number;
  /** The time of tick 0 on the monotonic clock. */
  readonly #base: number;
  /** The time of tick 0 on the wall clock as it is set now. */
  #startedAt: number;
  /** The number of the newest tick that was due. */
  #last: number;

  constructor(ctx: TaskContext, clock: Required<Clock>, ms: number, startedAt: number, lastAt: number | undefined) {
    this.#ctx = ctx;
    this.#clock = clock;
    this.#ms = ms;
    this.#startedAt = startedAt;
    this.#base = clock.monotonic() - (clock.now() - startedAt);
    const last = lastAt === undefined ? 0 : Math.round((lastAt - startedAt) / ms);
    // The wall clock may have been set back between two attempts; the grid is then behind the stored tick.
    const reached = this.#reached();
    this.#last = last - reached > 1 ? reached : last;
  }

  async next(): Promise<DueTick> {
    const next = Math.max(this.#last, this.#reached()) + 1;
    await this.#ctx.sleep(Math.max(0, this.#base + next * this.#ms - this.#clock.monotonic()));
    // A tick may come late because no slot was free, or slightly early because of its timer.
    const due = Math.max(next, this.#reached());
    const missed = Math.max(0, due - this.#last - 1);
    this.#last = due;
    return { scheduledAt: this.#instantOf(due), missed };
  }

  #reached(): number {
    return Math.floor((this.#clock.monotonic() - this.#base) / this.#ms);
  }

  #instantOf(tick: number): number {
    const late = this.#clock.monotonic() - (this.#base + tick * this.#ms);
    const apart = this.#clock.now() - late - (this.#startedAt + tick * this.#ms);
    if (Math.abs(apart) > APART_MS) this.#startedAt += Math.round(apart);
    return this.#startedAt + tick * this.#ms;
  }
}

/**
 * The limit that cron uses. A clock that was set back by more was wrong before, so its earlier instants do not delay
 * later ticks.
 */
const CORRECTION_MS = 3 * 60 * 60 * 1_000;

/** The reason of a wait that ends because the wall clock was set. */
const CLOCK_SET = Symbol("clock set");

class PatternRhythm implements Rhythm {
  readonly #ctx: TaskContext;
  readonly #clock: Required<Clock>;
  readonly #schedule: Schedule;
  #since: number;

  constructor(ctx: TaskContext, clock: Required<Clock>, schedule: Schedule, since: number) {
    this.#ctx = ctx;
    this.#clock = clock;
    this.#schedule = schedule;
    this.#since = since;
  }

  async next(): Promise<DueTick | undefined> {
    for (;;) {
      const now = this.#clock.now();
      // The later of both instants is used, so that ticks in an hour that comes twice happen once.
      const from = this.#since - now > CORRECTION_MS ? now : Math.max(this.#since, now);
      const dueAt = this.#schedule.after(from);
      if (dueAt === undefined) return undefined;
      await this.#until(dueAt);
      if (this.#clock.now() < dueAt) continue;
      const scheduledAt = this.#schedule.newest(dueAt, this.#clock.now());
      const missed = this.#schedule.between(this.#since, scheduledAt);
      this.#since = scheduledAt;
      return { scheduledAt, missed };
    }
  }

  /** Waits until the instant has come, or the wall clock was set: the schedule then has other instants ahead. */
  async #until(dueAt: number): Promise<void> {
    const set = new AbortController();
    const unlisten = this.#clock.onSet(() => set.abort(CLOCK_SET));
    try {
      await this.#ctx.sleepUntil(dueAt, { signal: set.signal });
    } catch (error) {
      if (error !== CLOCK_SET) throw error;
    } finally {
      unlisten();
    }
  }
}
