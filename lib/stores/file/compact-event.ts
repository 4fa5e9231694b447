// Compact event: the form of an event in a line of the journal. A `task.created` has only the fields of its record that
// differ from those of a new task.
//
// Without this, half of a journal would repeat the same values. The omitted values are fixed here for this version of
// the journal, whatever a record of a later errand contains.

import type { TaskEvent, TaskEventMap } from "../../core/task/events.js";
import type { TaskRecord } from "../../core/task/record.js";

type CreatedEvent = TaskEventMap["task.created"];
type CompactEvent = Omit<CreatedEvent, "record"> & { readonly record: Partial<TaskRecord> };

const NEW = {
  status: "queued",
  attempt: 1,
  blockedOn: Object.freeze([]),
  depth: 0,
  detached: false,
  children: "await",
  lane: "default",
  priority: 0,
  wake: "silent",
  usage: { inputTokens: 0, outputTokens: 0, costUsd: 0, tasks: 1 },
  artifacts: Object.freeze([]),
  tags: Object.freeze([]),
} as const satisfies Partial<TaskRecord>;

/** Returns the event without the fields of its record that the event has too, or that have the value of a new task. */
export function compact(event: TaskEvent): TaskEvent | CompactEvent {
  if (event.type !== "task.created") return event;
  const { id, rootId, createdAt, updatedAt, usage, ...rest } = event.record;
  const {
    status,
    attempt,
    blockedOn,
    depth,
    detached,
    children,
    lane,
    priority,
    wake,
    artifacts,
    links,
    tags,
    metadata,
    ...own
  } = rest;
  const record: { -readonly [K in keyof TaskRecord]?: TaskRecord[K] } = own;
  if (id !== event.taskId) record.id = id;
  if (rootId !== event.taskId) record.rootId = rootId;
  if (createdAt !== event.at) record.createdAt = createdAt;
  if (updatedAt !== event.at) record.updatedAt = updatedAt;
  if (!isNewUsage(usage)) record.usage = usage;
  if (status !== NEW.status) record.status = status;
  if (attempt !== NEW.attempt) record.attempt = attempt;
  if (blockedOn.length > 0) record.blockedOn = blockedOn;
  if (depth !== NEW.depth) record.depth = depth;
  if (detached !== NEW.detached) record.detached = detached;
  if (children !== NEW.children) record.children = children;
  if (lane !== NEW.lane) record.lane = lane;
  if (priority !== NEW.priority) record.priority = priority;
  if (wake !== NEW.wake) record.wake = wake;
  if (artifacts.length > 0) record.artifacts = artifacts;
  if (!isEmpty(links)) record.links = links;
  if (tags.length > 0) record.tags = tags;
  if (!isEmpty(metadata)) record.metadata = metadata;
  return { ...event, record };
}

/**
 * Restores the event that `compact` shortened. The function changes `event` itself, which the caller has just parsed,
 * and makes no copy.
 */
export function expand(event: TaskEvent | CompactEvent): TaskEvent {
  if (event.type !== "task.created") return event;
  const { taskId, at, record } = event;
  const made = {
    id: taskId,
    status: NEW.status,
    attempt: NEW.attempt,
    blockedOn: NEW.blockedOn,
    rootId: taskId,
    depth: NEW.depth,
    detached: NEW.detached,
    children: NEW.children,
    lane: NEW.lane,
    priority: NEW.priority,
    wake: NEW.wake,
    usage: { ...NEW.usage },
    artifacts: NEW.artifacts,
    links: {},
    tags: NEW.tags,
    metadata: {},
    createdAt: at,
    updatedAt: at,
  };
  return Object.assign(event, { record: Object.assign(made, record) });
}

function isNewUsage({ inputTokens, outputTokens, costUsd, tasks }: TaskRecord["usage"]): boolean {
  return inputTokens === 0 && outputTokens === 0 && costUsd === 0 && tasks === 1;
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}
