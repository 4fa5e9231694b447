// Watchers: the waits for the end of each task.
//
// Owns the list of links of each watched task: beginning and ending a watch is O(1) for each task, and no link stays
// behind (W3). Called by the waits for ends and the retry delay, and by the consequences when a task ends.

import { Link, type Task, type Watcher } from "./task.js";

/** Adds `watcher` to `task`, which lives. */
export function watch(task: Task, watcher: Watcher): Link {
  const link = new Link(task, watcher);
  link.next = task.watchers;
  if (task.watchers !== undefined) task.watchers.previous = link;
  task.watchers = link;
  return link;
}

/**
 * Removes a link. Its watcher is not called again, even while the end of the task is being reported. A second call has
 * no further effect.
 */
export function unwatch(link: Link): void {
  const { task, previous, next } = link;
  link.watcher = undefined;
  if (task.isOver) return;
  if (previous !== undefined) previous.next = next;
  else if (task.watchers === link) task.watchers = next;
  if (next !== undefined) next.previous = previous;
  link.previous = undefined;
  link.next = undefined;
}

/** `task` has ended: calls its watchers, oldest first, and removes all links. */
export function tellWatchers(task: Task): void {
  // A new link is put at the front, so the last one is the oldest.
  let link = task.watchers;
  while (link?.next !== undefined) link = link.next;
  task.watchers = undefined;
  while (link !== undefined) {
    link.watcher?.taskEnded(task);
    const { previous }: Link = link;
    link.previous = undefined;
    link.next = undefined;
    link = previous;
  }
}
