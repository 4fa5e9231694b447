// Last shown: the state of a task that `get_task` last showed to a loop, so that it can report an unchanged task.
//
// Owns one entry for each task and loop, whichever set of tools the loop uses. An entry is kept as long as its task.

import type { Task } from "../../core/live/task.js";
import type { NoticeOwner } from "../../core/notices/notice-owner.js";

interface LastShown {
  /** The shown facts as JSON, without the output. */
  readonly facts: string;
  /** The cursor at the end of the shown output. */
  readonly cursor: number;
}

const entries = new WeakMap<Task, Map<NoticeOwner, LastShown>>();

/** The state of `task` that the loop `by` was last shown; `undefined` when it was shown none. */
export function lastShown(task: Task, by: NoticeOwner): LastShown | undefined {
  return entries.get(task)?.get(by);
}

/** Records the state of `task` that the loop `by` is shown now. */
export function recordShown(task: Task, by: NoticeOwner, now: LastShown): void {
  const known = entries.get(task);
  if (known === undefined) entries.set(task, new Map([[by, now]]));
  else known.set(by, now);
}
