// JSON: what a record, an event or a message can carry.
//
// Owns one question: can JSON carry this value without losing any of it, and if not, where does it fail?
// A copy is made and frozen, so that what errand keeps cannot be changed from outside.
// §12: bytes are refused at once, wherever they are, before their `toJSON` is asked: that of a Buffer makes a list of numbers, at a hundred times
// the size. A `toJSON` is believed otherwise: that of a Date or URL gives a text, which its constructor takes, and a user's what the user says.

import { printed, readText, tagOf } from "./safe-read.js";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A frozen copy, or why there is none: `$.items[3]: a function`. */
type JsonCopy = { readonly ok: true; readonly json: Json } | { readonly ok: false; readonly why: string };

class NotJson extends Error {}

/** Deeper than any record needs, and far from the end of the stack. */
const MAX_DEPTH = 1_000;
/** Objects and lists in one value, each as often as it is reached: forty objects that hold each other twice are a million millions in JSON. */
const MAX_CONTAINERS = 2_000_000;

/** One value being copied. */
interface Copying {
  /** The objects that the value at hand is in. */
  readonly above: object[];
  containers: number;
}

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
  if (ArrayBuffer.isView(value)) throw new NotJson(`${path}: ${wordsOf(value)}`);
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
  if (tag !== "Object" || isElsewhere(value, fields.length)) throw new NotJson(`${path}: ${wordsOf(value)}`);
  const result: { [key: string]: Json } = {};
  for (const [key, item] of fields) {
    if (item === undefined) continue;
    const copied = copy(item, `${path}.${key}`, copying);
    if (key !== "__proto__") result[key] = copied;
    // A key like any other here: assigning it would set the prototype instead.
    else Object.defineProperty(result, key, { value: copied, enumerable: true, configurable: true, writable: true });
  }
  return Object.freeze(result);
}

const BOXED: ReadonlySet<string> = new Set(["String", "Number", "Boolean"]);

/** A stream, a socket, an object of a class that shows no field: what such an object is, it holds where no field shows it. */
function isElsewhere(value: object, shown: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // Plain objects, of any realm.
  if (typeof prototype !== "object" || prototype === null || Object.getPrototypeOf(prototype) === null) return false;
  return shown === 0 || ["on", "emit"].every((method) => typeof Reflect.get(prototype, method) === "function");
}

/** `a Buffer`, `a Map`, `a ReadStream`. */
function wordsOf(value: object): string {
  const name = readText(() => value.constructor.name) ?? "";
  return `a ${/^[A-Z]\w*$/.test(name) && name !== "Object" ? name : tagOf(value)}`;
}

function hasToJson(value: object): value is { toJSON(key: string): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

/** As `copyJson`, for what a caller hands over: a value JSON cannot carry is a `TypeError` that names the option and the place. */
export function takeJson(option: string, value: unknown): Json {
  const taken = copyJson(value);
  if (!taken.ok) throw new TypeError(`${option} must be a value that JSON can carry; at ${taken.why}`);
  return taken.json;
}

/** Whether two values are the same, in whatever order their keys were written. */
export function isSameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalText(a) === canonicalText(b);
}

/** One text for one value, in whatever order its keys were written; no two values have the same. */
export function canonicalText(json: Json): string {
  return JSON.stringify(inOrder(json));
}

/** Keys in order; marked, so that no two things look alike. */
function inOrder(json: Json): Json {
  if (Array.isArray(json)) return ["list", json.map(inOrder)];
  if (json === null || typeof json !== "object") return ["value", json];
  const fields = Object.entries(json).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return ["object", fields.map(([key, value]) => [key, inOrder(value)])];
}

/** Freezes what came as plain JSON, all the way down; gives it back. */
export function freezeJson<T>(json: T): T {
  const open: unknown[] = [json];
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (typeof value !== "object" || value === null || Object.isFrozen(value)) continue;
    Object.freeze(value);
    for (const item of Object.values(value)) if (typeof item === "object" && item !== null) open.push(item);
  }
  return json;
}
