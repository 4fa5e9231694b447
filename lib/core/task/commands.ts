// Commands: the orders a task can be given, and the names of the refusals (S8).
//
// Owns the words alone. `attempt` on a command is the fence of S2: it says which attempt of the function writes.
// Ids, times and everything random ride on the command, so that `decide` needs none of its own.

import type { Json } from "../values/json.js";
import type { TaskPatch } from "./events.js";
import type { Message } from "./message.js";
import type { Artifact, Progress, Runtime, TaskOutcome, UsageReport, Wait } from "./record.js";
import type { ClosedRequest, InboxRequest } from "./request.js";
import type { Settled } from "./settled.js";
import type { Output, Stop } from "./state.js";

export type Command =
  /** The function is called next. */
  | { readonly type: "start"; readonly runtime: Runtime }
  /** A wait began, or the set of pending waits changed. */
  | { readonly type: "block"; readonly attempt: number; readonly blockedOn: Iterable<Wait> }
  | { readonly type: "resume"; readonly attempt: number }
  /** One for a whole sweep. After a restart, the shutdown of the process before is none. */
  | { readonly type: "stop"; readonly stop: Stop; readonly isRestart?: boolean }
  /** The function of the task `id` is over, or given up. `living` are the attached children that still live: with some, the task ends later (H1). With `notBeforeAt` it may run again from then on. */
  | {
      readonly type: "settle";
      readonly id: string;
      readonly attempt: number;
      readonly settled: Settled;
      readonly living: readonly string[];
      readonly notBeforeAt?: number | undefined;
    }
  /** The last attached child is over. */
  | { readonly type: "end" }
  /** The process that ran it has ended. `process` is that one, where it is known and no attempt says so. */
  | {
      readonly type: "lose";
      readonly id: string;
      readonly process: Runtime | undefined;
      /** Number of attempts that were used up, where that is the reason of the end. */
      readonly attemptsUsed?: number | undefined;
    }
  /** After a restart: its kind goes on with it, in this process. */
  | { readonly type: "reattach"; readonly runtime: Runtime }
  /** Another process did the work of a task that never started here, and this is how that ended. */
  | { readonly type: "deliver"; readonly outcome: TaskOutcome; readonly output: Output | undefined }
  /** After a restart: this process cannot resume it, and another may. */
  | { readonly type: "park"; readonly blockedOn: readonly Wait[] }
  | {
      readonly type: "lateSettle";
      readonly attempt: number;
      readonly settled: "returned" | "threw";
      readonly message?: string;
    }
  | { readonly type: "progress"; readonly attempt: number; readonly progress: Progress }
  /** Enrichment: from a function it is fenced, from elsewhere it may come at any time (S1). */
  | { readonly type: "update"; readonly attempt?: number; readonly patch: TaskPatch }
  | { readonly type: "addArtifact"; readonly attempt?: number; readonly artifact: Artifact }
  | { readonly type: "reportUsage"; readonly attempt: number; readonly usage: UsageReport }
  | { readonly type: "emit"; readonly attempt: number; readonly name: string; readonly payload?: Json }
  | { readonly type: "post"; readonly attempt: number; readonly message: Message }
  | { readonly type: "send"; readonly message: Message }
  | { readonly type: "openRequest"; readonly attempt: number; readonly request: InboxRequest }
  /** `request` is closed already: that it was open is the rule of `request.ts`. */
  | { readonly type: "closeRequest"; readonly request: ClosedRequest };

/** Why a command was refused. */
export type RefusalReason =
  /** The task is over (S1). */
  | "terminal"
  /** The function has settled: its outcome is final (H1). */
  | "settled"
  /** The write is of an attempt that is not the current one (S2). */
  | "superseded"
  | "not_started"
  | "already_started"
  | "not_blocked"
  /** A stop was asked for: the first one stays (S5), and a stopped task begins nothing new. */
  | "stopped"
  | "not_stopped"
  /** The function has not settled yet. */
  | "unsettled";

export interface Refusal {
  readonly refused: RefusalReason;
}
