// Task reports: the public contract of what a task's function writes: to its record, and to its owner.
//
// Owns types alone. `Context` implements them, and `TaskContext` of `session.ts` extends them.

import type { Content, Message, SendOptions } from "../core/task/message.js";
import type { ArtifactInput, LinksInput, Progress, UsageReport } from "../core/task/record.js";

/**
 * The reports of a task's function: messages, progress, usage, artifacts, output and the checkpoint. `TaskContext` has
 * them all. A closed context drops each of them, except those whose promise rejects.
 */
export interface TaskReports<C = unknown> {
  /**
   * Sends a message to the owner and resolves when it is stored. A function that has settled, was abandoned or was
   * followed by another attempt sends nothing: the call rejects with `ScopeCancelledError`, or with
   * `TaskTerminatedError` after a return. Rejects with a `TypeError` for bad content.
   */
  post(content: Content, options?: SendOptions): Promise<Message>;
  /** Records a `custom` event. Throws a `TypeError` for a payload that JSON cannot carry. */
  emit(name: string, payload?: unknown): void;
  /**
   * Replaces the progress of the task: `{ current: 3, total: 12, unit: "pages", label: "Reading" }`, where each field
   * may be left out. Counts as a sign of life. Throws a `TypeError` for an unknown field or a field
   * of a wrong type, and replaces nothing then.
   */
  progress(progress: Progress): void;
  /** Replaces the summary of the task: one line for people and models. */
  summary(text: string): void;
  /**
   * Adds usage to the task and to all tasks above it. A report that overspends a budget stops the task that carries the
   * budget, with everything below it, in the same call; it does not throw. Throws a `TypeError` for an unknown field
   * and a `RangeError` for an amount below 0, and adds nothing then.
   */
  reportUsage(report: UsageReport): void;
  /**
   * Appends an artifact: a path, a url, both, or a chunk of data. Artifacts are never replaced. Throws a `TypeError`
   * for an artifact without any of these, for data beside a path or a url, and for an unknown field.
   */
  artifact(artifact: ArtifactInput): void;
  /** Merges links into the links of the task, field by field. Throws a `TypeError` for an unknown field. */
  link(links: LinksInput): void;
  /**
   * Appends text to the output of the task. Output is cheap: it is kept in memory only, the newest 65 536 characters.
   * Counts as a sign of life.
   */
  output(stream: "stdout" | "stderr" | (string & {}), text: string): void;
  /** Gives a sign of life for `stallTimeoutMs`. The record has its time as `heartbeatAt`. */
  heartbeat(): void;
  /**
   * Replaces the checkpoint of the task and resolves when it is stored; the next attempt reads it as `lastCheckpoint`.
   * The call is not a wait: the task keeps its slot. Counts as a sign of life.
   *
   * Rejects with `InvalidInputError` when the value does not fit the schema of the kind, and with a `TypeError` when
   * JSON cannot carry it. A function that has settled, was abandoned or was followed by another attempt stores nothing:
   * the call rejects with `ScopeCancelledError`, or with `TaskTerminatedError` after a return.
   *
   * The type of the value is that of the `checkpoint` schema of the kind. Without a schema it is that of the annotation
   * of `ctx`, as below.
   *
   * @example
   * ```ts
   * import { defineKind, type TaskContext, TaskManager } from "errand";
   *
   * const crawl = defineKind({
   *   name: "crawl",
   *   run: async (ctx: TaskContext<{ page: number }>, pages: number) => {
   *     const from = ctx.lastCheckpoint?.page ?? 0; // 0 in the first attempt, 2 in the second
   *     for (let page = from + 1; page <= pages; page++) await ctx.checkpoint({ page });
   *     if (ctx.attempt === 1) throw new Error("The connection was lost.");
   *     return `began after page ${from}`;
   *   },
   * });
   * const task = new TaskManager().spawn(crawl, { input: 2, retry: { maxAttempts: 2, backoffMs: 0 } });
   * console.log(await task.result()); // began after page 2
   * ```
   */
  checkpoint(value: C): Promise<void>;
  /**
   * The newest checkpoint; `undefined` when the task has never stored one. Throws `InvalidInputError` when the stored
   * value no longer fits the schema of the kind.
   */
  readonly lastCheckpoint: C | undefined;
}
