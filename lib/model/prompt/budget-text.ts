// Budget text: describes for a model what is left of a budget (H6).
//
// Owns no state. Called by the view and by `get_task`.

import type { Task } from "../../core/live/task.js";
import { dollars } from "../../core/spawn/budget.js";
import type { Budget, Usage } from "../../core/task/record.js";

/** The remaining amounts, as a text for a model: `"12k of 60k tokens left, 3 of 10 tasks left"`. */
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

/** The remaining amounts of the nearest budget that covers `task`, its own first. */
export function budgetFor(task: Task | undefined): string | undefined {
  for (let each = task; each !== undefined; each = each.parent) {
    if (each.traits.budget !== undefined) return leftOf(each.usage(), each.traits.budget);
  }
  return undefined;
}

/** Rounds down, so a model does not read more than there is. */
function short(tokens: number): string {
  return tokens < 10_000 ? String(tokens) : `${Math.floor(tokens / 1_000)}k`;
}
