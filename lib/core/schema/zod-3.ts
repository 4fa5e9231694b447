// Zod 3: the JSON Schema of a schema of zod 3.
//
// zod 3 implements Standard Schema, but not Standard JSON Schema, so a model would not learn the input of a kind. Only
// the description inside each schema is read; zod is not imported. A part that JSON Schema cannot express is left open:
// the schema itself checks it.

import type { Json } from "../values/json.js";

type JsonSchema = { readonly [key: string]: Json };
type Parts = { readonly [key: string]: unknown };

/** The JSON Schema of a schema of zod 3. `undefined` for any other value. */
export function zod3JsonSchema(schema: object, target: string): JsonSchema | undefined {
  return partsOf(schema) === undefined ? undefined : read(schema, target, 0);
}

function partsOf(schema: unknown): Parts | undefined {
  if (!isParts(schema) || !isParts(schema._def)) return undefined;
  return typeof schema._def.typeName === "string" && schema._def.typeName.startsWith("Zod") ? schema._def : undefined;
}

/** Depth of reading: a lazy schema may contain itself. */
const DEEPEST = 8;

function read(schema: unknown, target: string, depth: number): JsonSchema {
  const parts = partsOf(schema);
  if (parts === undefined || depth > DEEPEST) return {};
  const { description } = parts;
  const json = typed(parts, target, depth);
  return typeof description === "string" ? { ...json, description } : json;
}

function typed(parts: Parts, target: string, depth: number): JsonSchema {
  const inner = (schema: unknown): JsonSchema => read(schema, target, depth + 1);
  switch (parts.typeName) {
    case "ZodString":
      return { type: "string" };
    case "ZodNumber":
      return {
        type: listOf(parts.checks).some((check) => isParts(check) && check.kind === "int") ? "integer" : "number",
      };
    case "ZodBoolean":
      return { type: "boolean" };
    case "ZodNull":
      return { type: "null" };
    case "ZodLiteral":
      return isScalar(parts.value) ? { const: parts.value } : {};
    case "ZodEnum":
      return { type: "string", enum: listOf(parts.values).filter(isScalar) };
    case "ZodNativeEnum":
      return { enum: choicesOf(parts.values) };
    case "ZodArray":
      return { type: "array", items: inner(parts.type) };
    case "ZodTuple":
      return tupleOf(parts, target, inner);
    case "ZodRecord":
      return { type: "object", ...keysOf(inner(parts.keyType)), additionalProperties: inner(parts.valueType) };
    case "ZodNever":
    case "ZodVoid":
    case "ZodUndefined":
    case "ZodSymbol":
    case "ZodNaN":
      return { not: {} };
    case "ZodPromise":
      return inner(parts.type);
    case "ZodObject":
      return objectOf(parts, inner);
    case "ZodUnion":
    case "ZodDiscriminatedUnion": {
      const options = parts.options instanceof Map ? [...parts.options.values()] : listOf(parts.options);
      return { anyOf: options.map(inner) };
    }
    case "ZodIntersection":
      return { allOf: [inner(parts.left), inner(parts.right)] };
    case "ZodNullable":
      return { anyOf: [inner(parts.innerType), { type: "null" }] };
    case "ZodOptional":
    case "ZodDefault":
    case "ZodCatch":
    case "ZodReadonly":
      return inner(parts.innerType);
    case "ZodBranded":
      return inner(parts.type);
    case "ZodEffects":
      return inner(parts.schema);
    case "ZodPipeline":
      return inner(parts.in);
    case "ZodLazy":
      return inner(called(parts, "getter"));
    default:
      return {};
  }
}

/** The keys of a record, where they are not any text. */
function keysOf(key: JsonSchema): JsonSchema {
  return key.enum === undefined && key.const === undefined ? {} : { propertyNames: key };
}

/** The keywords of a tuple differ between the drafts. */
function tupleOf(parts: Parts, target: string, inner: (schema: unknown) => JsonSchema): JsonSchema {
  const first = listOf(parts.items).map(inner);
  const rest = isParts(parts.rest) ? inner(parts.rest) : false;
  // Neither draft allows an empty list of items.
  if (first.length === 0) return { type: "array", ...(rest === false ? { maxItems: 0 } : { items: rest }) };
  if (target === "draft-07") return { type: "array", items: first, additionalItems: rest };
  return { type: "array", prefixItems: first, items: rest };
}

function objectOf(parts: Parts, inner: (schema: unknown) => JsonSchema): JsonSchema {
  const shape = called(parts, "shape");
  const fields = isParts(shape) ? Object.entries(shape) : [];
  const required = fields.filter(([, field]) => !mayBeLeftOut(field)).map(([name]) => name);
  return {
    type: "object",
    properties: Object.fromEntries(fields.map(([name, field]) => [name, inner(field)])),
    ...(required.length === 0 ? {} : { required }),
    ...(parts.unknownKeys === "strict" ? { additionalProperties: false } : {}),
    ...(partsOf(parts.catchall)?.typeName === "ZodNever" ? {} : { additionalProperties: inner(parts.catchall) }),
  };
}

/** Whether a field may be left out, by `isOptional` of the schema, as zod tests it. */
function mayBeLeftOut(field: unknown): boolean {
  return isParts(field) && called(field, "isOptional") === true;
}

/**
 * The choices of a native enum. An enum of numbers has each of them in both directions; a name that leads to a number
 * is no choice.
 */
function choicesOf(values: unknown): readonly Json[] {
  if (!isParts(values)) return [];
  return Object.values(values).flatMap((value) => {
    const isReverse = typeof value === "string" && typeof values[value] === "number";
    return isScalar(value) && !isReverse ? [value] : [];
  });
}

/** The result of the method, or the value of the field. */
function called(parts: Parts, method: string): unknown {
  const found = parts[method];
  return typeof found === "function" ? Reflect.apply(found, parts, []) : found;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isScalar(value: unknown): value is string | number | boolean | null {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

function isParts(value: unknown): value is Parts {
  return typeof value === "object" && value !== null;
}
