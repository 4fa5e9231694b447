// Task handle: the public contract of the object that `spawn` returns, and of the reference to a task.
//
// Owns types alone. `handle.ts` implements them.

import type { TaskKind } from "../core/kinds/kind.js";
import type { OutputChunk } from "../core/live/output-ring.js";
import type { TaskEvent } from "../core/task/events.js";
import type { Content, Message, SendOptions } from "../core/task/message.js";
import type { TaskOutcome, TaskRecord, Usage } from "../core/task/record.js";
import type { TaskStatus } from "../core/task/status.js";
import type { WaitOptions } from "../core/waits/waits.js";

/**
 * Reads, awaits and cancels one task. A handle owns no state and still works when the record of its task was evicted.
 * It is not thenable: `await handle` gives the handle.
 */
export interface TaskHandle<out T = unknown> {
  /** The id of the task. */
  readonly id: string;
  /** The status of the task at this moment. */
  readonly status: TaskStatus;
  /** The newest record of the task: a frozen snapshot. */
  readonly record: TaskRecord;
  /**
   * Resolves with the result of the task. Rejects with `TaskOutcomeError`, which is no `AbortError`, when the task did
   * not succeed. A failed task alone causes no unhandled rejection: the promise exists only after this call.
   *
   * Inside a task the call is a wait and lends the slot. It rejects with `AwaitCycleError` when the wait could never
   * end, and with the reason of an aborted `signal`; the task continues. It rejects with `OutputLostError` when an
   * earlier process stored the result and it is gone or cannot be read; it never resolves with `undefined` instead.
   *
   * @example
   * ```ts
   * import { isErrandError, TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const task = manager.spawn(() => Promise.reject(new Error("no network")));
   * try {
   *   await task.result();
   * } catch (error) {
   *   if (isErrandError(error, "TASK_OUTCOME")) console.log(error.outcome.status); // failed
   * }
   * ```
   */
  result(options?: WaitOptions): Promise<T>;
  /**
   * Resolves with the outcome of the task; a failed task does not reject. The outcome of a task whose stored result is
   * lost is `succeeded` with `outputLost`, and reading its `value` throws `OutputLostError`. The same holds for the
   * outcomes of every other wait.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const outcome = await manager.spawn(() => 6 * 7).outcome();
   * if (outcome.status === "succeeded") console.log(outcome.value); // 42
   * if (outcome.status === "failed") console.error(outcome.error.message);
   * ```
   */
  outcome(options?: WaitOptions & { timeoutMs?: undefined }): Promise<TaskOutcome<T>>;
  /** Resolves with `undefined` when `timeoutMs`, in milliseconds ≥ 0, passes first; the task continues. */
  outcome(
    options: WaitOptions & {
      /** The longest wait, in milliseconds ≥ 0; default no limit. */
      timeoutMs?: number | undefined;
    },
  ): Promise<TaskOutcome<T> | undefined>;
  /**
   * Resolves when the spawn of the task, or its newest attempt, is stored; at once without a store. The call is not a
   * wait: a task keeps its slot. Rejects with `ManagerClosedError` when the manager closes first.
   */
  stored(): Promise<void>;
  /**
   * The newest `limit` messages after the message with the id `after`, oldest first. Without `limit` all of them;
   * without `after`, or when no message has that id, from the first one on.
   */
  messages(query?: {
    /** The id of the message before the first one to return. */
    after?: string | undefined;
    /** The largest number of messages, an integer ≥ 0; default all. */
    limit?: number | undefined;
  }): readonly Message[];
  /** The output of the task from the cursor `after` on. The newest 65 536 characters are kept. */
  output(query?: {
    /** The `cursor` of an earlier chunk, an integer ≥ 0; default 0. */
    after?: number | undefined;
  }): OutputChunk;
  /**
   * The newest `limit` events of the task (default 100), oldest first, also for a task from before a restart. With a
   * store they are read from the journal. In memory the manager keeps its newest 10 000 events, from the first call of
   * `events()` or `history()` on: the first call finds none.
   */
  history(query?: {
    /** The largest number of events, an integer ≥ 0; default 100. */
    limit?: number | undefined;
  }): Promise<readonly TaskEvent[]>;
  /** Usage of the task and of everything below it. */
  usage(): Usage;
  /**
   * Asks the task and its attached descendants to stop, and resolves with the *actual* outcome: a function that returns
   * all the same has `succeeded`. A queued task ends at once. A second call has no further effect; for a task that is
   * over the call resolves with its outcome. A promise that no caller reads causes no unhandled rejection.
   *
   * @example
   * ```ts
   * import { setTimeout as delay } from "node:timers/promises";
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const task = manager.spawn((ctx) => delay(60_000, undefined, { signal: ctx.signal }));
   * const outcome = await task.cancel("the user left");
   * console.log(outcome.status === "cancelled" && outcome.reason); // the user left
   * ```
   */
  cancel(reason?: string, options?: WaitOptions): Promise<TaskOutcome<T>>;
  /**
   * Sends a message to the task and resolves when it is stored. The task reads it with `ctx.receive`, also when it has
   * not started yet. With the id of a question of the task as `inReplyTo`, the message answers that question. Rejects
   * with `TaskTerminatedError` when the task is over, with `TaskElsewhereError` when another process of a shared store
   * has its id and does its work, with `ManagerClosedError`, with `InvalidInputError` when the request is an approval
   * or the answer does not fit, and with `AlreadyAnsweredError` when it is no longer open.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const task = manager.spawn(async (ctx) => {
   *   const [part] = (await ctx.receive())?.content ?? [];
   *   return part?.type === "text" ? part.text : "";
   * });
   * await task.send("Use the short form.");
   * console.log(await task.result()); // Use the short form.
   * ```
   */
  send(content: Content, options?: SendOptions): Promise<Message>;
  /** Cancels the task and waits for its end: `await using` calls it. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Finds a task by its id, or by its name while the task lives. A name is an address within its session, and an id takes
 * precedence over a name. Returns `undefined` for an unknown or evicted task, and for a task outside this scope.
 */
export interface Get {
  /** Finds a task of any kind. */
  (id: string): TaskHandle | undefined;
  /** Finds a task of `kind`, which types the result. Throws a `TypeError` that names both kinds when they differ. */
  <T>(id: string, kind: TaskKind<never, T>): TaskHandle<T> | undefined;
}

/** A reference to a task: its id or its handle. Waits and `parent` also accept the name of a living task. */
export type TaskRef = string | TaskHandle;
