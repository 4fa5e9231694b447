// Notice owner: whose loop is told of a task (N3).

import { isWithin } from "../live/family.js";
import type { Task } from "../live/task.js";

/** Whose loop is told: a task's, or a session's. */
export type NoticeOwner = Task | string;

/** N3: its parent's loop, or that of the nearest ancestor whose function is not over; else the session's. `undefined`: nobody is. */
export function ownerOf(task: Task): NoticeOwner | undefined {
  for (let above = task.parent; above !== undefined; above = above.parent) if (!isGone(above)) return above;
  return task.sessionId;
}

/** Whether what `owner` is told could be handed on to `above`. */
export function isBelow(owner: NoticeOwner, above: NoticeOwner): boolean {
  if (typeof owner === "string" || owner === above) return false;
  return typeof above === "string" ? owner.sessionId === above : isWithin(owner, above);
}

/** Its function is over: it reads nothing any more. */
export function isGone({ state }: Task): boolean {
  return state.outcome !== undefined;
}
