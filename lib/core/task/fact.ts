// Fact: one change of a task, as the rules see it.
//
// Owns types only. `decide` returns facts and `evolve` applies them: small, and made for every change.

import type { Json } from "../values/json.js";
import type { Ending } from "./ending.js";
import type { Message } from "./message.js";
import type { Artifact, Progress, Runtime, TaskFailure, TaskRecord, UsageReport, Wait } from "./record.js";
import type { InboxRequest } from "./request.js";
import type { Output, Stop, TaskState } from "./state.js";

/** The fields of a task that an update changes. A field that is left out keeps its value. */
export type TaskPatch = Partial<
  Pick<TaskRecord, "title" | "summary" | "links" | "tags" | "metadata" | "heartbeatAt" | "detached">
> & {
  /** Data that `ctx.checkpoint` stored. The next attempt reads it as `lastCheckpoint`. */
  readonly checkpoint?: Json;
  /** True: the loop of the task reads notices from now on. */
  readonly readsNotices?: true;
  /** Ids of notices of the task that its owner has acknowledged. Nothing else of the task has changed. */
  readonly acknowledged?: readonly string[];
};

type RequestFact = `request.${"opened" | "answered" | "rejected" | "expired" | "withdrawn"}`;
/** Types of the facts that end a task. */
export type EndFact = `task.${"succeeded" | "failed" | "cancelled" | "interrupted"}`;

/** A change of a task. */
export type Fact =
  /** The task was spawned. */
  | { readonly type: "task.created"; readonly state: TaskState; readonly runtime: Runtime | undefined }
  /** The function is called next. */
  | { readonly type: "task.started"; readonly runtime: Runtime }
  /** A wait began, or the set of pending waits changed. */
  | { readonly type: "task.blocked"; readonly blockedOn: Iterable<Wait> }
  /** The last wait has ended and the task has a slot again. */
  | { readonly type: "task.resumed" }
  /** The task reported progress. */
  | { readonly type: "task.progressed"; readonly progress: Progress }
  /** The description of the task changed. */
  | { readonly type: "task.updated"; readonly patch: TaskPatch }
  /** A stop was requested. */
  | { readonly type: "task.cancelRequested"; readonly stop: Stop }
  /** The function has settled, and living children keep the task from ending. */
  | { readonly type: "task.returned"; readonly ending: Ending; readonly output: Output | undefined }
  /** The task ended. */
  | { readonly type: EndFact; readonly ending: Ending; readonly output: Output | undefined }
  /** The attempt failed, and the task runs again. */
  | { readonly type: "task.retried"; readonly error: TaskFailure; readonly notBeforeAt: number }
  /** This process resumes a task of an earlier process. */
  | { readonly type: "task.reattached"; readonly runtime: Runtime }
  /** This process cannot resume a task of an earlier process. */
  | { readonly type: "task.parked"; readonly blockedOn: readonly Wait[] }
  /** The function did not settle within its grace. */
  | { readonly type: "task.abandoned" }
  /** An abandoned function settled after all. */
  | {
      readonly type: "task.lateSettled";
      readonly attempt: number;
      readonly settled: "returned" | "threw";
      readonly message?: string;
    }
  /** A question was opened or closed. */
  | { readonly type: RequestFact; readonly request: InboxRequest }
  /** A message was sent to the task, or posted by it. */
  | { readonly type: "message.sent"; readonly message: Message }
  /** The task made an artifact. */
  | { readonly type: "artifact.added"; readonly artifact: Artifact }
  /** The task reported usage. */
  | { readonly type: "usage.reported"; readonly usage: UsageReport }
  /** The task emitted an event of its own. */
  | { readonly type: "custom"; readonly name: string; readonly payload?: Json };
