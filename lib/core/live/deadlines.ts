// Deadlines: the timers of a task's limits, and when each of them counts (C6).
//
// Owns the timers of one task with a limit. `timeoutMs` and `stallTimeoutMs` count only while the task is `running`: no
// time in the line, in a wait or on the way back to a slot. `elapsedTimeoutMs` counts from the start of an attempt
// until its function has settled, waits included. `totalTimeoutMs` counts from the spawn to the end of the task; it
// outlives its process, so it also ends at an instant (C7). Called by the runner, the waits and the spawner.

import { ELAPSED_TIMEOUT } from "../task/limit-failure.js";
import type { StopReason } from "../task/status.js";
import { Alarm, type Timekeeper } from "../time/clock.js";

interface DeadlineOptions {
  readonly timeoutMs: number | undefined;
  readonly stallTimeoutMs: number | undefined;
  readonly elapsedTimeoutMs: number | undefined;
  /** The remaining part of `totalTimeoutMs`, and the instant at which nothing remains. */
  readonly total: { readonly ms: number; readonly at: number } | undefined;
}

/** The timers of one task. */
export class Deadlines {
  readonly #clock: Timekeeper;
  readonly #options: DeadlineOptions;
  readonly #onPassed: (code: StopReason, reason: string) => void;
  readonly #total: Alarm | undefined;
  #timeout: Alarm | undefined;
  #stall: Alarm | undefined;
  /** The alarm of `elapsedTimeoutMs`, which runs from the start of this attempt on. */
  #elapsed: Alarm | undefined;
  /** The unused part of `timeoutMs`, in milliseconds. */
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

  /** The task is `running` from now on. The first call in an attempt is its start. */
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

  /**
   * Records a sign of life. Signs are frequent, so the call moves an instant and no timer; the timer reads the instant
   * when it fires.
   */
  sign(): void {
    this.#signs++;
    this.#lastSignAt = this.#clock.monotonic();
  }

  #watchStall(ms: number, left: number): void {
    const signs = this.#signs;
    this.#stall = new Alarm(this.#clock, left, () => {
      // Without a sign the timer itself has measured the silence, whatever a clock says.
      const quietFor = signs === this.#signs ? ms : this.#clock.monotonic() - this.#lastSignAt;
      if (quietFor >= ms) this.#pass("stalled");
      else this.#watchStall(ms, Math.max(1, ms - quietFor));
    });
  }

  /** The function has settled: only the total limit continues, for the children. */
  settle(): void {
    this.hold();
    this.#elapsed?.cancel();
    this.#timeout = undefined;
    this.#stall = undefined;
    this.#elapsed = undefined;
  }

  /** Another attempt begins: its own limits start anew. */
  again(): void {
    this.settle();
    this.#left = this.#options.timeoutMs ?? Number.POSITIVE_INFINITY;
  }

  /** The task is over: stops all timers. */
  cancel(): void {
    this.settle();
    this.#total?.cancel();
  }
}
