// Manual clock: time that moves only when a test moves it.
//
// Timers fire in the order in which they are due. After each timer, all code that follows from it runs before the next
// timer fires. The wall clock can be set independently of the elapsed time, like the clock of a system (C7).

import { setImmediate } from "node:timers";
import type { Clock } from "../core/time/clock.js";
import { checkFinite, checkType } from "../core/values/checks.js";
import { Heap, type Ranked } from "../core/values/heap.js";

/** A clock for tests. Its time moves only by `advance` and `setNow`. */
export interface ManualClock extends Clock {
  /** The wall-clock time at which the next timer is due, in epoch milliseconds; `undefined` when no timer is set. */
  readonly nextAt: number | undefined;
  /**
   * Advances the clock by `ms` milliseconds. Timers that become due fire in order, and the code that follows from each
   * timer runs before the next one fires. `RangeError` if `ms` is negative or not finite.
   */
  advance(ms: number): Promise<void>;
  /**
   * Sets the wall clock to `at`, in epoch milliseconds, and lets the code that follows run. This simulates a correction
   * of the system's clock or, with a later `at`, a machine that slept. No time elapses: the remaining delay of each
   * timer is unchanged. `RangeError` if `at` is not finite.
   */
  setNow(at: number): Promise<void>;
  /** Returns the milliseconds by which the clock was advanced. `setNow` does not change this value. */
  monotonic(): number;
  /** Resolves when the clock was advanced by `ms` milliseconds. With `Infinity` the promise never settles. */
  sleep(ms: number): Promise<void>;
}

/**
 * Creates a clock whose wall clock shows `startAt` (epoch milliseconds, default 0) until it is advanced or set.
 * Timers that are due at the same instant fire in the order in which they were set. With `tie`, which is called for
 * each new timer, they fire in the order of the numbers that `tie` returned.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 * import { manualClock } from "errand/testing";
 *
 * const clock = manualClock();
 * const manager = new TaskManager({ clock });
 * const task = manager.spawn((ctx) => ctx.sleep(60_000));
 * await clock.advance(60_000);
 * console.log(task.status); // succeeded
 * ```
 */
export function manualClock(startAt = 0, tie?: () => number): ManualClock {
  checkFinite("startAt", startAt);
  if (tie !== undefined) checkType("tie", tie, "function");
  /** Milliseconds that were advanced. The wall clock shows `offset + passed`. */
  let passed = 0;
  let offset = startAt;
  let made = 0;
  const timers = new Heap<Timer>();
  const listeners = new Set<{ readonly fn: () => void }>();

  const clock: ManualClock = {
    now: () => offset + passed,
    monotonic: () => passed,
    get nextAt() {
      const next = timers.first();
      return next === undefined ? undefined : offset + next.rank;
    },
    setTimeout(fn, ms) {
      const timer = new Timer(fn, ms > 0 ? passed + ms : passed, tie?.() ?? ++made);
      timers.add(timer);
      return timer;
    },
    clearTimeout(timer) {
      if (timer instanceof Timer && timers.has(timer)) timers.remove(timer);
    },
    async advance(ms) {
      if (!(ms >= 0 && ms < Infinity))
        throw new RangeError(`ms must be a finite number of milliseconds ≥ 0, got ${ms}`);
      const until = passed + ms;
      await quiet();
      for (let next = timers.first(); next !== undefined && next.rank <= until; next = timers.first()) {
        timers.remove(next);
        passed = Math.max(passed, next.rank);
        next.fn();
        await quiet();
      }
      passed = Math.max(passed, until);
    },
    async setNow(at) {
      if (!Number.isFinite(at)) throw new RangeError(`at must be a finite number of epoch milliseconds, got ${at}`);
      await quiet();
      offset = at - passed;
      for (const { fn } of [...listeners]) fn();
      await quiet();
    },
    onSet(fn) {
      const listener = { fn };
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    sleep: (ms) => new Promise((resolve) => clock.setTimeout(resolve, ms)),
  };
  return clock;
}

class Timer implements Ranked {
  readonly fn: () => void;
  readonly rank: number;
  readonly order: number;
  place = -1;

  constructor(fn: () => void, dueAt: number, order: number) {
    this.fn = fn;
    this.rank = dueAt;
    this.order = order;
  }
}

/** A limit for code that schedules a new turn of the event loop forever. */
const MANY_TURNS = 1_000;

/** Waits until all code has run that needs no time, including code that waits for a few turns of the event loop. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 4 || (isTurning() && turn < MANY_TURNS); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function isTurning(): boolean {
  return process.getActiveResourcesInfo().includes("Immediate");
}
