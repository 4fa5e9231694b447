// defineKind: checks the definition of a kind and makes a typed `TaskKind` of it. Registers nothing.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { Kind, type TaskKind } from "../core/kinds/kind.js";
import { takeWeight } from "../core/lanes/weight.js";
import type { KindLimits } from "../core/task/kind-parts.js";
import type { Message } from "../core/task/message.js";
import type { TaskRecord } from "../core/task/record.js";
import type { InboxRequest } from "../core/task/request.js";
import { type RetryOptions, takeRetry } from "../core/task/retry.js";
import { checkKnown, checkMs, checkSchema, checkText, checkType, takeObject } from "../core/values/checks.js";
import type { TaskContext } from "../session/session.js";
import type { ReconcileReport } from "./remote/report.js";
import { remoteRun } from "./remote.js";

/**
 * The definition of a kind. `I` and `In` are the input before and after its schema, `R` and `T` the result before and
 * after its schema, `C` the checkpoint.
 */
export interface KindDefinition<In, I, R, T, C> {
  /** The name in records, tools and the journal; unique in a manager. */
  name: string;
  /** A text for models that choose among kinds. */
  description?: string | undefined;
  /**
   * Checks the input within the call of `spawn`. An input that does not fit and a schema that throws are an
   * `InvalidInputError` (`cause`); an asynchronous schema is a `TypeError` that names the kind. The journal keeps the
   * raw input, and a restart checks it again.
   */
  input?: StandardSchemaV1<I, In> | undefined;
  /**
   * JSON Schema of the input, for a model that starts the kind by `spawn_task`. Default: the JSON Schema that `input`
   * provides, as zod 3 and each library with Standard JSON Schema does (zod 4, ArkType); valibot needs
   * `toStandardJsonSchema`, or this option. It checks nothing: `input` does.
   */
  inputJsonSchema?: { readonly [keyword: string]: unknown } | undefined;
  /**
   * Checks the result, synchronously or within 10 s. A result that does not fit, a schema that throws and a schema that
   * does not settle in time fail the task with `schema_mismatch`; a missing result fails it with `no_result`.
   */
  output?: StandardSchemaV1<R, T> | undefined;
  /**
   * Checks the value that `ctx.checkpoint` stores; `ctx.lastCheckpoint` has its type. Without it annotate the `ctx`
   * parameter of `run`, as `ctx: TaskContext<{ page: number }>`: then nothing checks the value at run time.
   */
  checkpoint?: StandardSchemaV1<C> | undefined;
  /**
   * The function of a task. Without an `input` schema annotate the `input` parameter: the kind takes that type, and
   * nothing checks it at run time.
   */
  run: (ctx: TaskContext<C>, input: In) => R | PromiseLike<R>;
  /**
   * Receives each message that is sent to the task, after the message is stored, one at a time; messages sent before
   * the start arrive at the start. `ctx.receive` returns the same messages. An error is logged.
   */
  deliver?: ((record: TaskRecord, message: Message) => void | PromiseLike<void>) | undefined;
  /**
   * Polls work that runs elsewhere. `run` starts that work, or finds it again by `ctx.record.links`, and returns
   * `undefined`. `reconcile` is then called at once, again after 1 s, and after pauses that double up to 30 s while
   * reports bring nothing new, until a report ends the task.
   *
   * The task holds no slot between polls. A manager makes at most 16 polls at a time, and polls the remote with the
   * oldest poll first; a task that waits for its poll holds no slot. News in a report become writes of the task. A
   * report with status `"asking"` opens a request in the inbox: the task is `blocked` on `input` while the polls
   * continue, and a report that no longer asks withdraws the request.
   *
   * An error, a report that does not fit, and a poll without an answer within 60 s are logged, and the remote is polled
   * again.
   */
  reconcile?:
    | ((record: TaskRecord) => ReconcileReport<NoInfer<R>> | PromiseLike<ReconcileReport<NoInfer<R>>>)
    | undefined;
  /**
   * Carries an answer to the remote. Called with each request that a report of `reconcile` opened, after the request is
   * stored as answered, rejected or expired (`request.status`). `reconcile` is still called while this call settles.
   *
   * An error is logged, and the next report that still asks calls `answer` again. A retry or a restart may also call it
   * again, while the remote still asks. Without `answer`, listen to `request.answered`; a rejected or expired request
   * then ends the task `failed` with code `rejected`, after its `cancel`.
   */
  answer?: ((record: TaskRecord, request: InboxRequest) => void | PromiseLike<void>) | undefined;
  /**
   * Cleans up external work. Called once when a running attempt is stopped, for any stop reason, except at a shutdown
   * after which the task can resume. The task ends after this has settled, or after its grace. A stop that a dead
   * process did not finish is finished by the next process. An error is logged.
   */
  cancel?: ((record: TaskRecord, reason: string) => void | PromiseLike<void>) | undefined;
  /**
   * Called after a restart. `true` runs the task again as its next attempt; `false`, or a kind without this function,
   * ends the task `interrupted`. So does an error, or any other answer, and the logger gets a warning.
   * `TaskManager.open` waits for the answers of all tasks for `graceMs` together, at least 1 000 and at most 30 000
   * milliseconds. A task without an answer by then is parked and the logger gets a warning; a later answer still
   * counts. A kind is found by its name: register it in `TaskManagerOptions.kinds`.
   */
  canReattach?: ((record: TaskRecord) => boolean | PromiseLike<boolean>) | undefined;
  /**
   * The default `retry` of spawns of this kind. Without it nothing retries, and a task ends `interrupted` when the
   * third process has died while its function ran.
   */
  retry?: RetryOptions | undefined;
  /** The default of the spawn option `timeoutMs`, in milliseconds. */
  timeoutMs?: number | undefined;
  /** The default of the spawn option `elapsedTimeoutMs`, in milliseconds. */
  elapsedTimeoutMs?: number | undefined;
  /** The default lane of spawns of this kind. */
  lane?: string | undefined;
  /**
   * The default weight of spawns of this kind, by unit: `{ tokens: 2_000 }`. Each start takes these amounts from the
   * windows of its lane.
   */
  weight?: { readonly [unit: string]: number | undefined } | undefined;
}

/**
 * The definition of a kind whose work runs elsewhere: `run` may return nothing, and `reconcile` is required.
 *
 * @example
 * ```ts
 * import { defineKind, TaskManager } from "errand";
 *
 * const jobs = new Map<string, string>(); // stands for a system elsewhere
 * const render = defineKind({
 *   name: "render",
 *   run: (ctx, scene: string) => void jobs.set(ctx.record.id, `${scene}.png`),
 *   reconcile: ({ id }) => ({ status: "succeeded", value: jobs.get(id) ?? "lost" }),
 * });
 * console.log(await new TaskManager().spawn(render, { input: "sunset" }).result()); // sunset.png
 * ```
 */
export interface RemoteKindDefinition<In, I, R, T, C>
  extends Omit<KindDefinition<In, I, R, T, C>, "run" | "reconcile"> {
  /** Starts the work or finds it again, and returns nothing. A returned value ends the task with that result. */
  run: (ctx: TaskContext<C>, input: In) => NoInfer<R> | undefined | void | PromiseLike<NoInfer<R> | undefined | void>;
  /** Polls the work until a report ends the task. See `KindDefinition`. */
  reconcile: (record: TaskRecord) => ReconcileReport<R> | PromiseLike<ReconcileReport<R>>;
}

/**
 * Makes a kind from its definition, and registers nothing: pass the kind to `spawn`, or list it in
 * `TaskManagerOptions.kinds` to start it by name and to resume it after a restart. Throws a `TypeError` or `RangeError`
 * that names an option that does not fit.
 *
 * @example
 * ```ts
 * import { defineKind, TaskManager } from "errand";
 * import { z } from "zod";
 *
 * const fetchPage = defineKind({
 *   name: "fetch_page",
 *   input: z.object({ url: z.string() }),
 *   run: async (_ctx, { url }) => `text of ${url}`,
 * });
 * const manager = new TaskManager({ kinds: [fetchPage] }); // a restart and the tools find it by its name
 * console.log(await manager.spawn(fetchPage, { input: { url: "a.html" } }).result()); // text of a.html
 * ```
 */
export function defineKind<R, In = undefined, I = In, T = R, C = unknown>(
  definition: RemoteKindDefinition<In, I, R, T, C>,
): TaskKind<NoInfer<I>, NoInfer<T>>;
export function defineKind<R, In = undefined, I = In, T = R, C = unknown>(
  definition: KindDefinition<In, I, R, T, C>,
): TaskKind<NoInfer<I>, NoInfer<T>>;
export function defineKind<R, In, I, T, C>(
  definition: KindDefinition<In, I, R, T, C> | RemoteKindDefinition<In, I, R, T, C>,
): TaskKind<I, T> {
  return limitedKind(definition, undefined);
}

/** Makes a kind like `defineKind`, with limits on the families of its tasks. */
export function limitedKind<R, In, I, T, C>(
  definition: KindDefinition<In, I, R, T, C> | RemoteKindDefinition<In, I, R, T, C>,
  limits: KindLimits | undefined,
): TaskKind<I, T> {
  checkType("definition", definition, "object");
  checkKnown("defineKind", definition, DEFINITION);
  const { name, description, input, inputJsonSchema, output, checkpoint, run, retry, lane, weight } = definition;
  const { timeoutMs, elapsedTimeoutMs } = definition;
  const { deliver, reconcile, answer, cancel, canReattach } = definition;
  checkType("name", name, "string");
  checkText("name", name);
  if (description !== undefined) checkType("description", description, "string");
  checkSchema("input", input);
  const ownJsonSchema = inputJsonSchema === undefined ? undefined : takeObject("inputJsonSchema", inputJsonSchema);
  checkSchema("output", output);
  checkSchema("checkpoint", checkpoint);
  checkType("run", run, "function");
  for (const [option, hook] of Object.entries({ deliver, reconcile, answer, cancel, canReattach }))
    if (hook !== undefined) checkType(option, hook, "function");
  if (answer !== undefined && reconcile === undefined)
    throw new TypeError("answer needs reconcile: it carries the answer to a question that a report asked");
  checkMs("timeoutMs", timeoutMs);
  checkMs("elapsedTimeoutMs", elapsedTimeoutMs);
  checkText("lane", lane);
  return new Kind({
    name,
    description,
    input,
    inputJsonSchema: ownJsonSchema,
    output,
    checkpoint,
    run: reconcile === undefined && cancel === undefined ? run : remoteRun({ run, reconcile, answer, cancel }),
    deliver,
    cancel,
    canReattach,
    retry: takeRetry(retry),
    timeoutMs,
    elapsedTimeoutMs,
    lane,
    weight: takeWeight(weight),
    limits,
  });
}

const DEFINITION: ReadonlySet<string> = new Set<keyof KindDefinition<never, never, never, never, never>>([
  ...([
    "name",
    "description",
    "input",
    "inputJsonSchema",
    "output",
    "checkpoint",
    "run",
    "deliver",
    "reconcile",
    "answer",
    "cancel",
    "canReattach",
    "retry",
    "timeoutMs",
    "elapsedTimeoutMs",
    "lane",
    "weight",
  ] as const),
]);
