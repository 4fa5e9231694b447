// Manual clock: time that moves when a test says so.
//
// Timers fire in the order they are due, and after each one everything that follows from it is let run before the next.

import { setImmediate } from "node:timers";
import type { Clock } from "../core/clock.js";
import { Heap, type Ranked } from "../core/heap.js";

export interface ManualClock extends Clock {
  /** When the next timer is due; `undefined` when none is set. */
  readonly nextAt: number | undefined;
  /** Fires what is due, in order, and lets what follows from each run before the next. `ms` ≥ 0 and finite: `RangeError`. */
  advance(ms: number): Promise<void>;
  /** Resolves when `advance` has moved that far. `Infinity` never does. */
  sleep(ms: number): Promise<void>;
}

/**
 * A clock that stands at `startAt` until it is advanced.
 * Timers due at the same instant fire in the order they were set, or, with `tie`, in that of the numbers it gives them.
 */
export function manualClock(startAt = 0, tie?: () => number): ManualClock {
  let now = startAt;
  let made = 0;
  const timers = new Heap<Timer>();

  const clock: ManualClock = {
    now: () => now,
    get nextAt() {
      return timers.first()?.rank;
    },
    setTimeout(fn, ms) {
      const timer = new Timer(fn, ms > 0 ? now + ms : now, tie?.() ?? ++made);
      timers.add(timer);
      return timer;
    },
    clearTimeout(timer) {
      if (timer instanceof Timer && timers.has(timer)) timers.remove(timer);
    },
    async advance(ms) {
      if (!(ms >= 0 && ms < Infinity))
        throw new RangeError(`ms must be a finite number of milliseconds ≥ 0, got ${ms}`);
      const until = now + ms;
      await quiet();
      for (let next = timers.first(); next !== undefined && next.rank <= until; next = timers.first()) {
        timers.remove(next);
        now = Math.max(now, next.rank);
        next.fn();
        await quiet();
      }
      now = Math.max(now, until);
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
