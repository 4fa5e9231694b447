// State: the state of a task for the rules, and the record that is made of it.
//
// The fields of a record are split by how often they change: `TaskSpec` never, `TaskDetails` seldom, the rest of
// `TaskState` at each step. So a step copies a dozen fields and not fifty, and a task that is only queued shares one
// state. Changes no state: `evolve` does.

import { copyJson, type Json } from "../values/json.js";
import type { Ending } from "./ending.js";
import { type LostOutput, lostInWords } from "./lost-output.js";
import type {
  Artifact,
  LinksInput,
  Progress,
  Runtime,
  TaskFailure,
  TaskLinks,
  TaskRecord,
  Usage,
  Wait,
  Wake,
} from "./record.js";
import type { StopReason, TaskStatus } from "./status.js";
import { copyShown, type Growing, type TaskSpec } from "./traits.js";

export {
  NO_TRAITS,
  type RetryLimits,
  type TaskLimits,
  type TaskSpec,
  type TaskTraits,
  WAKING_TRAITS,
} from "./traits.js";

/** The artifacts of a task as a linked list, the newest first, so that appending copies nothing (S7). */
export interface Made {
  /** The newest artifact. */
  readonly artifact: Artifact;
  /** The artifacts before it. */
  readonly before: Made | undefined;
}

/**
 * The links of a task as a linked list, the newest first, merged when the record is read, so that adding copies nothing
 * (S7).
 */
export interface LinksList {
  /** The newest links. */
  readonly added: LinksInput;
  /** The links before them. */
  readonly before: LinksList | undefined;
}

/** The description of a task that it, or its owner, may change. All tasks without one share one object. */
export interface TaskDetails {
  /** Short title. */
  readonly title: string | undefined;
  /** Whether the task is detached from its parent. */
  readonly detached: boolean;
  /** Newest progress. */
  readonly progress: Progress | undefined;
  /** Newest summary. */
  readonly summary: string | undefined;
  /** The artifacts. */
  readonly made: Made | undefined;
  /** The links. */
  readonly linked: LinksList | undefined;
  /** The labels. */
  readonly tags: readonly string[];
  /** Data that was attached. */
  readonly metadata: { readonly [key: string]: Json };
  /** Newest heartbeat. */
  readonly heartbeatAt: number | undefined;
  /** Data that `ctx.checkpoint` stored. */
  readonly checkpoint: Json | undefined;
  /** The loop of the task reads notices, so children without a `wake` of their own wake it when they end. */
  readonly readsNotices: boolean;
  /**
   * An attempt was running when its process died, and no other attempt has begun since: its work outside may still run.
   */
  readonly isLeft: boolean;
  /** A queued retry does not enter the line before this instant. */
  readonly notBeforeAt: number | undefined;
  /** Why the last attempt of a retried task failed. */
  readonly lastError: TaskFailure | undefined;
  /** Attempts that failed, or that died with their process while their function ran. `maxAttempts` bounds them (D4). */
  readonly used: number;
}
/** The shared details of a task without a description. */
export const NO_DETAILS: TaskDetails = Object.freeze({
  title: undefined,
  detached: false,
  progress: undefined,
  summary: undefined,
  made: undefined,
  linked: undefined,
  tags: Object.freeze([]),
  metadata: Object.freeze({}),
  heartbeatAt: undefined,
  checkpoint: undefined,
  readsNotices: false,
  isLeft: false,
  notBeforeAt: undefined,
  lastError: undefined,
  used: 0,
});

/** The part of a result that a record and the journal can hold, or why there is none. */
export type Output =
  /** The output as JSON. */
  | { readonly output: Json }
  /** Why JSON cannot carry the output. */
  | { readonly outputOmitted: string }
  /** The store recorded the output and cannot return it. */
  | { readonly outputLost: LostOutput };

/** The first stop of a task, which is kept (S5). */
export interface Stop {
  /** Code of the stop. */
  readonly code: StopReason;
  /** Text of the stop. */
  readonly reason: string;
  /** Instant of the request to stop. */
  readonly at: number;
}

/** The state of one task. It is never mutated: `evolve` makes the next state, and the loop stores it. */
export interface TaskState {
  /** Status of the task. */
  readonly status: TaskStatus;
  /** Number of the attempt, from 1 on. */
  readonly attempt: number;
  /** Read it from the newest state only: for a live task it is a view of the pending waits of the attempt. */
  readonly blockedOn: Iterable<Wait>;
  /** The first stop. */
  readonly stop: Stop | undefined;
  /** How the task ended, final from `task.returned` on, while the task may still wait for its children (H1). */
  readonly ending: Ending | undefined;
  /**
   * The part of the returned value that a record can hold. It is taken when the function returns, so later changes of
   * the value do not show.
   */
  readonly output: Output | undefined;
  /** The process of the newest attempt. */
  readonly runtime: Runtime | undefined;
  /** First start. */
  readonly startedAt: number | undefined;
  /** End of the task. */
  readonly finishedAt: number | undefined;
  /** Newest change. `undefined` for an unchanged task: its `createdAt` counts. */
  readonly updatedAt: number | undefined;
  /** The description of the task. */
  readonly details: TaskDetails;
}

/** The shared list of a task without waits. */
export const NO_WAITS: readonly Wait[] = Object.freeze([]);

const NEW: TaskState = Object.freeze({
  status: "queued",
  attempt: 1,
  blockedOn: NO_WAITS,
  stop: undefined,
  ending: undefined,
  output: undefined,
  runtime: undefined,
  startedAt: undefined,
  finishedAt: undefined,
  updatedAt: undefined,
  details: NO_DETAILS,
});

/** The state of a new task. Tasks without a description share one state. */
export function newState(details: TaskDetails, attempt = 1): TaskState {
  return details === NO_DETAILS && attempt === 1 ? NEW : { ...NEW, details, attempt };
}

/**
 * The public snapshot of a task. The caller passes `usage`, `totalDeadlineAt` and `wake`, because they depend on other
 * tasks.
 */
export function toRecord(
  spec: TaskSpec,
  state: TaskState,
  usage: Usage,
  totalDeadlineAt: number | undefined,
  wake: Wake,
): TaskRecord {
  const { traits, createdAt } = spec;
  const { details, stop, ending } = state;
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
    wake,
    usage,
    artifacts: details.made === undefined ? NO_ARTIFACTS : inOrder(details.made),
    links: details.linked === undefined ? NO_LINKS : linksOf(details.linked),
    tags: details.tags,
    metadata: details.metadata,
    createdAt,
    updatedAt: state.updatedAt ?? createdAt,
  };
  copyShown(traits, record);
  if (details.title !== undefined) record.title = details.title;
  if (spec.sessionId !== undefined) record.sessionId = spec.sessionId;
  if (spec.parentId !== undefined) record.parentId = spec.parentId;
  if (details.notBeforeAt !== undefined) record.notBeforeAt = details.notBeforeAt;
  if (totalDeadlineAt !== undefined) record.totalDeadlineAt = totalDeadlineAt;
  if (details.progress !== undefined) record.progress = details.progress;
  if (details.summary !== undefined) record.summary = details.summary;
  if (details.heartbeatAt !== undefined) record.heartbeatAt = details.heartbeatAt;
  if (state.runtime !== undefined) record.runtime = state.runtime;
  if (state.startedAt !== undefined) record.startedAt = state.startedAt;
  if (state.finishedAt !== undefined) record.finishedAt = state.finishedAt;
  if (stop !== undefined) {
    record.stopReason = stop.code;
    record.reason = stop.reason;
    record.cancelRequestedAt = stop.at;
  }
  const error = ending === undefined ? details.lastError : ending.status === "failed" ? ending.error : undefined;
  if (error !== undefined) record.error = error;
  if (ending?.status === "interrupted") record.reason ??= describeInterruption(ending);
  if (state.status === "succeeded" && state.output !== undefined) Object.assign(record, outputFieldsOf(state.output));
  return Object.freeze(record);
}

function describeInterruption({ reason, attemptsUsed }: Extract<Ending, { status: "interrupted" }>): string {
  return attemptsUsed === undefined ? reason : `${reason}: its attempts are used up (${attemptsUsed})`;
}

const NO_ARTIFACTS: readonly Artifact[] = Object.freeze([]);

const NO_LINKS: TaskLinks = Object.freeze({});

/** The merged links: field by field, `resourceIds` without duplicates, in order of arrival (S7). */
export function linksOf(newest: LinksList): TaskLinks {
  const chain: LinksInput[] = [];
  for (let linked: LinksList | undefined = newest; linked !== undefined; linked = linked.before)
    chain.push(linked.added);
  const childSessionId = chain.find((added) => added.childSessionId !== undefined)?.childSessionId;
  const remoteTaskId = chain.find((added) => added.remoteTaskId !== undefined)?.remoteTaskId;
  const resources = new Set<string>();
  for (const { resourceIds = [] } of chain.reverse()) for (const id of resourceIds) resources.add(id);
  return Object.freeze({
    ...(childSessionId === undefined ? {} : { childSessionId }),
    ...(remoteTaskId === undefined ? {} : { remoteTaskId }),
    ...(resources.size === 0 ? {} : { resourceIds: Object.freeze([...resources]) }),
  });
}

function inOrder(newest: Made): readonly Artifact[] {
  const artifacts: Artifact[] = [];
  for (let made: Made | undefined = newest; made !== undefined; made = made.before) artifacts.push(made.artifact);
  return Object.freeze(artifacts.reverse());
}

/** The fields of a record for the output. */
function outputFieldsOf(output: Output): Pick<TaskRecord, "output" | "outputOmitted"> {
  return "outputLost" in output ? { outputOmitted: lostInWords(output.outputLost) } : output;
}

/** The part of `value` that a record can hold. `undefined` for `undefined`: a task without a result omits nothing. */
export function toOutput(value: unknown): Output | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" || typeof value === "boolean" || value === null) return { output: value };
  const copied = copyJson(value);
  return copied.ok ? { output: copied.json } : { outputOmitted: copied.why };
}

/**
 * Whether the process of a task died while its function ran. A task that a graceful shutdown stopped does not count
 * (D4).
 */
export function hasDiedRunning({ status, stop }: TaskState): boolean {
  return status === "running" && stop === undefined;
}

/** Whether the task waits for a process that can resume it, because this process cannot (D4). */
export function isParked({ blockedOn }: TaskState): boolean {
  if (!Array.isArray(blockedOn)) return false;
  const [wait] = blockedOn as readonly Wait[];
  return wait?.on === "kind" || wait?.on === "lane" || wait?.on === "process";
}

/** Whether the task is between two attempts: the next one has certainly not begun. */
export function isPausing({ status, details: { notBeforeAt } }: TaskState, now: number): boolean {
  return status === "queued" && notBeforeAt !== undefined && notBeforeAt > now;
}
