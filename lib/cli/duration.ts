// Duration: durations and instants as short texts for people.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * Formats milliseconds as `300 ms`, `1.2 s`, `3 min 12 s` or `2 d 4 h`. A negative duration, after the clock was set
 * back, is `0 ms`.
 */
export function describeDuration(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < SECOND) return `${whole} ms`;
  if (whole < 10 * SECOND) return `${Math.floor(whole / 100) / 10} s`;
  if (whole < MINUTE) return `${Math.floor(whole / SECOND)} s`;
  if (whole < HOUR) return twoParts(whole, [MINUTE, "min"], [SECOND, "s"]);
  if (whole < DAY) return twoParts(whole, [HOUR, "h"], [MINUTE, "min"]);
  return twoParts(whole, [DAY, "d"], [HOUR, "h"]);
}

type Unit = readonly [ms: number, name: string];

function twoParts(ms: number, [large, largeName]: Unit, [small, smallName]: Unit): string {
  const rest = Math.floor((ms % large) / small);
  return `${Math.floor(ms / large)} ${largeName}${rest === 0 ? "" : ` ${rest} ${smallName}`}`;
}

/** Formats the distance from `now` to `at`: `3 min 12 s ago` or `in 4 s`. Both are epoch milliseconds. */
export function relative(at: number, now: number): string {
  return at > now ? `in ${describeDuration(at - now)}` : `${describeDuration(now - at)} ago`;
}

/** Formats an instant in local time, with milliseconds. */
export function clockTime(at: number): string {
  // The Swedish locale formats a date as ISO 8601 does.
  const ms = String(((at % SECOND) + SECOND) % SECOND).padStart(3, "0");
  return `${new Date(at).toLocaleString("sv-SE")}.${ms}`;
}
