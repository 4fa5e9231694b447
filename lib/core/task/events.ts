// Events: the facts of a task's life.
//
// A `Fact` is what `decide` gives and `evolve` takes: small, and made for every change. A `TaskEvent` is the same fact as the
// journal and the listeners see it, with `seq`, time and whole records in it: `toEvent` makes one only when somebody reads it.

import type { Json } from "../values/json.js";
import { lostInWords } from "./lost-output.js";
import type { Message } from "./message.js";
import type { Artifact, Progress, Runtime, TaskFailure, TaskOutcome, TaskRecord, UsageReport, Wait } from "./record.js";
import type { InboxRequest } from "./request.js";
import type { Output, Stop, TaskLimits, TaskSpec, TaskState } from "./state.js";
import type { InterruptReason, StopReason } from "./status.js";

export type TaskPatch = Partial<
  Pick<TaskRecord, "title" | "summary" | "links" | "tags" | "metadata" | "heartbeatAt" | "detached">
> & {
  /** What `ctx.checkpoint` stored: the next attempt finds it as `lastCheckpoint`. */
  readonly checkpoint?: Json;
  /** Its loop asks for notices, from now on. */
  readonly readsNotices?: true;
  /** Notices of it that its owner has acknowledged, by id: nothing of the task itself has changed. */
  readonly acknowledged?: readonly string[];
};

// ── as the rules see it ────────────────────────────────────────────────────

type RequestFact = `request.${"opened" | "answered" | "rejected" | "expired" | "withdrawn"}`;
export type EndFact = `task.${"succeeded" | "failed" | "cancelled" | "interrupted"}`;

export type Fact =
  | { readonly type: "task.created"; readonly state: TaskState; readonly runtime: Runtime | undefined }
  | { readonly type: "task.started"; readonly runtime: Runtime }
  | { readonly type: "task.blocked"; readonly blockedOn: Iterable<Wait> }
  | { readonly type: "task.resumed" }
  | { readonly type: "task.progressed"; readonly progress: Progress }
  | { readonly type: "task.updated"; readonly patch: TaskPatch }
  | { readonly type: "task.cancelRequested"; readonly stop: Stop }
  | { readonly type: "task.returned"; readonly outcome: TaskOutcome; readonly output: Output | undefined }
  | { readonly type: EndFact; readonly outcome: TaskOutcome; readonly output: Output | undefined }
  | { readonly type: "task.retried"; readonly error: TaskFailure; readonly notBeforeAt: number }
  | { readonly type: "task.reattached"; readonly runtime: Runtime }
  | { readonly type: "task.parked"; readonly blockedOn: readonly Wait[] }
  | { readonly type: "task.abandoned" }
  | {
      readonly type: "task.lateSettled";
      readonly attempt: number;
      readonly settled: "returned" | "threw";
      readonly message?: string;
    }
  | { readonly type: RequestFact; readonly request: InboxRequest }
  | { readonly type: "message.sent"; readonly message: Message }
  | { readonly type: "artifact.added"; readonly artifact: Artifact }
  | { readonly type: "usage.reported"; readonly usage: UsageReport }
  | { readonly type: "custom"; readonly name: string; readonly payload?: Json };

// ── as the journal and the listeners see it ────────────────────────────────

interface Stamp<K extends string> {
  readonly type: K;
  /** Gapless over the manager. */
  readonly seq: number;
  readonly at: number;
  readonly taskId: string;
  readonly sessionId?: string;
  readonly attempt: number;
}

interface Facts {
  /**
   * Delivered once the spawn is decided, before the function starts. `limits`, `hasGivenId` and `hasGivenWake` are of its spawn, and no part of the
   * record: a restart needs them. So is `runtime`: the first task that a process makes with a store says which process makes those that follow.
   */
  "task.created": {
    readonly record: TaskRecord;
    readonly limits?: TaskLimits;
    readonly hasGivenId?: true;
    readonly hasGivenWake?: true;
    readonly runtime?: Runtime;
    /** Attempts of the work that earlier tasks with this id have used up. */
    readonly used?: number;
  };
  /** The function is about to be called. */
  "task.started": { readonly runtime: Runtime };
  /** The task began a wait and gave its slot back, or the set of its pending waits changed. */
  "task.blocked": { readonly blockedOn: readonly Wait[] };
  /** The last wait is over and the task has a slot again. */
  "task.resumed": unknown;
  "task.progressed": { readonly progress: Progress };
  /** Something a task is said to be changed; may also come after its end. */
  "task.updated": { readonly patch: TaskPatch };
  /** A stop was asked for, of this task or of one above it; the first one only. */
  "task.cancelRequested": { readonly stopReason: StopReason; readonly reason: string };
  /** The function has settled and its outcome is final; the task ends when its last attached child has. */
  "task.returned": {
    readonly outcome: TaskOutcome<Json | undefined>;
    readonly outputOmitted?: string;
    readonly outputApart?: true;
  };
  /** `outputApart`: in a store's journal, of an output over 64 KiB, which is kept by itself. `outputOmitted` says why there is none. */
  "task.succeeded": { readonly output?: Json; readonly outputOmitted?: string; readonly outputApart?: true };
  "task.failed": { readonly error: TaskFailure };
  "task.cancelled": { readonly reason: string };
  "task.interrupted": {
    readonly reason: InterruptReason;
    readonly instanceId?: string;
    readonly pid?: number;
    readonly attemptsUsed?: number;
  };
  /** The function did not settle within the grace: the task goes on without it. */
  "task.abandoned": unknown;
  /** Its attempt failed, and it is `queued` as its next one: outside the line until `notBeforeAt`. */
  "task.retried": { readonly error: TaskFailure; readonly notBeforeAt: number };
  /** A process that ended ran it, and this one goes on: it is `queued`, as its next attempt. */
  "task.reattached": { readonly runtime: Runtime };
  /**
   * The process that ran the task has ended, and this one cannot resume the task: `blockedOn` names the kind or the lane that is missing here.
   * The task stays active until a process resumes it, or a caller cancels it.
   */
  "task.parked": { readonly blockedOn: readonly Wait[] };
  /** What an abandoned function did in the end; `attempt` is its own. Changes nothing. */
  "task.lateSettled": { readonly settled: "returned" | "threw"; readonly message?: string };
  "request.opened": { readonly request: InboxRequest };
  "request.answered": { readonly request: InboxRequest };
  "request.rejected": { readonly request: InboxRequest };
  "request.expired": { readonly request: InboxRequest };
  "request.withdrawn": { readonly request: InboxRequest };
  "message.sent": { readonly message: Message };
  "artifact.added": { readonly artifact: Artifact };
  "usage.reported": { readonly usage: UsageReport };
  /** What a task emitted under a name of its own. */
  custom: { readonly name: string; readonly payload?: Json };
}

/** The journal's facts, by type. */
export type TaskEventMap = { [K in keyof Facts]: Stamp<K> & Facts[K] };
export type TaskEvent = TaskEventMap[keyof TaskEventMap];

/** What `on` hears: the facts, and the troubles of the process, which are never journalled. */
export interface ManagerEventMap extends TaskEventMap {
  /**
   * The store did not take what there was to store, or did not compact. It is tried again; until then nothing new is spawned. With
   * `StoreLockedError` another process has the writer's place, and the manager closes.
   */
  "store.failed": { readonly type: "store.failed"; readonly at: number; readonly error: unknown };
  /** A listener threw or its promise rejected. Nobody else noticed. */
  "listener.failed": {
    readonly type: "listener.failed";
    readonly at: number;
    readonly error: unknown;
    readonly event: string;
  };
}

/** What can be listened to; the compiler sees that none is missing. */
export const EVENT_TYPES: readonly string[] = Object.keys({
  "task.created": 0,
  "task.started": 0,
  "task.blocked": 0,
  "task.resumed": 0,
  "task.progressed": 0,
  "task.updated": 0,
  "task.cancelRequested": 0,
  "task.returned": 0,
  "task.succeeded": 0,
  "task.failed": 0,
  "task.cancelled": 0,
  "task.interrupted": 0,
  "task.abandoned": 0,
  "task.retried": 0,
  "task.reattached": 0,
  "task.parked": 0,
  "task.lateSettled": 0,
  "request.opened": 0,
  "request.answered": 0,
  "request.rejected": 0,
  "request.expired": 0,
  "request.withdrawn": 0,
  "message.sent": 0,
  "artifact.added": 0,
  "usage.reported": 0,
  custom: 0,
  "store.failed": 0,
  "listener.failed": 0,
} satisfies { [K in keyof ManagerEventMap]: 0 });

/** The task that an event is about. */
interface Subject extends TaskSpec {
  readonly state: TaskState;
  readonly decidedRecord: TaskRecord;
}

/**
 * The event of a fact, once it has made of the task what it now is. Hot when somebody listens or a store keeps it, so each is made as one
 * literal: a spread costs ten times as much.
 */
export function toEvent(fact: Fact, task: Subject, seq: number, at: number): TaskEvent {
  const { id: taskId, sessionId } = task;
  const { attempt } = task.state;
  switch (fact.type) {
    case "task.created": {
      const { limits, hasGivenId, wake } = task.traits;
      const event: Growing = { type: fact.type, seq, at, taskId, attempt, record: task.decidedRecord };
      if (limits !== undefined) event.limits = limits;
      if (hasGivenId) event.hasGivenId = true;
      if (wake !== undefined) event.hasGivenWake = true;
      if (fact.runtime !== undefined) event.runtime = fact.runtime;
      if (task.state.details.used > 0) event.used = task.state.details.used;
      return seal(event, sessionId);
    }
    case "task.started":
      return seal({ type: fact.type, seq, at, taskId, attempt, runtime: fact.runtime }, sessionId);
    case "task.blocked":
      return seal(
        { type: fact.type, seq, at, taskId, attempt, blockedOn: Object.freeze([...fact.blockedOn]) },
        sessionId,
      );
    case "task.cancelRequested": {
      const { code: stopReason, reason } = fact.stop;
      return seal({ type: fact.type, seq, at, taskId, attempt, stopReason, reason }, sessionId);
    }
    case "task.returned": {
      const { output } = fact;
      const outcome = toJsonOutcome(fact.outcome, output);
      return seal(
        output === undefined || "output" in output
          ? { type: fact.type, seq, at, taskId, attempt, outcome }
          : { type: fact.type, seq, at, taskId, attempt, outcome, ...omitted(output) },
        sessionId,
      );
    }
    case "task.succeeded":
    case "task.failed":
    case "task.cancelled":
    case "task.interrupted":
      return seal(toEnd(fact.outcome, fact.output, { seq, at, taskId, attempt }), sessionId);
    case "task.resumed":
    case "task.abandoned":
      return seal({ type: fact.type, seq, at, taskId, attempt }, sessionId);
    case "task.retried":
      return seal(
        { type: fact.type, seq, at, taskId, attempt, error: fact.error, notBeforeAt: fact.notBeforeAt },
        sessionId,
      );
    case "task.reattached":
      return seal({ type: fact.type, seq, at, taskId, attempt, runtime: fact.runtime }, sessionId);
    case "task.parked":
      return seal({ type: fact.type, seq, at, taskId, attempt, blockedOn: fact.blockedOn }, sessionId);
    case "task.progressed":
      return seal({ type: fact.type, seq, at, taskId, attempt, progress: fact.progress }, sessionId);
    case "task.updated":
      return seal({ type: fact.type, seq, at, taskId, attempt, patch: fact.patch }, sessionId);
    case "task.lateSettled": {
      const { type, settled, message } = fact;
      const late = { type, seq, at, taskId, attempt: fact.attempt, settled };
      return seal(message === undefined ? late : { ...late, message }, sessionId);
    }
    case "message.sent":
      return seal({ type: fact.type, seq, at, taskId, attempt, message: fact.message }, sessionId);
    case "artifact.added":
      return seal({ type: fact.type, seq, at, taskId, attempt, artifact: fact.artifact }, sessionId);
    case "usage.reported":
      return seal({ type: fact.type, seq, at, taskId, attempt, usage: fact.usage }, sessionId);
    case "custom": {
      const { type, name, payload } = fact;
      if (payload === undefined) return seal({ type, seq, at, taskId, attempt, name }, sessionId);
      return seal({ type, seq, at, taskId, attempt, name, payload }, sessionId);
    }
    default:
      return seal({ type: fact.type, seq, at, taskId, attempt, request: fact.request }, sessionId);
  }
}

function seal(event: Unsealed, sessionId: string | undefined): TaskEvent {
  if (sessionId !== undefined) event.sessionId = sessionId;
  return Object.freeze(event);
}
type Growing = { -readonly [K in keyof TaskEventMap["task.created"]]: TaskEventMap["task.created"][K] };
type Unsealed = TaskEvent & { sessionId?: string };

function toJsonOutcome(outcome: TaskOutcome, output: Output | undefined): TaskOutcome<Json | undefined> {
  return outcome.status === "succeeded" ? { ...outcome, value: jsonOf(output) } : withoutCause(outcome);
}

/** What was thrown is of the process that ran it alone: JSON could seldom carry it. */
export function withoutCause<O extends TaskOutcome<never>>(outcome: O): O {
  if (!("cause" in outcome)) return outcome;
  const { cause: _, ...rest } = outcome;
  // The same, less a field that it need not have.
  return rest as O;
}

/** One that is lost stays where it was: who replays the event looks for it there. */
function omitted(
  output: Exclude<Output, { output: Json }>,
): Pick<TaskEventMap["task.succeeded"], "outputOmitted" | "outputApart"> {
  if ("outputOmitted" in output) return output;
  return { outputOmitted: lostInWords(output.outputLost), outputApart: true };
}

function jsonOf(output: Output | undefined): Json | undefined {
  return output !== undefined && "output" in output ? output.output : undefined;
}

function toEnd(outcome: TaskOutcome, output: Output | undefined, stamp: Omit<Stamp<string>, "type">): Unsealed {
  const { seq, at, taskId, attempt } = stamp;
  switch (outcome.status) {
    case "succeeded":
      if (output === undefined) return { type: "task.succeeded", seq, at, taskId, attempt };
      if ("output" in output) return { type: "task.succeeded", seq, at, taskId, attempt, output: output.output };
      return { type: "task.succeeded", seq, at, taskId, attempt, ...omitted(output) };
    case "failed":
      return { type: "task.failed", seq, at, taskId, attempt, error: outcome.error };
    case "cancelled":
      return { type: "task.cancelled", seq, at, taskId, attempt, reason: outcome.reason };
    case "interrupted": {
      const { id: _, status: __, abandoned: ___, ...why } = outcome;
      return { ...why, type: "task.interrupted", seq, at, taskId, attempt };
    }
  }
}
