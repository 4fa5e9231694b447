// Sweep clock: a manual clock that knows which of the manager's timers are still set.
//
// Managers get `counted`; programs under the sweep keep time by `time`, and those timers are their own. Both move together.

import type { Clock } from "errand";
import { type ManualClock, manualClock } from "errand/testing";

export interface SweepClock {
  readonly time: ManualClock;
  readonly counted: Clock;
  /** Timers that were set and neither cleared nor fired: each with its distance when it was set. */
  pending(): readonly number[];
}

/** `onPause` is called before each timer fires: all that could go on without it has gone on. */
export function sweepClock(onPause: () => void): SweepClock {
  const time = manualClock();
  const setTimer = time.setTimeout.bind(time);
  time.setTimeout = (fn, ms) =>
    setTimer(() => {
      onPause();
      fn();
    }, ms);
  const set = new Map<unknown, number>();
  return {
    time,
    counted: {
      now: () => time.now(),
      setTimeout(fn, ms) {
        const timer = time.setTimeout(() => {
          set.delete(timer);
          fn();
        }, ms);
        set.set(timer, ms);
        return timer;
      },
      clearTimeout(timer) {
        set.delete(timer);
        time.clearTimeout(timer);
      },
    },
    pending: () => [...set.values()],
  };
}
