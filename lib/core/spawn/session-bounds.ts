// Session bounds: how much of a manager one named session may take (L6).
//
// Owns what `session(id, options)` may say. How much a session takes is in its account (`session-account.ts`); the spawner asks before each spawn.

import type { SessionAccount, SessionBounds } from "../live/session-account.js";
import { LimitExceededError } from "../task/errors.js";
import type { Budget } from "../task/record.js";
import { checkCount, checkOptions } from "../values/checks.js";
import { idInWords } from "../values/safe-read.js";
import { overspending, refuseSpent, takeBudget } from "./budget.js";

/** How many tasks of one session there may be. A spawn above a limit is refused with `LimitExceededError`, which names the limit. */
export interface SessionLimits {
  /** Tasks of the session that have not ended, those below its tasks included: an integer ≥ 0. No limit unless set. */
  maxLiving?: number | undefined;
  /** Tasks of the session in line for their first slot: an integer ≥ 0. No limit unless set, besides the manager's `maxQueued`. */
  maxQueued?: number | undefined;
}

/** Bounds on what all tasks of one session take of their manager together. A field that is left out keeps the value that it had. */
export interface SessionOptions {
  /** Bounds the number of tasks. No limit unless set. */
  limits?: SessionLimits | undefined;
  /**
   * What all tasks of the session may use together, evicted ones included. A spawn beyond it is refused with `LimitExceededError`. The report that
   * overspends it stops every living task of the session, and they fail with `budget_exceeded`. A later call with more raises it.
   */
  budget?: Budget | undefined;
}

/** Checked: what the options say, in place of what `before` says. */
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

/** Before a spawn in the session. `LimitExceededError` names what it has used up. */
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

/** Before a start of the session takes a place in line. */
export function checkQueued({ id, queued, bounds: { maxQueued } }: SessionAccount): void {
  if (maxQueued === undefined || queued < maxQueued) return;
  throw new LimitExceededError(
    "session.maxQueued",
    maxQueued,
    `Session ${idInWords(id)} has ${queued} tasks in line: wait for one to start`,
  );
}

/** H6: its tasks have used more than its budget. */
export function isOverspent({ usage, bounds: { budget } }: SessionAccount): boolean {
  return budget !== undefined && overspending(usage, budget) !== undefined;
}
