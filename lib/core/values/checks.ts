// Checks: options and data of a caller, checked before anything starts (§12).
//
// Each check names the option, the value, and what is allowed: a wrong type is a `TypeError`, a number out of range a
// `RangeError`.

import { type Json, takeJson } from "./json.js";
import { didYouMean } from "./nearest-name.js";
import { cutTo, printed, readText, tagOf } from "./safe-read.js";

/** Checks for a value of this type; `null` is no object. */
export function checkType(
  option: string,
  value: unknown,
  type: "string" | "number" | "function" | "boolean" | "object",
): void {
  // oxlint-disable-next-line valid-typeof -- `type` is one of typeof's own answers
  if (typeof value !== type || value === null)
    throw new TypeError(`${option} must be ${type === "object" ? "an" : "a"} ${type}, got ${show(value)}`);
}

/** Checks that `value` has a method of a port. */
export function checkMethod(option: string, value: object, method: string): void {
  if (typeof value !== "function") checkType(option, value, "object");
  let found: unknown;
  try {
    found = Reflect.get(value, method);
  } catch (cause) {
    throw new TypeError(`${option}.${method} must be a function, and reading it threw: ${printed(cause)}`, { cause });
  }
  if (typeof found !== "function") throw new TypeError(`${option}.${method} must be a function, got ${show(found)}`);
}

/** Checks for a non-empty string, or `undefined`. */
export function checkText(option: string, value: unknown): void {
  if (value === undefined) return;
  checkType(option, value, "string");
  if (value === "") throw new RangeError(`${option} must not be empty`);
}

/**
 * Checks that an object of options has known names only. The error names the unknown option, the nearest known one and
 * the list of all: no option is ignored.
 */
export function checkKnown(what: string, options: object, known: ReadonlySet<string>): void {
  const given = namesIn(`the options of ${what}`, options);
  for (const name of given) if (!known.has(name)) throw unknownName(what, "option", name, options, [...known]);
}

/** Checks for an object with these options only, or `undefined`. */
export function checkOptions(what: string, options: object | undefined, ...known: readonly string[]): void {
  if (options === undefined) return;
  const given = namesIn(`the options of ${what}`, options);
  for (const name of given) if (!known.includes(name)) throw unknownName(what, "option", name, options, known);
}

/**
 * Checks for data with these fields only, such as a report. Unlike `checkOptions` it does not accept `undefined`, and
 * it makes no set, because reports are frequent.
 */
export function checkFields(what: string, value: object, known: readonly string[]): void {
  const given = namesIn(what, value);
  for (const name of given) if (!known.includes(name)) throw unknownName(what, "field", name, value, known);
}

/**
 * The names of the fields. A `TypeError` for a value that is no object, for a list or bytes, and for an object that
 * holds its content elsewhere (a Promise, a Map) and would be read as empty.
 */
function namesIn(what: string, value: object): readonly string[] {
  checkType(what, value, "object");
  const isList = Array.isArray(value) || ArrayBuffer.isView(value);
  const names = isList ? NO_NAMES : Object.keys(value);
  if (isList || (names.length === 0 && tagOf(value) !== "Object"))
    throw new TypeError(`${what} must be an object, got ${Array.isArray(value) ? show(value) : `a ${tagOf(value)}`}`);
  return names;
}
const NO_NAMES: readonly string[] = [];

function unknownName(what: string, noun: string, name: string, from: object, known: readonly string[]): TypeError {
  const value = cutTo(readText(() => show(Reflect.get(from, name))) ?? "a value that cannot be read", MOST_SHOWN);
  return new TypeError(
    `${what} has no ${noun} ${show(name)}${didYouMean(name, known)}, got ${value}; it has ${known.join(", ")}`,
  );
}

/** Checks for milliseconds ≥ 0, or `undefined`. `Infinity` means never. */
export function checkMs(option: string, value: unknown): void {
  if (value !== undefined) checkNumber(option, value, 0, "a number of milliseconds ≥ 0");
}

/** Checks for an integer ≥ `least`, or `undefined`. `Infinity` means no limit. */
export function checkCount(option: string, value: unknown, least: number): void {
  if (value === undefined) return;
  const range = `an integer ≥ ${least}`;
  checkNumber(option, value, least, range);
  if (value !== Number.POSITIVE_INFINITY && !Number.isInteger(value))
    throw new RangeError(`${option} must be ${range}, got ${value}`);
}

function checkNumber(option: string, value: unknown, least: number, range: string): asserts value is number {
  if (typeof value !== "number") throw new TypeError(`${option} must be ${range}, got ${show(value)}`);
  if (Number.isNaN(value) || value < least) throw new RangeError(`${option} must be ${range}, got ${value}`);
}

/** Checks for a finite number, or `undefined`. */
export function checkFinite(option: string, value: unknown): void {
  if (value === undefined) return;
  if (typeof value !== "number") throw new TypeError(`${option} must be a finite number, got ${show(value)}`);
  if (!Number.isFinite(value)) throw new RangeError(`${option} must be a finite number, got ${value}`);
}

/** Checks for one of `choices`, or `undefined`. The error names the nearest choice. */
export function checkOneOf(option: string, value: unknown, choices: readonly string[]): void {
  if (value === undefined || (typeof value === "string" && choices.includes(value))) return;
  const guess = typeof value === "string" ? didYouMean(value, choices) : "";
  throw new TypeError(`${option} must be one of ${choices.map(show).join(", ")}, got ${show(value)}${guess}`);
}

/** Checks for a schema of any library that implements Standard Schema, or `undefined`. */
export function checkSchema(option: string, value: unknown): void {
  if (value === undefined) return;
  const isObject = (typeof value === "object" && value !== null) || typeof value === "function";
  if (!isObject || !("~standard" in value))
    throw new TypeError(`${option} must be a Standard Schema, got ${show(value)}`);
  const standard = value["~standard"];
  const isStandard = (typeof standard === "object" && standard !== null) || typeof standard === "function";
  if (!isStandard || !("validate" in standard) || typeof standard.validate !== "function")
    throw new TypeError(`${option} must be a Standard Schema, whose "~standard".validate is a function`);
}

/** Checks for an AbortSignal, or `undefined`. */
export function checkSignal(option: string, value: unknown): void {
  if (value === undefined || isSignal(value)) return;
  throw new TypeError(`${option} must be an AbortSignal, got ${show(value)}`);
}

/**
 * Whether a value is an AbortSignal, by what it does: its class may be of another realm, or of a library that replaces
 * the platform's.
 */
function isSignal(value: unknown): boolean {
  if (typeof value !== "object" || value === null || !("aborted" in value) || typeof value.aborted !== "boolean")
    return false;
  return ["addEventListener", "removeEventListener"].every((name) => typeof Reflect.get(value, name) === "function");
}

/** Checks for a list of strings, or `undefined`. */
export function checkTags(option: string, value: unknown): void {
  if (value === undefined) return;
  if (Array.isArray(value) && value.every((tag) => typeof tag === "string")) return;
  throw new TypeError(`${option} must be a list of strings, got ${show(value)}`);
}

/** A frozen copy of a plain object that JSON can carry. */
export function takeObject(option: string, value: unknown): { readonly [key: string]: Json } {
  checkType(option, value, "object");
  const json = takeJson(option, value);
  if (typeof json !== "object" || json === null || Array.isArray(json))
    throw new TypeError(`${option} must be a plain object, got ${show(value)}`);
  return json as { readonly [key: string]: Json };
}

/** Characters of a value in a message: enough to recognise it. */
const MOST_SHOWN = 60;

/** A value as an error message shows it. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (typeof value === "object" && value !== null) return "an object";
  return String(value);
}
