// Sums: the usage and the number of tasks of each subtree (§8, H6).
//
// Owns the sums of a task. A sum is added to the parent only when a reader asks for it: otherwise each report and each
// spawn in a deep tree would walk up to the root. Until then a task owes its sum to its parent; the root lists all
// owing tasks by depth. A reader of a sum or a record calls `addUpSums` first. Called by `family.ts` and `task.ts`.

import type { UsageReport } from "../task/record.js";
import { NOTHING_SPENT, plus, type Spent } from "../task/usage.js";

/** The part of a task that the sums need. */
interface Summed {
  readonly depth: number;
  readonly parent: Summed | undefined;
  readonly root: Summed;
  readonly family: Sums;
  /** Called when the record has changed. */
  touch(): void;
}

/** The sums of one task. */
export class Sums {
  /** All tasks that were ever spawned below the task. */
  tasksBelow = 0;
  /** The usage of the task and everything below it. */
  spent: Spent = NOTHING_SPENT;
  /** The usage of the task itself. */
  ownSpent: Spent = NOTHING_SPENT;
  /** The number of tasks that is not added to the parent yet. */
  owedTasks = 0;
  /** The usage that is not added to the parent yet. */
  owedSpent: Spent = NOTHING_SPENT;
  /** The root lists the task as owing. */
  isOwing = false;
  /** On a root: the tasks below it that owe, by depth. */
  owing: Summed[][] | undefined;
}

/** A child of `parent` was spawned. */
export function addTask(parent: Summed): void {
  add(parent, 1, undefined);
}

/** Adds usage of the task itself. */
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

/** Adds all owed sums of the tree, from the deepest task upwards. Each owing task is visited once. */
export function addUpSums({ root }: Summed): void {
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
