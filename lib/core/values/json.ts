// JSON: the values that a record, an event or a message can carry.
//
// Owns one question: can JSON carry this value without a loss, and if not, at which place does it fail? A copy is made
// and frozen, so that a caller cannot change what errand keeps. §12: bytes are refused at once, at any place, before
// their `toJSON` is called: that of a Buffer makes a list of numbers, at a hundred times the size. Any other `toJSON`
// is used: that of a Date or URL gives a text from which its constructor makes an equal value. A field that JSON would
// leave out is refused too: one beside the items of a list, and one whose key is a symbol.

import { printed, read, readText, tagOf } from "./safe-read.js";

/** A value that JSON can carry. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** A frozen copy, or why there is none: `$.items[3]: a function`. */
type JsonCopy = { readonly ok: true; readonly json: Json } | { readonly ok: false; readonly why: string };

/** `isAtPlace`: the message says what is at the place that was being copied. */
class NotJson extends Error {
  readonly isAtPlace: boolean;

  constructor(why: string, isAtPlace = true) {
    super(why);
    this.isAtPlace = isAtPlace;
  }
}

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
  /** The keys and indices that lead to the value that is copied now. A path is written only for a refusal. */
  readonly keys: (string | number)[];
  containers: number;
}

/** Copies and freezes `value`, or says where and why JSON cannot carry it. Never throws. */
export function copyJson(value: unknown): JsonCopy {
  const copying: Copying = { above: [], keys: [], containers: 0 };
  try {
    return { ok: true, json: copy(value, copying) };
  } catch (error) {
    if (!isNotJson(error)) return { ok: false, why: `reading it threw: ${printed(error)}` };
    return { ok: false, why: error.isAtPlace ? `${pathOf(copying)}: ${error.message}` : error.message };
  }
}

function isNotJson(error: unknown): error is NotJson {
  return read(() => error instanceof NotJson) === true;
}

/** The place of the value that was being copied: `$.items[3]`. */
function pathOf({ keys }: Copying): string {
  return `$${keys.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("")}`;
}

function copy(value: unknown, copying: Copying): Json {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (!Number.isFinite(value)) throw new NotJson(String(value));
      return value === 0 ? 0 : value; // JSON has no -0.
    case "object": {
      if (value === null) return null;
      const { above } = copying;
      if (above.includes(value)) throw new NotJson("a cycle");
      if (above.length >= MAX_DEPTH) throw new NotJson("nested too deeply", false);
      if (++copying.containers > MAX_CONTAINERS)
        throw new NotJson(`too large: it has more than ${MAX_CONTAINERS} objects and lists`, false);
      above.push(value);
      const copied = copyObject(value, copying);
      above.pop();
      return copied;
    }
    default:
      throw new NotJson(value === undefined ? "undefined" : `a ${typeof value}`);
  }
}

function copyObject(value: object, copying: Copying): Json {
  if (ArrayBuffer.isView(value)) throw new NotJson(describeObject(value));
  if (hasToJson(value)) {
    const json = value.toJSON("");
    if (json === null && tagOf(value) === "Date") throw new NotJson("an invalid Date");
    if (json !== value) return copy(json, copying);
  }
  if (Array.isArray(value)) return copyList(value, copying);
  const tag = tagOf(value);
  if (BOXED.has(tag)) return copy(value.valueOf(), copying);
  const names = Object.keys(value);
  if (tag !== "Object" || isElsewhere(value, names.length)) throw new NotJson(describeObject(value));
  refuseSymbols(value);
  const { keys } = copying;
  const result: { [key: string]: Json } = {};
  for (const key of names) {
    keys.push(key);
    const item: unknown = Reflect.get(value, key);
    const copied = item === undefined ? undefined : copy(item, copying);
    keys.pop();
    if (copied === undefined) continue;
    if (key !== "__proto__") result[key] = copied;
    // The key is an ordinary key here. An assignment would set the prototype instead.
    else Object.defineProperty(result, key, { value: copied, enumerable: true, configurable: true, writable: true });
  }
  return Object.freeze(result);
}

function copyList(list: readonly unknown[], copying: Copying): Json {
  const { keys } = copying;
  const copies: Json[] = [];
  for (let index = 0; index < list.length; index++) {
    const item = list[index];
    // Long lists are mostly of texts and numbers.
    if (typeof item === "string" || (typeof item === "number" && Number.isFinite(item) && item !== 0)) {
      copies.push(item);
      continue;
    }
    keys.push(index);
    copies.push(copy(item, copying));
    keys.pop();
  }
  refuseFields(list, copies.length);
  refuseSymbols(list);
  return Object.freeze(copies);
}

/** Refuses a field beside the items of a list, as the result of `match` has: JSON would leave it out. */
function refuseFields(list: readonly unknown[], length: number): void {
  const fields = Object.keys(list);
  if (fields.length === length) return;
  const name = fields.find((key) => !/^\d+$/.test(key));
  if (name !== undefined)
    throw new NotJson(`a list with a field ${JSON.stringify(name)} beside its items: pass { items, ${name} } instead`);
}

/** Refuses a field whose key is a symbol: JSON has no such keys, and would leave it out. */
function refuseSymbols(value: object): void {
  const symbols = Object.getOwnPropertySymbols(value);
  if (symbols.length === 0) return;
  const shown = symbols.find((symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol));
  if (shown !== undefined) throw new NotJson(`a field with the key ${String(shown)}: use a string as the key`);
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
