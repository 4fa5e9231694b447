// defineKind: a kind, with its types.

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

/** I → In: the input before and after its schema. R → T: the result before and after its schema. C: the checkpoint. */
export interface KindDefinition<In, I, R, T, C> {
  /** Unique in a manager; what the record, the tools and the journal say. */
  name: string;
  description?: string | undefined;
  /**
   * Checks the input within the call of `spawn`: a misfit and a schema that throws are `InvalidInputError` (`cause`), a schema that checks later
   * is a `TypeError` that names the kind. The journal keeps the raw input, and a restart checks it again.
   */
  input?: StandardSchemaV1<I, In> | undefined;
  /**
   * JSON Schema of the input, for a model that starts the kind by `spawn_task`. Default: what the `input` schema says of itself, as zod 3 and each
   * library with Standard JSON Schema does (zod 4, ArkType); valibot needs `toStandardJsonSchema`, or this. It checks nothing: `input` does.
   */
  inputJsonSchema?: { readonly [keyword: string]: unknown } | undefined;
  /**
   * Checks the result; it may check later, within 10 s. A result that does not fit, a schema that throws and one that does not answer in time
   * fail the task with `schema_mismatch`; no result at all fails it with `no_result`.
   */
  output?: StandardSchemaV1<R, T> | undefined;
  /** What `ctx.checkpoint` takes and `ctx.lastCheckpoint` gives. */
  checkpoint?: StandardSchemaV1<C> | undefined;
  /** Without an `input` schema, annotate `input`: nothing checks it, and the kind takes what you say. */
  run: (ctx: TaskContext<NoInfer<C>>, input: In) => R | PromiseLike<R>;
  /**
   * Steers: receives each message that is sent to the task, once it is stored, one after the other; those from before its start when it starts.
   * `ctx.receive` gets them all the same. A throw is logged.
   */
  deliver?: ((record: TaskRecord, message: Message) => void | PromiseLike<void>) | undefined;
  /**
   * Polls work that runs elsewhere. `run` starts that work, or finds it again by `ctx.record.links`, and returns `undefined`. `reconcile` is
   * then called at once, after 1 s and, while a report brings nothing new, after pauses that double up to 30 s, until a report says the end.
   * Between polls the task holds no slot. A manager makes at most 16 polls at a time, and the remote that was not polled for the longest time is next;
   * a task that waits for its turn holds no slot. The news of a report are written as those of a run. A report that is `"asking"` opens a request in
   * the inbox, and the task is `blocked` on `input` while the polls continue; a report that asks no more withdraws the request.
   * A throw, a report that does not fit, and no answer within 60 s are logged, and the remote is polled again.
   */
  reconcile?:
    | ((record: TaskRecord) => ReconcileReport<NoInfer<R>> | PromiseLike<ReconcileReport<NoInfer<R>>>)
    | undefined;
  /**
   * Carries the answer to the remote: called with each request that a report of `reconcile` asked, once it is stored as answered, rejected or
   * expired (`request.status`). While the call settles, `reconcile` is called as before. If it throws, that is logged and the next report that
   * still asks calls it again; a retry or a restart may call it once more, while the remote still asks. Without it, listen to
   * `request.answered`; a rejected or expired request then ends the task `failed` with code `rejected`, after its `cancel`.
   */
  answer?: ((record: TaskRecord, request: InboxRequest) => void | PromiseLike<void>) | undefined;
  /**
   * Winds down something outside: called once an attempt that runs is stopped, for whatever reason; the task is over when this is too, within
   * its grace. Not at a shutdown after which the task can go on. A stop that a dead process did not carry out is carried out by the next. A throw
   * is logged.
   */
  cancel?: ((record: TaskRecord, reason: string) => void | PromiseLike<void>) | undefined;
  /**
   * Asked after a restart: `true` runs the task again (attempt + 1); `false`, a throw, or no such function, ends it `interrupted`. `TaskManager.open`
   * waits for the answers of all tasks for `graceMs` together, at least 1 000 and at most 30 000. A task without an answer by then is parked, and the
   * logger is warned; a later answer still counts. A kind is found again by its name: register it in `TaskManagerOptions.kinds`.
   */
  canReattach?: ((record: TaskRecord) => boolean | PromiseLike<boolean>) | undefined;
  /** The retry of spawns that leave it out. Without it nothing retries, and the third process that dies while the function runs ends the task `interrupted`. */
  retry?: RetryOptions | undefined;
  /** Same as the spawn option, for spawns that leave it out. */
  timeoutMs?: number | undefined;
  /** Same as the spawn option, for spawns that leave it out. */
  elapsedTimeoutMs?: number | undefined;
  /** The lane of spawns that leave it out. */
  lane?: string | undefined;
  /** Amounts that each start takes from the windows of its lane, when its spawn does not say: `{ tokens: 2_000 }`. */
  weight?: { readonly [unit: string]: number | undefined } | undefined;
}

/** A `KindDefinition` of work that runs elsewhere: `run` has started it, or found it again, when it gives nothing. */
export interface RemoteKindDefinition<In, I, R, T, C>
  extends Omit<KindDefinition<In, I, R, T, C>, "run" | "reconcile"> {
  run: (
    ctx: TaskContext<NoInfer<C>>,
    input: In,
  ) => NoInfer<R> | undefined | void | PromiseLike<NoInfer<R> | undefined | void>;
  reconcile: (record: TaskRecord) => ReconcileReport<R> | PromiseLike<ReconcileReport<R>>;
}

/** Makes a kind, and registers nothing: give it to `TaskManagerOptions.kinds` to start it by name, or to resume it after a restart. */
export function defineKind<R, In = undefined, I = In, T = R, C = unknown>(
  definition: RemoteKindDefinition<In, I, R, T, C>,
): TaskKind<I, T>;
export function defineKind<R, In = undefined, I = In, T = R, C = unknown>(
  definition: KindDefinition<In, I, R, T, C>,
): TaskKind<I, T>;
export function defineKind<R, In, I, T, C>(
  definition: KindDefinition<In, I, R, T, C> | RemoteKindDefinition<In, I, R, T, C>,
): TaskKind<I, T> {
  return limitedKind(definition, undefined);
}

/** As `defineKind`, with limits of its own on the families of its tasks. */
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
  const said = inputJsonSchema === undefined ? undefined : takeObject("inputJsonSchema", inputJsonSchema);
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
    inputJsonSchema: said,
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
