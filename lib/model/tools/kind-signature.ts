// Kind signature: describes the input of a kind for a model: in one line, or as a JSON Schema (§9).
//
// The schema comes from the schema library (Standard JSON Schema) or from `inputJsonSchema` of the kind. Without either
// the model reads that there is an input, and a refusal says what fits.

import { refusesNothing, toJsonSchema } from "../../core/schema/json-schema.js";
import type { KindParts } from "../../core/task/kind-parts.js";
import type { Json } from "../../core/values/json.js";
import { schemaLine } from "./schema-line.js";

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
  const schema = inputSchemaOf(parts);
  return schema !== undefined && schemaLine(schema) === "never";
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
  const shape = takesNoInput(parts) ? " (no input)" : schema === undefined ? unknown : ` ${schemaLine(schema)}`;
  return `${parts.name}${shape}${parts.description === undefined ? "" : `: ${parts.description}`}`;
}

function isSchema(json: Json | undefined): json is JsonSchema {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
