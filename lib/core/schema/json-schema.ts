// JSON Schema: what a schema of any library says of itself, for those who fill it in: a form, a model.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { copyJson, type Json } from "../values/json.js";
import { judgeNow } from "./schema.js";
import { zod3JsonSchema } from "./zod-3.js";

/** zod: a field that JSON Schema cannot express is any value, and the other fields are described all the same. */
const ZOD = { libraryOptions: { unrepresentable: "any" } };
function optionsFor(schema: StandardSchemaV1): { readonly libraryOptions?: { readonly [option: string]: unknown } } {
  return schema["~standard"].vendor === "zod" ? ZOD : {};
}

/** The schema as JSON Schema, where its library can say it (Standard JSON Schema), or is zod 3. */
export function toJsonSchema(schema: StandardSchemaV1, target = "draft-2020-12"): Json | undefined {
  try {
    const said = saysJsonSchema(schema["~standard"])
      ? schema["~standard"].jsonSchema.input({ target, ...optionsFor(schema) })
      : zod3JsonSchema(schema);
    const copied = said === undefined ? undefined : copyJson(said);
    return copied?.ok ? copied.json : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a spawn without an input is refused: so does a schema that throws, or that checks later. */
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
