// Fact: one change of a task, as the rules see it.
//
// Owns types only. `decide` returns facts and `evolve` applies them: small, and made for every change.

import type { Json } from "../values/json.js";
import type { Message } from "./message.js";
import type { Artifact, Progress, Runtime, TaskFailure, TaskOutcome, TaskRecord, UsageReport, Wait } from "./record.js";
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
