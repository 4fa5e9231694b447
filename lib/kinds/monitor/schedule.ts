// Schedule: what a monitor may be given as `every`, and the instants that a cron pattern names.
//
// Pure questions about epoch milliseconds: it reads no clock and sets no timer. Cron patterns are croner's, an optional peer that is loaded
// when the first pattern is given. An interval names no instants: lib/kinds/monitor/rhythm.ts.

import type * as Croner from "croner";
import { messageOf } from "../../core/task/failure.js";
import { checkFinite, checkKnown, checkText, checkType, show } from "../../core/values/checks.js";
import { type Peer, requirePeer, unfitError } from "../peer.js";

export type Every =
  /** Finite and ≥ 1. */
  | { ms: number }
  | {
      /**
       * Five fields, six with seconds before them, seven with a year behind them; or `@daily` and its like. An hour that daylight
       * saving time repeats has its ticks once. A tick in the hour that it leaves out comes after that hour: with croner 10 an hour later by the
       * clock, with croner 11 at the instant at which the clock changes.
       */
      cron: string;
      /** IANA name, as `"Europe/Berlin"`; default that of the process. */
      timezone?: string | undefined;
    };

export interface Schedule {
  /** The first one after `at`. */
  after(at: number): number | undefined;
  /** The last one up to `now`; not before `known`, which is one. */
  newest(known: number, now: number): number;
  /** How many lie between two instants, neither of them counted; `to` is one. */
  between(from: number, to: number): number;
}

/** `every`, checked: the length of an interval, or the instants of a pattern. */
export type Plan = { readonly ms: number } | { readonly schedule: Schedule; readonly words: string };

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
  return { schedule: new Pattern(every.cron, every.timezone), words: show(every.cron) };
}

/** To find an instant in a timezone takes a third of a millisecond: those of a second-by-second pattern are not counted for a whole week. */
const MOST_COUNTED = 1_000;

class Pattern implements Schedule {
  readonly #cron: Croner.Cron;

  constructor(pattern: string, timezone: string | undefined) {
    const { Cron } = loadCroner();
    let first: number | undefined;
    try {
      // Without a function it sets no timer.
      this.#cron = new Cron(pattern, timezone === undefined ? {} : { timezone });
      // A timezone is looked up only now.
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
    // croner 10 gives those before the next full second, croner 11 that second too.
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

/** Not `import()`: whoever writes a wrong pattern learns it where it is written. */
function loadCroner(): typeof Croner {
  let croner: typeof Croner;
  try {
    // Written out here: a bundler takes the package along. A module of Node has no `require`.
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
