// Sums: what each task and everything below it used, and how many tasks that is (§8, H6).
//
// A sum is added to the parent when a reader asks for one, and not at each report and each spawn: in a deep tree each of those would walk up to the
// root. Until then a task owes its parent; all that owe in one tree are kept at its root, by depth. Whoever reads a sum, or a record, calls
// `settle` first.

import type { UsageReport } from "../task/record.js";
import { NOTHING_SPENT, plus, type Spent } from "../task/usage.js";

/** The part of a task that this room needs. */
interface Summed {
  readonly depth: number;
  readonly parent: Summed | undefined;
  readonly root: Summed;
  readonly family: Sums;
  /** Called when what the record shows has changed. */
  touch(): void;
}

export class Sums {
  /** All that were ever spawned below the task. */
  tasksBelow = 0;
  /** Usage of the task and everything below it; `ownSpent` is the part of the task itself. */
  spent: Spent = NOTHING_SPENT;
  ownSpent: Spent = NOTHING_SPENT;
  /** Not added to the parent yet. */
  owedTasks = 0;
  owedSpent: Spent = NOTHING_SPENT;
  isOwing = false;
  /** The tasks below a root that owe, by depth. */
  owing: Summed[][] | undefined;
}

/** A child of `parent` was spawned. */
export function addTask(parent: Summed): void {
  add(parent, 1, undefined);
}

/** `task` used so much. */
export function addSpent(task: Summed, report: UsageReport): void {
  task.family.ownSpent = plus(task.family.ownSpent, report);
  add(task, 0, report);
}

function add(task: Summed, tasks: number, spent: UsageReport | undefined): void {
  const { family, depth, root } = task;
  family.tasksBelow += tasks;
  if (spent !== undefined) family.spent = plus(family.spent, spent);
  task.touch();
  if (depth === 0) return;
  family.owedTasks += tasks;
  if (spent !== undefined) family.owedSpent = plus(family.owedSpent, spent);
  if (family.isOwing) return;
  family.isOwing = true;
  root.family.owing ??= [];
  (root.family.owing[depth] ??= []).push(task);
}

/** Every sum of the tree is right, from the deepest upwards: each task that owes is visited once. */
export function settle({ root }: Summed): void {
  const { owing } = root.family;
  if (owing === undefined) return;
  for (let depth = owing.length - 1; depth > 0; depth--) {
    for (const { family, parent } of owing[depth] ?? []) {
      const { owedTasks, owedSpent } = family;
      family.owedTasks = 0;
      family.owedSpent = NOTHING_SPENT;
      family.isOwing = false;
      // The parent may owe the same amount in its turn.
      if (parent !== undefined) add(parent, owedTasks, owedSpent === NOTHING_SPENT ? undefined : owedSpent);
    }
  }
  root.family.owing = undefined;
}
