// Seen: what a loop was last shown of a task, so that a second look at the same is told to be one.
//
// Kept with the task, for each loop that looks, whichever set of tools it looks with; it goes with the task.

import type { Task } from "../../core/live/task.js";
import type { NoticeOwner } from "../../core/notices/notice-owner.js";

interface Seen {
  /** What was told of it, without its output. */
  readonly facts: string;
  /** Where its output ended. */
  readonly cursor: number;
}

const seen = new WeakMap<Task, Map<NoticeOwner, Seen>>();

export function lastSeen(task: Task, by: NoticeOwner): Seen | undefined {
  return seen.get(task)?.get(by);
}

export function see(task: Task, by: NoticeOwner, now: Seen): void {
  const known = seen.get(task);
  if (known === undefined) seen.set(task, new Map([[by, now]]));
  else known.set(by, now);
}
