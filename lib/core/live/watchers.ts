// Watchers: the waits for the end of each task.
//
// Owns the watchers of each task: most tasks have none or one, which needs no set. Beginning and ending a watch is O(1)
// for each task, and no watcher stays behind (W3). Called by the waits for ends and the retry delay, and by the
// consequences when a task ends.

import type { Task, Watcher } from "./task.js";

/** Adds `watcher` to `task`, which lives. A watcher that watches the task already is added once. */
export function watch(task: Task, watcher: Watcher): void {
  const { watchers } = task;
  if (watchers === undefined) task.watchers = watcher;
  else if (watchers instanceof Set) watchers.add(watcher);
  else task.watchers = new Set([watchers, watcher]);
}

/**
 * Removes `watcher`. It is not called again, even while the end of the task is being reported. A second call has no
 * further effect.
 */
export function unwatch(task: Task, watcher: Watcher): void {
  if (task.watchers === watcher) task.watchers = undefined;
  else if (task.watchers instanceof Set) {
    task.watchers.delete(watcher);
    if (task.watchers.size === 0) task.watchers = undefined;
  }
}

/** The watchers of `task`, oldest first. */
export function watchersOf({ watchers }: Task): Iterable<Watcher> {
  if (watchers === undefined) return [];
  return watchers instanceof Set ? watchers : [watchers];
}

/** `task` has ended: calls its watchers, oldest first, and removes all of them. */
export function tellWatchers(task: Task): void {
  const { watchers } = task;
  if (watchers === undefined) return;
  if (!(watchers instanceof Set)) watchers.taskEnded(task);
  // A watcher that is removed meanwhile leaves the set, so the loop does not come to it.
  else for (const watcher of watchers) watcher.taskEnded(task);
  task.watchers = undefined;
}
