// Events: the facts of a task's life, as the journal and the listeners see them.
//
// Owns types, and the list of all types of events. A `TaskEvent` is a `Fact` with `seq`, time and whole records;
// `to-event.ts` makes it.

import type { Json } from "../values/json.js";
import type { TaskPatch } from "./fact.js";
import type { Message } from "./message.js";
import type { Artifact, Progress, Runtime, TaskFailure, TaskOutcome, TaskRecord, UsageReport, Wait } from "./record.js";
import type { InboxRequest } from "./request.js";
import type { TaskLimits } from "./state.js";
import type { InterruptReason, StopReason } from "./status.js";

export type { EndFact, Fact, TaskPatch } from "./fact.js";

/** The fields that every event has. */
export interface Stamp<K extends string> {
  /** Type of the event. */
  readonly type: K;
  /** Number of the event, without a gap over all tasks of the manager. */
  readonly seq: number;
  /** Instant of the event, in epoch milliseconds. */
  readonly at: number;
  /** The task that the event is about. */
  readonly taskId: string;
  /** The session of the task. Absent for a task without a session. */
  readonly sessionId?: string;
  /** Attempt of the task at that time. */
  readonly attempt: number;
}

/** The fields of each type of event, besides those that every event has. */
interface Facts {
  /**
   * Delivered when the spawn is decided, before the function starts. `limits`, `hasGivenId` and `hasGivenWake` are
   * options of the spawn that the record does not contain and a restart needs.
   */
  "task.created": {
    /** The record of the new task. */
    readonly record: TaskRecord;
    /** Limits of the task's family and the counts that a restart continues; absent without any. */
    readonly limits?: TaskLimits;
    /** Present when the spawn gave the task its id. */
    readonly hasGivenId?: true;
    /** Present when the spawn gave the task its `wake`. */
    readonly hasGivenWake?: true;
    /** The process that creates this task and the tasks after it; in the first task of a process with a store. */
    readonly runtime?: Runtime;
    /** Attempts of the work that earlier tasks with this id have used up. */
    readonly used?: number;
  };
  /** The function is called next. */
  "task.started": {
    /** The process that runs the task. */
    readonly runtime: Runtime;
  };
  /** The task began a wait and gave its slot back, or `blockedOn` changed. */
  "task.blocked": {
    /** The pending waits, in the order in which they began; at most the oldest 100. */
    readonly blockedOn: readonly Wait[];
  };
  /** The last wait has ended and the task has a slot again. */
  "task.resumed": unknown;
  /** The task reported progress. */
  "task.progressed": {
    /** The progress of the task from now on. */
    readonly progress: Progress;
  };
  /**
   * A description of the task has changed (title, summary, tags, links, …). May also come after the end of the task.
   */
  "task.updated": {
    /** The fields that have changed, with their new values. */
    readonly patch: TaskPatch;
  };
  /** A stop of the task, or of an ancestor, was requested. Only the first stop is reported. */
  "task.cancelRequested": {
    /** The cause of the stop. It decides the outcome. */
    readonly stopReason: StopReason;
    /** The text passed to `cancel`, or the code of the limit that stopped the task. */
    readonly reason: string;
  };
  /** The function has settled and its outcome is final. The task ends when its last attached child has ended. */
  "task.returned": {
    /** The outcome that the task will end with. */
    readonly outcome: TaskOutcome<Json | undefined>;
    /** The reason why the outcome has no value, when JSON cannot carry it. */
    readonly outputOmitted?: string;
    /** Present in the journal of a store when the output is larger than 64 KiB and is stored separately. */
    readonly outputApart?: true;
  };
  /** The task succeeded. */
  "task.succeeded": {
    /** The result. Absent when it is `undefined`, omitted, or stored separately. */
    readonly output?: Json;
    /** The reason why there is no `output`, when JSON cannot carry the result. */
    readonly outputOmitted?: string;
    /** Present in the journal of a store when the output is larger than 64 KiB and is stored separately. */
    readonly outputApart?: true;
  };
  /** The task failed. */
  "task.failed": {
    /** Why the task failed. */
    readonly error: TaskFailure;
  };
  /** The task was cancelled. */
  "task.cancelled": {
    /** The text passed to `cancel`, or the code of the failure of an ancestor. */
    readonly reason: string;
  };
  /** The process, or the manager, ended before the task. */
  "task.interrupted": {
    /** Whether the process was lost, or the manager shut down. */
    readonly reason: InterruptReason;
    /** The instance that ran the task, when it is known. */
    readonly instanceId?: string;
    /** The id of the process that ran the task, when it is known. */
    readonly pid?: number;
    /** The number of attempts that the task had, when it was not resumed because they were used up. */
    readonly attemptsUsed?: number;
  };
  /** The function did not settle within its grace. The task continues, or ends, without it. */
  "task.abandoned": unknown;
  /**
   * The attempt failed, and the task is `queued` as its next attempt. It does not enter the line before `notBeforeAt`.
   */
  "task.retried": {
    /** Why the attempt failed. */
    readonly error: TaskFailure;
    /** The earliest start of the next attempt, in epoch milliseconds. */
    readonly notBeforeAt: number;
  };
  /** The process that ran the task has ended, and this process resumes the task: it is `queued` as its next attempt. */
  "task.reattached": {
    /** The process that resumes the task. */
    readonly runtime: Runtime;
  };
  /**
   * The process that ran the task has ended, and this process cannot resume the task: `blockedOn` names what is missing
   * here (a kind or a lane) or the process that has the task. The task stays active until a process resumes it, or a
   * caller cancels it.
   */
  "task.parked": {
    /** The missing kind or lane, or the process that has the task. */
    readonly blockedOn: readonly Wait[];
  };
  /** An abandoned function settled after all. `attempt` is the attempt of that function. The task does not change. */
  "task.lateSettled": {
    /** How the function settled. */
    readonly settled: "returned" | "threw";
    /** The message of the error, when the function threw. */
    readonly message?: string;
  };
  /** The task asked a question. */
  "request.opened": {
    /** The open request. */
    readonly request: InboxRequest;
  };
  /** The question was answered. */
  "request.answered": {
    /** The closed request. */
    readonly request: InboxRequest;
  };
  /** The question was rejected. */
  "request.rejected": {
    /** The closed request. */
    readonly request: InboxRequest;
  };
  /** The question was not answered in time. */
  "request.expired": {
    /** The closed request. */
    readonly request: InboxRequest;
  };
  /** The question was closed without an answer, because its asker does not wait for one. */
  "request.withdrawn": {
    /** The closed request. */
    readonly request: InboxRequest;
  };
  /** A message was sent to the task, or the task posted one. */
  "message.sent": {
    /** The message. Its `direction` says who sent it. */
    readonly message: Message;
  };
  /** The task made an artifact. May also come after the end of the task. */
  "artifact.added": {
    /** The new artifact. */
    readonly artifact: Artifact;
  };
  /** The task reported usage. */
  "usage.reported": {
    /** The usage of this report alone. */
    readonly usage: UsageReport;
  };
  /** The task emitted an event of its own. */
  custom: {
    /** The name that `ctx.emit` gave the event. */
    readonly name: string;
    /** The data that `ctx.emit` passed. */
    readonly payload?: Json;
  };
}

/** The events of tasks, by type. */
export type TaskEventMap = { [K in keyof Facts]: Stamp<K> & Facts[K] };
/** An event of a task. `type` says which. */
export type TaskEvent = TaskEventMap[keyof TaskEventMap];

/** The events that `on` accepts: those of tasks, and faults of the process, which are never stored. */
export interface ManagerEventMap extends TaskEventMap {
  /**
   * The store did not accept a write, or did not compact. The write is repeated, and nothing new is spawned until it
   * succeeds. With a `StoreLockedError` another process has the writer's place, and the manager closes.
   */
  "store.failed": {
    /** Type of the event. */
    readonly type: "store.failed";
    /** Instant of the event, in epoch milliseconds. */
    readonly at: number;
    /** An error of errand, such as `StoreUnavailableError`. Its `cause` is the error of the store, if it is another. */
    readonly error: unknown;
  };
  /** A listener threw, or its promise rejected. Other listeners and the manager are not affected. */
  "listener.failed": {
    /** Type of the event. */
    readonly type: "listener.failed";
    /** Instant of the event, in epoch milliseconds. */
    readonly at: number;
    /** The value that the listener threw, or rejected with. */
    readonly error: unknown;
    /** Type of the event that the listener received. */
    readonly event: string;
  };
}

/** Every type of event. The compiler checks that none is missing. */
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
