// Tool schema: the input of a tool, declared once: as JSON Schema for a model, and as a check for errand (§9).
//
// One `~standard` object implements Standard Schema v1 and Standard JSON Schema v1 without a library. The schema is a
// flat object, so that every client can pass it on. An optional field may be `null`. The check is synchronous, as
// clients need.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { boundedList } from "../../core/values/bounded-list.js";
import { copyJson, type Json } from "../../core/values/json.js";
import { didYouMean } from "../../core/values/nearest-name.js";
import { cutTo } from "../../core/values/safe-read.js";
import { visible, visibleJson } from "../prompt/visible.js";

type JsonSchema = { readonly [key: string]: Json };
/**
 * A JSON Schema that each client accepts unchanged: `parameters` of OpenAI, `input_schema` of Anthropic, `inputSchema`
 * of MCP and of the AI SDK. The type is an alias, because an interface has no implicit index signature, which some
 * clients' types need.
 */
export type ToolJsonSchema = {
  /** The input of a tool is always an object. */
  type: "object";
  /** The schema of each field, by name. */
  properties: { [field: string]: ToolFieldSchema };
  /** The names of the required fields; empty when every field is optional. */
  required: string[];
  /** Other fields are refused. */
  additionalProperties: false;
};
/** The JSON Schema of one field. */
export type ToolFieldSchema = { [keyword: string]: unknown };
type Target = "draft-2020-12" | "draft-07";
const TARGETS: readonly string[] = ["draft-2020-12", "draft-07"] satisfies readonly Target[];

/** One field of an input. `T` is the type of its value. */
export interface Field<T> {
  /** Whether an input without the field is refused. */
  readonly isRequired: boolean;
  /** The JSON Schema of the field. */
  readonly json: (target: Target) => JsonSchema;
  /** Describes what the value must be when it does not fit; `undefined` when it fits. */
  readonly mismatch: (value: Json) => string | undefined;
  /** The message for a missing field. Default: the name of the field, and that it is missing. */
  readonly missing?: string;
  /** The texts that fit, for a suggestion when another text is given. */
  readonly choices?: readonly string[];
  /** The type of the value, for the compiler alone. */
  readonly "~gives"?: T;
}
/** The fields of an input, by name. */
export type Fields = { readonly [name: string]: Field<unknown> };
/** The checked values of `F`. */
export type FieldValues<F extends Fields> = { readonly [N in keyof F]: F[N] extends Field<infer T> ? T : never };

/** The input schema of a tool, for any client. */
export interface ToolInputSchema {
  /** Validates an input synchronously (Standard Schema), and makes its JSON Schema (Standard JSON Schema). */
  readonly "~standard": StandardSchemaV1.Props<unknown, unknown> & StandardJSONSchemaV1.Props<unknown, unknown>;
  /**
   * Returns the JSON Schema as a new object, for clients without Standard Schema:
   * `{ name, description, input_schema: tool.inputSchema.toJSON() }`.
   */
  toJSON(): ToolJsonSchema;
}

/** The input of a tool: its schema, and the same check with types. */
export interface ToolInput<F extends Fields> extends ToolInputSchema {
  /** Checks an input. */
  check(input: unknown): StandardSchemaV1.Result<FieldValues<F>>;
}

/** Makes the input of a tool from its fields. */
export function toolInput<F extends Fields>(fields: F): ToolInput<F> {
  const check = (input: unknown): StandardSchemaV1.Result<FieldValues<F>> => checkInput(fields, input);
  const jsonSchema = ({ target = "draft-2020-12" }: { readonly target?: string } = {}) => jsonSchemaOf(fields, target);
  const standard = Object.freeze({
    version: 1 as const,
    vendor: "errand",
    validate: check,
    jsonSchema: Object.freeze({ input: jsonSchema, output: jsonSchema }),
  });
  return Object.freeze({ "~standard": standard, toJSON: () => jsonSchema(), check });
}

// ── fields ─────────────────────────────────────────────────────────────────

/** A text that is not empty, of at most `most` characters, because the journal keeps the texts of a model (§12). */
export function text(most: number, description?: string): Field<string> {
  return field({ type: "string", maxLength: most, description }, (value) => textMismatch(value, most));
}

function textMismatch(value: Json, most: number): string | undefined {
  if (typeof value !== "string" || value === "") return "a text that is not empty";
  return isLonger(value, most) ? `at most ${most} characters long` : undefined;
}

/** Whether a text has more than `most` characters, as JSON Schema counts them. */
function isLonger(value: string, most: number): boolean {
  if (value.length <= most) return false;
  return value.length > 2 * most || Array.from(value).length > most;
}

/** One of several texts. */
export function oneOf<const T extends string>(choices: readonly T[], description?: string): Field<T> {
  const fits = field<T>({ type: "string", enum: choices, description }, (value) =>
    (choices as readonly Json[]).includes(value) ? undefined : `one of ${boundedList(choices.map(visible))}`,
  );
  return { ...fits, choices };
}

/** The upper bound of an integer that has none for a model. */
export const NO_END = Number.MAX_SAFE_INTEGER;

/** An integer from `least` to `most`. */
export function integer(least: number, most: number, description?: string): Field<number> {
  const range = most === NO_END ? `an integer from ${least} on` : `an integer from ${least} to ${most}`;
  const maximum = most === NO_END ? {} : { maximum: most };
  return field({ type: "integer", minimum: least, ...maximum, description }, (value) =>
    typeof value === "number" && Number.isInteger(value) && value >= least && value <= most ? undefined : range,
  );
}

/** A boolean. */
export function flag(description?: string): Field<boolean> {
  return field({ type: "boolean", description }, (value) => (typeof value === "boolean" ? undefined : "true or false"));
}

/** A list of at most `many` texts of at most `most` characters each. */
export function texts(many: number, most: number, description?: string): Field<readonly string[]> {
  const items = { type: "string", maxLength: most };
  return field({ type: "array", items, maxItems: many, description }, (value) => {
    if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) return "a list of texts";
    if (value.length > many) return `at most ${many} texts`;
    return value.some((item) => isLonger(item, most)) ? `texts of at most ${most} characters each` : undefined;
  });
}

/** Any JSON value: the schema of a kind checks it later. */
export function anything(json: (target: Target) => JsonSchema, missing: string): Field<Json> {
  return { isRequired: true, json, mismatch: () => undefined, missing };
}

/** The same field, but an input may leave it out. */
export function optional<T>({ json, mismatch, choices }: Field<T>): Field<T | undefined> {
  return { isRequired: false, json, mismatch, ...(choices === undefined ? {} : { choices }) };
}

function field<T>(
  { description, ...rest }: { readonly [key: string]: Json | undefined },
  mismatch: Field<T>["mismatch"],
): Field<T> {
  const json = { ...rest, ...(description === undefined ? {} : { description }) } as JsonSchema;
  return { isRequired: true, json: () => json, mismatch };
}

// ── schema and check ───────────────────────────────────────────────────────────

/** Makes a new JSON Schema, because a client may change the object. */
function jsonSchemaOf(fields: Fields, target: string): ToolJsonSchema {
  if (!TARGETS.includes(target))
    throw new TypeError(`target must be one of ${TARGETS.join(", ")}, got ${JSON.stringify(target)}`);
  // A definition is read by a model, and some providers refuse half a character.
  const properties = Object.entries(fields).map(
    ([name, { json }]) => [name, visibleSchema(json(target as Target))] as const,
  );
  const required = Object.keys(fields).filter((name) => fields[name]?.isRequired);
  return {
    type: "object",
    properties: structuredClone(Object.fromEntries(properties)),
    required,
    additionalProperties: false,
  };
}

function visibleSchema(schema: JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, visibleJson(value)]));
}

/** Checks an input. `null`, and an empty text for an optional field, count as missing: models write both for "none". */
function checkInput<F extends Fields>(fields: F, input: unknown): StandardSchemaV1.Result<FieldValues<F>> {
  const copied = copyJson(input ?? {});
  if (!copied.ok) return { issues: [{ message: `the input must be JSON; at ${copied.why}` }] };
  const { json } = copied;
  if (typeof json !== "object" || json === null || Array.isArray(json))
    return { issues: [{ message: `the input must be an object, got ${shown(json)}` }] };
  const values = json as { readonly [name: string]: Json };
  const issues: StandardSchemaV1.Issue[] = [];
  const value: { [name: string]: Json } = {};
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(fields, name)) issues.push({ message: unknownField(name, Object.keys(fields)), path: [name] });
  }
  for (const [name, { isRequired, mismatch, missing = `${name} is missing`, choices = [] }] of Object.entries(fields)) {
    const one = Object.hasOwn(values, name) ? values[name] : undefined;
    if (one === undefined || one === null || (one === "" && !isRequired)) {
      if (isRequired) issues.push({ message: missing, path: [name] });
      continue;
    }
    const must = mismatch(one);
    if (must === undefined) value[name] = one;
    else {
      const guess = typeof one === "string" ? didYouMean(one, choices) : "";
      issues.push({ message: `${name} must be ${must}, got ${shown(one)}${guess}`, path: [name] });
    }
  }
  // Each field passed its own check, so the values have the types of the fields.
  return issues.length === 0 ? { value: value as FieldValues<F> } : { issues };
}

function unknownField(name: string, known: readonly string[]): string {
  return `there is no ${shown(name)}${didYouMean(name, known)}, only ${known.join(", ")}`;
}

/** A short form of a value that a model recognizes. */
function shown(json: Json): string {
  if (Array.isArray(json)) return "a list";
  if (typeof json === "object" && json !== null) return "an object";
  return cutTo(JSON.stringify(json), MOST_SHOWN);
}
const MOST_SHOWN = 40;
