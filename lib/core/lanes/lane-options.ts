// Lane options: what may be said of a lane, when its manager is made and while it runs (L6, L7, L10).
//
// Checks what is said, whole, before any of it is done. What it comes to is `lane.ts`.

import { checkCount, checkFinite, checkMs, checkOptions, checkText, checkType, show } from "../values/checks.js";
import type { Rate } from "./rate-limiter.js";

/** The bounds of each `laneKey` of a lane. */
export interface PerKey {
  /** Started tasks of one key without a pending wait: an integer ≥ 1. No limit unless set. */
  concurrency?: number | undefined;
  /** Bounds how often tasks of one key start: one window or several, as the `rate` of the lane. No limit unless set. */
  rate?: Rate | readonly Rate[] | undefined;
}

export interface LaneOptions {
  /** Started tasks without a pending wait, in this lane: an integer ≥ 1, or `Infinity`. The manager's `concurrency` caps it too. */
  concurrency: number;
  /**
   * One window, or several that must all have room (requests and tokens per minute). A window counts what really started: at most `limit` in any
   * `periodMs`, from the call of one function to the call of another, on the manager's clock. The first start of a task, each retry and each attempt
   * after a restart count; a task that is cancelled before its start, and a return from a wait, do not. A task that waits for its rate holds no slot.
   * After a restart the windows are filled from the store. Two processes that share a store have windows of their own each.
   */
  rate?: Rate | readonly Rate[] | undefined;
  /** Bounds each `laneKey` by itself (a host, a tenant). Tasks without a `laneKey` are bounded by the lane alone. */
  perKey?: PerKey | undefined;
  /** Milliseconds in line that one step of priority is worth; default the manager's `agingMs`. */
  agingMs?: number | undefined;
  /** True: an abandoned function keeps its slot until it really ends. Default false: the slot is free once its grace is over. */
  holdAbandoned?: boolean | undefined;
}

/** The change that `setLane` makes. A field that is left out, or `undefined`, stays as it is; `null` removes the bound. */
export interface LaneChange {
  /** An integer ≥ 1, or `Infinity`. */
  concurrency?: number | undefined;
  /** Replaces all windows of the lane. The starts that the old windows still knew count in the new ones. */
  rate?: Rate | readonly Rate[] | null | undefined;
  /** Changes the bounds of each key, with the same meaning of a field that is left out and of `null`. `null` in place of the object removes both. */
  perKey?:
    | { concurrency?: number | null | undefined; rate?: Rate | readonly Rate[] | null | undefined }
    | null
    | undefined;
}

/** `what`: how the options are named in a message. */
export function checkLane(what: string, lane: LaneOptions): void {
  checkType(what, lane, "object");
  checkOptions(what, lane, "concurrency", "rate", "perKey", "agingMs", "holdAbandoned");
  checkType(`${what}.concurrency`, lane.concurrency, "number");
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

/** `Array.isArray` says `any[]` of what it finds. */
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
