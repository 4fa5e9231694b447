// Grace: the time that stopped functions have to settle (C2).
//
// Owns one timer for all attempts that were stopped together; the timer is cleared when the last of them has settled. A
// cancelled tree of a hundred thousand tasks has one timer, and an unneeded grace keeps no process alive. Called by
// stopping and the runner.

import { Alarm, type Timekeeper } from "../time/clock.js";

/** The grace of attempts that were stopped together. */
export class Grace {
  readonly #alarm: Alarm;
  #unsettled: number;

  constructor(clock: Timekeeper, ms: number, unsettled: number, onOver: () => void) {
    this.#unsettled = unsettled;
    this.#alarm = new Alarm(clock, ms, onOver);
  }

  /** One of the attempts has settled or was abandoned. */
  settled(): void {
    this.#unsettled--;
    if (this.#unsettled === 0) this.#alarm.cancel();
  }
}
