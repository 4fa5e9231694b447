// Grace: the time that stopped functions have to settle (C2).
//
// One timer for all that were stopped together, cleared when the last of them has settled: a cancelled tree of a hundred
// thousand tasks has one timer, and a process does not stay alive for a grace that nobody needs.

import { Alarm, type Timekeeper } from "../time/clock.js";

export class Grace {
  readonly #alarm: Alarm;
  #unsettled: number;

  constructor(clock: Timekeeper, ms: number, unsettled: number, onOver: () => void) {
    this.#unsettled = unsettled;
    this.#alarm = new Alarm(clock, ms, onOver);
  }

  /** One of them has settled. */
  settled(): void {
    this.#unsettled--;
    if (this.#unsettled === 0) this.#alarm.cancel();
  }
}
