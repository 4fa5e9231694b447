// Schema line: a JSON Schema in one line, as TypeScript writes a type: models read it well, and it is short (§9).
//
// Pure. A reference is followed inside the schema; a schema that contains itself is cut at a depth. `any` is said only
// where the schema says nothing.

import type { Json } from "../../core/values/json.js";

type JsonSchema = { readonly [key: string]: Json };

const MOST_OF_LINE = 400;
/** The forms of the line, the best first: with descriptions or not, and how deep it goes. */
const FORMS = [
  { withDescriptions: true, deepest: 5 },
  { withDescriptions: false, deepest: 5 },
  { withDescriptions: false, deepest: 2 },
  { withDescriptions: false, deepest: 1 },
] as const;

/** The line: `{ url: string, depth?: integer (levels) }`. A long one leaves out descriptions, then inner fields. */
export function schemaLine(schema: JsonSchema): string {
  for (const form of FORMS) {
    const line = new Reader(schema, form).typeOf(schema, 0);
    if (line.length <= MOST_OF_LINE) return line;
  }
  // The refusal of a wrong input says what is missing.
  const fields = isSchema(schema.properties) ? Object.keys(schema.properties).length : 0;
  return fields > 0 ? `object with ${fields} fields` : typeof schema.type === "string" ? schema.type : "any";
}

class Reader {
  readonly #root: JsonSchema;
  readonly #form: (typeof FORMS)[number];

  constructor(root: JsonSchema, form: (typeof FORMS)[number]) {
    this.#root = root;
    this.#form = form;
  }

  typeOf(schema: Json | undefined, depth: number): string {
    if (schema === false) return "never";
    if (!isSchema(schema)) return "any";
    if (depth > this.#form.deepest && !isScalar(schema)) return typeof schema.type === "string" ? schema.type : "any";
    if (typeof schema.$ref === "string") return this.typeOf(resolved(schema.$ref, this.#root), depth + 1);
    if (schema.nullable === true) return union([this.typeOf({ ...schema, nullable: false }, depth), "null"]);
    if ("const" in schema) return JSON.stringify(schema.const);
    if (isList(schema.enum)) return union(schema.enum.map((choice) => JSON.stringify(choice)));
    const parts = this.#partsOf(schema, depth);
    return parts.length === 0 ? "any" : parts.map((part) => inParts(part, parts.length)).join(" & ");
  }

  /** The types that a value must have at the same time. */
  #partsOf(schema: JsonSchema, depth: number): readonly string[] {
    const { allOf, anyOf, oneOf, ...rest } = schema;
    const all = isList(allOf) ? allOf.map((one) => this.#followed(one)) : [];
    const [objects, others] = [all.filter(isObject), all.filter((one) => !isObject(one))];
    const own = objects.length > 0 ? merged([rest, ...objects]) : rest;
    const choices = [anyOf, oneOf].filter(isList).map((list) => union(list.map((one) => this.typeOf(one, depth + 1))));
    const said = [this.#ownType(own, depth), ...others.map((one) => this.typeOf(one, depth)), ...choices];
    // An object without fields of its own says no more than its choices do.
    const isBare = said.length > 1 && said[0] === "object";
    const parts = said.filter((part, index) => part !== "any" && !(isBare && index === 0));
    return parts.includes("never") ? ["never"] : [...new Set(parts)];
  }

  #followed(schema: Json): Json | undefined {
    return isSchema(schema) && typeof schema.$ref === "string" ? resolved(schema.$ref, this.#root) : schema;
  }

  /** The type by the keywords of the schema itself. */
  #ownType(schema: JsonSchema, depth: number): string {
    const { type, not } = schema;
    if (isSchema(not) && Object.keys(not).length === 0) return "never";
    if (isList(type)) return union(type.map((one) => this.#ownType({ ...schema, type: one }, depth)));
    if (type === "array" || isList(schema.prefixItems)) return this.#listType(schema, depth);
    if (type === "object" || (type === undefined && isObject(schema))) return this.#objectType(schema, depth);
    return typeof type === "string" ? type : "any";
  }

  #listType(schema: JsonSchema, depth: number): string {
    const { prefixItems, items, additionalItems } = schema;
    const isOld = isList(items);
    const first = isList(prefixItems) ? prefixItems : isOld ? items : undefined;
    const rest = isOld ? additionalItems : items;
    if (first === undefined && schema.maxItems === 0) return "[]";
    if (first === undefined) return `${inParts(this.typeOf(items, depth + 1), 2)}[]`;
    const types = first.map((one) => this.typeOf(one, depth + 1));
    if (isSchema(rest)) types.push(`...${inParts(this.typeOf(rest, depth + 1), 2)}[]`);
    return `[${types.join(", ")}]`;
  }

  #objectType(schema: JsonSchema, depth: number): string {
    const { properties, additionalProperties, patternProperties, propertyNames } = schema;
    const fields = isSchema(properties) ? this.#fields(schema, properties, depth) : [];
    const more = [
      ...(isSchema(additionalProperties) ? [additionalProperties] : []),
      ...(isSchema(patternProperties) ? Object.values(patternProperties) : []),
    ].map((one) => this.typeOf(one, depth + 1));
    const value = union(more);
    const isOpen = more.length > 0 && value !== "never" && (value !== "any" || fields.length === 0);
    if (isOpen && fields.length === 0) {
      const key = isSchema(propertyNames) ? this.typeOf({ type: "string", ...propertyNames }, depth + 1) : "string";
      return value === "any" && key === "string" ? "object" : `Record<${key}, ${value}>`;
    }
    if (isOpen) fields.push(`[key: string]: ${value}`);
    if (fields.length > 0) return `{ ${fields.join(", ")} }`;
    return isSchema(properties) ? "{}" : "object";
  }

  #fields({ required }: JsonSchema, properties: JsonSchema, depth: number): string[] {
    const needed = isList(required) ? required : [];
    return Object.entries(properties).map(([name, field]) => {
      const said = this.#form.withDescriptions && isSchema(field) ? field.description : undefined;
      const description = typeof said === "string" ? ` (${said})` : "";
      const key = /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name);
      return `${key}${needed.includes(name) ? "" : "?"}: ${this.typeOf(field, depth + 1)}${description}`;
    });
  }
}

/** The types as a union, each once; `never` without any. */
function union(types: readonly string[]): string {
  const each = [...new Set(types)].filter((type) => type !== "never");
  return each.length === 0 ? "never" : each.includes("any") ? "any" : each.join(" | ");
}

/** The type in parentheses, where it stands beside an operator and has one itself. */
function inParts(type: string, parts: number): string {
  return parts > 1 && / [|&] /.test(outermost(type)) ? `(${type})` : type;
}

/** The type without its texts, and without everything in braces. */
function outermost(type: string): string {
  let left = type.replaceAll(/"(?:[^"\\]|\\.)*"/g, "");
  for (let before = ""; before !== left; ) {
    before = left;
    left = left.replaceAll(/\{[^{}]*\}/g, "");
  }
  return left;
}

/** The fields of several objects as those of one. */
function merged(objects: readonly JsonSchema[]): JsonSchema {
  const fields = objects.flatMap((each) => (isSchema(each.properties) ? Object.entries(each.properties) : []));
  const properties = Object.fromEntries(fields);
  const required = objects.flatMap((each) => (isList(each.required) ? each.required : []));
  const open = objects.map((each) => each.additionalProperties).find(isSchema);
  const first = objects.find((each) => each.type !== undefined) ?? {};
  return { ...first, properties, required, ...(open === undefined ? {} : { additionalProperties: open }) };
}

/** The part of `root` that a reference inside it names: `#/$defs/page`. */
function resolved(ref: string, root: JsonSchema): Json | undefined {
  if (ref !== "#" && !ref.startsWith("#/")) return undefined;
  let found: Json | undefined = root;
  for (const key of ref.split("/").slice(1)) {
    const name = decodeURIComponent(key).replaceAll("~1", "/").replaceAll("~0", "~");
    found = isSchema(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  }
  return found;
}

/** Whether the schema describes an object, by its fields if not by its type, and offers no choice. */
function isObject(schema: Json | undefined): schema is JsonSchema {
  if (!isSchema(schema) || (schema.anyOf ?? schema.oneOf ?? schema.allOf ?? schema.enum) !== undefined) return false;
  return schema.type === "object" || (schema.type === undefined && isSchema(schema.properties));
}

function isScalar({ type, properties, items, anyOf, oneOf, allOf, $ref }: JsonSchema): boolean {
  return (
    type !== "object" && type !== "array" && (properties ?? items ?? anyOf ?? oneOf ?? allOf ?? $ref) === undefined
  );
}

function isList(json: Json | undefined): json is readonly Json[] {
  return Array.isArray(json);
}

function isSchema(json: Json | undefined): json is JsonSchema {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}
