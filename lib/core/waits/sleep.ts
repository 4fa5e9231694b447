// Sleep: waits of a task for a duration, and for an instant of the wall clock (C7).

import type { Attempt } from "../live/task.js";
import { Alarm } from "../time/clock.js";
import { LOOK_MS } from "../time/instants.js";
import { waiterOf } from "./ambient.js";
import { keeperOf, type Waits } from "./waits.js";

/** Waits `ms` milliseconds. */
export function sleep(waits: Waits, context: Attempt, ms: number, signal: AbortSignal | undefined): Promise<void> {
  const attempt = waiterOf(context);
  const keeper = keeperOf(attempt, waits);
  const { clock } = keeper;
  // JSON has no `Infinity`, and a record is JSON.
  const untilAt = Math.min(clock.now() + ms, Number.MAX_SAFE_INTEGER);
  return keeper.open<void>(
    attempt,
    () => ({ on: "time", untilAt }),
    signal,
    (wait) => {
      const alarm = new Alarm(clock, ms, () => wait.resolve());
      return () => alarm.cancel();
    },
  );
}

/**
 * Waits until the wall clock shows `at`. The wait ends sooner when the clock was set meanwhile: `at` was made from a
 * time that has changed, so the caller asks its schedule again.
 */
export function sleepUntil(waits: Waits, context: Attempt, at: number): Promise<void> {
  const attempt = waiterOf(context);
  const keeper = keeperOf(attempt, waits);
  const { clock } = keeper;
  return keeper.open<void>(
    attempt,
    () => ({ on: "time", untilAt: at }),
    undefined,
    (wait) => {
      const ms = at - clock.now();
      const alarm = Alarm.within(clock, ms, at, () => wait.resolve());
      const stopListening = ms > LOOK_MS ? clock.instants.onSet(() => wait.resolve()) : undefined;
      return () => {
        alarm.cancel();
        stopListening?.();
      };
    },
  );
}
