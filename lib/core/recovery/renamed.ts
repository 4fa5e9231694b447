// Renamed: what a store kept of a task, under the id that the task has here (D9).
//
// Pure. Called by the replay: a takeover keeps a task whose id a task of this process has under another id.

import type { Task } from "../live/task.js";
import type { TaskEvent } from "../task/events.js";
import type { StoredNotice } from "../task/notice.js";
import type { StoredTask } from "./snapshot.js";

/** The item as it is, unless its task was renamed. */
export function ofTask<T extends { readonly taskId: string }>({ id }: Task, what: T): T {
  return what.taskId === id ? what : { ...what, taskId: id };
}

/** The id of a notice begins with the id of its task. */
function noticeId({ id }: Task, was: string, notice: string): string {
  return was === id ? notice : `${id}${notice.slice(was.length)}`;
}

/** The notices of a stored task. */
export function noticesOf(task: Task, { record, notices }: StoredTask): readonly StoredNotice[] {
  return (notices?.pending ?? []).map((notice) => ({ ...notice, id: noticeId(task, record.id, notice.id) }));
}

type Later = Exclude<TaskEvent, { type: "task.created" }>;

/** The event with the id under which its task is kept here. */
export function renamedIn(task: Task, event: Later): Later {
  if (event.taskId === task.id) return event;
  if ("request" in event) return { ...event, request: ofTask(task, event.request) };
  if (event.type === "message.sent") return { ...event, message: ofTask(task, event.message) };
  if (event.type !== "task.updated" || event.patch.acknowledged === undefined) return event;
  const acknowledged = event.patch.acknowledged.map((id) => noticeId(task, event.taskId, id));
  return { ...event, patch: { ...event.patch, acknowledged } };
}
