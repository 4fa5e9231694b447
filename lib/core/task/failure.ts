// Failure: a thrown value as a record keeps it, and as a text.
//
// Errors are read by their fields and not by their class, because errors of another realm, or of a library, have other
// classes. Reading never throws (S8), and what is kept is bounded (§12): a cause is often the whole reason, and may be
// a cycle, or have a million errors below it.

import { brief, cutTo, fieldOf, isObject, printed, read, readText, tagOf } from "../values/safe-read.js";
import { ERROR_BRAND } from "./errand-error.js";
import type { FailureCause, TaskFailure } from "./record.js";
import type { FailureCode } from "./status.js";

const MOST_CAUSES = 8;
/**
 * Characters kept of the message of a failure, and of its stack. Some libraries put the whole output of a program into
 * the message, and the journal has a failure in each event that reports it.
 */
const MOST_OF_FAILURE = 65_536;
/** Characters kept of the beginning, which repeats the message, and of the end of a longer stack. */
const MOST_BEFORE_FRAMES = 8_000;
const MOST_OF_FRAMES = 4_000;
/** Characters kept of the message of one cause. */
const MOST_OF_MESSAGE = 500;
const MOST_OF_NAME = 80;
/** Characters of a message that are searched for a text that it may contain already. */
const MOST_SEARCHED = 4_000;
/** Number of causes that are read, repeated ones and cycles included. */
const MOST_READ = 64;

/** The failure of any thrown value: an error by its message, any other value by its text. */
export function toFailure(code: FailureCode, thrown: unknown): TaskFailure {
  const name = nameOf(thrown);
  const stack = stackOf(thrown);
  const errorCode = codeOf(thrown);
  const { causes, omitted } = causesOf(thrown);
  return withCause(
    {
      code,
      message: cutTo(messageOf(thrown), MOST_OF_FAILURE),
      ...(name === undefined ? {} : { name }),
      ...(errorCode === undefined ? {} : { errorCode }),
      ...(causes.length === 0 ? {} : { causes }),
      ...(omitted === 0 ? {} : { causesOmitted: omitted }),
      ...(stack === undefined ? {} : { stack }),
    },
    thrown,
  );
}

/** Adds the thrown value as `cause`, not enumerable as the cause of an `Error` is: JSON could seldom carry it. */
export function withCause(failure: TaskFailure, cause: unknown): TaskFailure {
  return Object.freeze(Object.defineProperty(failure, "cause", { value: cause }));
}

/** Any thrown value in one line, as `failureInWords` writes it. */
export function thrownInWords(thrown: unknown): string {
  return failureInWords(toFailure("error", thrown));
}

/** Same as `thrownInWords`, after the name of an error: `TypeError: fetch failed: connect ECONNREFUSED`. */
export function errorInWords(thrown: unknown): string {
  const name = isObject(thrown) && isError(thrown) ? nameOf(thrown) : undefined;
  const text = thrownInWords(thrown);
  return [name, text].filter((each) => each !== undefined && each !== "").join(": ");
}

/** The message of a thrown value. */
export function messageOf(thrown: unknown): string {
  const message = readText(() => fieldOf(thrown, "message"));
  if (message !== undefined) return message;
  const said = fieldOf(thrown, "message");
  if (isObject(said)) return brief(said, MOST_OF_MESSAGE);
  if (isContent(thrown)) return brief(thrown, MOST_OF_MESSAGE);
  const text = printed(thrown);
  return isObject(thrown) && text.startsWith("[object ") ? brief(thrown, MOST_OF_MESSAGE) : text;
}

/** The stack of an error. Of a long one, its beginning and its last lines: the frames follow the message. */
function stackOf(thrown: unknown): string | undefined {
  const stack = readText(() => fieldOf(thrown, "stack"));
  if (stack === undefined || stack.length <= MOST_OF_FAILURE) return stack;
  const end = stack.slice(-MOST_OF_FRAMES);
  const line = end.indexOf("\n");
  return `${cutTo(stack, MOST_BEFORE_FRAMES)}${line < 0 ? "" : end.slice(line)}`;
}

/** Whether the value is a list or bytes: its text would be that of each item. */
function isContent(thrown: unknown): boolean {
  return read(() => Array.isArray(thrown) || ArrayBuffer.isView(thrown)) === true;
}

/**
 * A failure in one line, for people and models: its message, and the messages and codes of `errorCode` and `causes`
 * that the message does not contain, such as `fetch failed: connect ECONNREFUSED 10.0.0.1:443`. The text comes from the
 * errors and is not escaped: escape it before you put it into a prompt or a page.
 */
export function failureInWords({ message, errorCode, causes = [], causesOmitted = 0 }: TaskFailure): string {
  const own = withCode(message, errorCode);
  const reasons: string[] = [];
  for (const cause of causes) {
    const reason = withCode(cause.message, cause.code);
    if (reason !== "" && !contains(own, reason) && !reasons.includes(reason)) reasons.push(reason);
  }
  if (causesOmitted > 0) reasons.push(`… and ${causesOmitted} more`);
  // A long message is cut, so that the reasons fit wherever the line is cut.
  const first = reasons.length === 0 ? own : cutTo(own, MOST_BEFORE_REASONS);
  return [first, reasons.join("; ")].filter((part) => part !== "").join(": ");
}
const MOST_BEFORE_REASONS = 300;

function withCode(message: string, code: string | undefined): string {
  if (code === undefined || contains(message, code)) return message;
  return message === "" ? code : `${message} (${code})`;
}

/** Whether `whole` contains `part`, and not only inside a longer word. */
function contains(whole: string, part: string): boolean {
  const text = whole.slice(0, MOST_SEARCHED);
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) {
    const isCut = /\w\w/.test(text.slice(at - 1, at + 1)) && at > 0;
    const end = at + part.length;
    if (!isCut && !/\w\w/.test(text.slice(end - 1, end + 1))) return true;
  }
  return false;
}

/**
 * An error and its causes: the reasons of a failure that has a message of its own. `isLeftOut`: an error that is no
 * reason, with everything below it.
 */
export function reasonsOf(thrown: unknown, isLeftOut: (thrown: unknown) => boolean): readonly FailureCause[] {
  return gathered([thrown], new Set(), isLeftOut).causes;
}

/**
 * The causes of a thrown value. An object that is no error is its own first cause, because its message seldom has all
 * of its content.
 */
function causesOf(thrown: unknown): Causes {
  if (!isObject(thrown)) return NO_CAUSES;
  const content = isError(thrown) || !/[{[]/.test(brief(thrown, MOST_OF_MESSAGE)) ? [] : [{ [CONTENT]: thrown }];
  const first = [...content, ...below(thrown)];
  return first.length === 0 ? NO_CAUSES : gathered(first, new Set([thrown]));
}
interface Causes {
  readonly causes: readonly FailureCause[];
  /** Number of further causes that were found. */
  readonly omitted: number;
}
const NO_CAUSES: Causes = Object.freeze({ causes: Object.freeze([]), omitted: 0 });
/** Marks an object that is no error and is quoted whole. */
const CONTENT = Symbol("content");

/** The causes, the nearest first, each once, however deep and however many. */
function gathered(
  first: readonly unknown[],
  seen: Set<unknown>,
  isLeftOut: (thrown: unknown) => boolean = () => false,
): Causes {
  const causes: FailureCause[] = [];
  const queue = [...first];
  for (let next = 0; next < queue.length && next < MOST_READ; next++) {
    const thrown = queue[next];
    if (isObject(thrown)) {
      if (seen.has(thrown)) continue;
      seen.add(thrown);
    }
    if (isLeftOut(thrown)) continue;
    const cause = toCause(thrown);
    const isNew = !causes.some(
      ({ message, name, code }) => message === cause.message && name === cause.name && code === cause.code,
    );
    if (isNew) causes.push(cause);
    queue.push(...below(thrown));
  }
  const omitted = Math.max(0, causes.length - MOST_CAUSES) + Math.max(0, queue.length - MOST_READ);
  return { causes: Object.freeze(causes.slice(0, MOST_CAUSES)), omitted };
}

function toCause(thrown: unknown): FailureCause {
  const content = fieldOf(thrown, CONTENT);
  // An object that is no error is quoted whole, because its message is only a part of it.
  if (isObject(content)) return causeOf(brief(content, MOST_OF_MESSAGE), undefined, codeOf(content));
  return causeOf(messageOf(thrown), nameOf(thrown), codeOf(thrown));
}

function causeOf(message: string, name: string | undefined, code: string | undefined): FailureCause {
  return Object.freeze({
    message: cutTo(message, MOST_OF_MESSAGE),
    ...(name === undefined ? {} : { name }),
    ...(code === undefined ? {} : { code }),
  });
}

/**
 * The errors that an error carries: `cause` of all errors, `errors` of an AggregateError, and `error`, `suppressed` and
 * `reason` of a SuppressedError and of events.
 */
function below(thrown: unknown): readonly unknown[] {
  if (!isObject(thrown)) return NOTHING;
  const found: unknown[] = [];
  const cause = causeIn(thrown);
  if (cause !== undefined && cause !== null) found.push(cause);
  found.push(...itemsOf(fieldOf(thrown, "errors")));
  // A Map or a Set of errors that was thrown, or is a cause.
  if (hasItems(thrown)) found.push(...itemsOf(thrown).filter(hasMessage));
  const isSuppressing = nameOf(thrown) === "SuppressedError";
  for (const field of ["error", "suppressed", "reason"] as const) {
    const each = fieldOf(thrown, field);
    const isText = typeof each === "string" && each !== "" && isError(thrown);
    if (isText || (isObject(each) && (isSuppressing || hasMessage(each)))) found.push(each);
  }
  return found;
}

/** The cause of an error. Some libraries have a method in its place, which gives the cause. */
function causeIn(thrown: object): unknown {
  const cause = fieldOf(thrown, "cause");
  return typeof cause === "function" ? read((): unknown => Reflect.apply(cause, thrown, [])) : cause;
}

function hasMessage(value: unknown): boolean {
  return readText(() => fieldOf(value, "message")) !== undefined;
}

function hasItems(value: object): boolean {
  const tag = readText(() => tagOf(value));
  return tag === "Map" || tag === "Set";
}

/** The first items of a list, a Map, a Set, or of an object whose fields are errors by name. */
function itemsOf(errors: unknown): readonly unknown[] {
  if (!isObject(errors) || typeof errors === "function") return NOTHING;
  const found: unknown[] = [];
  read(() => {
    const isListed = Array.isArray(errors) || hasItems(errors);
    const items: Iterable<unknown> = isListed ? listed(errors) : Object.values(errors);
    for (const item of items) {
      if (item !== undefined && (isListed || isObject(item))) found.push(item);
      if (found.length === MOST_READ) break;
    }
  });
  return found;
}

/** The items of a list; the values of a Map or a Set. */
function listed(items: object): Iterable<unknown> {
  const values: unknown = Reflect.get(items, "values");
  const iterator: unknown = typeof values === "function" ? Reflect.apply(values, items, []) : NOTHING;
  return isIterable(iterator) ? iterator : NOTHING;
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return isObject(value) && typeof Reflect.get(value, Symbol.iterator) === "function";
}
const NOTHING: readonly unknown[] = Object.freeze([]);

/** Whether the object is an error, of any realm. */
function isError(thrown: object): boolean {
  if (read(() => thrown instanceof Error)) return true;
  const tag = readText(() => tagOf(thrown));
  return tag === "Error" || tag === "DOMException" || typeof fieldOf(thrown, "stack") === "string";
}

function nameOf(thrown: unknown): string | undefined {
  const name = readText(() => fieldOf(thrown, "name"));
  return name === undefined || name === "" ? undefined : cutTo(name, MOST_OF_NAME);
}

/**
 * The `code` of an error (`ECONNREFUSED`), or its HTTP status when it has no code. Codes of errand, and the numbers of
 * a DOMException, say no more than the name.
 */
function codeOf(thrown: unknown): string | undefined {
  if (!isObject(thrown) || read(() => ERROR_BRAND in thrown) === true) return undefined;
  const code = fieldOf(thrown, "code");
  if (typeof code === "string" && code !== "") return cutTo(code, MOST_OF_NAME);
  const isPlatforms = readText(() => tagOf(thrown)) === "DOMException";
  const numbers = [isPlatforms ? undefined : code, fieldOf(thrown, "status"), fieldOf(thrown, "statusCode")];
  const number = numbers.find((each) => typeof each === "number");
  return number === undefined ? undefined : String(number);
}
