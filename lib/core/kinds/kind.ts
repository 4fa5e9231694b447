// Kind: a named sort of task (§10), so that it can be started by name, and gone on with after a restart.
//
// Owns how the parts of a kind (`kind-parts.ts`) become the work of a task. Its types for people are in `define-kind.ts`.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { causeOf, judge, judgeNow, misfit, valueOf } from "../schema/schema.js";
import { issuesInWords } from "../task/errors.js";
import type { KindParts, Work } from "../task/kind-parts.js";
import { FailureError } from "../task/settled.js";
import type { Timekeeper } from "../time/clock.js";
import { show } from "../values/checks.js";
import { Brand } from "../values/copies.js";
import { type Json, takeJson } from "../values/json.js";

/** A named sort of task: a restart can go on with it. `I` is what a spawner passes, `T` what `result()` gives. */
export interface TaskKind<in I, out T> {
  readonly name: string;
  readonly description?: string;
  /** The brand, always there: a function has a `name` too, and must not pass for a kind. Its two fields exist for the compiler alone. */
  readonly "~kind": { readonly input?: (input: I) => void; readonly result?: () => T };
}

/** Any kind, as the registry holds it. Not `TaskKind<unknown, unknown>`: a kind *takes* its input. */
export type AnyTaskKind = TaskKind<never, unknown>;

const BRAND = new Brand<KindParts>("kind");

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

  static {
    BRAND.mark(this.prototype, (kind: Kind) => kind.#parts);
  }

  /** The parts of a kind that any copy made. `TypeError`: a copy of another version made it. */
  static partsOf(option: string, kind: unknown): KindParts | undefined {
    if (typeof kind !== "object" || kind === null) return undefined;
    const parts = #parts in kind ? kind.#parts : BRAND.read(option, kind);
    if (parts === undefined && "~kind" in kind)
      throw new TypeError(
        `${option} comes from another copy of errand, which this copy does not know: let both be of one version`,
      );
    return parts;
  }
}

/** The work of a kind, and what its record says of it. */
export interface KindWork {
  readonly kind: string;
  readonly input: Json | undefined;
  readonly work: Work;
  readonly parts: KindParts;
}

/** Checks the input. What is checked is what the journal keeps, so that a restart finds the same. */
export function workOf(parts: KindParts, input: unknown, clock: Timekeeper): KindWork {
  const kept = input === undefined ? undefined : takeJson("input", input);
  return { kind: parts.name, input: kept, parts, work: worked(parts, kept, clock, { parsed: parse(parts, kept) }) };
}

/** The work of its next attempt: an input that does not fit any more fails it. */
export function workAgain(parts: KindParts, input: Json | undefined, clock: Timekeeper): Work {
  return worked(parts, input, clock, undefined);
}

/** Each attempt has an input of its own, so that none finds what the one before made of it; the first what the spawn has `checked`. */
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

/** The result, as `output` makes it: none at all is `no_result`, one that does not fit `schema_mismatch`. */
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
    throw new FailureError("no_result", `Kind ${show(name)} gave no result`);
  throw new FailureError(
    "schema_mismatch",
    `${misfit(verdict, `The result of kind ${show(name)}`)}: ${issuesInWords(verdict.issues)}`,
    causeOf(verdict),
  );
}

/** `never`: what a schema gives is what the `run` beside it takes; `defineKind` saw to that. */
function parse({ name, input: schema }: KindParts, input: Json | undefined): never {
  if (schema === undefined) return input as never;
  return valid(schema, input, `The input of kind ${show(name)}`) as never;
}

/** The value that `schema` makes of `value`. `InvalidInputError` says what does not fit; a schema that checks later is a `TypeError`. */
export function valid(schema: StandardSchemaV1, value: Json | undefined, what: string): unknown {
  // Some change in place what they are given: theirs is a copy, and the record keeps its own.
  return valueOf(judgeNow(schema, structuredClone(value), what), what);
}
