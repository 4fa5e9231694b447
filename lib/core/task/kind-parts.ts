// Kind parts: what a task runs, and the parts of a kind without their types.
//
// Owns types only.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Json } from "../values/json.js";
import type { Message } from "./message.js";
import type { TaskRecord, Weight } from "./record.js";
import type { RetryPolicy } from "./retry.js";

/**
 * The function of a task, as `spawn` received it. The core never calls it directly: its context is a view that is made
 * above the core.
 */
export type Work = (context: never) => unknown;

/** Limits on the tasks of a kind within a family. */
export interface KindLimits {
  /** How many tasks of the kind may be above one another. */
  readonly maxDepth: number;
  /** How many living children each task of the kind may have. */
  readonly maxChildren: number;
}

/** The definition of a kind, without the types that `defineKind` gave it. */
export interface KindParts {
  /** Name of the kind. */
  readonly name: string;
  /** Description for people and models. */
  readonly description: string | undefined;
  /** Schema of the input. */
  readonly input: StandardSchemaV1 | undefined;
  /** JSON Schema of the input for a model or a form, when the schema of the input cannot give it. */
  readonly inputJsonSchema: Json | undefined;
  /** Schema of the result. */
  readonly output: StandardSchemaV1 | undefined;
  /** Schema of the checkpoint. */
  readonly checkpoint: StandardSchemaV1 | undefined;
  /** The function of its tasks. */
  readonly run: (context: never, input: never) => unknown;
  /** Receives the messages that are sent to its tasks. */
  readonly deliver: ((record: TaskRecord, message: Message) => void | PromiseLike<void>) | undefined;
  /** Ends the work that a task has outside the process, when its function is not there to do it. */
  readonly cancel: ((record: TaskRecord, reason: string) => void | PromiseLike<void>) | undefined;
  /** Whether a restart may resume this task. */
  readonly canReattach: ((record: TaskRecord) => boolean | PromiseLike<boolean>) | undefined;
  /** Retry policy of the kind. */
  readonly retry: RetryPolicy | undefined;
  /** Default `timeoutMs` of its tasks. */
  readonly timeoutMs: number | undefined;
  /** Default `elapsedTimeoutMs` of its tasks. */
  readonly elapsedTimeoutMs: number | undefined;
  /** Default lane of its tasks. */
  readonly lane: string | undefined;
  /** Default weight of its tasks. */
  readonly weight: Weight | undefined;
  /** Limits on its tasks within a family. */
  readonly limits: KindLimits | undefined;
}
