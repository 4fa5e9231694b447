// Budget: the amounts that a whole subtree may use (H6).
//
// Owns no sum: the families own the sums. Called at each usage report and before each spawn, inside that call, so two
// spawns cannot both take the last part of a budget.

import type { Task } from "../live/task.js";
import { LimitExceededError } from "../task/errors.js";
import type { Budget, Usage } from "../task/record.js";
import { checkCount, checkFinite, checkOptions, checkType } from "../values/checks.js";
import { idInWords } from "../values/safe-read.js";

/** Sums of fractions of a cent are not exact: an excess of this share of the limit is no overspending. */
const ROUNDING = 1e-9;

/** Checks a budget and returns a frozen copy; `undefined` when it limits nothing. */
export function takeBudget(budget: Budget | undefined): Readonly<Budget> | undefined {
  if (budget === undefined) return undefined;
  checkOptions("budget", budget, "tokens", "costUsd", "tasks");
  const { tokens, costUsd, tasks } = budget;
  checkCount("budget.tokens", tokens, 0);
  checkCount("budget.tasks", tasks, 1);
  if (costUsd !== undefined) {
    checkType("budget.costUsd", costUsd, "number");
    if (costUsd !== Infinity) checkFinite("budget.costUsd", costUsd);
    if (costUsd < 0) throw new RangeError(`budget.costUsd must be a number ≥ 0, got ${costUsd}`);
  }
  const limits = Object.entries({ tokens, costUsd, tasks }).filter(
    ([, limit]) => limit !== undefined && limit !== Infinity,
  );
  return limits.length === 0 ? undefined : Object.freeze(Object.fromEntries(limits));
}

/** Describes by how much the usage exceeds `budget`; `undefined` when it does not. */
export function overspending({ inputTokens, outputTokens, costUsd }: Usage, budget: Budget): string | undefined {
  const tokens = inputTokens + outputTokens;
  if (budget.tokens !== undefined && tokens > budget.tokens)
    return `its budget is spent: ${tokens} of ${budget.tokens} tokens`;
  if (budget.costUsd !== undefined && costUsd > budget.costUsd * (1 + ROUNDING))
    return `its budget is spent: ${dollars(costUsd)} of ${dollars(budget.costUsd)}`;
  return undefined;
}

/**
 * The tasks that the last report of `reporter` left over a budget, from the reporter upwards, each with the reason of
 * its stop. A detached task is not stopped together with the tasks above it, but their budgets cover it: it is listed
 * by itself.
 */
export function overspenders(reporter: Task): readonly { readonly task: Task; readonly reason: string }[] {
  // A deep tree without a budget is not walked up at each report.
  if (!reporter.root.family.hasBudgets) return NONE;
  const found: { readonly task: Task; readonly reason: string }[] = [];
  const apart: Task[] = [];
  for (let task: Task | undefined = reporter; task !== undefined; task = task.parent) {
    const { budget } = task.traits;
    const reason = budget === undefined ? undefined : overspending(task.usage(), budget);
    if (reason !== undefined) {
      found.push({ task, reason });
      for (const each of apart)
        found.push({ task: each, reason: `task ${idInWords(task.id)} has no more to spend: ${reason}` });
    }
    if (task.parent !== undefined && !task.isAttached) apart.push(task);
  }
  return found;
}

const NONE: readonly never[] = Object.freeze([]);

/**
 * Called before a spawn under `parent`. Throws `LimitExceededError` when a budget above it has no task or no amount
 * left.
 */
export function checkBudgets(parent: Task): void {
  if (!parent.root.family.hasBudgets) return;
  for (let task: Task | undefined = parent; task !== undefined; task = task.parent) {
    const { budget } = task.traits;
    if (budget === undefined) continue;
    const whose = `The budget of task ${idInWords(task.id)}`;
    refuseSpent(task.usage(), budget, whose, `do this work in ${idInWords(parent.id)} itself`);
  }
}

/**
 * Throws `LimitExceededError` when `usage` leaves nothing of `budget`. `instead` says what to do when all tasks are
 * spawned.
 */
export function refuseSpent(usage: Usage, budget: Budget, whose: string, instead: string): void {
  const { inputTokens, outputTokens, costUsd, tasks } = usage;
  if (budget.tasks !== undefined && tasks >= budget.tasks)
    throw new LimitExceededError(
      "budget.tasks",
      budget.tasks,
      `${whose} is ${budget.tasks} tasks, and all of them are spawned: ${instead}`,
    );
  if (budget.tokens !== undefined && inputTokens + outputTokens >= budget.tokens)
    throw new LimitExceededError(
      "budget.tokens",
      budget.tokens,
      `${whose} has no tokens left: finish with what there is`,
    );
  if (budget.costUsd !== undefined && costUsd >= budget.costUsd * (1 - ROUNDING))
    throw new LimitExceededError(
      "budget.costUsd",
      budget.costUsd,
      `${whose} has no money left: finish with what there is`,
    );
}

/** An amount of money as a text. */
export function dollars(amount: number): string {
  return `$${amount < 1 ? amount.toFixed(4) : amount.toFixed(2)}`;
}
