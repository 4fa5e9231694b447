// Schedule: checks `every` of a monitor, and computes the instants of a cron pattern.
//
// Pure functions of epoch milliseconds: reads no clock and sets no timer. croner parses the patterns; it is an optional
// peer, loaded with the first pattern. Ticks of an interval are computed in lib/kinds/monitor/rhythm.ts.

import type * as Croner from "croner";
import { messageOf } from "../../core/task/failure.js";
import { checkFinite, checkKnown, checkText, checkType, show } from "../../core/values/checks.js";
import { type Peer, requirePeer, unfitError } from "../peer.js";

/** The schedule of a monitor: an interval, or a cron pattern. */
export type Every =
  | {
      /** The interval in milliseconds, finite and ≥ 1. */
      ms: number;
    }
  | {
      /**
       * A pattern of five fields, of six with seconds in front, or of seven with a year at the end; or a name such as
       * `@daily`.
       *
       * In an hour that daylight saving time repeats, each tick happens once. A tick in the hour that it skips comes
       * after that hour: with croner 10 one hour later on the clock, with croner 11 when the clock changes.
       */
      cron: string;
      /** An IANA name such as `"Europe/Berlin"`; default the timezone of the process. */
      timezone?: string | undefined;
    };

/** The instants of a cron pattern, in epoch milliseconds. */
export interface Schedule {
  /** The first instant after `at`; `undefined` when none follows. */
  after(at: number): number | undefined;
  /** The last instant up to `now`, at least `known`, which is an instant of the pattern. */
  newest(known: number, now: number): number;
  /**
   * The number of instants between `from` and `to`, both excluded; `to` is an instant of the pattern. At most 1 000.
   */
  between(from: number, to: number): number;
}

/** A checked `every`: the length of an interval, or the instants of a pattern. */
export type Plan = { readonly ms: number } | { readonly schedule: Schedule; readonly text: string };

/** Checks `every`. Throws a `TypeError` or `RangeError` that names the field. */
export function planOf(every: Every): Plan {
  if (typeof every !== "object" || every === null)
    throw new TypeError(`every must be { ms } or { cron, timezone }, got ${show(every)}`);
  if ("ms" in every) {
    checkKnown("every", every, new Set(["ms"]));
    const { ms } = every;
    checkType("every.ms", ms, "number");
    checkFinite("every.ms", ms);
    if (ms < 1) throw new RangeError(`every.ms must be a finite number of milliseconds ≥ 1, got ${ms}`);
    return { ms };
  }
  checkKnown("every", every, new Set(["cron", "timezone"]));
  checkType("every.cron", every.cron, "string");
  checkText("every.timezone", every.timezone);
  return { schedule: new CronSchedule(every.cron, every.timezone), text: show(every.cron) };
}

/**
 * Finding one instant in a timezone takes a third of a millisecond, so the instants of a long pause are not all
 * counted.
 */
const MOST_COUNTED = 1_000;

class CronSchedule implements Schedule {
  readonly #cron: Croner.Cron;

  constructor(pattern: string, timezone: string | undefined) {
    const { Cron } = loadCroner();
    let first: number | undefined;
    try {
      // croner sets no timer when it gets no function.
      this.#cron = new Cron(pattern, timezone === undefined ? {} : { timezone });
      // croner checks the timezone only when an instant is computed.
      first = this.after(0);
    } catch (cause) {
      const of = timezone === undefined ? "" : ` in the timezone ${JSON.stringify(timezone)}`;
      const why = messageOf(cause);
      throw new TypeError(`every.cron must be a cron pattern, got ${JSON.stringify(pattern)}${of}: ${why}`, { cause });
    }
    if (first === undefined)
      throw new RangeError(`every.cron must name an instant that comes, got ${show(pattern)}: no date fits it`);
  }

  after(at: number): number | undefined {
    return this.#cron.nextRun(new Date(at))?.getTime();
  }

  newest(known: number, now: number): number {
    const next = this.after(known);
    if (next === undefined || next > now) return known;
    // croner 10 returns instants before the next full second; croner 11 also returns the instant at that second.
    const runs = this.#cron.previousRuns(2, new Date(now + 1_000)).map((run) => run.getTime());
    return Math.max(known, runs.find((at) => at <= now) ?? known);
  }

  between(from: number, to: number): number {
    let count = 0;
    for (let at = this.after(from); at !== undefined && at < to && count < MOST_COUNTED; at = this.after(at)) count++;
    return count;
  }
}

const CRONER: Peer = {
  name: "croner",
  versions: "10 or 11",
  use: "A cron pattern is read by",
  install: "croner",
};

/** Loads croner synchronously, so that a wrong pattern throws at the call of `monitor`. */
function loadCroner(): typeof Croner {
  let croner: typeof Croner;
  try {
    // The call is written here literally: a bundler then includes the package. An ES module has no `require`.
    croner = require("croner") as typeof Croner;
  } catch (tried) {
    croner = requirePeer(CRONER, tried) as typeof Croner;
  }
  if (!hasPreviousRuns(croner)) throw unfitError(CRONER, "`Cron.previousRuns`");
  return croner;
}

function hasPreviousRuns(croner: object): boolean {
  const cron: unknown = "Cron" in croner ? croner.Cron : undefined;
  const prototype: unknown = typeof cron === "function" ? cron.prototype : undefined;
  return typeof prototype === "object" && prototype !== null && "previousRuns" in prototype;
}
