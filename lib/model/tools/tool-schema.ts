// Tool schema: what a tool takes, said once: for a model as JSON Schema, for us as a check (§9).
//
// One `~standard` object is both Standard Schema v1 and Standard JSON Schema v1, and depends on nothing. The schema is a flat object, so that
// every client can pass it on; what may be left out may be `null` too. Answers at once, as clients ask of it.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { copyJson, type Json } from "../../core/values/json.js";
import { didYouMean } from "../../core/values/nearest-name.js";
import { cutTo } from "../../core/values/safe-read.js";

type JsonSchema = { readonly [key: string]: Json };
/**
 * A JSON Schema that each client takes as it is: `parameters` of OpenAI, `input_schema` of Anthropic, `inputSchema` of MCP and of the AI SDK.
 * An alias and no interface: only then do its fields count as an index, where a client's type has one.
 */
export type ToolJsonSchema = {
  type: "object";
  properties: { [field: string]: ToolFieldSchema };
  /** Empty when every field may be left out. */
  required: string[];
  additionalProperties: false;
};
/** The schema of one field. */
export type ToolFieldSchema = { [keyword: string]: unknown };
type Target = "draft-2020-12" | "draft-07";
const TARGETS: readonly string[] = ["draft-2020-12", "draft-07"] satisfies readonly Target[];

/** One field: `T` is what it gives. */
export interface Field<T> {
  readonly isRequired: boolean;
  readonly json: (target: Target) => JsonSchema;
  /** What it must be, when it is not; `undefined`: it is. */
  readonly wrong: (value: Json) => string | undefined;
  /** The words for a field that is missing. */
  readonly missing?: string;
  /** For the compiler alone. */
  readonly "~gives"?: T;
}
export type Fields = { readonly [name: string]: Field<unknown> };
export type Taken<F extends Fields> = { readonly [N in keyof F]: F[N] extends Field<infer T> ? T : never };

/** What a client hands to a model, and what comes back from it. */
export interface ToolInputSchema {
  readonly "~standard": StandardSchemaV1.Props<unknown, unknown> & StandardJSONSchemaV1.Props<unknown, unknown>;
  /** The JSON Schema, for clients that want it plain: `{ name, description, input_schema: tool.inputSchema.toJSON() }`. A new copy each time. */
  toJSON(): ToolJsonSchema;
}

/** A tool's input: its schema, and the same check with its types. */
export interface ToolInput<F extends Fields> extends ToolInputSchema {
  take(input: unknown): StandardSchemaV1.Result<Taken<F>>;
}

export function toolInput<F extends Fields>(fields: F): ToolInput<F> {
  const take = (input: unknown): StandardSchemaV1.Result<Taken<F>> => taken(fields, input);
  const jsonSchema = ({ target = "draft-2020-12" }: { readonly target?: string } = {}) => jsonSchemaOf(fields, target);
  const standard = Object.freeze({
    version: 1 as const,
    vendor: "errand",
    validate: take,
    jsonSchema: Object.freeze({ input: jsonSchema, output: jsonSchema }),
  });
  return Object.freeze({ "~standard": standard, toJSON: () => jsonSchema(), take });
}

// ── fields ─────────────────────────────────────────────────────────────────

/** Text that is not empty, of at most so many characters: a record, its journal and every snapshot keep what a model writes (§12). */
export function text(most: number, description?: string): Field<string> {
  return field({ type: "string", maxLength: most, description }, (value) => wrongText(value, most));
}

function wrongText(value: Json, most: number): string | undefined {
  if (typeof value !== "string" || value === "") return "a text that is not empty";
  return isLonger(value, most) ? `at most ${most} characters long` : undefined;
}

/** In characters, as JSON Schema counts them. */
function isLonger(value: string, most: number): boolean {
  if (value.length <= most) return false;
  return value.length > 2 * most || Array.from(value).length > most;
}

export function oneOf<const T extends string>(choices: readonly T[], description?: string): Field<T> {
  return field({ type: "string", enum: choices, description }, (value) =>
    (choices as readonly Json[]).includes(value) ? undefined : `one of ${choices.join(", ")}`,
  );
}

/** Of what ends nowhere that a model could know. */
export const NO_END = Number.MAX_SAFE_INTEGER;

export function integer(least: number, most: number, description?: string): Field<number> {
  const range = most === NO_END ? `an integer from ${least} on` : `an integer from ${least} to ${most}`;
  const maximum = most === NO_END ? {} : { maximum: most };
  return field({ type: "integer", minimum: least, ...maximum, description }, (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most ? undefined : range,
  );
}

export function flag(description?: string): Field<boolean> {
  return field({ type: "boolean", description }, (value) => (typeof value === "boolean" ? undefined : "true or false"));
}

/** At most `many` texts, of at most `most` characters each. */
export function texts(many: number, most: number, description?: string): Field<readonly string[]> {
  const items = { type: "string", maxLength: most };
  return field({ type: "array", items, maxItems: many, description }, (value) => {
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) return "a list of texts";
    if (value.length > many) return `at most ${many} texts`;
    return value.some((item) => isLonger(item, most)) ? `texts of at most ${most} characters each` : undefined;
  });
}

/** Whatever JSON can carry: its kind checks it. */
export function anything(json: (target: Target) => JsonSchema, missing: string): Field<Json> {
  return { isRequired: true, json, wrong: () => undefined, missing };
}

export function optional<T>({ json, wrong }: Field<T>): Field<T | undefined> {
  return { isRequired: false, json, wrong };
}

function field<T>(
  { description, ...rest }: { readonly [key: string]: Json | undefined },
  wrong: Field<T>["wrong"],
): Field<T> {
  const json = { ...rest, ...(description === undefined ? {} : { description }) } as JsonSchema;
  return { isRequired: true, json: () => json, wrong };
}

// ── both uses ──────────────────────────────────────────────────────────────

/** Made anew each time: a client may change what it is given. */
function jsonSchemaOf(fields: Fields, target: string): ToolJsonSchema {
  if (!TARGETS.includes(target))
    throw new TypeError(`target must be one of ${TARGETS.join(", ")}, got ${JSON.stringify(target)}`);
  const properties = Object.entries(fields).map(([name, { json }]) => [name, json(target as Target)] as const);
  const required = Object.keys(fields).filter((name) => fields[name]?.isRequired);
  return {
    type: "object",
    properties: structuredClone(Object.fromEntries(properties)),
    required,
    additionalProperties: false,
  };
}

/** What nothing was given for is left out, and so is an empty text where there need be none: models write both for "none". */
function taken<F extends Fields>(fields: F, input: unknown): StandardSchemaV1.Result<Taken<F>> {
  const copied = copyJson(input ?? {});
  if (!copied.ok) return { issues: [{ message: `the input must be JSON; at ${copied.why}` }] };
  const { json } = copied;
  if (typeof json !== "object" || json === null || Array.isArray(json))
    return { issues: [{ message: `the input must be an object, got ${shown(json)}` }] };
  const given = json as { readonly [name: string]: Json };
  const issues: StandardSchemaV1.Issue[] = [];
  const value: { [name: string]: Json } = {};
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(fields, name)) issues.push({ message: noSuchField(name, Object.keys(fields)), path: [name] });
  }
  for (const [name, { isRequired, wrong, missing = `${name} is missing` }] of Object.entries(fields)) {
    const one = Object.hasOwn(given, name) ? given[name] : undefined;
    if (one === undefined || one === null || (one === "" && !isRequired)) {
      if (isRequired) issues.push({ message: missing, path: [name] });
      continue;
    }
    const must = wrong(one);
    if (must === undefined) value[name] = one;
    else issues.push({ message: `${name} must be ${must}, got ${shown(one)}`, path: [name] });
  }
  // Each field has what its check let through.
  return issues.length === 0 ? { value: value as Taken<F> } : { issues };
}

function noSuchField(name: string, known: readonly string[]): string {
  return `there is no ${shown(name)}${didYouMean(name, known)}, only ${known.join(", ")}`;
}

/** Enough of it to be recognized. */
function shown(json: Json): string {
  if (Array.isArray(json)) return "a list";
  if (typeof json === "object" && json !== null) return "an object";
  const words = JSON.stringify(json);
  return cutTo(words, MOST_SHOWN);
}
const MOST_SHOWN = 40;
