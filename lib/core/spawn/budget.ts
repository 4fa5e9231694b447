// Budget: what a whole subtree may use (H6).
//
// Asked at each report and before each spawn, in the same call, so that no two slip past together. Owns no sum: those are the family's.

import type { Task } from "../live/task.js";
import { LimitExceededError } from "../task/errors.js";
import type { Budget, Usage } from "../task/record.js";
import { checkCount, checkFinite, checkOptions, checkType } from "../values/checks.js";
import { idInWords } from "../values/safe-read.js";

/** Sums of fractions of a cent do not come out even: so much of a limit is no overspending. */
const ROUNDING = 1e-9;

/** A frozen one; `undefined` when it limits nothing. */
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

/** The amount by which the usage is over `budget`, in words; `undefined`: it is not over. */
export function overspending({ inputTokens, outputTokens, costUsd }: Usage, budget: Budget): string | undefined {
  const tokens = inputTokens + outputTokens;
  if (budget.tokens !== undefined && tokens > budget.tokens)
    return `its budget is spent: ${tokens} of ${budget.tokens} tokens`;
  if (budget.costUsd !== undefined && costUsd > budget.costUsd * (1 + ROUNDING))
    return `its budget is spent: ${dollars(costUsd)} of ${dollars(budget.costUsd)}`;
  return undefined;
}

/**
 * Those that the last report of `reporter` left over a budget, from it upwards, each with the words to stop it with. What is detached has left
 * the sweep of those above it and not their budgets: it is named beside them.
 */
export function overspenders(reporter: Task): readonly { readonly task: Task; readonly words: string }[] {
  // A deep tree without a budget is not walked up at each report.
  if (!reporter.root.family.hasBudgets) return NOBODY;
  const found: { readonly task: Task; readonly words: string }[] = [];
  const apart: Task[] = [];
  for (let task: Task | undefined = reporter; task !== undefined; task = task.parent) {
    const { budget } = task.traits;
    const words = budget === undefined ? undefined : overspending(task.usage(), budget);
    if (words !== undefined) {
      found.push({ task, words });
      for (const each of apart)
        found.push({ task: each, words: `task ${idInWords(task.id)} has no more to spend: ${words}` });
    }
    if (task.parent !== undefined && !task.isAttached) apart.push(task);
  }
  return found;
}

const NOBODY: readonly never[] = Object.freeze([]);

/** Before a spawn under `parent`. `LimitExceededError`: a budget above has no room for one more, or nothing left for it to use. */
export function checkBudgets(parent: Task): void {
  if (!parent.root.family.hasBudgets) return;
  for (let task: Task | undefined = parent; task !== undefined; task = task.parent) {
    const { budget } = task.traits;
    if (budget === undefined) continue;
    const whose = `The budget of task ${idInWords(task.id)}`;
    refuseSpent(task.usage(), budget, whose, `do this work in ${idInWords(parent.id)} itself`);
  }
}

/** Before one more is spawned. `instead`: what to do when all tasks are spawned. */
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

/** For a model: `"12k of 60k tokens left, 3 of 10 tasks left"`. */
export function leftOf({ inputTokens, outputTokens, costUsd, tasks }: Usage, budget: Budget): string {
  const left: string[] = [];
  if (budget.tokens !== undefined)
    left.push(
      `${short(Math.max(0, budget.tokens - inputTokens - outputTokens))} of ${short(budget.tokens)} tokens left`,
    );
  if (budget.costUsd !== undefined)
    left.push(`${dollars(Math.max(0, budget.costUsd - costUsd))} of ${dollars(budget.costUsd)} left`);
  if (budget.tasks !== undefined) left.push(`${Math.max(0, budget.tasks - tasks)} of ${budget.tasks} tasks left`);
  return left.join(", ");
}

/** The nearest budget that covers `task`, its own first, and what is left of it. */
export function budgetFor(task: Task | undefined): string | undefined {
  for (let each = task; each !== undefined; each = each.parent) {
    if (each.traits.budget !== undefined) return leftOf(each.usage(), each.traits.budget);
  }
  return undefined;
}

/** Down, so that nobody is told of more than there is. */
function short(tokens: number): string {
  return tokens < 10_000 ? String(tokens) : `${Math.floor(tokens / 1_000)}k`;
}

function dollars(amount: number): string {
  return `$${amount < 1 ? amount.toFixed(4) : amount.toFixed(2)}`;
}
