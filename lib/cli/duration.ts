// Duration: times as people say them.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** `300 ms`, `1.2 s`, `3 min 12 s`, `2 d 4 h`. A clock that was set back makes it 0. */
export function inWords(ms: number): string {
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

/** `3 min 12 s ago`, `in 4 s`. */
export function relative(at: number, now: number): string {
  return at > now ? `in ${inWords(at - now)}` : `${inWords(now - at)} ago`;
}

/** Local time, to the millisecond. */
export function clockTime(at: number): string {
  // The Swedish write it as ISO 8601 does.
  const ms = String(((at % SECOND) + SECOND) % SECOND).padStart(3, "0");
  return `${new Date(at).toLocaleString("sv-SE")}.${ms}`;
}
