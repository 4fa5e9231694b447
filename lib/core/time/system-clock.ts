// System clock: the time of the platform, whose functions are looked up at each use (C7).
//
// No function that was found at import is used later: fake timers that a test installs take effect, and have none after
// the test removes them. Fake timers differ in what they replace:
//
// - A timer is cleared by the platform that set it.
// - When the timers and `Date` are fake and `performance` is not, the fake `Date` moves with the timers, so it measures
//   durations.
// - When only the timers are fake, a timer that fires is the time that has passed.
// - A clock that is exchanged starts from another number. The counted time stays, and the difference between the two is
//   not counted.
//
// A turn of the event loop is no time: lib/core/time/turn.ts.

import type { Clock } from "./clock.js";
import { unref } from "./instants.js";

/** Functions at import, to compare with the present ones. They are never called. */
const atImport = { Date, setTimeout, performanceNow: performanceNow() };

/** The function that was read last, and its reading. */
let source: unknown;
let lastAt = 0;
let passedMs = 0;

/** The function itself, not its result. */
function performanceNow(from: { readonly now: unknown } = performance): unknown {
  return from.now;
}

/** Milliseconds on the clock that the platform's timers follow. */
function monotonic(): number {
  // Read once: it is a getter of the global object.
  const platform = performance;
  const measured = performanceNow(platform);
  const isDateFake =
    Date !== atImport.Date && setTimeout !== atImport.setTimeout && measured === atImport.performanceNow;
  const from = isDateFake ? Date : measured;
  const at = isDateFake ? Date.now() : platform.now();
  if (from === source) passedMs += Math.max(0, at - lastAt);
  source = from;
  lastAt = at;
  return passedMs;
}

/**
 * Counts the time of a fake timer after `fn` has run: any code before it may have run at any time since the timer was
 * set.
 */
function counted(fn: () => void, ms: number): () => void {
  const dueAt = monotonic() + ms;
  return () => {
    fn();
    passedMs = Math.max(monotonic(), dueAt);
  };
}

class SystemTimer {
  readonly #clear: (timer: NodeJS.Timeout) => void;
  readonly #timer: NodeJS.Timeout;

  constructor(fn: () => void, ms: number) {
    this.#clear = clearTimeout;
    // The platform cuts a fraction off and would fire early; an excess of binary fractions is ignored.
    const whole = Math.ceil(ms - 0.001);
    this.#timer = setTimeout === atImport.setTimeout ? setTimeout(fn, whole) : setTimeout(counted(fn, ms), whole);
  }

  clear(): void {
    this.#clear(this.#timer);
  }

  unref(): void {
    // A fake timer may be a number.
    unref(this.#timer);
  }
}

/** The clock of the platform, and the default of a manager. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic,
  setTimeout: (fn, ms) => new SystemTimer(fn, ms),
  clearTimeout: (timer) => {
    if (timer instanceof SystemTimer) timer.clear();
  },
};
