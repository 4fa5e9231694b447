// Manual clock: time that moves when a test says so.
//
// Timers fire in the order they are due, and after each one everything that follows from it is let run before the next. The wall clock can be
// set apart from the time that passes, as a system's can (C7).

import { setImmediate } from "node:timers";
import type { Clock } from "../core/time/clock.js";
import { checkFinite, checkType } from "../core/values/checks.js";
import { Heap, type Ranked } from "../core/values/heap.js";

export interface ManualClock extends Clock {
  /** When the next timer is due; `undefined` when none is set. */
  readonly nextAt: number | undefined;
  /** Fires what is due, in order, and lets what follows from each run before the next. `ms` ≥ 0 and finite: `RangeError`. */
  advance(ms: number): Promise<void>;
  /**
   * Sets the wall clock, and lets what follows run: as the correction of a system's clock does, or with a later `at` a machine that slept. No
   * time passes: timers stay as far away as they were. `at` is finite, in epoch milliseconds: `RangeError`.
   */
  setNow(at: number): Promise<void>;
  /** Milliseconds that were advanced, whatever the wall clock was set to. */
  monotonic(): number;
  /** Resolves when `advance` has moved that far. `Infinity` never does. */
  sleep(ms: number): Promise<void>;
}

/**
 * A clock that stands at `startAt` until it is advanced or set.
 * Timers due at the same instant fire in the order they were set, or, with `tie`, in that of the numbers it gives them.
 */
export function manualClock(startAt = 0, tie?: () => number): ManualClock {
  checkFinite("startAt", startAt);
  if (tie !== undefined) checkType("tie", tie, "function");
  /** The wall clock shows what has passed, and by how much it was set. */
  let passed = 0;
  let offset = startAt;
  let made = 0;
  const timers = new Heap<Timer>();
  const hearers = new Set<{ readonly fn: () => void }>();

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
      for (const { fn } of [...hearers]) fn();
      await quiet();
    },
    onSet(fn) {
      const hearer = { fn };
      hearers.add(hearer);
      return () => hearers.delete(hearer);
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

/** More turns than anything needs that does not turn for ever. */
const MANY_TURNS = 1_000;

/** Everything that can run without time has run, also what takes a turn of the event loop, or a few, to go on. */
export async function quiet(): Promise<void> {
  for (let turn = 0; turn < 4 || (isTurning() && turn < MANY_TURNS); turn++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function isTurning(): boolean {
  return process.getActiveResourcesInfo().includes("Immediate");
}
