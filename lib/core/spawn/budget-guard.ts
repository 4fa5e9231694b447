// Budget guard: stops what a usage report has left over a budget, and sets the bounds of a session (H6, L6).
//
// Owns no sums: the family and the session have counted the report already. Called by a context (`reportUsage`) and by
// `session(id, options)`. Calls the slots and the runner's stop.

import type { Slots } from "../lanes/slots.js";
import type { Registry } from "../live/registry.js";
import { NO_BOUNDS, type SessionAccount, type SessionBounds } from "../live/session-account.js";
import type { SessionUsage } from "../live/session-usage.js";
import type { Run, Task } from "../live/task.js";
import type { UsageReport } from "../task/record.js";
import type { StopReason } from "../task/status.js";
import { idInWords } from "../values/safe-read.js";
import { overspenders } from "./budget.js";
import { type SessionOptions, sessionOverspending, takeBounds } from "./session-bounds.js";

interface GuardDeps {
  readonly slots: Slots<Run>;
  readonly registry: Registry;
  readonly sessions: SessionUsage;
  readonly runner: {
    /** Asks a task to stop. */
    stop(task: Task, code: StopReason, reason: string): void;
  };
}

/** Enforces budgets at each usage report. */
export class BudgetGuard {
  readonly #deps: GuardDeps;

  constructor(deps: GuardDeps) {
    this.#deps = deps;
  }

  /** `task` has reported `usage`: stops each task that is now over its budget, inside this call. */
  reported(task: Task, usage: UsageReport): void {
    const { slots, runner } = this.#deps;
    const { account } = task;
    if (task.run !== undefined) slots.used(task.lane, task.run, (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0));
    for (const over of overspenders(task)) runner.stop(over.task, "budget_exceeded", over.reason);
    if (account === undefined || account.isSpent) return;
    const overspent = sessionOverspending(account);
    if (overspent !== undefined) this.#stopSession(account, overspent);
  }

  /** Sets the bounds of a session. */
  bound(sessionId: string, options: SessionOptions): SessionBounds {
    const { sessions } = this.#deps;
    const bounds = takeBounds(options, sessions.find(sessionId)?.bounds ?? NO_BOUNDS);
    const account = sessions.use(sessionId);
    account.bounds = bounds;
    account.isSpent = false;
    return bounds;
  }

  /** Stops the roots and detached tasks of the session: each stop includes the attached tasks below. */
  #stopSession(account: SessionAccount, overspent: string): void {
    const { registry, runner } = this.#deps;
    account.isSpent = true;
    const reason = `session ${idInWords(account.id)} has no more to spend: ${overspent}`;
    for (const task of registry.ofSession(account.id))
      if (task.account === account && !task.isOver && !task.isAttached) runner.stop(task, "budget_exceeded", reason);
  }
}
