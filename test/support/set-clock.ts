// A manager whose wall clock can be set: on a clock that reports it, and on one that does not, as no system's clock does.

import { type Clock, TaskManager, type TaskManagerOptions } from "errand";
import { countedIds, type ManualClock, manualClock } from "errand/testing";
import { settled } from "./basics.js";

export const HOUR = 3_600_000;
const NOON = Date.parse("2026-06-15T12:00:00Z");

/** The same time, from a clock that lacks what it need not have. */
export function bare(clock: ManualClock): Clock {
  return {
    now: () => clock.now(),
    setTimeout: (fn, ms) => clock.setTimeout(fn, ms),
    clearTimeout: (timer) => clock.clearTimeout(timer),
  };
}

/** The same time, from a clock that reports nothing. */
export function silent(clock: ManualClock): Clock {
  return { ...bare(clock), monotonic: () => clock.monotonic() };
}

export const clocks = [
  { which: "reports it", of: (clock: ManualClock): Clock => clock, lateMs: 0 },
  { which: "reports nothing", of: silent, lateMs: 30_000 },
] as const;

export function settable(of: (clock: ManualClock) => Clock, options: Omit<TaskManagerOptions, "clock" | "ids"> = {}) {
  const clock = manualClock(NOON);
  const manager = new TaskManager({ ...options, clock: of(clock), ids: countedIds() });
  return {
    clock,
    manager,
    pass: async (ms: number) => {
      await clock.advance(ms);
      await settled();
    },
    /** Sets the wall clock by so much: back, forward, or as a machine finds it that slept. */
    set: async (byMs: number) => {
      await clock.setNow(clock.now() + byMs);
      await settled();
    },
  };
}
