// Clock: where instants and timers come from, so that time can be made by hand in a test.
//
// Owns the port and the alarm. Every timer of errand's own is an `Alarm`: it fires once, whatever the distance, and is cancelled by its
// owner. (The rate gate's timers are p-queue's.)

/** The system's, or a manual one. `now` is epoch milliseconds; a timer given more than 2^31−1 ms is never asked for. */
export interface Clock {
  now(): number;
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

export const systemClock: Clock = {
  now: Date.now,
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  // The port keeps timers opaque; what comes back is what `setTimeout` above gave.
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

/** The longest a platform timer can take; a longer one fires at once. */
export const LONGEST_MS = 2 ** 31 - 1;

/** Calls `fn` once, `ms` from now; `Infinity` never. */
export class Alarm {
  readonly #clock: Clock;
  readonly #fn: () => void;
  readonly #dueAt: number;
  #timer: unknown;
  #isUnrefed = false;

  constructor(clock: Clock, ms: number, fn: () => void) {
    this.#clock = clock;
    this.#fn = fn;
    this.#dueAt = clock.now() + ms;
    this.#arm(ms);
  }

  #arm(ms: number): void {
    if (ms === Number.POSITIVE_INFINITY) return;
    if (ms <= LONGEST_MS) this.#timer = this.#clock.setTimeout(this.#fn, ms);
    else
      this.#timer = this.#clock.setTimeout(() => this.#arm(Math.max(0, this.#dueAt - this.#clock.now())), LONGEST_MS);
    if (this.#isUnrefed) this.unref();
  }

  /** Does not fire any more. Twice, or after it fired, is nothing. */
  cancel(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Lets the process end before it fires: for housekeeping that nobody waits for. */
  unref(): this {
    this.#isUnrefed = true;
    if (hasUnref(this.#timer)) this.#timer.unref();
    return this;
  }
}

function hasUnref(timer: unknown): timer is { unref(): void } {
  return typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function";
}
