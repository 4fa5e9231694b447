// Lean event: an event as its line in the journal has it. A `task.created` says only what is not so of every new task.
//
// Half of what a journal holds would otherwise be the same few words again and again. What is left out is fixed here, for this version
// of the journal, whatever a record of a later errand has.

import type { TaskEvent, TaskEventMap } from "../../core/task/events.js";
import type { TaskRecord } from "../../core/task/record.js";

type Created = TaskEventMap["task.created"];
type Lean = Omit<Created, "record"> & { readonly record: Partial<TaskRecord> };

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

/** What of a record is told by its event, or is so of every new task, is left out. */
export function lean(event: TaskEvent): TaskEvent | Lean {
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
  if (!isSpotless(usage)) record.usage = usage;
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

/** The event again. `event` was just parsed and is nobody else's: it is made whole where it stands, since there are many. */
export function whole(event: TaskEvent | Lean): TaskEvent {
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

function isSpotless({ inputTokens, outputTokens, costUsd, tasks }: TaskRecord["usage"]): boolean {
  return inputTokens === 0 && outputTokens === 0 && costUsd === 0 && tasks === 1;
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}
