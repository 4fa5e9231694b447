// defineKind: a kind, with its types.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { Kind, type TaskKind } from "../core/kind.js";
import { checkKnown, checkMs, checkSchema, checkText, checkType } from "../core/options.js";
import type { TaskRecord } from "../core/record.js";
import { type RetryOptions, takeRetry } from "../core/retry.js";
import type { TaskContext } from "../session/context.js";

/** I → In: the input before and after its schema. R → T: the result before and after its schema. C: the checkpoint. */
export interface KindDefinition<In, I, R, T, C> {
  /** Unique in a manager; what the record and the journal say. */
  name: string;
  description?: string | undefined;
  /** Answers synchronously: a promise is a `TypeError` that names the kind. The journal keeps the raw input and parses again on reattach. */
  input?: StandardSchemaV1<I, In> | undefined;
  /** A result that does not fit fails the task with `schema_mismatch`; none at all with `no_result`. May answer later. */
  output?: StandardSchemaV1<R, T> | undefined;
  /** What `ctx.checkpoint` takes and `ctx.lastCheckpoint` gives. */
  checkpoint?: StandardSchemaV1<C> | undefined;
  /** Without an `input` schema, annotate `input`: nothing checks it, and the kind takes what you say. */
  run: (ctx: TaskContext<NoInfer<C>>, input: In) => R | PromiseLike<R>;
  /**
   * Asked after a restart: `true` runs it again (attempt + 1); `false`, a throw, or no such function, ends it `interrupted`.
   * `TaskManager.open` waits for the answer.
   */
  canReattach?: ((record: TaskRecord) => boolean | PromiseLike<boolean>) | undefined;
  /** When its spawn says none. Without it nothing retries, and only `canReattach` bounds reattaching. */
  retry?: RetryOptions | undefined;
  /** Of each attempt, when its spawn says none. */
  timeoutMs?: number | undefined;
  /** When its spawn says none. */
  lane?: string | undefined;
}

/** A value: it registers nothing. Hand it to `TaskManagerOptions.kinds` to start it by name, or after a restart. */
export function defineKind<R, In = undefined, I = In, T = R, C = unknown>(
  definition: KindDefinition<In, I, R, T, C>,
): TaskKind<I, T> {
  checkType("definition", definition, "object");
  checkKnown("defineKind", definition, DEFINITION);
  const { name, description, input, output, checkpoint, run, canReattach, retry, timeoutMs, lane } = definition;
  checkType("name", name, "string");
  checkText("name", name);
  if (description !== undefined) checkType("description", description, "string");
  checkSchema("input", input);
  checkSchema("output", output);
  checkSchema("checkpoint", checkpoint);
  checkType("run", run, "function");
  if (canReattach !== undefined) checkType("canReattach", canReattach, "function");
  checkMs("timeoutMs", timeoutMs);
  checkText("lane", lane);
  return new Kind({
    name,
    description,
    input,
    output,
    checkpoint,
    run,
    canReattach,
    retry: takeRetry(retry),
    timeoutMs,
    lane,
  });
}

const DEFINITION: ReadonlySet<string> = new Set<keyof KindDefinition<never, never, never, never, never>>([
  ...([
    "name",
    "description",
    "input",
    "output",
    "checkpoint",
    "run",
    "canReattach",
    "retry",
    "timeoutMs",
    "lane",
  ] as const),
]);
