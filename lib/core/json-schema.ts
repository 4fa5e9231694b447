// JSON Schema: what a schema of any library says of itself, for those who fill it in: a form, a model.

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { copyJson, type Json } from "./json.js";

/** The schema as JSON Schema, where its library can say it (Standard JSON Schema). */
export function toJsonSchema(schema: StandardSchemaV1, target = "draft-2020-12"): Json | undefined {
  if (!saysJsonSchema(schema["~standard"])) return undefined;
  try {
    const copied = copyJson(schema["~standard"].jsonSchema.input({ target }));
    return copied.ok ? copied.json : undefined;
  } catch {
    return undefined;
  }
}

function saysJsonSchema(standard: object): standard is StandardJSONSchemaV1["~standard"] {
  if (!("jsonSchema" in standard) || typeof standard.jsonSchema !== "object" || standard.jsonSchema === null)
    return false;
  return "input" in standard.jsonSchema && typeof standard.jsonSchema.input === "function";
}
