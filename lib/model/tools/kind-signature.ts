// Kind signature: describes the input of a kind for a model: in one line, or as a JSON Schema (§9).
//
// The schema comes from the schema library (Standard JSON Schema) or from `inputJsonSchema` of the kind. Without either
// the model reads that there is an input, and a refusal says what fits.

import { refusesNothing, toJsonSchema } from "../../core/schema/json-schema.js";
import type { KindParts } from "../../core/task/kind-parts.js";
import type { Json } from "../../core/values/json.js";

type JsonSchema = { readonly [key: string]: Json };

/** The JSON Schema of the input; `undefined` when the kind has no input, or when its library makes no JSON Schema. */
export function inputSchemaOf({ input, inputJsonSchema }: KindParts, target?: string): JsonSchema | undefined {
  const json = inputJsonSchema ?? (input === undefined ? undefined : toJsonSchema(input, target));
  if (!isSchema(json)) return undefined;
  const { $schema: _, ...schema } = json;
  return schema;
}

/** Whether no value fits the schema of the input: tasks of the kind take none. */
export function takesNoInput(parts: KindParts): boolean {
  const not = inputSchemaOf(parts)?.not;
  return isSchema(not) && Object.keys(not).length === 0;
}

/** Whether a spawn without an input is refused. */
export function needsInput({ input }: KindParts): boolean {
  return input !== undefined && refusesNothing(input);
}

/** Whether the schema has no `$ref`. A reference to a part of itself breaks inside another schema. */
export function isSelfContained(schema: JsonSchema): boolean {
  return !JSON.stringify(schema).includes('"$ref"');
}

/** The name, input and description of a kind: `crawl { url: string, depth?: integer }: Crawls a site`. */
export function describeKind(parts: KindParts): string {
  const schema = inputSchemaOf(parts);
  const unknown = parts.input === undefined ? "" : " (its input has a shape that is not said here)";
  const shape = takesNoInput(parts) ? " (no input)" : schema === undefined ? unknown : ` ${shapeOf(schema)}`;
  return `${parts.name}${shape}${parts.description === undefined ? "" : `: ${parts.description}`}`;
}

const MOST_OF_SHAPE = 400;

function shapeOf(schema: JsonSchema): string {
  for (const withDescriptions of [true, false]) {
    const shape = typeOf(schema, withDescriptions, 0);
    if (shape.length <= MOST_OF_SHAPE) return shape;
  }
  // The shape is too long for a line. The refusal of a wrong input says what is missing.
  return typeof schema.type === "string" ? schema.type : "any";
}

/** The type, roughly as TypeScript writes it: models read it well, and it is short. */
function typeOf(schema: Json | undefined, withDescriptions: boolean, depth: number): string {
  if (!isSchema(schema) || depth > DEEPEST) return "any";
  const { type, properties, items, enum: choices, anyOf, oneOf } = schema;
  if ("const" in schema) return JSON.stringify(schema.const);
  if (isList(choices)) return choices.map((choice) => JSON.stringify(choice)).join(" | ");
  const union = anyOf ?? oneOf;
  if (isList(union)) return union.map((one) => typeOf(one, withDescriptions, depth + 1)).join(" | ");
  if (isList(type)) return type.map((one) => typeOf({ ...schema, type: one }, withDescriptions, depth + 1)).join(" | ");
  if (type === "array") {
    const item = typeOf(items, withDescriptions, depth + 1);
    return item.includes(" ") ? `(${item})[]` : `${item}[]`;
  }
  if (type !== "object") return typeof type === "string" ? type : "any";
  if (!isSchema(properties)) return "object";
  const required = isList(schema.required) ? schema.required : [];
  const fields = Object.entries(properties).map(([name, field]) => {
    const description =
      withDescriptions && isSchema(field) && typeof field.description === "string" ? ` (${field.description})` : "";
    return `${name}${required.includes(name) ? "" : "?"}: ${typeOf(field, withDescriptions, depth + 1)}${description}`;
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
