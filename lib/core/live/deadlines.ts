// Deadlines: the timers that a task may carry, and when each of them runs (C6).
//
// `timeoutMs` and `stallTimeoutMs` run only while the task is `running`: time in the line, in a wait or on the way back to a slot does not count.
// `elapsedTimeoutMs` runs from the start of an attempt until its function has settled, waits included. `totalTimeoutMs` runs from the spawn until
// the task ends, and is the one that also ends at an instant, because it outlives its process (C7). Made only for tasks that ask for one.

import { ELAPSED_TIMEOUT } from "../task/decide.js";
import type { StopReason } from "../task/status.js";
import { Alarm, type Timekeeper } from "../time/clock.js";

interface DeadlineOptions {
  readonly timeoutMs: number | undefined;
  readonly stallTimeoutMs: number | undefined;
  readonly elapsedTimeoutMs: number | undefined;
  /** The remaining part of `totalTimeoutMs`, and the instant at which nothing remains. */
  readonly total: { readonly ms: number; readonly at: number } | undefined;
}

export class Deadlines {
  readonly #clock: Timekeeper;
  readonly #options: DeadlineOptions;
  readonly #onPassed: (code: StopReason, reason: string) => void;
  readonly #total: Alarm | undefined;
  #timeout: Alarm | undefined;
  #stall: Alarm | undefined;
  /** The alarm of `elapsedTimeoutMs`, which runs from the start of this attempt on. */
  #elapsed: Alarm | undefined;
  /** Of `timeoutMs`, not yet used up. */
  #left: number;
  #runningSince: number | undefined;
  #signs = 0;
  #lastSignAt = 0;

  constructor(clock: Timekeeper, options: DeadlineOptions, onPassed: (code: StopReason, reason: string) => void) {
    this.#clock = clock;
    this.#options = options;
    this.#onPassed = onPassed;
    this.#left = options.timeoutMs ?? Number.POSITIVE_INFINITY;
    const { total } = options;
    if (total !== undefined) this.#total = Alarm.within(clock, total.ms, total.at, () => this.#pass("total_timeout"));
  }

  #pass(code: StopReason, reason: string = code): void {
    this.#onPassed(code, reason);
  }

  /** The task is `running`, from now on. The first time in an attempt is its start. */
  run(): void {
    if (this.#runningSince !== undefined) return;
    const { timeoutMs, stallTimeoutMs, elapsedTimeoutMs } = this.#options;
    this.#runningSince = this.#clock.monotonic();
    if (timeoutMs !== undefined) this.#timeout = new Alarm(this.#clock, this.#left, () => this.#pass("timeout"));
    if (elapsedTimeoutMs !== undefined)
      this.#elapsed ??= new Alarm(this.#clock, elapsedTimeoutMs, () => this.#pass("timeout", ELAPSED_TIMEOUT));
    this.#lastSignAt = this.#runningSince;
    if (stallTimeoutMs !== undefined) this.#watchStall(stallTimeoutMs, stallTimeoutMs);
  }

  /** The task is not `running` until the next `run`. */
  hold(): void {
    if (this.#runningSince === undefined) return;
    this.#left = Math.max(0, this.#left - (this.#clock.monotonic() - this.#runningSince));
    this.#runningSince = undefined;
    this.#timeout?.cancel();
    this.#stall?.cancel();
  }

  /** A sign of life. Frequent, so it moves an instant and no timer: the timer looks at the instant when it fires. */
  sign(): void {
    this.#signs++;
    this.#lastSignAt = this.#clock.monotonic();
  }

  #watchStall(ms: number, left: number): void {
    const signs = this.#signs;
    this.#stall = new Alarm(this.#clock, left, () => {
      // Where no sign came, the timer itself measured the silence, whatever a clock says.
      const quietFor = signs === this.#signs ? ms : this.#clock.monotonic() - this.#lastSignAt;
      if (quietFor >= ms) this.#pass("stalled");
      else this.#watchStall(ms, Math.max(1, ms - quietFor));
    });
  }

  /** The function has settled: what is left runs for the children alone. */
  settle(): void {
    this.hold();
    this.#elapsed?.cancel();
    this.#timeout = undefined;
    this.#stall = undefined;
    this.#elapsed = undefined;
  }

  /** Another attempt begins: its own time is whole again. */
  again(): void {
    this.settle();
    this.#left = this.#options.timeoutMs ?? Number.POSITIVE_INFINITY;
  }

  cancel(): void {
    this.settle();
    this.#total?.cancel();
  }
}
