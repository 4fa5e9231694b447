// Lane options: the options of a lane, when its manager is made and while it runs (L6, L7, L10).
//
// Checks the options completely before any of them takes effect. `lane.ts` applies them.

import { checkCount, checkFinite, checkMs, checkOptions, checkText, checkType, show } from "../values/checks.js";
import type { Rate } from "./rate-limiter.js";

/** The bounds of each `laneKey` of a lane. */
export interface PerKey {
  /**
   * How many tasks of one key may run at once. A task in a pending wait does not count. An integer ≥ 1; default no
   * limit.
   */
  concurrency?: number | undefined;
  /** How often tasks of one key may start: one window or several, as the `rate` of the lane. Default no limit. */
  rate?: Rate | readonly Rate[] | undefined;
}

/**
 * Options of a lane: its limit, its rate, and the bounds of each key.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 *
 * const lanes = {
 *   model: { rate: [{ limit: 50, periodMs: 60_000 }, { limit: 30_000, periodMs: 60_000, unit: "tokens" }] },
 *   fetch: { perKey: { concurrency: 2 } }, // two pages of each host at once
 * };
 * const manager = new TaskManager({ lanes });
 * const answer = manager.spawn(() => "42", { lane: "model", weight: { tokens: 2_000 } });
 * const page = manager.spawn(() => "<html>", { lane: "fetch", laneKey: "example.org" });
 * console.log(await answer.result(), await page.result()); // 42 <html>
 * ```
 */
export interface LaneOptions {
  /**
   * How many tasks of this lane may run at once. A task in a pending wait does not count. An integer ≥ 1, or
   * `Infinity`. The `concurrency` of the manager applies too. Default `Infinity`, and for the lane `default` the
   * `concurrency` of the manager, also after `setConcurrency`.
   */
  concurrency?: number | undefined;
  /**
   * How often tasks of this lane may start: one window, or several that must all have capacity (requests and tokens per
   * minute, for example).
   *
   * A window counts real starts: at most `limit` in any `periodMs`, from the call of one function to the call of
   * another, on the clock of the manager. The first start of a task, each retry and each attempt after a restart count.
   * A task that is cancelled before its start, and a return from a wait, do not count. A task that waits for its rate
   * holds no slot. After a restart the windows are filled from the store. Two processes that share a store have
   * separate windows. Default no limit.
   */
  rate?: Rate | readonly Rate[] | undefined;
  /**
   * The bounds of each `laneKey` (a host or a tenant, for example). The lane alone bounds tasks without a `laneKey`.
   */
  perKey?: PerKey | undefined;
  /** Milliseconds in line that one step of priority is worth. Default: `agingMs` of the manager. */
  agingMs?: number | undefined;
  /**
   * True: an abandoned function keeps its slot until it ends. Default false: its slot is free at the end of its grace.
   */
  holdAbandoned?: boolean | undefined;
}

/**
 * The change that `setLane` makes. A field that is left out, or `undefined`, keeps its value; `null` removes the bound.
 */
export interface LaneChange {
  /** How many tasks of this lane may run at once: an integer ≥ 1, or `Infinity`. */
  concurrency?: number | undefined;
  /** Replaces all windows of the lane. Known starts of the old windows count in the new ones. */
  rate?: Rate | readonly Rate[] | null | undefined;
  /**
   * Changes the bounds of each key. A field that is left out keeps its value, and `null` removes it. `null` in place of
   * the object removes both bounds.
   */
  perKey?:
    | {
        /** How many tasks of one key may run at once. */
        concurrency?: number | null | undefined;
        /** How often tasks of one key may start. */
        rate?: Rate | readonly Rate[] | null | undefined;
      }
    | null
    | undefined;
}

/** Checks the options of a lane. `what` names them in a message. Throws a `TypeError` or `RangeError`. */
export function checkLane(what: string, lane: LaneOptions): void {
  checkType(what, lane, "object");
  checkOptions(what, lane, "concurrency", "rate", "perKey", "agingMs", "holdAbandoned");
  checkCount(`${what}.concurrency`, lane.concurrency, 1);
  checkMs(`${what}.agingMs`, lane.agingMs);
  checkFinite(`${what}.agingMs`, lane.agingMs);
  if (lane.holdAbandoned !== undefined) checkType(`${what}.holdAbandoned`, lane.holdAbandoned, "boolean");
  checkRate(`${what}.rate`, lane.rate);
  if (lane.perKey === undefined) return;
  checkOptions(`${what}.perKey`, lane.perKey, "concurrency", "rate");
  checkType(`${what}.perKey`, lane.perKey, "object");
  checkCount(`${what}.perKey.concurrency`, lane.perKey.concurrency, 1);
  checkRate(`${what}.perKey.rate`, lane.perKey.rate);
}

/** Checks a change of `setLane`. Throws a `TypeError` or `RangeError`. */
export function checkLaneChange(change: LaneChange): void {
  checkType("the options of setLane", change, "object");
  checkOptions("setLane", change, "concurrency", "rate", "perKey");
  checkCount("concurrency", change.concurrency, 1);
  if (change.rate !== null) checkRate("rate", change.rate);
  if (change.perKey === undefined || change.perKey === null) return;
  checkOptions("perKey", change.perKey, "concurrency", "rate");
  const { concurrency, rate } = change.perKey;
  if (concurrency !== null) checkCount("perKey.concurrency", concurrency, 1);
  if (rate !== null) checkRate("perKey.rate", rate);
}

function checkRate(option: string, rate: Rate | readonly Rate[] | undefined): void {
  if (rate === undefined) return;
  if (!isList(rate)) return checkWindow(option, rate);
  for (const [index, window] of rate.entries()) checkWindow(`${option}[${index}]`, window);
}

/** Narrows to a list: `Array.isArray` narrows to `any[]`. */
function isList(rate: Rate | readonly Rate[]): rate is readonly Rate[] {
  return Array.isArray(rate);
}

function checkWindow(option: string, window: Rate): void {
  checkType(option, window, "object");
  checkOptions(option, window, "limit", "periodMs", "unit");
  const { limit, periodMs, unit } = window;
  checkType(`${option}.limit`, limit, "number");
  checkCount(`${option}.limit`, limit, 1);
  checkType(`${option}.periodMs`, periodMs, "number");
  checkFinite(`${option}.periodMs`, periodMs);
  if (periodMs < 1)
    throw new RangeError(`${option}.periodMs must be a number of milliseconds ≥ 1, got ${show(periodMs)}`);
  checkText(`${option}.unit`, unit);
}
