// Outcome: how a task ended, and why it failed.
//
// Owns types only.

import type { FailureCode, InterruptReason } from "./status.js";

/** One reason below a failure: an error that another error carries, or the content of a thrown object. */
export interface FailureCause {
  /** Message of that error, at most 500 characters. */
  readonly message: string;
  /** Name of that error (`"TypeError"`), when it has one. */
  readonly name?: string;
  /** The `code` of that error (`"ECONNREFUSED"`), or its HTTP status when it has no `code`. */
  readonly code?: string;
}

/** Why a task failed. */
export interface TaskFailure {
  /** Code of the failure: `"error"` for a thrown value, otherwise the limit or the check that failed. */
  readonly code: FailureCode;
  /**
   * Message of the thrown error, at most 65 536 characters; `cause` has all of it. A thrown value that is no error
   * gives its text, a plain object its JSON, cut at 500 characters.
   */
  readonly message: string;
  /** Name of the thrown error (`"TypeError"`), when it has one. */
  readonly name?: string;
  /** The `code` of the thrown error itself (`"ECONNREFUSED"`), or its HTTP status when it has no `code`. */
  readonly errorCode?: string;
  /**
   * The reasons below the error, the nearest first, each once, at most 8: the errors in `cause` and in the `errors` of
   * an `AggregateError`, at any depth. For a thrown object that is no error, its content is one of them. Stored, so a
   * restart keeps them. Absent when there are none.
   */
  readonly causes?: readonly FailureCause[];
  /**
   * The number of further reasons that `causes` leaves out. Counted up to a bound, so there may be more of them. Absent
   * when `causes` has them all.
   */
  readonly causesOmitted?: number;
  /** Stack of the thrown error, when it has one. Of one over 65 536 characters, the beginning and the last lines. */
  readonly stack?: string;
  /** The thrown value itself. It is not enumerable, so records and events stay plain JSON, and a restart loses it. */
  readonly cause?: unknown;
}

/**
 * How a task ended. Reading it never throws, except `value` of an output that the store has lost.
 *
 * - `succeeded`: `value` is what the function returned.
 * - `failed`: `error` says why.
 * - `cancelled`: `reason` is the text passed to `cancel`, or the code of the stop of an ancestor.
 * - `interrupted`: the process or the manager ended before the task.
 */
export type TaskOutcome<T = unknown> = {
  /** Id of the task. */
  readonly id: string;
} & (
  | {
      /** The function returned, and every attached child has ended. */
      readonly status: "succeeded";
      /** Value that the function returned. Reading it throws `OutputLostError` when `outputLost` is present. */
      readonly value: T;
      /** Present when the stored output of an earlier process is missing or unreadable: the place and the reason. */
      readonly outputLost?: string;
    }
  | {
      /** The function threw, or a limit stopped the task. */
      readonly status: "failed";
      /** Why the task failed. */
      readonly error: TaskFailure;
      /** Present when the function had not settled at the end of its grace. It may still be running. */
      readonly abandoned?: true;
    }
  | {
      /** The task was cancelled before it could succeed. */
      readonly status: "cancelled";
      /** Text passed to `cancel`, or the code of the stop of an ancestor. */
      readonly reason: string;
      /** The value that the function threw after the cancel. A restart loses it. */
      readonly cause?: unknown;
      /** Present when the function had not settled at the end of its grace. It may still be running. */
      readonly abandoned?: true;
    }
  | {
      /** The process, or its manager, ended before the task. */
      readonly status: "interrupted";
      /** Whether the process was lost or was shut down. */
      readonly reason: InterruptReason;
      /** The manager instance that ran the task, when it is known. */
      readonly instanceId?: string;
      /** Id of the process that ran the task, when it is known. */
      readonly pid?: number;
      /**
       * Present when the task was not resumed because its attempts were used up: how many failed, or died with their
       * process.
       */
      readonly attemptsUsed?: number;
      /** Present when the function had not settled at the end of its grace. It may still be running. */
      readonly abandoned?: true;
    }
);
