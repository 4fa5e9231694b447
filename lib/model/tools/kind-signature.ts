// Kind shape: what a kind takes, as its input's schema says it: in a line for a description, or whole for one kind alone (§9).
//
// Most schema libraries can say it as JSON Schema (Standard JSON Schema), and a kind may say it itself (`inputJsonSchema`). Where neither does, a
// model is told that there is an input, and a refusal says what fits.

import { refusesNothing, toJsonSchema } from "../../core/schema/json-schema.js";
import type { KindParts } from "../../core/task/kind-parts.js";
import type { Json } from "../../core/values/json.js";

type JsonSchema = { readonly [key: string]: Json };

/** Of its input. `undefined`: it has none, or its library cannot say it. */
export function inputSchemaOf({ input, inputJsonSchema }: KindParts, target?: string): JsonSchema | undefined {
  const json = inputJsonSchema ?? (input === undefined ? undefined : toJsonSchema(input, target));
  if (!isSchema(json)) return undefined;
  const { $schema: _, ...schema } = json;
  return schema;
}

/** No value fits it: its tasks take none. */
export function takesNoInput(parts: KindParts): boolean {
  const not = inputSchemaOf(parts)?.not;
  return isSchema(not) && Object.keys(not).length === 0;
}

/** A call without an input starts nothing. */
export function needsInput({ input }: KindParts): boolean {
  return input !== undefined && refusesNothing(input);
}

/** It points at parts of itself, which are elsewhere once it stands inside another. */
export function isSelfContained(schema: JsonSchema): boolean {
  return !JSON.stringify(schema).includes('"$ref"');
}

/** `crawl { url: string, depth?: integer }: Crawls a site`. */
export function kindInWords(parts: KindParts): string {
  const schema = inputSchemaOf(parts);
  const unsaid = parts.input === undefined ? "" : " (its input has a shape that is not said here)";
  const shape = takesNoInput(parts) ? " (no input)" : schema === undefined ? unsaid : ` ${shapeOf(schema)}`;
  return `${parts.name}${shape}${parts.description === undefined ? "" : `: ${parts.description}`}`;
}

const MOST_OF_SHAPE = 400;

function shapeOf(schema: JsonSchema): string {
  for (const withWords of [true, false]) {
    const shape = typeOf(schema, withWords, 0);
    if (shape.length <= MOST_OF_SHAPE) return shape;
  }
  // Too much for a line: the refusal of a wrong one says what is missing.
  return typeof schema.type === "string" ? schema.type : "any";
}

/** As TypeScript would have it, more or less: models read it well, and it is short. */
function typeOf(schema: Json | undefined, withWords: boolean, depth: number): string {
  if (!isSchema(schema) || depth > DEEPEST) return "any";
  const { type, properties, items, enum: choices, anyOf, oneOf } = schema;
  if ("const" in schema) return JSON.stringify(schema.const);
  if (isList(choices)) return choices.map((choice) => JSON.stringify(choice)).join(" | ");
  const union = anyOf ?? oneOf;
  if (isList(union)) return union.map((one) => typeOf(one, withWords, depth + 1)).join(" | ");
  if (isList(type)) return type.map((one) => typeOf({ ...schema, type: one }, withWords, depth + 1)).join(" | ");
  if (type === "array") {
    const item = typeOf(items, withWords, depth + 1);
    return item.includes(" ") ? `(${item})[]` : `${item}[]`;
  }
  if (type !== "object") return typeof type === "string" ? type : "any";
  if (!isSchema(properties)) return "object";
  const required = isList(schema.required) ? schema.required : [];
  const fields = Object.entries(properties).map(([name, field]) => {
    const words =
      withWords && isSchema(field) && typeof field.description === "string" ? ` (${field.description})` : "";
    return `${name}${required.includes(name) ? "" : "?"}: ${typeOf(field, withWords, depth + 1)}${words}`;
  });
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
}
const DEEPEST = 5;

function isList(json: Json | undefined): json is readonly Json[] {
  return Array.isArray(json);
}

function isSchema(json: Json | undefined): json is JsonSchema {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
