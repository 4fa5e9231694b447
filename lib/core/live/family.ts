// Family: the links between parents and children, and the counts along them (§4).
//
// Owns the links, the counts of living children (H1, H4) and the sums of usage (§8). Walks are iterative, over these
// links: no depth overflows the stack, and no signal is chained (C5). The id of a parent never changes. Written by the
// consequences of facts.

import type { TaskTree, UsageReport } from "../task/record.js";
import { addSpent, addTask, addUpSums } from "./sums.js";
import { familyOf, type Task } from "./task.js";

/** Links a new task to its parent. */
export function attach(task: Task): void {
  const { kin } = task;
  if (kin === undefined) return;
  const { parent } = kin;
  const family = familyOf(parent);
  kin.previous = family.lastChild;
  if (family.lastChild?.kin === undefined) family.firstChild = task;
  else family.lastChild.kin.next = task;
  family.lastChild = task;
  family.living++;
  if (task.isAttached) family.attached++;
  familyOf(kin.root).descendants++;
  addTask(parent);
}

/** `next` replaces the ended `task`: the kept children of `task` become children of `next`. */
export function replaceTask(task: Task, next: Task): void {
  addUpSums(task);
  const hasBudgets = task.root.family.hasBudgets || next.root.family.hasBudgets;
  next.family = task.family;
  if (hasBudgets) {
    familyOf(task.root).hasBudgets = true;
    familyOf(next.root).hasBudgets = true;
  }
  for (const { kin } of childrenOf(task)) if (kin !== undefined) kin.parent = next;
}

/** `task` has ended: updates the counts above it. */
export function childEnded(task: Task): void {
  const { kin } = task;
  if (kin === undefined) return;
  const { family } = kin.parent;
  family.living--;
  if (task.isAttached) family.attached--;
  kin.root.family.descendants--;
}

/** `task` was attached and is now detached; its record says so already. */
export function detach(task: Task): void {
  if (task.parent === undefined) return;
  task.parent.family.attached--;
  // The tasks below inherited the same deadline from above.
  if (task.parent.totalDeadlineAt !== undefined) for (const below of attachedDescendantsOf(task)) below.touch();
}

/** The record of `task` is evicted: unlinks the task from its parent. */
export function forget(task: Task): void {
  const { kin } = task;
  if (kin === undefined) return;
  const { family } = kin.parent;
  const { previous, next } = kin;
  if (previous?.kin === undefined) family.firstChild = next;
  else previous.kin.next = next;
  if (next?.kin === undefined) family.lastChild = previous;
  else next.kin.previous = previous;
  kin.previous = undefined;
  kin.next = undefined;
}

/** The children with kept records, in order of creation. */
export function* childrenOf(task: Task): Generator<Task> {
  for (let child = task.family.firstChild; child !== undefined; child = child.kin?.next) yield child;
}

/** The living attached children. */
export function* attachedChildrenOf(task: Task): Generator<Task> {
  for (const child of childrenOf(task)) if (!child.isOver && child.isAttached) yield child;
}

/** The living attached descendants, parents before children: the tasks that a stop reaches (H2). */
export function attachedDescendantsOf(task: Task): Task[] {
  const found = [...attachedChildrenOf(task)];
  // The list grows as it is walked.
  for (const next of found) {
    if (next.family.attached > 0) for (const child of attachedChildrenOf(next)) found.push(child);
  }
  return found;
}

/** The kept tasks below `task`, detached or not, parents before children. */
export function descendantsOf(task: Task): Task[] {
  const found = [...childrenOf(task)];
  // The list grows as it is walked.
  for (const next of found) for (const child of childrenOf(next)) found.push(child);
  return found;
}

/** Whether `task` is `above` or below it, detached or not. */
export function isWithin(task: Task, above: Task): boolean {
  for (let each: Task | undefined = task; each !== undefined; each = each.parent) if (each === above) return true;
  return false;
}

/** Adds usage to the task and its ancestors, through detached tasks too (§8). */
export function addUsage(task: Task, report: UsageReport): void {
  familyOf(task);
  addSpent(task, report);
}

/** A task and all kept tasks below it, in order of creation. */
export function treeOf(top: Task): TaskTree {
  const tree = branchOf(top);
  // Level by level, without recursion: a tree may be deeper than the stack.
  const found = [{ task: top, children: tree.children }];
  for (const { task, children } of found) {
    for (const child of childrenOf(task)) {
      const branch = branchOf(child);
      children.push(branch);
      found.push({ task: child, children: branch.children });
    }
    Object.freeze(children);
  }
  return tree;
}

function branchOf({ record }: Task): TaskTree & { readonly children: TaskTree[] } {
  return Object.freeze({ record, usage: record.usage, children: [] });
}
