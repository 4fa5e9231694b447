// Filter: which tasks somebody asks for.

import { checkOneOf, checkTags, checkType } from "./options.js";
import type { TaskFilter } from "./record.js";
import { TASK_STATUSES } from "./status.js";
import type { Task } from "./task.js";

export function checkFilter(filter: TaskFilter): void {
  checkType("filter", filter, "object");
  const { status, tags, ...texts } = filter;
  for (const each of status === undefined || typeof status === "string" ? [status] : status) {
    checkOneOf("filter.status", each, TASK_STATUSES);
  }
  checkTags("filter.tags", tags);
  for (const [field, value] of Object.entries(texts)) {
    if (!TEXT_FIELDS.includes(field)) throw new TypeError(`filter.${field} is not a field to filter by`);
    if (value !== undefined) checkType(`filter.${field}`, value, "string");
  }
}

const TEXT_FIELDS: readonly string[] = ["kind", "name", "agent", "sessionId", "parentId", "rootId", "runId", "lane"];

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
