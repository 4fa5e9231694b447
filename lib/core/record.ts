// Record: what errand knows of a task.
//
// `TaskRecord` is the public snapshot: frozen, plain JSON. Inside, the same facts are split by how often they change: `TaskSpec`
// never, `TaskDetails` seldom, the rest of `TaskState`, which the rules work on, at each step; so that a step copies a dozen fields
// and not fifty, and a task that is only queued has none of its own. Owns the words and the translation to a record; changes nothing.

import type { Json } from "./json.js";
import { copyJson } from "./json.js";
import type { FailureCode, InterruptReason, StopReason, TaskStatus } from "./status.js";

/** One pending wait of a blocked task. `children` are those that lived when the function returned. `slot` is the way back: the wait is over and a slot is not free yet, or `room()` waits for the line. */
export type Wait =
  | { readonly on: "input"; readonly requestId: string }
  | { readonly on: "tasks"; readonly taskIds: readonly string[] }
  | { readonly on: "children"; readonly taskIds: readonly string[] }
  | { readonly on: "message" }
  | { readonly on: "time"; readonly untilAt: number }
  | { readonly on: "slot" };

/** Why a task failed. `cause` is the thrown value itself, whatever it was; it is not enumerable, so that a record and an event are plain JSON. */
export interface TaskFailure {
  readonly code: FailureCode;
  readonly message: string;
  readonly name?: string;
  readonly stack?: string;
  readonly cause?: unknown;
}

/**
 * How a task ended. A value: reading it never throws. `cancelled` carries the words given to `cancel`, or the code of the ancestor that swept it.
 * `abandoned`: the function had not settled when its grace was over, and may still be running.
 */
export type TaskOutcome<T = unknown> = { readonly id: string } & (
  | { readonly status: "succeeded"; readonly value: T }
  | { readonly status: "failed"; readonly error: TaskFailure; readonly abandoned?: true }
  | { readonly status: "cancelled"; readonly reason: string; readonly cause?: unknown; readonly abandoned?: true }
  | {
      readonly status: "interrupted";
      readonly reason: InterruptReason;
      readonly instanceId?: string;
      readonly pid?: number;
      readonly abandoned?: true;
    }
);

export interface Progress {
  readonly current?: number | undefined;
  readonly total?: number | undefined;
  readonly unit?: string | undefined;
  readonly label?: string | undefined;
}

/** One report, added to what was reported before. */
export interface UsageReport {
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly costUsd?: number | undefined;
}
/** Sums over a task and everything below it, detached tasks too. `tasks` counts the task itself. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
  readonly tasks: number;
}

/** Something a task made. `data` is a chunk: artifacts append, and a reader joins the chunks of one `name`. */
export type Artifact = { readonly name: string; readonly type: string } & (
  | { readonly path: string }
  | { readonly url: string }
  | { readonly data: string; readonly encoding: "utf8" | "base64" }
);
export type ArtifactInput = { readonly name: string; readonly type: string } & (
  | { readonly path: string }
  | { readonly url: string }
  | { readonly data: string | Uint8Array }
);

/** Where else this task lives. Merged field by field, `resourceIds` without duplicates (S7). */
export interface TaskLinks {
  readonly childSessionId?: string;
  readonly remoteTaskId?: string;
  readonly resourceIds?: readonly string[];
}
export interface LinksInput {
  readonly childSessionId?: string | undefined;
  readonly remoteTaskId?: string | undefined;
  readonly resourceIds?: readonly string[] | undefined;
}

/** The process that ran an attempt. */
export interface Runtime {
  readonly instanceId: string;
  readonly pid: number;
  readonly startedAt: number;
}

/** What a returning task does with children that still live: wait for them, cancel them, let them go. */
export type ChildrenPolicy = "await" | "cancel" | "detach";

/** Everything errand knows of a task: a frozen snapshot, plain JSON. A later change makes a new one. */
export interface TaskRecord {
  readonly id: string;
  readonly name?: string;
  readonly title?: string;
  readonly agent?: string;
  readonly status: TaskStatus;
  /** 1 for the first run. */
  readonly attempt: number;
  /** Every pending wait; empty unless `blocked`. */
  readonly blockedOn: readonly Wait[];

  readonly sessionId?: string;
  readonly parentId?: string;
  readonly rootId: string;
  readonly depth: number;
  readonly runId?: string;
  readonly callId?: string;
  readonly detached: boolean;
  readonly children: ChildrenPolicy;
  readonly lane: string;
  readonly laneKey?: string;
  readonly priority: number;

  /** Of a `succeeded` task; absent when JSON cannot carry it, and then `outputOmitted` says why. */
  readonly output?: Json;
  readonly outputOmitted?: string;
  readonly error?: TaskFailure;
  /** What stopped it, and the words that came with it. */
  readonly stopReason?: StopReason;
  readonly reason?: string;
  readonly cancelRequestedAt?: number;

  readonly progress?: Progress;
  readonly summary?: string;
  readonly usage: Usage;
  readonly artifacts: readonly Artifact[];
  readonly links: TaskLinks;
  readonly tags: readonly string[];
  readonly metadata: { readonly [key: string]: Json };

  /** Absent until the first start. */
  readonly runtime?: Runtime;
  readonly heartbeatAt?: number;
  readonly createdAt: number;
  readonly startedAt?: number;
  readonly finishedAt?: number;
  readonly updatedAt: number;
  /** Its own or the nearest one inherited. */
  readonly totalDeadlineAt?: number;
}

/** Every given field must fit; `tags` must all be there. */
export interface TaskFilter {
  status?: TaskStatus | readonly TaskStatus[] | undefined;
  name?: string | undefined;
  agent?: string | undefined;
  sessionId?: string | undefined;
  parentId?: string | undefined;
  rootId?: string | undefined;
  runId?: string | undefined;
  lane?: string | undefined;
  tags?: readonly string[] | undefined;
}

export interface TaskTree {
  readonly record: TaskRecord;
  readonly usage: Usage;
  readonly children: readonly TaskTree[];
}

// ── what the rules work on ─────────────────────────────────────────────────

/** What a spawn may say of a task and never changes. One shared object for a spawn without options. */
export interface TaskTraits {
  readonly name: string | undefined;
  readonly agent: string | undefined;
  readonly runId: string | undefined;
  readonly callId: string | undefined;
  readonly laneKey: string | undefined;
  readonly priority: number;
  readonly children: ChildrenPolicy;
  /** Its own; what it inherits changes when one above it is detached. */
  readonly totalDeadlineAt: number | undefined;
}
export const NO_TRAITS: TaskTraits = Object.freeze({
  name: undefined,
  agent: undefined,
  runId: undefined,
  callId: undefined,
  laneKey: undefined,
  priority: 0,
  children: "await",
  totalDeadlineAt: undefined,
});

/** What is fixed when a task is made. */
export interface TaskSpec {
  readonly id: string;
  readonly sessionId: string | undefined;
  readonly parentId: string | undefined;
  readonly rootId: string;
  readonly depth: number;
  readonly laneName: string;
  readonly createdAt: number;
  readonly traits: TaskTraits;
}

/** What a task made, the newest first, so that appending copies nothing however many there are (S7). */
export interface Made {
  readonly artifact: Artifact;
  readonly before: Made | undefined;
}

/** What a task says of itself, or is said of it, on the way. One shared object for a task that says nothing. */
export interface TaskDetails {
  readonly title: string | undefined;
  readonly detached: boolean;
  readonly progress: Progress | undefined;
  readonly summary: string | undefined;
  readonly made: Made | undefined;
  readonly links: TaskLinks;
  readonly tags: readonly string[];
  readonly metadata: { readonly [key: string]: Json };
  readonly heartbeatAt: number | undefined;
}
export const NO_DETAILS: TaskDetails = Object.freeze({
  title: undefined,
  detached: false,
  progress: undefined,
  summary: undefined,
  made: undefined,
  links: Object.freeze({}),
  tags: Object.freeze([]),
  metadata: Object.freeze({}),
  heartbeatAt: undefined,
});

/** The part of a result that a record and the journal can hold. */
export type Output = { readonly output: Json } | { readonly outputOmitted: string };

/** What stopped a task: the first stop, kept (S5). */
export interface Stop {
  readonly reason: StopReason;
  readonly words: string;
  readonly at: number;
}

/** The state of one task. Never mutated: `evolve` makes the next one, and the loop puts it in place. */
export interface TaskState {
  readonly status: TaskStatus;
  readonly attempt: number;
  /** Read only through the newest state: for a live task it is a view of the attempt's pending waits. */
  readonly blockedOn: Iterable<Wait>;
  readonly stop: Stop | undefined;
  /** Final from `task.returned` on, while the task may still wait for its children (H1). */
  readonly outcome: TaskOutcome | undefined;
  /** What of its value a record can hold: taken when the function returned, so that no later change of the value shows. */
  readonly output: Output | undefined;
  readonly runtime: Runtime | undefined;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  /** Of the last change; of a task that is as it was made, its `createdAt`. */
  readonly updatedAt: number | undefined;
  readonly details: TaskDetails;
}

export const NO_WAITS: readonly Wait[] = Object.freeze([]);

const NEW: TaskState = Object.freeze({
  status: "queued",
  attempt: 1,
  blockedOn: NO_WAITS,
  stop: undefined,
  outcome: undefined,
  output: undefined,
  runtime: undefined,
  startedAt: undefined,
  finishedAt: undefined,
  updatedAt: undefined,
  details: NO_DETAILS,
});

/** Tasks that say nothing of themselves begin as one shared state. */
export function newState(details: TaskDetails): TaskState {
  return details === NO_DETAILS ? NEW : { ...NEW, details };
}

type Growing<T> = { -readonly [K in keyof T]: T[K] };

/** The public snapshot of a task. `usage` and `totalDeadlineAt` come from below and above it, which its own state does not know. */
export function toRecord(
  spec: TaskSpec,
  state: TaskState,
  usage: Usage,
  totalDeadlineAt: number | undefined,
): TaskRecord {
  const { traits, createdAt } = spec;
  const { details, stop, outcome } = state;
  const record: Growing<TaskRecord> = {
    id: spec.id,
    status: state.status,
    attempt: state.attempt,
    blockedOn: state.blockedOn === NO_WAITS ? NO_WAITS : Object.freeze([...state.blockedOn]),
    rootId: spec.rootId,
    depth: spec.depth,
    detached: details.detached,
    children: traits.children,
    lane: spec.laneName,
    priority: traits.priority,
    usage,
    artifacts: details.made === undefined ? NO_ARTIFACTS : inOrder(details.made),
    links: details.links,
    tags: details.tags,
    metadata: details.metadata,
    createdAt,
    updatedAt: state.updatedAt ?? createdAt,
  };
  if (traits.name !== undefined) record.name = traits.name;
  if (details.title !== undefined) record.title = details.title;
  if (traits.agent !== undefined) record.agent = traits.agent;
  if (spec.sessionId !== undefined) record.sessionId = spec.sessionId;
  if (spec.parentId !== undefined) record.parentId = spec.parentId;
  if (traits.runId !== undefined) record.runId = traits.runId;
  if (traits.callId !== undefined) record.callId = traits.callId;
  if (traits.laneKey !== undefined) record.laneKey = traits.laneKey;
  if (totalDeadlineAt !== undefined) record.totalDeadlineAt = totalDeadlineAt;
  if (details.progress !== undefined) record.progress = details.progress;
  if (details.summary !== undefined) record.summary = details.summary;
  if (details.heartbeatAt !== undefined) record.heartbeatAt = details.heartbeatAt;
  if (state.runtime !== undefined) record.runtime = state.runtime;
  if (state.startedAt !== undefined) record.startedAt = state.startedAt;
  if (state.finishedAt !== undefined) record.finishedAt = state.finishedAt;
  if (stop !== undefined) {
    record.stopReason = stop.reason;
    record.reason = stop.words;
    record.cancelRequestedAt = stop.at;
  }
  if (outcome?.status === "failed") record.error = outcome.error;
  if (state.status === "succeeded") Object.assign(record, state.output);
  return Object.freeze(record);
}

const NO_ARTIFACTS: readonly Artifact[] = Object.freeze([]);

function inOrder(newest: Made): readonly Artifact[] {
  const artifacts: Artifact[] = [];
  for (let made: Made | undefined = newest; made !== undefined; made = made.before) artifacts.push(made.artifact);
  return Object.freeze(artifacts.reverse());
}

/** Nothing for `undefined`: a task that returns nothing omits nothing. */
export function toOutput(value: unknown): Output | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" || typeof value === "boolean" || value === null) return { output: value };
  const copied = copyJson(value);
  return copied.ok ? { output: copied.json } : { outputOmitted: copied.why };
}
