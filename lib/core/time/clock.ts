// Clock: the port of a clock, the clock of one manager, and its alarms (C7).
//
// A test can replace the clock and move time by hand. Every timer of a manager is an `Alarm`: it fires once, at any
// distance, and its owner cancels it. Kinds, stores and the system clock have timers of their own. An alarm is one of
// three sorts of limit:
//
// - A duration, `new Alarm(clock, ms, fn)`: timeoutMs, stallTimeoutMs, elapsedTimeoutMs, graceMs, the timeoutMs of a
//   wait, coalesceMs, `sleep`, the interval of a monitor, the heartbeat of a lease. The timer alone measures it: no
//   setting of the wall clock makes it longer or shorter, and time in which the machine slept does not count.
// - An instant, `Alarm.at(clock, at, fn)`: a cron tick, `untilAt` of a paused lane. It never fires before the wall
//   clock has reached the instant.
// - A duration that the record keeps as an instant, because it outlives its process, `Alarm.within(clock, ms, at, fn)`:
//   totalTimeoutMs (`totalDeadlineAt`), the timeoutMs of a question (`expiresAt`), the backoff of a retry
//   (`notBeforeAt`), the ttlMs of retention. It fires when either is reached: a wall clock that was set back does not
//   delay it, and time in which the machine slept counts.
//
// The last two read the wall clock at least every 30 s (lib/core/time/instants.ts).

import { Instants, LOOK_MS, unref } from "./instants.js";

/**
 * The source of time of a manager. Any object with `now`, `setTimeout` and `clearTimeout` is a clock; `manualClock` of
 * `errand/testing` is a clock that a test moves.
 */
export interface Clock {
  /** The wall clock, in epoch milliseconds. It may be set, forward and back. */
  now(): number;
  /**
   * Milliseconds since any fixed moment, unaffected by a setting of the wall clock: only differences have a meaning.
   * Durations and the order in a line are measured with it. Default: the steps forward of `now`.
   */
  monotonic?(): number;
  /**
   * Calls `fn` once, `ms` later, and returns the timer. errand passes at most 2^31−1 ms. A timer with an `unref` method
   * is unreferenced where errand does housekeeping.
   */
  setTimeout(fn: () => void, ms: number): unknown;
  /** Cancels a timer that `setTimeout` returned. `fn` is not called after that. */
  clearTimeout(timer: unknown): void;
  /**
   * Calls `fn` whenever the wall clock is set, until the returned function is called. Without this method, errand
   * compares instants with `now` at least every 30 s.
   */
  onSet?(fn: () => void): () => void;
}

/** The clock of one manager: a `Clock` with a `monotonic`, and the instants that are awaited on it. */
export class Timekeeper implements Required<Clock> {
  /** The instants that are awaited. */
  readonly instants: Instants;
  readonly #clock: Clock;
  #lastNow: number;
  #steps = 0;
  /** The newest reading for `monotonicAt`, and the instant of the wall clock at which it was taken. */
  #reading = 0;
  #readAt = Number.NaN;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lastNow = clock.now();
    this.instants = new Instants(this, clock.onSet === undefined ? undefined : (fn) => clock.onSet?.(fn) ?? (() => {}));
  }

  /** The wall clock, in epoch milliseconds. */
  now(): number {
    return this.#clock.now();
  }

  /** The clock that cannot be set, in milliseconds. */
  monotonic(): number {
    return this.#clock.monotonic?.() ?? this.#stepped();
  }

  /**
   * The clock that cannot be set, at the instant `now` that the wall clock has just shown. All tasks of one millisecond
   * share one reading, which would cost each of them as much as the reading of the wall clock. In whole milliseconds:
   * the engine stores a fraction as an object of its own.
   */
  monotonicAt(now: number): number {
    if (now !== this.#readAt) {
      this.#reading = Math.trunc(this.monotonic());
      this.#readAt = now;
    }
    return this.#reading;
  }

  /** Calls `fn` once, `ms` later. */
  setTimeout(fn: () => void, ms: number): unknown {
    return this.#clock.setTimeout(fn, ms);
  }

  /** Cancels a timer. */
  clearTimeout(timer: unknown): void {
    this.#clock.clearTimeout(timer);
  }

  /**
   * Calls `fn` whenever the wall clock was set, or the machine has slept, at most 30 s later, until the returned
   * function is called.
   */
  onSet(fn: () => void): () => void {
    return this.instants.onSet(fn);
  }

  /** The monotonic reading of a clock that has only `now`: a step back counts as no step. */
  #stepped(): number {
    const now = this.#clock.now();
    this.#steps += Math.max(0, now - this.#lastNow);
    this.#lastNow = now;
    return this.#steps;
  }
}

/** The longest delay of a platform timer; a longer one fires at once. */
export const LONGEST_MS = 2 ** 31 - 1;

/** Calls `fn` once, `ms` from now. `Infinity`: never. */
export class Alarm {
  readonly #clock: Timekeeper;
  readonly #fn: () => void;
  /** The instant that fires the alarm; `undefined` for a duration. */
  readonly #at: number | undefined;
  /** Whether the instant alone decides: a timer that fires earlier is set again. */
  readonly #isInstant: boolean;
  #timer: unknown;
  /** Ends the comparison of the instant with the wall clock. */
  #unlook: (() => void) | undefined;
  #isUnrefed = false;
  #isOver = false;

  constructor(clock: Timekeeper, ms: number, fn: () => void, at?: number, isInstant = false) {
    this.#clock = clock;
    this.#fn = fn;
    this.#at = at;
    this.#isInstant = isInstant;
    this.#arm(ms);
  }

  /** Calls `fn` once the wall clock has reached `at`, at most 30 s late when the clock was set or the machine slept. */
  static at(clock: Timekeeper, at: number, fn: () => void): Alarm {
    return new Alarm(clock, at - clock.now(), fn, at, true);
  }

  /** Calls `fn` once `ms` have passed, or the wall clock has reached `at`, whichever is first. */
  static within(clock: Timekeeper, ms: number, at: number, fn: () => void): Alarm {
    return new Alarm(clock, ms, fn, at);
  }

  #arm(ms: number): void {
    if (ms === Number.POSITIVE_INFINITY) return;
    const step = Math.min(Math.max(0, ms), LONGEST_MS);
    // The timer alone decides that the time has passed: a second clock might disagree.
    this.#timer = this.#clock.setTimeout(() => this.#passed(ms - step), step);
    if (this.#isUnrefed) this.unref();
    // A nearer instant cannot be later than that.
    if (this.#at !== undefined && ms > LOOK_MS) this.#unlook ??= this.#clock.instants.add(this.#at, () => this.#fire());
  }

  #passed(left: number): void {
    if (this.#isOver) return;
    this.#timer = undefined;
    const more = this.#isInstant && this.#at !== undefined ? this.#at - this.#clock.now() : left;
    if (more > 0) this.#arm(more);
    else this.#fire();
  }

  #fire(): void {
    if (this.#isOver) return;
    this.cancel();
    this.#fn();
  }

  /** The alarm does not fire after this. Calling `cancel` twice, or after the alarm fired, has no effect. */
  cancel(): void {
    this.#isOver = true;
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#unlook?.();
    this.#unlook = undefined;
  }

  /** Lets the process end before the alarm fires: for housekeeping without a waiting caller. */
  unref(): this {
    this.#isUnrefed = true;
    unref(this.#timer);
    return this;
  }
}
