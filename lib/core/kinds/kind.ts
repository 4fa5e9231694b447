// Kind: a named sort of task, so that it can be started by name and resumed after a restart (§10).
//
// Owns how the parts of a kind (`kind-parts.ts`) become the function of a task. `define-kind.ts` has its types for
// users.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { causeOf, judge, judgeNow, misfit, valueOf } from "../schema/schema.js";
import { issuesInWords } from "../task/errors.js";
import type { KindParts, Work } from "../task/kind-parts.js";
import { FailureError } from "../task/settled.js";
import type { Timekeeper } from "../time/clock.js";
import { show } from "../values/checks.js";
import { Brand } from "../values/copies.js";
import { type Json, takeJson } from "../values/json.js";

/**
 * A named sort of task, made by `defineKind`. It can be started by name, and a restart can resume its tasks. `I` is the
 * input that a spawner passes, `T` the value that `result()` returns.
 */
export interface TaskKind<in I, out T> {
  /** Name of the kind, unique in a manager. */
  readonly name: string;
  /** Description for people and models. */
  readonly description?: string;
  /**
   * Marks a kind: a function has a `name` too, and must not pass for a kind. Its two fields exist for the compiler
   * only.
   */
  readonly "~kind": {
    /** Carries the type of the input. Always absent. */
    readonly input?: (input: I) => void;
    /** Carries the type of the result. Always absent. */
    readonly result?: () => T;
  };
}

/** Any kind. The input is `never`, because a kind is contravariant in its input. */
export type AnyTaskKind = TaskKind<never, unknown>;

const BRAND = new Brand<KindParts>("kind");

/** A kind, as `defineKind` returns it. */
export class Kind implements AnyTaskKind {
  /** Name of the kind. */
  readonly name: string;
  /** Description for people and models. */
  readonly description?: string;
  /** The mark of a kind. */
  readonly "~kind" = Object.freeze({});

  constructor(parts: KindParts) {
    this.name = parts.name;
    if (parts.description !== undefined) this.description = parts.description;
    // The kind has the brand itself, and the brand reads no `this`: a Proxy around the kind has it too.
    BRAND.mark(this, () => parts);
    Object.freeze(this);
  }

  /**
   * The parts of a kind that any copy of errand made. `undefined` for any other value. `TypeError`: a copy of another
   * version made the kind.
   */
  static partsOf(option: string, kind: unknown): KindParts | undefined {
    if (typeof kind !== "object" || kind === null) return undefined;
    const parts = BRAND.read(option, kind);
    if (parts === undefined && "~kind" in kind)
      throw new TypeError(
        `${option} comes from another copy of errand, which this copy does not know: let both be of one version`,
      );
    return parts;
  }
}

/** A task of a kind before its spawn. */
export interface KindWork {
  /** Name of the kind. */
  readonly kind: string;
  /** A frozen copy of the input. */
  readonly input: Json | undefined;
  /** The function of the task. */
  readonly work: Work;
  /** The parts of the kind. */
  readonly parts: KindParts;
}

/**
 * Checks the input and makes the function of the task. The journal keeps the input that was checked, so a restart finds
 * the same.
 */
export function workOf(parts: KindParts, input: unknown, clock: Timekeeper): KindWork {
  const kept = input === undefined ? undefined : takeJson("input", input);
  return { kind: parts.name, input: kept, parts, work: worked(parts, kept, clock, { parsed: parse(parts, kept) }) };
}

/** The function of the next attempt. An input that does not fit the schema here fails the attempt. */
export function workAgain(parts: KindParts, input: Json | undefined, clock: Timekeeper): Work {
  return worked(parts, input, clock, undefined);
}

/**
 * The function of a task: each attempt parses an input of its own, so that none finds changes of the attempt before;
 * the first uses the input that the spawn has `checked`.
 */
function worked(
  parts: KindParts,
  input: Json | undefined,
  clock: Timekeeper,
  checked: { readonly parsed: never } | undefined,
): Work {
  let first = checked;
  return (context) => {
    const parsed = first === undefined ? parse(parts, input) : first.parsed;
    first = undefined;
    return promised(parts, parts.run(context, parsed), clock);
  };
}

/**
 * The result after the schema `output` of the kind: a missing result fails the task with `no_result`, one that does not
 * fit with `schema_mismatch`.
 */
function promised({ name, output }: KindParts, result: unknown, clock: Timekeeper): unknown {
  return output === undefined ? result : checkResult(name, output, result, clock);
}

async function checkResult(
  name: string,
  output: StandardSchemaV1,
  result: unknown,
  clock: Timekeeper,
): Promise<unknown> {
  const value = await result;
  const verdict = await judge(output, value, clock);
  if (verdict.fits) return verdict.value;
  if (value === undefined && verdict.cause === undefined)
    throw new FailureError("no_result", `Kind ${show(name)} returned no result, and its output schema needs one`);
  throw new FailureError(
    "schema_mismatch",
    `${misfit(verdict, `The result of kind ${show(name)}`)}: ${issuesInWords(verdict.issues)}`,
    causeOf(verdict),
  );
}

/**
 * The input after its schema. The type is `never`, because `defineKind` has checked that `run` takes what the schema
 * returns.
 */
function parse({ name, input: schema }: KindParts, input: Json | undefined): never {
  if (schema === undefined) return input as never;
  return valid(schema, input, `The input of kind ${show(name)}`) as never;
}

/**
 * The value that `schema` makes of `value`. `InvalidInputError` says what does not fit; a schema that checks later is a
 * `TypeError`.
 */
export function valid(schema: StandardSchemaV1, value: Json | undefined, what: string): unknown {
  // Some schemas change their argument: they get a copy, and the record keeps the original.
  return valueOf(judgeNow(schema, structuredClone(value), what), what);
}
