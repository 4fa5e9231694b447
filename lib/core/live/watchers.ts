// Watchers: who waits for which task to end.
//
// Each watched task has a list of links, so that beginning and ending a watch is O(1) a task and nothing is left behind (W3).

import { Link, type Task, type Watcher } from "./task.js";

/** `task` still lives. */
export function watch(task: Task, watcher: Watcher): Link {
  const link = new Link(task, watcher);
  link.next = task.watchers;
  if (task.watchers !== undefined) task.watchers.previous = link;
  task.watchers = link;
  return link;
}

/** Its watcher is told nothing more, not even when others are just being told of the end. Twice is once. */
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

/** `task` has ended: tells everyone, first come first told, and leaves no link. */
export function tellWatchers(task: Task): void {
  // Each was put at the front, so the last is the oldest.
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
