// JSON: the values that a record, an event or a message can carry.
//
// Owns one question: can JSON carry this value without a loss, and if not, at which place does it fail? A copy is made
// and frozen, so that a caller cannot change what errand keeps. §12: bytes are refused at once, at any place, before
// their `toJSON` is called: that of a Buffer makes a list of numbers, at a hundred times the size. Any other `toJSON`
// is used: that of a Date or URL gives a text from which its constructor makes an equal value.

import { printed, readText, tagOf } from "./safe-read.js";

/** A value that JSON can carry. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A frozen copy, or why there is none: `$.items[3]: a function`. */
type JsonCopy = { readonly ok: true; readonly json: Json } | { readonly ok: false; readonly why: string };

class NotJson extends Error {}

/** Deeper than any record needs, and far from the end of the stack. */
const MAX_DEPTH = 1_000;
/**
 * Objects and lists in one value, each counted whenever it is reached: forty objects that hold each other twice are a
 * million millions in JSON.
 */
const MAX_CONTAINERS = 2_000_000;

/** The copying of one value. */
interface Copying {
  /** The objects around the value that is copied now. */
  readonly above: object[];
  containers: number;
}

/** Copies and freezes `value`, or says where and why JSON cannot carry it. Never throws. */
export function copyJson(value: unknown): JsonCopy {
  try {
    return { ok: true, json: copy(value, "$", { above: [], containers: 0 }) };
  } catch (error) {
    const why = readText(() => (error instanceof NotJson ? error.message : undefined));
    return { ok: false, why: why ?? `reading it threw: ${printed(error)}` };
  }
}

function copy(value: unknown, path: string, copying: Copying): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (!Number.isFinite(value)) throw new NotJson(`${path}: ${value}`);
      return value === 0 ? 0 : value; // JSON has no -0.
    case "object": {
      if (value === null) return null;
      const { above } = copying;
      if (above.includes(value)) throw new NotJson(`${path}: a cycle`);
      if (above.length >= MAX_DEPTH) throw new NotJson("nested too deeply");
      if (++copying.containers > MAX_CONTAINERS)
        throw new NotJson(`too large: it has more than ${MAX_CONTAINERS} objects and lists`);
      above.push(value);
      const copied = copyObject(value, path, copying);
      above.pop();
      return copied;
    }
    default:
      throw new NotJson(`${path}: ${value === undefined ? "undefined" : `a ${typeof value}`}`);
  }
}

function copyObject(value: object, path: string, copying: Copying): Json {
  if (ArrayBuffer.isView(value)) throw new NotJson(`${path}: ${describeObject(value)}`);
  if (hasToJson(value)) {
    const json = value.toJSON("");
    if (json === null && tagOf(value) === "Date") throw new NotJson(`${path}: an invalid Date`);
    if (json !== value) return copy(json, path, copying);
  }
  if (Array.isArray(value)) {
    return Object.freeze(Array.from(value, (item: unknown, index) => copy(item, `${path}[${index}]`, copying)));
  }
  const tag = tagOf(value);
  if (BOXED.has(tag)) return copy(value.valueOf(), path, copying);
  const fields = Object.entries(value);
  if (tag !== "Object" || isElsewhere(value, fields.length)) throw new NotJson(`${path}: ${describeObject(value)}`);
  const result: { [key: string]: Json } = {};
  for (const [key, item] of fields) {
    if (item === undefined) continue;
    const copied = copy(item, `${path}.${key}`, copying);
    if (key !== "__proto__") result[key] = copied;
    // The key is an ordinary key here. An assignment would set the prototype instead.
    else Object.defineProperty(result, key, { value: copied, enumerable: true, configurable: true, writable: true });
  }
  return Object.freeze(result);
}

const BOXED: ReadonlySet<string> = new Set(["String", "Number", "Boolean"]);

/**
 * Whether an object keeps its content where no field shows it: a stream, a socket, an object of a class without fields.
 */
function isElsewhere(value: object, shown: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Plain objects, of any realm.
  if (typeof prototype !== "object" || prototype === null || Object.getPrototypeOf(prototype) === null) return false;
  return shown === 0 || ["on", "emit"].every((method) => typeof Reflect.get(prototype, method) === "function");
}

/** The kind of an object as a text: `a Buffer`, `a Map`, `a ReadStream`. */
function describeObject(value: object): string {
  const name = readText(() => value.constructor.name) ?? "";
  return `a ${/^[A-Z]\w*$/.test(name) && name !== "Object" ? name : tagOf(value)}`;
}

function hasToJson(value: object): value is { toJSON(key: string): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

/**
 * A frozen copy of a value that a caller passes. A value that JSON cannot carry is a `TypeError` that names the option
 * and the place.
 */
export function takeJson(option: string, value: unknown): Json {
  const taken = copyJson(value);
  if (!taken.ok) throw new TypeError(`${option} must be a value that JSON can carry; at ${taken.why}`);
  return taken.json;
}

/** Whether two values are equal, in whatever order their keys were written. */
export function isSameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalText(a) === canonicalText(b);
}

/**
 * A text that is the same for equal values, in whatever order their keys were written, and different for any others.
 */
export function canonicalText(json: Json): string {
  return JSON.stringify(inOrder(json));
}

/** The value with sorted keys. A mark for each type keeps different values apart. */
function inOrder(json: Json): Json {
  if (Array.isArray(json)) return ["list", json.map(inOrder)];
  if (json === null || typeof json !== "object") return ["value", json];
  const fields = Object.entries(json).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return ["object", fields.map(([key, value]) => [key, inOrder(value)])];
}

/** Freezes a plain JSON value at every depth, and returns it. */
export function freezeJson<T>(json: T): T {
  const open: unknown[] = [json];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== "object" || value === null || Object.isFrozen(value)) continue;
    Object.freeze(value);
    for (const item of Object.values(value)) if (typeof item === "object" && item !== null) open.push(item);
  }
  return json;
}
