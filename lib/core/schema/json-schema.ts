// JSON Schema: the JSON Schema of a schema of any library, for a form or a model that fills it in.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { copyJson, type Json } from "../values/json.js";
import { fieldOf } from "../values/safe-read.js";
import { judgeNow } from "./schema.js";
import { zod3JsonSchema } from "./zod-3.js";

/**
 * zod describes a field that JSON Schema cannot express as any value, so that the other fields are described. A field
 * that only a missing value fits is described as one that no value fits.
 */
const ZOD = { libraryOptions: { unrepresentable: "any", override: describeNothing } };
const FIT_NOTHING: readonly unknown[] = ["void", "undefined", "symbol", "nan"];
function describeNothing({ zodSchema, jsonSchema }: { zodSchema: unknown; jsonSchema: { not?: object } }): void {
  const kind = fieldOf(fieldOf(fieldOf(zodSchema, "_zod"), "def"), "type");
  if (FIT_NOTHING.includes(kind) && Object.keys(jsonSchema).length === 0) jsonSchema.not = {};
}
function optionsFor(schema: StandardSchemaV1): { readonly libraryOptions?: { readonly [option: string]: unknown } } {
  return schema["~standard"].vendor === "zod" ? ZOD : {};
}

/**
 * The schema as JSON Schema. `undefined` when its library does not implement Standard JSON Schema and it is no schema
 * of zod 3.
 */
export function toJsonSchema(schema: StandardSchemaV1, target = "draft-2020-12"): Json | undefined {
  try {
    const said = saysJsonSchema(schema["~standard"])
      ? schema["~standard"].jsonSchema.input({ target, ...optionsFor(schema) })
      : zod3JsonSchema(schema, target);
    const copied = said === undefined ? undefined : copyJson(said);
    return copied?.ok ? copied.json : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the schema refuses an absent input. A schema that throws, or that checks later, counts as refusing. */
export function refusesNothing(schema: StandardSchemaV1): boolean {
  try {
    return !judgeNow(schema, undefined, "the input").fits;
  } catch {
    return true;
  }
}

function saysJsonSchema(standard: object): standard is StandardJSONSchemaV1["~standard"] {
  if (!("jsonSchema" in standard) || typeof standard.jsonSchema !== "object" || standard.jsonSchema === null)
    return false;
  return "input" in standard.jsonSchema && typeof standard.jsonSchema.input === "function";
}
