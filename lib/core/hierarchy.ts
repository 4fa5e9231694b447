// Hierarchy: who is whose child (DESIGN §4).
//
// Owns the links between tasks and the counts along them: living children (H1, H4), usage (§8). Walks are iterative, over our own
// links, so no depth overflows and no signal is chained (C5). Parent pointers never change.

import type { TaskTree, UsageReport } from "./record.js";
import { familyOf, type Spent, type Task } from "./task.js";

/** `task` was just made under its parent. */
export function adopt(task: Task): void {
  const { parent } = task;
  if (parent === undefined) return;
  const family = familyOf(parent);
  task.previousSibling = family.lastChild;
  if (family.lastChild === undefined) family.firstChild = task;
  else family.lastChild.nextSibling = task;
  family.lastChild = task;
  family.living++;
  if (task.isAttached) family.attached++;
  familyOf(task.root).descendants++;
  for (let above: Task | undefined = parent; above !== undefined; above = above.parent) {
    above.family.tasksBelow++;
    above.touch();
  }
}

/** `task` has just ended. */
export function buryIn(task: Task): void {
  if (task.parent === undefined) return;
  const { family } = task.parent;
  family.living--;
  if (task.isAttached) family.attached--;
  task.root.family.descendants--;
}

/** `task` is attached, and is not any more; its record says so already. */
export function letGo(task: Task): void {
  if (task.parent !== undefined) task.parent.family.attached--;
}

/** The record of `task` is not kept any more: out of its parent's list. */
export function forget(task: Task): void {
  const { parent, previousSibling, nextSibling } = task;
  if (parent === undefined) return;
  if (previousSibling === undefined) parent.family.firstChild = nextSibling;
  else previousSibling.nextSibling = nextSibling;
  if (nextSibling === undefined) parent.family.lastChild = previousSibling;
  else nextSibling.previousSibling = previousSibling;
  task.previousSibling = undefined;
  task.nextSibling = undefined;
}

export function* childrenOf(task: Task): Generator<Task> {
  for (let child = task.family.firstChild; child !== undefined; child = child.nextSibling) yield child;
}

export function* attachedChildrenOf(task: Task): Generator<Task> {
  for (const child of childrenOf(task)) if (!child.isOver && child.isAttached) yield child;
}

/** The living attached descendants: each before what is below it. They are what a sweep reaches (H2). */
export function attachedDescendantsOf(task: Task): Task[] {
  const found: Task[] = [];
  for (const child of attachedChildrenOf(task)) found.push(child);
  for (let i = 0; i < found.length; i++) {
    const next = found[i];
    if (next !== undefined) for (const child of attachedChildrenOf(next)) found.push(child);
  }
  return found;
}

/** Whether `task` is `above`, or anywhere below it; detached or not. */
export function isWithin(task: Task, above: Task): boolean {
  for (let each: Task | undefined = task; each !== undefined; each = each.parent) if (each === above) return true;
  return false;
}

/** §8: usage adds up along the ancestors, through detached tasks too. */
export function addUsage(task: Task, report: UsageReport): void {
  const own = familyOf(task);
  own.ownSpent = plus(own.ownSpent, report);
  for (let each: Task | undefined = task; each !== undefined; each = each.parent) {
    each.family.spent = plus(each.family.spent, report);
    each.touch();
  }
}

function plus(spent: Spent, { inputTokens = 0, outputTokens = 0, costUsd = 0 }: UsageReport): Spent {
  return {
    inputTokens: spent.inputTokens + inputTokens,
    outputTokens: spent.outputTokens + outputTokens,
    costUsd: spent.costUsd + costUsd,
  };
}

/** A task with all that is kept below it, by creation. */
export function treeOf(top: Task): TaskTree {
  // Children first, without recursion: a tree may be deeper than the stack.
  const order: Task[] = [top];
  for (let i = 0; i < order.length; i++) {
    const task = order[i];
    if (task !== undefined) for (const child of childrenOf(task)) order.push(child);
  }
  const trees = new Map<Task, TaskTree>();
  for (const task of order.toReversed()) {
    const children: TaskTree[] = [];
    for (const child of childrenOf(task)) {
      const tree = trees.get(child);
      if (tree !== undefined) children.push(tree);
    }
    trees.set(
      task,
      Object.freeze({ record: task.record, usage: task.record.usage, children: Object.freeze(children) }),
    );
  }
  return trees.get(top) ?? Object.freeze({ record: top.record, usage: top.record.usage, children: [] });
}
