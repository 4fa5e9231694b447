// Rhythm: when the next tick of a monitor comes (§10, C7).
//
// An interval is a duration: its ticks lie on a grid of the monotonic clock, and the instants by which it names them are what the wall clock
// shows there. A cron pattern names instants: they come when the wall clock shows them. Owns how far an attempt has come; sleeps through the
// context of its task, so that no slot is held meanwhile.

import type { Timekeeper } from "../../core/time/clock.js";
import { Context } from "../../session/context.js";
import type { TaskContext } from "../../session/session.js";
import type { Plan, Schedule } from "./schedule.js";

/** A tick that is due. */
export interface Due {
  readonly scheduledAt: number;
  /** How many were due since the one before it, and had none. */
  readonly missed: number;
}

export interface Rhythm {
  /** Waits for the next tick. `undefined`: none will come. Rejects as `ctx.sleep`. */
  next(): Promise<Due | undefined>;
}

/** Counts from the start of the task, or from the tick `lastAt`, on. Throws when no tick has come and none ever will. */
export function rhythmOf(plan: Plan, ctx: TaskContext, lastAt: number | undefined): Rhythm {
  const { clock } = Context.coreOf(ctx).loop;
  const startedAt = ctx.record.startedAt ?? clock.now();
  if ("ms" in plan) return new Interval(ctx, clock, plan.ms, startedAt, lastAt);
  const { schedule, words } = plan;
  if (lastAt === undefined && schedule.after(startedAt) === undefined)
    throw new RangeError(`The cron pattern ${words} names no instant after the start of the task`);
  return new Pattern(ctx, clock, schedule, lastAt ?? startedAt);
}

/** How far an instant that was counted from the start may be from what the wall clock shows before the clock counts as set. */
const APART_MS = 1_000;

class Interval implements Rhythm {
  readonly #ctx: TaskContext;
  readonly #clock: Timekeeper;
  readonly #ms: number;
  /** Tick 0, on the monotonic clock. */
  readonly #base: number;
  /** Tick 0, on the wall clock as it is set now. */
  #startedAt: number;
  /** The newest tick of the grid that was due. */
  #last: number;

  constructor(ctx: TaskContext, clock: Timekeeper, ms: number, startedAt: number, lastAt: number | undefined) {
    this.#ctx = ctx;
    this.#clock = clock;
    this.#ms = ms;
    this.#startedAt = startedAt;
    this.#base = clock.monotonic() - (clock.now() - startedAt);
    const last = lastAt === undefined ? 0 : Math.round((lastAt - startedAt) / ms);
    // The wall clock may have been set back between two attempts: the grid has not come that far then.
    const reached = this.#reached();
    this.#last = last - reached > 1 ? reached : last;
  }

  async next(): Promise<Due> {
    const next = Math.max(this.#last, this.#reached()) + 1;
    await this.#ctx.sleep(Math.max(0, this.#base + next * this.#ms - this.#clock.monotonic()));
    // A tick may come late, for want of a slot; or a moment early, by its timer.
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

/** Same limit as in cron: a clock that was set back by more was wrong before, and its instants are no measure for those to come. */
const CORRECTION_MS = 3 * 60 * 60 * 1_000;

class Pattern implements Rhythm {
  readonly #ctx: TaskContext;
  readonly #clock: Timekeeper;
  readonly #schedule: Schedule;
  #since: number;

  constructor(ctx: TaskContext, clock: Timekeeper, schedule: Schedule, since: number) {
    this.#ctx = ctx;
    this.#clock = clock;
    this.#schedule = schedule;
    this.#since = since;
  }

  async next(): Promise<Due | undefined> {
    for (;;) {
      const now = this.#clock.now();
      // An hour that comes twice has its ticks once.
      const from = this.#since - now > CORRECTION_MS ? now : Math.max(this.#since, now);
      const dueAt = this.#schedule.after(from);
      if (dueAt === undefined) return undefined;
      await Context.sleepUntil(this.#ctx, dueAt);
      if (this.#clock.now() < dueAt) continue;
      const scheduledAt = this.#schedule.newest(dueAt, this.#clock.now());
      const missed = this.#schedule.between(this.#since, scheduledAt);
      this.#since = scheduledAt;
      return { scheduledAt, missed };
    }
  }
}
