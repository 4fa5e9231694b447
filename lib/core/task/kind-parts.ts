// Work: what a task runs: a function, or that of a kind.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Json } from "../values/json.js";
import type { Message } from "./message.js";
import type { TaskRecord, Weight } from "./record.js";
import type { RetryPolicy } from "./retry.js";

/** A task's function, as `spawn` took it. The rooms never call it themselves: its context is a view, made above them. */
export type Work = (context: never) => unknown;

/** How its tasks stand in families. */
export interface KindLimits {
  /** So many of it above one another. */
  readonly maxDepth: number;
  /** Living children of each. */
  readonly maxChildren: number;
}

/** What a kind does, without the types that `defineKind` put to it. */
export interface KindParts {
  readonly name: string;
  readonly description: string | undefined;
  readonly input: StandardSchemaV1 | undefined;
  /** JSON Schema of the input for a model, or a form, where the input's own schema cannot say it. */
  readonly inputJsonSchema: Json | undefined;
  readonly output: StandardSchemaV1 | undefined;
  readonly checkpoint: StandardSchemaV1 | undefined;
  readonly run: (context: never, input: never) => unknown;
  readonly deliver: ((record: TaskRecord, message: Message) => void | PromiseLike<void>) | undefined;
  /** Winds down what a task has outside, where its function is not there to do it. */
  readonly cancel: ((record: TaskRecord, reason: string) => void | PromiseLike<void>) | undefined;
  readonly canReattach: ((record: TaskRecord) => boolean | PromiseLike<boolean>) | undefined;
  readonly retry: RetryPolicy | undefined;
  readonly timeoutMs: number | undefined;
  readonly elapsedTimeoutMs: number | undefined;
  readonly lane: string | undefined;
  readonly weight: Weight | undefined;
  readonly limits: KindLimits | undefined;
}
