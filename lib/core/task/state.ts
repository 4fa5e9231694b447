// State: what the rules work on.
//
// The facts of a record, split by how often they change: `TaskSpec` never, `TaskDetails` seldom, the rest of `TaskState` at each step; so
// that a step copies a dozen fields and not fifty, and a task that is only queued has none of its own. Owns the words and the
// translation to a record; changes nothing.

import { copyJson, type Json } from "../values/json.js";
import { type LostOutput, lostInWords } from "./lost-output.js";
import type {
  Artifact,
  Budget,
  ChildrenPolicy,
  LinksInput,
  Progress,
  Runtime,
  TaskFailure,
  TaskLinks,
  TaskOutcome,
  TaskRecord,
  Usage,
  Wait,
  Wake,
  Weight,
} from "./record.js";
import type { StopReason, TaskStatus } from "./status.js";

/** How long, and how often, a task may run. Its own: what it inherits changes when one above it is detached. */
export interface TaskLimits {
  readonly timeoutMs?: number;
  readonly stallTimeoutMs?: number;
  readonly elapsedTimeoutMs?: number;
  readonly graceMs?: number;
  readonly totalDeadlineAt?: number;
  readonly retry?: RetryLimits;
}

/** How often, and after how long, a task runs again: the part of a spawn's `retry` that a journal can carry. */
export interface RetryLimits {
  readonly maxAttempts: number;
  readonly backoffMs: number;
  readonly factor: number;
  readonly jitter: boolean;
}

/** What a spawn may say of a task and never changes. One shared object for a spawn without options. */
export interface TaskTraits {
  /** Of a kind: its name, and the input as it was passed. */
  readonly kind: string | undefined;
  readonly input: Json | undefined;
  readonly name: string | undefined;
  readonly agent: string | undefined;
  readonly createdBy: string | undefined;
  readonly runId: string | undefined;
  readonly callId: string | undefined;
  readonly laneKey: string | undefined;
  readonly priority: number;
  readonly children: ChildrenPolicy;
  readonly limits: TaskLimits | undefined;
  /** Its id was given by its spawner, who can find it by that again. */
  readonly hasGivenId: boolean;
  /** `undefined`: as its parent's loop reads notices, or does not. */
  readonly wake: Wake | undefined;
  readonly budget: Readonly<Budget> | undefined;
  /** Amounts that each start of the task takes from the windows of its lane. */
  readonly weight: Weight | undefined;
}
export const NO_TRAITS: TaskTraits = Object.freeze({
  kind: undefined,
  input: undefined,
  name: undefined,
  agent: undefined,
  createdBy: undefined,
  runId: undefined,
  callId: undefined,
  laneKey: undefined,
  priority: 0,
  children: "await",
  limits: undefined,
  hasGivenId: false,
  wake: undefined,
  budget: undefined,
  weight: undefined,
});
/** Likewise where its spawner says when it wakes its owner: a session's, or `ctx.map`'s. */
export const WAKING_TRAITS: { readonly [W in Wake]: TaskTraits } = Object.freeze({
  silent: Object.freeze({ ...NO_TRAITS, wake: "silent" }),
  onTerminal: Object.freeze({ ...NO_TRAITS, wake: "onTerminal" }),
  onActivity: Object.freeze({ ...NO_TRAITS, wake: "onActivity" }),
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

/** Where else a task lives, the newest first, merged when the record is read: adding one copies nothing either (S7). */
export interface Linked {
  readonly added: LinksInput;
  readonly before: Linked | undefined;
}

/** What a task says of itself, or is said of it, on the way. One shared object for a task that says nothing. */
export interface TaskDetails {
  readonly title: string | undefined;
  readonly detached: boolean;
  readonly progress: Progress | undefined;
  readonly summary: string | undefined;
  readonly made: Made | undefined;
  readonly linked: Linked | undefined;
  readonly tags: readonly string[];
  readonly metadata: { readonly [key: string]: Json };
  readonly heartbeatAt: number | undefined;
  readonly checkpoint: Json | undefined;
  /** Its loop has asked for notices: children that do not say when they wake it wake it when they end. */
  readonly readsNotices: boolean;
  /** An attempt was running when its process died, and none has begun since: whatever it has outside goes on. */
  readonly isLeft: boolean;
  /** Of a queued retry. */
  readonly notBeforeAt: number | undefined;
  /** Of a task that is tried again: why its last attempt failed. */
  readonly lastError: TaskFailure | undefined;
  /** Attempts that failed, or that died with their process while their function ran: what `maxAttempts` bounds (D4). */
  readonly used: number;
}
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

/** The part of a result that a record and the journal can hold. */
export type Output =
  | { readonly output: Json }
  | { readonly outputOmitted: string }
  /** The store has it, and cannot give it. */
  | { readonly outputLost: LostOutput };

/** What stopped a task: the first stop, kept (S5). */
export interface Stop {
  readonly code: StopReason;
  readonly reason: string;
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
export function newState(details: TaskDetails, attempt = 1): TaskState {
  return details === NO_DETAILS && attempt === 1 ? NEW : { ...NEW, details, attempt };
}

type Growing<T> = { -readonly [K in keyof T]: T[K] };

/** The public snapshot of a task. `usage`, `totalDeadlineAt` and `wake` come from below and above it, which its own state does not know. */
export function toRecord(
  spec: TaskSpec,
  state: TaskState,
  usage: Usage,
  totalDeadlineAt: number | undefined,
  wake: Wake,
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
    wake,
    usage,
    artifacts: details.made === undefined ? NO_ARTIFACTS : inOrder(details.made),
    links: details.linked === undefined ? NO_LINKS : linksOf(details.linked),
    tags: details.tags,
    metadata: details.metadata,
    createdAt,
    updatedAt: state.updatedAt ?? createdAt,
  };
  if (traits.kind !== undefined) record.kind = traits.kind;
  if (traits.input !== undefined) record.input = traits.input;
  if (traits.name !== undefined) record.name = traits.name;
  if (details.title !== undefined) record.title = details.title;
  if (traits.agent !== undefined) record.agent = traits.agent;
  if (traits.createdBy !== undefined) record.createdBy = traits.createdBy;
  if (spec.sessionId !== undefined) record.sessionId = spec.sessionId;
  if (spec.parentId !== undefined) record.parentId = spec.parentId;
  if (traits.runId !== undefined) record.runId = traits.runId;
  if (traits.callId !== undefined) record.callId = traits.callId;
  if (traits.laneKey !== undefined) record.laneKey = traits.laneKey;
  if (traits.budget !== undefined) record.budget = traits.budget;
  if (traits.weight !== undefined) record.weight = traits.weight;
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
  const error = outcome === undefined ? details.lastError : outcome.status === "failed" ? outcome.error : undefined;
  if (error !== undefined) record.error = error;
  if (outcome?.status === "interrupted") record.reason ??= interruptedInWords(outcome);
  if (state.status === "succeeded" && state.output !== undefined) Object.assign(record, shown(state.output));
  return Object.freeze(record);
}

function interruptedInWords({ reason, attemptsUsed }: Extract<TaskOutcome, { status: "interrupted" }>): string {
  return attemptsUsed === undefined ? reason : `${reason}: its attempts are used up (${attemptsUsed})`;
}

const NO_ARTIFACTS: readonly Artifact[] = Object.freeze([]);

const NO_LINKS: TaskLinks = Object.freeze({});

/** S7: field by field, `resourceIds` without duplicates, in order of arrival. */
export function linksOf(newest: Linked): TaskLinks {
  const chain: LinksInput[] = [];
  for (let linked: Linked | undefined = newest; linked !== undefined; linked = linked.before) chain.push(linked.added);
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

/** The output in the form of a record. */
function shown(output: Output): Pick<TaskRecord, "output" | "outputOmitted"> {
  return "outputLost" in output ? { outputOmitted: lostInWords(output.outputLost) } : output;
}

/** Nothing for `undefined`: a task that returns nothing omits nothing. */
export function toOutput(value: unknown): Output | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string" || typeof value === "boolean" || value === null) return { output: value };
  const copied = copyJson(value);
  return copied.ok ? { output: copied.json } : { outputOmitted: copied.why };
}

/** D4: its process died while its function ran. What a graceful shutdown stopped did not die with its process. */
export function hasDiedRunning({ status, stop }: TaskState): boolean {
  return status === "running" && stop === undefined;
}

/** The task waits for a process that can resume it; this one cannot (D4). */
export function isParked({ blockedOn }: TaskState): boolean {
  if (!Array.isArray(blockedOn)) return false;
  const [wait] = blockedOn as readonly Wait[];
  return wait?.on === "kind" || wait?.on === "lane" || wait?.on === "process";
}

/** Between two attempts: it is certain that the next one has not begun. */
export function isPausing({ status, details: { notBeforeAt } }: TaskState, now: number): boolean {
  return status === "queued" && notBeforeAt !== undefined && notBeforeAt > now;
}
