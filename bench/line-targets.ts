// Line targets: what spawn to done may cost beside p-queue and by hand, on each line of Node and in both cases of the collector.
//
// A table of its own because the bounds differ: promises, `AbortController` and `AsyncLocalStorage`, which the peers use most, became
// much cheaper from one line to the next. Pure.
import type { Collect } from "./interleave.js";
import type { Target } from "./target.js";

/** The bounds hold for so many tasks. */
export const judgedTasks = 10_000;

interface Bounds {
  /** errand, at most so many times bare p-queue. */
  readonly timesPQueue: number;
  /** By hand on p-queue, at least so many times errand. */
  readonly byHand: number;
}
/** In a process that uses `AsyncLocalStorage`. */
const bounds: { readonly [line: string]: { readonly [C in Collect]: Bounds } } = {
  20: { full: { timesPQueue: 0.6, byHand: 6 }, young: { timesPQueue: 0.45, byHand: 8 } },
  22: { full: { timesPQueue: 0.6, byHand: 4 }, young: { timesPQueue: 0.5, byHand: 5 } },
  24: { full: { timesPQueue: 0.85, byHand: 3.5 }, young: { timesPQueue: 0.85, byHand: 4 } },
  26: { full: { timesPQueue: 0.75, byHand: 5 }, young: { timesPQueue: 0.7, byHand: 5.5 } },
};
/** In a process that does not use it. */
const withoutStorage = 1;

/** The lines of Node that errand supports. */
export const lines: readonly string[] = Object.keys(bounds);
/** Of a version, as `process.version` has it. */
export function lineOf(version: string): string {
  return version.replace(/^v/u, "").split(".")[0] ?? version;
}

/** errand against bare p-queue; `undefined` where there is no bound. */
export function againstPQueue(line: string, collect: Collect, usesStorage: boolean): Target | undefined {
  const most = usesStorage ? bounds[line]?.[collect].timesPQueue : withoutStorage;
  return most === undefined ? undefined : { most, unit: "× p-queue" };
}
/** By hand on p-queue against errand. */
export function byHandAgainst(line: string, collect: Collect, usesStorage: boolean): Target | undefined {
  const least = usesStorage ? bounds[line]?.[collect].byHand : undefined;
  return least === undefined ? undefined : { least, unit: "× errand" };
}
