// Wait cycles: a wait that could never end is refused before it begins (L3).
//
// Owns nothing. Every task has an edge to each living attached child and to the tasks for which it waits. A new wait of
// `waiter` closes a cycle when one of its targets already needs the end of `waiter`. The search goes backwards, from
// `waiter` to its ancestors and their waiters: these are few, however many tasks are awaited. Most waits need no
// search; in a deep chain, where each task waits for its child, every search would go up to the root. Called by the
// waits for ends and for notices.

import { AwaitCycleError } from "../task/errors.js";
import type { Attempt, Task } from "./task.js";
import { watchersOf } from "./watchers.js";

/**
 * The cycle that a wait for the targets would close, with the waiter first and last; `undefined` when there is none.
 */
export function findCycle(waiter: Task, isTarget: (task: Task) => boolean): readonly string[] | undefined {
  if (isTarget(waiter)) return [waiter.id, waiter.id];
  /** Each task that was found, with the task whose end it needs. */
  const needs = new Map<Task, Task>();
  const found: Task[] = [waiter];
  for (let task = found.pop(); task !== undefined; task = found.pop()) {
    for (const dependent of dependentsOf(task)) {
      if (dependent === waiter || needs.has(dependent)) continue;
      needs.set(dependent, task);
      if (isTarget(dependent)) return [waiter.id, ...pathOf(dependent, needs)];
      found.push(dependent);
    }
  }
  return undefined;
}

/**
 * Whether a wait for `target` certainly closes no cycle. The edge to an own attached child exists since the spawn; and
 * a task that waits for nothing and has no attached child depends on no other. `false`: only the search knows.
 */
export function needsNoSearch(waiter: Task, target: Task): boolean {
  if (target === waiter) return false;
  if (target.parent === waiter && target.isAttached) return true;
  return target.family.attached === 0 && target.attempt?.isWaiting !== true;
}

/** The tasks that cannot end or continue before `task` ends. */
function* dependentsOf(task: Task): Generator<Task> {
  if (task.isAttached && task.parent !== undefined) yield task.parent;
  for (const { waiting } of watchersOf(task)) if (waiting !== undefined) yield waiting;
  // A loop that waits for notices waits for each task that may wake it.
  for (const { waiting } of task.noticed?.queue.readers ?? []) if (waiting !== undefined) yield waiting;
}

function pathOf(from: Task, needs: ReadonlyMap<Task, Task>): string[] {
  const path: string[] = [];
  for (let task: Task | undefined = from; task !== undefined; task = needs.get(task)) path.push(task.id);
  return path;
}

/** Throws `AwaitCycleError` when a wait for one or all of `tasks` would close a cycle (L3). */
export function refuseCycles(attempt: Attempt | undefined, tasks: Iterable<Task>): void {
  if (attempt === undefined) return;
  const targets = new Set<Task>();
  for (const task of tasks) if (!needsNoSearch(attempt.task, task)) targets.add(task);
  if (targets.size > 0) refuseCycle(attempt, (task) => targets.has(task));
}

/** Same as `refuseCycles`, for targets that are known only when they are met. */
export function refuseCycle(attempt: Attempt | undefined, isTarget: (task: Task) => boolean): void {
  // A stopped task's wait rejects with its own cancel (C3), and reports no cycle.
  if (attempt === undefined || attempt.phase !== "open" || attempt.task.state.stop !== undefined) return;
  const cycle = findCycle(attempt.task, isTarget);
  if (cycle !== undefined) throw new AwaitCycleError(cycle);
}
