// Deadlines: the three timers a task may carry, and when each of them runs (C6).
//
// `timeoutMs` and `stallTimeoutMs` run only while the task is `running`: time in the line, in a wait or on the way back to a slot
// does not count. `totalTimeoutMs` runs from the spawn on, whatever happens. Made only for tasks that ask for one.

import { Alarm, type Clock } from "./clock.js";
import type { StopReason } from "./status.js";

interface DeadlineOptions {
  readonly timeoutMs: number | undefined;
  readonly stallTimeoutMs: number | undefined;
  readonly totalTimeoutMs: number | undefined;
}

export class Deadlines {
  readonly #clock: Clock;
  readonly #options: DeadlineOptions;
  readonly #onPassed: (reason: StopReason) => void;
  readonly #total: Alarm | undefined;
  #timeout: Alarm | undefined;
  #stall: Alarm | undefined;
  /** Of `timeoutMs`, not yet used up. */
  #left: number;
  #runningSince: number | undefined;
  #lastSignAt = 0;

  constructor(clock: Clock, options: DeadlineOptions, onPassed: (reason: StopReason) => void) {
    this.#clock = clock;
    this.#options = options;
    this.#onPassed = onPassed;
    this.#left = options.timeoutMs ?? Number.POSITIVE_INFINITY;
    if (options.totalTimeoutMs !== undefined) {
      this.#total = new Alarm(clock, options.totalTimeoutMs, () => onPassed("total_timeout"));
    }
  }

  /** The task is `running`, from now on. */
  run(): void {
    if (this.#runningSince !== undefined) return;
    this.#runningSince = this.#clock.now();
    if (this.#options.timeoutMs !== undefined) {
      this.#timeout = new Alarm(this.#clock, this.#left, () => this.#onPassed("timeout"));
    }
    this.#lastSignAt = this.#runningSince;
    if (this.#options.stallTimeoutMs !== undefined) this.#watchStall(this.#options.stallTimeoutMs);
  }

  /** The task is not `running` any more. */
  hold(): void {
    if (this.#runningSince === undefined) return;
    this.#left = Math.max(0, this.#left - (this.#clock.now() - this.#runningSince));
    this.#runningSince = undefined;
    this.#timeout?.cancel();
    this.#stall?.cancel();
  }

  /** A sign of life. Frequent, so it moves an instant and no timer: the timer looks at the instant when it fires. */
  sign(): void {
    this.#lastSignAt = this.#clock.now();
  }

  #watchStall(ms: number): void {
    const quietFor = this.#clock.now() - this.#lastSignAt;
    if (quietFor >= ms && quietFor > 0) this.#onPassed("stalled");
    else this.#stall = new Alarm(this.#clock, Math.max(1, ms - quietFor), () => this.#watchStall(ms));
  }

  /** The function has settled: what is left runs for the children alone. */
  settle(): void {
    this.hold();
    this.#timeout = undefined;
    this.#stall = undefined;
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
