// Budget guard: what a usage report and the bounds of a session stop (H6, L6).
//
// Owns no sums: those are the family's and the session's, and stand when the report is asked about.

import type { Slots } from "../lanes/slots.js";
import type { Registry } from "../live/registry.js";
import { NO_BOUNDS, type SessionAccount, type SessionBounds } from "../live/session-account.js";
import type { SessionUsage } from "../live/session-usage.js";
import type { Task } from "../live/task.js";
import type { UsageReport } from "../task/record.js";
import type { StopReason } from "../task/status.js";
import { idInWords } from "../values/safe-read.js";
import { overspenders } from "./budget.js";
import { isOverspent, type SessionOptions, takeBounds } from "./session-bounds.js";

interface GuardDeps {
  readonly slots: Slots<Task>;
  readonly registry: Registry;
  readonly sessions: SessionUsage;
  readonly stop: (task: Task, code: StopReason, reason: string) => void;
}

export class BudgetGuard {
  readonly #deps: GuardDeps;

  constructor(deps: GuardDeps) {
    this.#deps = deps;
  }

  /** `task` has reported `usage`: each task that is over its budget now is stopped in this call. */
  reported(task: Task, usage: UsageReport): void {
    const { slots, stop } = this.#deps;
    const { account } = task;
    slots.used(task.lane, task, (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0));
    for (const over of overspenders(task)) stop(over.task, "budget_exceeded", over.words);
    if (account !== undefined && !account.isSpent && isOverspent(account)) this.#stopSession(account);
  }

  /** The bounds of a session hold from now on. */
  bound(sessionId: string, options: SessionOptions): SessionBounds {
    const { sessions } = this.#deps;
    const bounds = takeBounds(options, sessions.find(sessionId)?.bounds ?? NO_BOUNDS);
    const account = sessions.use(sessionId);
    account.bounds = bounds;
    account.isSpent = false;
    return bounds;
  }

  /** All tasks of a session share its budget. Tasks below a root that is stopped are swept with it. */
  #stopSession(account: SessionAccount): void {
    const { registry, stop } = this.#deps;
    account.isSpent = true;
    const reason = `session ${idInWords(account.id)} has no more to spend`;
    for (const task of registry.all())
      if (task.account === account && !task.isOver && !task.isAttached) stop(task, "budget_exceeded", reason);
  }
}
