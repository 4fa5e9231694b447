// Session bounds: how much of a manager one named session may take (L6).
//
// Owns the options of `session(id, options)`. The account of the session (`session-account.ts`) has the counts. Called
// by the spawner before each spawn, and by the budget guard.

import type { SessionAccount, SessionBounds } from "../live/session-account.js";
import { LimitExceededError } from "../task/errors.js";
import type { Budget } from "../task/record.js";
import { checkCount, checkOptions } from "../values/checks.js";
import { idInWords } from "../values/safe-read.js";
import { overspending, refuseSpent, takeBudget } from "./budget.js";

/**
 * Bounds on the number of tasks of one session. A spawn beyond a bound throws `LimitExceededError`, which names the
 * bound.
 */
export interface SessionLimits {
  /** Tasks of the session that have not ended, at every depth: an integer ≥ 0. Default no limit. */
  maxLiving?: number | undefined;
  /**
   * Tasks of the session in line for their first slot: an integer ≥ 0. Default no limit besides `maxQueued` of the
   * manager.
   */
  maxQueued?: number | undefined;
}

/** Bounds on what all tasks of one session take together. An omitted field keeps its earlier value. */
export interface SessionOptions {
  /** Bounds the number of tasks. Default no limit. */
  limits?: SessionLimits | undefined;
  /**
   * Amounts that all tasks of the session may use together, evicted tasks included. A spawn beyond the budget throws
   * `LimitExceededError`. A usage report that exceeds it stops every living task of the session; each fails with
   * `budget_exceeded`. A later call with a larger budget allows new spawns.
   */
  budget?: Budget | undefined;
}

/** Checks `options` and returns the new bounds. A field without a value keeps the one of `before`. */
export function takeBounds(options: SessionOptions, before: SessionBounds): SessionBounds {
  checkOptions("session", options, "limits", "budget");
  const { limits, budget } = options;
  checkOptions("session.limits", limits, "maxLiving", "maxQueued");
  checkCount("session.limits.maxLiving", limits?.maxLiving, 0);
  checkCount("session.limits.maxQueued", limits?.maxQueued, 0);
  return Object.freeze({
    maxLiving: limits?.maxLiving ?? before.maxLiving,
    maxQueued: limits?.maxQueued ?? before.maxQueued,
    budget: budget === undefined ? before.budget : takeBudget(budget),
  });
}

/**
 * Called before a spawn in the session. Throws `LimitExceededError` when its living tasks or its budget are used up.
 */
export function checkAccount({ id, living, usage, bounds: { maxLiving, budget } }: SessionAccount): void {
  const whose = `Session ${idInWords(id)}`;
  if (maxLiving !== undefined && living >= maxLiving)
    throw new LimitExceededError(
      "session.maxLiving",
      maxLiving,
      `${whose} has ${living} living tasks: wait for one to end`,
    );
  if (budget !== undefined)
    refuseSpent(usage, budget, `The budget of session ${idInWords(id)}`, "do this work yourself");
}

/**
 * Called before a start of the session takes a place in line. The refusal when the session has no place left;
 * `undefined`: it has one.
 */
export function queueRefusal({ id, queued, bounds: { maxQueued } }: SessionAccount): LimitExceededError | undefined {
  if (maxQueued === undefined || queued < maxQueued) return undefined;
  return new LimitExceededError(
    "session.maxQueued",
    maxQueued,
    `Session ${idInWords(id)} has ${queued} tasks in line: wait for one to start`,
  );
}

/** Describes by how much the tasks of the session exceed its budget (H6); `undefined` when they do not. */
export function sessionOverspending({ usage, bounds: { budget } }: SessionAccount): string | undefined {
  return budget === undefined ? undefined : overspending(usage, budget);
}
