// Hierarchy: who is whose child (§4).
//
// Owns the links between tasks and the counts along them: living children (H1, H4), usage (§8). Walks are iterative, over our own
// links, so no depth overflows and no signal is chained (C5). The id of a parent never changes.

import type { TaskTree, UsageReport } from "../task/record.js";
import { addSpent, addTask, settle } from "./sums.js";
import { familyOf, type Task } from "./task.js";

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
  addTask(parent);
}

/** `next` takes the place of `task`, which has ended: what is kept below the one is below the other. */
export function inherit(task: Task, next: Task): void {
  settle(task);
  const hasBudgets = task.root.family.hasBudgets || next.root.family.hasBudgets;
  next.family = task.family;
  if (hasBudgets) {
    familyOf(task.root).hasBudgets = true;
    familyOf(next.root).hasBudgets = true;
  }
  for (const child of childrenOf(task)) child.parent = next;
}

/** `task` has just ended. */
export function buryIn(task: Task): void {
  if (task.parent === undefined) return;
  const { family } = task.parent;
  family.living--;
  if (task.isAttached) family.attached--;
  task.root.family.descendants--;
}

/** `task` was attached, and is not any more; its record says so already. */
export function letGo(task: Task): void {
  if (task.parent === undefined) return;
  task.parent.family.attached--;
  // What it inherited from above, those below it had from there too.
  if (task.parent.totalDeadlineAt !== undefined) for (const below of attachedDescendantsOf(task)) below.touch();
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

/** Those whose records are kept, by creation. */
export function* childrenOf(task: Task): Generator<Task> {
  for (let child = task.family.firstChild; child !== undefined; child = child.nextSibling) yield child;
}

export function* attachedChildrenOf(task: Task): Generator<Task> {
  for (const child of childrenOf(task)) if (!child.isOver && child.isAttached) yield child;
}

/** The living attached descendants: each before what is below it. They are what a sweep reaches (H2). */
export function attachedDescendantsOf(task: Task): Task[] {
  const found = [...attachedChildrenOf(task)];
  // The list grows as it is walked.
  for (const next of found) {
    if (next.family.attached > 0) for (const child of attachedChildrenOf(next)) found.push(child);
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
  familyOf(task);
  addSpent(task, report);
}

/** A task with all that is kept below it, by creation. */
export function treeOf(top: Task): TaskTree {
  const tree = growing(top);
  // Level by level, without recursion: a tree may be deeper than the stack.
  const found = [{ task: top, children: tree.children }];
  for (const { task, children } of found) {
    for (const child of childrenOf(task)) {
      const branch = growing(child);
      children.push(branch);
      found.push({ task: child, children: branch.children });
    }
    Object.freeze(children);
  }
  return tree;
}

function growing({ record }: Task): TaskTree & { readonly children: TaskTree[] } {
  return Object.freeze({ record, usage: record.usage, children: [] });
}
