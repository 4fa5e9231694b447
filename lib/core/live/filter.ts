// Filter: the tasks, and the requests, that a caller selects.
//
// Owns nothing. Called by `list`, the inbox and the tools of a model.

import type { TaskFilter } from "../task/record.js";
import { REQUEST_STATUSES, type RequestFilter } from "../task/request.js";
import { TASK_STATUSES } from "../task/status.js";
import { checkFields, checkOneOf, checkTags, checkType } from "../values/checks.js";
import type { Task } from "./task.js";

/** Checks a filter of tasks. Throws a `TypeError` that names the field. */
export function checkFilter(filter: TaskFilter): void {
  checkFields("filter", filter, FIELDS);
  const { status, tags } = filter;
  // `status` may be one status or a list; a list is read again for each task.
  for (const each of Array.isArray(status) ? status : [status]) checkOneOf("filter.status", each, TASK_STATUSES);
  checkTags("filter.tags", tags);
  for (const field of TEXT_FIELDS)
    if (filter[field] !== undefined) checkType(`filter.${field}`, filter[field], "string");
}

const TEXT_FIELDS = ["kind", "name", "agent", "sessionId", "parentId", "rootId", "runId", "lane"] as const;
const FIELDS = ["status", ...TEXT_FIELDS, "tags"] as const satisfies readonly (keyof TaskFilter)[];

/** Checks a filter of requests. `more`: the one field besides `taskId` and `sessionId`. */
export function checkRequestFilter(what: string, filter: RequestFilter, more: "status" | "signal"): void {
  checkFields(what, filter, [more, "taskId", "sessionId"]);
  const { status } = filter;
  for (const each of Array.isArray(status) ? status : [status]) checkOneOf("filter.status", each, REQUEST_STATUSES);
  for (const field of ["taskId", "sessionId"] as const)
    if (filter[field] !== undefined) checkType(`filter.${field}`, filter[field], "string");
}

/** Whether the task fits every field of the filter. */
export function fits(task: Task, filter: TaskFilter): boolean {
  const { state, traits } = task;
  const { status, kind, name, agent, sessionId, parentId, rootId, runId, lane, tags } = filter;
  return (
    (status === undefined || (typeof status === "string" ? status === state.status : status.includes(state.status))) &&
    (kind === undefined || kind === traits.kind) &&
    (name === undefined || name === traits.name) &&
    (agent === undefined || agent === traits.agent) &&
    (sessionId === undefined || sessionId === task.sessionId) &&
    (parentId === undefined || parentId === task.parentId) &&
    (rootId === undefined || rootId === task.rootId) &&
    (runId === undefined || runId === traits.runId) &&
    (lane === undefined || lane === task.laneName) &&
    (tags === undefined || tags.every((tag) => state.details.tags.includes(tag)))
  );
}
