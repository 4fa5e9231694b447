// Lane alarm: at most one alarm of a lane, for the instant at which its next task may start.
//
// Owns the alarm. `lane.ts` decides for which instant it is set.

import { Alarm, type Timekeeper } from "../time/clock.js";

/** The alarm of one lane. */
export class LaneAlarm {
  readonly #clock: Timekeeper;
  #set: { readonly at: number; readonly isPause: boolean; readonly alarm: Alarm } | undefined;

  constructor(clock: Timekeeper) {
    this.#clock = clock;
  }

  /** Whether the alarm is set. */
  get isSet(): boolean {
    return this.#set !== undefined;
  }

  /**
   * Sets the alarm for `at`, in place of the instant it is set for; `Infinity` sets none. The end of a pause is an
   * instant of the wall clock, any other `at` one of the clock that cannot be set. Nothing changes when it is set for
   * that instant already.
   */
  set(at: number, isPause: boolean, onRing: () => void): void {
    if (this.#set?.at === at && this.#set.isPause === isPause) return;
    this.cancel();
    if (at === Number.POSITIVE_INFINITY) return;
    const ring = () => {
      this.#set = undefined;
      onRing();
    };
    const alarm = isPause
      ? Alarm.at(this.#clock, at, ring)
      : new Alarm(this.#clock, Math.max(0, at - this.#clock.monotonic()), ring);
    this.#set = { at, isPause, alarm };
  }

  /** The alarm does not ring. Has no effect when it is not set. */
  cancel(): void {
    this.#set?.alarm.cancel();
    this.#set = undefined;
  }
}
