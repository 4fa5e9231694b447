// Kind: a named sort of task (DESIGN §10), so that it can be started by name, and gone on with after a restart.
//
// Owns what a kind is made of, as the rooms see it, and which kinds a manager knows. Its types for people are in `define-kind.ts`.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { InvalidInputError, UnknownKindError } from "./errors.js";
import { type Json, takeJson } from "./json.js";
import { show } from "./options.js";
import { handled } from "./pending-wait.js";
import type { TaskRecord } from "./record.js";
import type { RetryPolicy } from "./retry.js";
import { ResultError } from "./settled.js";
import type { Task, Work } from "./task.js";

/** A named sort of task: a restart can go on with it. `I` is what a spawner passes, `T` what `result()` gives. */
export interface TaskKind<in I, out T> {
  readonly name: string;
  readonly description?: string;
  /** The brand, always there: a function has a `name` too, and must not pass for a kind. Its two fields exist for the compiler alone. */
  readonly "~kind": { readonly input?: (input: I) => void; readonly result?: () => T };
}

/** Any kind, as the registry holds it. Not `TaskKind<unknown, unknown>`: a kind *takes* its input. */
export type AnyTaskKind = TaskKind<never, unknown>;

/** What a kind does, without the types that `defineKind` put to it. */
export interface KindParts {
  readonly name: string;
  readonly description: string | undefined;
  readonly input: StandardSchemaV1 | undefined;
  readonly output: StandardSchemaV1 | undefined;
  readonly checkpoint: StandardSchemaV1 | undefined;
  readonly run: (context: never, input: never) => unknown;
  readonly canReattach: ((record: TaskRecord) => boolean | PromiseLike<boolean>) | undefined;
  readonly retry: RetryPolicy | undefined;
  readonly timeoutMs: number | undefined;
  readonly lane: string | undefined;
}

export class Kind implements AnyTaskKind {
  readonly name: string;
  readonly description?: string;
  readonly "~kind" = Object.freeze({});
  readonly #parts: KindParts;

  constructor(parts: KindParts) {
    this.name = parts.name;
    if (parts.description !== undefined) this.description = parts.description;
    this.#parts = parts;
    Object.freeze(this);
  }

  static partsOf(kind: unknown): KindParts | undefined {
    return typeof kind === "object" && kind !== null && #parts in kind ? kind.#parts : undefined;
  }
}

/** The kinds of one manager, by name. */
export class Kinds {
  readonly #byName = new Map<string, KindParts>();

  constructor(kinds: readonly unknown[]) {
    for (const [index, kind] of kinds.entries()) {
      const parts = Kind.partsOf(kind);
      if (parts === undefined) throw new TypeError(`kinds[${index}] must come from defineKind, got ${show(kind)}`);
      const known = this.#byName.get(parts.name);
      if (known !== undefined && known !== parts)
        throw new TypeError(`kinds[${index}]: there are two kinds named ${show(parts.name)}`);
      this.#byName.set(parts.name, parts);
    }
  }

  find(name: string): KindParts | undefined {
    return this.#byName.get(name);
  }

  named(name: string): KindParts {
    const parts = this.find(name);
    if (parts === undefined) throw new UnknownKindError(name, [...this.#byName.keys()]);
    return parts;
  }

  /** The kind that may go on with `task` after a restart, if there is one (D4). */
  thatReattaches(task: Task): KindParts | undefined {
    const parts = task.traits.kind === undefined ? undefined : this.find(task.traits.kind);
    if (parts?.canReattach === undefined) return undefined;
    const { maxAttempts = Number.POSITIVE_INFINITY } = this.retryOf(task)?.limits ?? {};
    return task.state.attempt < maxAttempts ? parts : undefined;
  }

  /** Its own, or its kind's. */
  retryOf(task: Task): RetryPolicy | undefined {
    const { limits, kind } = task.traits;
    if (limits?.retry !== undefined) return { limits: limits.retry, retryIf: task.desk?.retryIf };
    return kind === undefined ? undefined : this.find(kind)?.retry;
  }
}

/** The work of a kind, and what its record says of it. */
export interface KindWork {
  readonly kind: string;
  readonly input: Json | undefined;
  readonly work: Work;
}

/** Checks the input. What is checked is what the journal keeps, so that a restart finds the same. */
export function workOf(parts: KindParts, input: unknown): KindWork {
  const kept = input === undefined ? undefined : takeJson("input", input);
  const parsed = parse(parts, kept);
  return { kind: parts.name, input: kept, work: (context) => promised(parts, parts.run(context, parsed)) };
}

/** The work of its next attempt: an input that does not fit any more fails it. */
export function workAgain(parts: KindParts, input: Json | undefined): Work {
  return (context) => promised(parts, parts.run(context, parse(parts, input)));
}

/** What its function gives, as `output` makes it: none at all is `no_result`, another `schema_mismatch`. */
function promised({ name, output }: KindParts, result: unknown): unknown {
  return output === undefined ? result : checkResult(name, output, result);
}

async function checkResult(name: string, output: StandardSchemaV1, result: unknown): Promise<unknown> {
  const value = await result;
  const parsed = await output["~standard"].validate(value);
  if (parsed.issues === undefined) return parsed.value;
  if (value === undefined) throw new ResultError("no_result", `Kind ${show(name)} gave no result`);
  const issues = parsed.issues.map(({ message }) => message).join("; ");
  throw new ResultError("schema_mismatch", `The result of kind ${show(name)} does not fit: ${issues}`);
}

/** `never`: what a schema gives is what the `run` beside it takes; `defineKind` saw to that. */
function parse({ name, input: schema }: KindParts, input: Json | undefined): never {
  if (schema === undefined) return input as never;
  return valid(schema, input, `The input of kind ${show(name)}`) as never;
}

/** What `schema` makes of `value`. `InvalidInputError` says what does not fit; a schema that answers later is a `TypeError`. */
export function valid(schema: StandardSchemaV1, value: unknown, what: string): unknown {
  const parsed = schema["~standard"].validate(value);
  if ("then" in parsed) {
    void handled(Promise.resolve(parsed));
    throw new TypeError(`${what} must be checked at once, and its schema gives a promise`);
  }
  if (parsed.issues !== undefined) throw new InvalidInputError(`${what} does not fit`, parsed.issues);
  return parsed.value;
}
