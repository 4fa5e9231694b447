// Manual clock: time that moves when a test says so.
//
// Timers fire in the order they are due, and after each one everything that follows from it is let run before the next.

import type { Clock } from "../core/clock.js";

export interface ManualClock extends Clock {
  /** Fires what is due, in order, and lets what follows from each run before the next. */
  advance(ms: number): Promise<void>;
  /** Resolves when `advance` has moved that far. */
  sleep(ms: number): Promise<void>;
}

interface Timer {
  readonly fn: () => void;
  readonly dueAt: number;
  readonly order: number;
}

export function manualClock(startAt = 0): ManualClock {
  let now = startAt;
  let made = 0;
  const timers = new Set<Timer>();

  const clock: ManualClock = {
    now: () => now,
    setTimeout(fn, ms) {
      const timer: Timer = { fn, dueAt: now + Math.max(0, ms), order: ++made };
      timers.add(timer);
      return timer;
    },
    clearTimeout(timer) {
      for (const each of timers) if (each === timer) timers.delete(each);
    },
    async advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`ms must be a number of milliseconds ≥ 0, got ${ms}`);
      const until = now + ms;
      await quiet();
      for (let next = firstDue(timers, until); next !== undefined; next = firstDue(timers, until)) {
        timers.delete(next);
        now = Math.max(now, next.dueAt);
        next.fn();
        await quiet();
      }
      now = until;
    },
    sleep: (ms) => new Promise((resolve) => clock.setTimeout(resolve, ms)),
  };
  return clock;
}

function firstDue(timers: ReadonlySet<Timer>, until: number): Timer | undefined {
  let first: Timer | undefined;
  for (const timer of timers) {
    if (timer.dueAt > until) continue;
    if (first === undefined || timer.dueAt < first.dueAt || (timer.dueAt === first.dueAt && timer.order < first.order))
      first = timer;
  }
  return first;
}

/** Everything that can run without time has run: a wait of a stopped task takes one macrotask more, and its task another. */
async function quiet(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => setImmediate(resolve));
}
