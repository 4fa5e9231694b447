// Commands: the orders to a task, and the named reasons of a refusal (S8).
//
// Owns types only. `attempt` on a command says which attempt of the function writes (S2). Ids, times and random values
// come with the command, so `decide` needs none of its own.

import type { Json } from "../values/json.js";
import type { Ending } from "./ending.js";
import type { TaskPatch } from "./events.js";
import type { Message } from "./message.js";
import type { Artifact, Progress, Runtime, UsageReport, Wait } from "./record.js";
import type { ClosedRequest, InboxRequest } from "./request.js";
import type { Settled } from "./settled.js";
import type { Output, Stop } from "./state.js";

/** An order to a task. */
export type Command =
  /** The function is called next. */
  | { readonly type: "start"; readonly runtime: Runtime }
  /** A wait began, or the set of pending waits changed. */
  | { readonly type: "block"; readonly attempt: number; readonly blockedOn: Iterable<Wait> }
  /** The last wait has ended, and the task has a slot again. */
  | { readonly type: "resume"; readonly attempt: number }
  /**
   * Requests a stop. One `stop` object is shared by all tasks of a subtree. `isRestart`: this process stops a task of
   * an earlier process, so a stop by the shutdown of that process does not count as a stop.
   */
  | { readonly type: "stop"; readonly stop: Stop; readonly isRestart?: boolean }
  /**
   * The function of the task `id` has settled, or was abandoned. `living`: the attached children that are alive; with
   * any, the task ends later (H1). `notBeforeAt`: if the outcome can be retried, the task runs again from this instant
   * on. `limitMs`: the time limit that stopped it.
   */
  | {
      readonly type: "settle";
      readonly attempt: number;
      readonly settled: Settled;
      readonly living: readonly string[];
      readonly notBeforeAt?: number | undefined;
      readonly limitMs?: number | undefined;
    }
  /** The last attached child has ended. */
  | { readonly type: "end" }
  /**
   * The process that ran the task has ended. `process` is that process, when it is known and the state has no runtime.
   */
  | {
      readonly type: "lose";
      readonly process: Runtime | undefined;
      /** Number of attempts that were used up, when that is why the task ends. */
      readonly attemptsUsed?: number | undefined;
      /** The time limit that stopped the task before. */
      readonly limitMs?: number | undefined;
    }
  /** This process resumes the task after a restart: its kind agreed. */
  | { readonly type: "reattach"; readonly runtime: Runtime }
  /** Another process ran this task, which never started here, and it ended so. */
  | { readonly type: "deliver"; readonly ending: Ending; readonly output: Output | undefined }
  /** This process cannot resume the task after a restart; another process may. */
  | { readonly type: "park"; readonly blockedOn: readonly Wait[] }
  /** An abandoned function settled after all. */
  | {
      readonly type: "lateSettle";
      readonly attempt: number;
      readonly settled: "returned" | "threw";
      readonly message?: string;
    }
  /** The function reports progress. */
  | { readonly type: "progress"; readonly attempt: number; readonly progress: Progress }
  /**
   * Changes what the task says of itself. A write of a function carries its `attempt` and is fenced; a write from
   * elsewhere is allowed at any time (S1).
   */
  | { readonly type: "update"; readonly attempt?: number; readonly patch: TaskPatch }
  /** Adds an artifact. */
  | { readonly type: "addArtifact"; readonly attempt?: number; readonly artifact: Artifact }
  /** The function reports usage. */
  | { readonly type: "reportUsage"; readonly attempt: number; readonly usage: UsageReport }
  /** The function emits an event of its own. */
  | { readonly type: "emit"; readonly attempt: number; readonly name: string; readonly payload?: Json }
  /** The function posts a message. */
  | { readonly type: "post"; readonly attempt: number; readonly message: Message }
  /** Sends a message to the task. */
  | { readonly type: "send"; readonly message: Message }
  /** The function asks a question. */
  | { readonly type: "openRequest"; readonly attempt: number; readonly request: InboxRequest }
  /** The request is closed. The caller has checked that it was open (`request.ts`). */
  | { readonly type: "closeRequest"; readonly request: ClosedRequest };

/** Why a command was refused. */
export type RefusalReason =
  /** The task has ended (S1). */
  | "terminal"
  /** The function has settled, and its outcome is final (H1). */
  | "settled"
  /** The write comes from an attempt that is not the current one (S2). */
  | "superseded"
  /** The function was not called yet. */
  | "not_started"
  /** The function was called already. */
  | "already_started"
  /** The task is in no wait. */
  | "not_blocked"
  /** A stop was requested already: the first one stays (S5), and a stopped task begins nothing new. */
  | "stopped"
  /** The function did not settle, and the task was not stopped. */
  | "not_stopped"
  /** The function has not settled yet. */
  | "unsettled";

/** The answer to a command that changes nothing. */
export interface Refusal {
  /** Why the command was refused. */
  readonly refused: RefusalReason;
}
