// Notice owner: the loop that receives the notices of a task (N3).
//
// Owns nothing: pure questions about the family. Called by `notices.ts` and `notice-queues.ts`.

import { isWithin } from "../live/family.js";
import type { Task } from "../live/task.js";

/** The owner of a loop: a task, or a session by its id. */
export type NoticeOwner = Task | string;

/**
 * The owner of the notices of `task`: its parent, or the nearest ancestor whose function is not over; otherwise its
 * session. `undefined`: no loop receives them (N3).
 */
export function ownerOf(task: Task): NoticeOwner | undefined {
  for (let above = task.parent; above !== undefined; above = above.parent) if (!isGone(above)) return above;
  return task.sessionId;
}

/** Whether the notices of `owner` go to `above` when the function of `owner` is over. */
export function isBelow(owner: NoticeOwner, above: NoticeOwner): boolean {
  if (typeof owner === "string" || owner === above) return false;
  return typeof above === "string" ? owner.sessionId === above : isWithin(owner, above);
}

/** The function of the task is over, so its loop reads no notices. */
export function isGone({ state }: Task): boolean {
  return state.ending !== undefined;
}
