// Sleep: waits of a task for a duration, and for an instant of the wall clock (C7).

import type { Attempt } from "../live/task.js";
import { Alarm } from "../time/clock.js";
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

/** Waits until the wall clock has reached `at`. */
export function sleepUntil(waits: Waits, context: Attempt, at: number, signal: AbortSignal | undefined): Promise<void> {
  const attempt = waiterOf(context);
  const keeper = keeperOf(attempt, waits);
  const { clock } = keeper;
  return keeper.open<void>(
    attempt,
    () => ({ on: "time", untilAt: Math.min(at, Number.MAX_SAFE_INTEGER) }),
    signal,
    (wait) => {
      const alarm = Alarm.at(clock, at, () => wait.resolve());
      return () => alarm.cancel();
    },
  );
}
