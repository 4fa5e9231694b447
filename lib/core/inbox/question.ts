// Question: which questions may be asked and which answers fit them (A2).
//
// Owns nothing. Checks a question before its request is opened (called by `asking.ts`) and an answer before its command
// (called by `answering.ts`). Knows no task and no open request.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { toJsonSchema } from "../schema/json-schema.js";
import { InvalidInputError } from "../task/errors.js";
import type { InboxRequest, Question } from "../task/request.js";
import { boundedList } from "../values/bounded-list.js";
import {
  checkFields,
  checkKnown,
  checkMs,
  checkOneOf,
  checkSchema,
  checkSignal,
  checkText,
  checkType,
  show,
} from "../values/checks.js";
import { copyJson, type Json, takeJson } from "../values/json.js";
import { didYouMean } from "../values/nearest-name.js";
import type { WaitOptions } from "../waits/waits.js";

/** Options of `ctx.ask` and `ctx.approve`. */
export interface AskOptions extends WaitOptions {
  /** Any JSON value, shown to the person who answers. */
  details?: unknown;
  /**
   * Keeps the request over retries and restarts: a later call with the same key and the same question is the same
   * request, and gets its answer. The same key with another question is an `IdConflictError`. Without a key the request
   * is withdrawn when the attempt ends or `signal` aborts.
   */
  key?: string | undefined;
  /**
   * Milliseconds ≥ 0 from the first call until the request expires; default no limit. The call then rejects with
   * `RequestExpiredError`, unless `onTimeout` gives a default. A later call with the same key does not change the time.
   */
  timeoutMs?: number | undefined;
}

/** The text of a question, and the options of its request. */
interface AskedText extends AskOptions {
  /** The text that the person reads. */
  question: string;
}

/** The result of a question that expires. */
interface DefaultAnswer<D> {
  /** The value with which the call resolves. */
  default: D;
}

/**
 * Asks a question and waits for the answer, without a slot. The answer is a text, one of `choices`, or the output of
 * `schema`; so a number or a boolean needs a `schema` that makes it of the answer. `choices` together with `schema` is
 * a `TypeError`.
 *
 * `onTimeout` is the result when the request expires: `"fail"` (default) rejects the call; `{ default }` resolves it
 * with that value.
 *
 * Rejects with `RequestRejectedError`, `RequestExpiredError`, or `ScopeCancelledError` when the request was withdrawn.
 */
export interface Ask {
  /** Asks for one of `choices`, of which there is at least one. A default is one of them. */
  <const C extends string>(
    request: AskedText & {
      /** The allowed answers, at least one. */
      choices: readonly C[];
      /** Left out: a question has choices or a schema. */
      schema?: undefined;
      /** The result when the request expires. */
      onTimeout?: "fail" | DefaultAnswer<NoInfer<C>> | undefined;
    },
  ): Promise<C>;
  /** Asks for what `schema` takes, and resolves with what it makes of the answer. A default has the same type. */
  <T>(
    request: AskedText & {
      /** Checks the answer and makes the value that the call gives. */
      schema: StandardSchemaV1<unknown, T>;
      /** Left out: a question has choices or a schema. */
      choices?: undefined;
      /** The result when the request expires. */
      onTimeout?: "fail" | DefaultAnswer<NoInfer<T>> | undefined;
    },
  ): Promise<T>;
  /** Asks for a text, and resolves with the default when there is one and the request expires. */
  <const D = never>(
    request: AskedText & {
      /** Left out: the answer is a text. */
      choices?: undefined;
      /** Left out: the answer is a text. */
      schema?: undefined;
      /** The result when the request expires. */
      onTimeout?: "fail" | DefaultAnswer<D> | undefined;
    },
  ): Promise<string | NoInfer<D>>;
  /**
   * The three signatures above in one, for options of which the compiler does not know whether they are given. A
   * compiler explains a call that fits no signature by the last one, so this one makes it name the fault.
   */
  <const C extends string = never, T = never>(
    request: AskedText & {
      /** The allowed answers, at least one. */
      choices?: readonly C[] | undefined;
      /** Checks the answer and makes the value that the call gives. */
      schema?: StandardSchemaV1<unknown, T> | undefined;
      /** The result when the request expires. */
      onTimeout?: "fail" | DefaultAnswer<NoInfer<C | T>> | undefined;
    },
  ): Promise<string | NoInfer<T>>;
}

/** A question in the form that `ask` and `approve` pass on. */
export interface AskInput<T> extends AskOptions {
  /** The text that the person reads. */
  question: string;
  /** The allowed answers, at least one. */
  choices?: readonly (T & string)[] | undefined;
  /** Checks the answer. */
  schema?: StandardSchemaV1<unknown, T> | undefined;
  /** The result when the request expires. */
  onTimeout?: "fail" | { default: T } | undefined;
}

const ASK_OPTIONS: ReadonlySet<string> = new Set<keyof AskInput<unknown>>([
  ...(["question", "choices", "schema", "details", "key", "timeoutMs", "onTimeout", "signal"] as const),
]);

/** An approval has a yes or no answer and no default: an expired approval counts as a refusal. */
const APPROVE_OPTIONS: ReadonlySet<string> = new Set<keyof AskInput<unknown>>([
  ...(["question", "details", "key", "timeoutMs", "signal"] as const),
]);

/** Checks the input of `ask` or `approve` and copies it. Throws a `TypeError` or `RangeError` that names the field. */
export function takeQuestion<T>(input: AskInput<T>, isApproval: boolean): Question {
  checkType("request", input, "object");
  if (isApproval) checkKnown("approve", input, APPROVE_OPTIONS);
  else checkKnown("ask", input, ASK_OPTIONS);
  const { question, choices, schema, details, key, timeoutMs, onTimeout, signal } = input;
  checkType("question", question, "string");
  checkText("question", question);
  checkText("key", key);
  checkMs("timeoutMs", timeoutMs);
  checkSignal("signal", signal);
  if (choices !== undefined && schema !== undefined)
    throw new TypeError("choices and schema exclude each other: give one");
  if (choices !== undefined && !isListOfTexts(choices)) {
    throw new TypeError(`choices must be a list of at least one string, got ${show(choices)}`);
  }
  checkSchema("schema", schema);
  if (typeof onTimeout !== "object" || onTimeout === null) {
    checkOneOf("onTimeout", onTimeout, ["fail"]);
  } else {
    checkFields("onTimeout", onTimeout, ["default"]);
    if (!("default" in onTimeout))
      throw new TypeError(`onTimeout must be "fail" or { default }, got ${show(onTimeout)}`);
  }
  const jsonSchema = schema === undefined ? undefined : toJsonSchema(schema);
  return {
    kind: isApproval ? "approval" : choices !== undefined ? "choice" : schema !== undefined ? "json" : "text",
    question,
    ...(details === undefined ? {} : { details: takeJson("details", details) }),
    ...(choices === undefined ? {} : { choices: Object.freeze([...choices]) }),
    ...(jsonSchema === undefined ? {} : { jsonSchema }),
    ...(key === undefined ? {} : { key }),
  };
}

function isListOfTexts(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every((choice) => typeof choice === "string");
}

/**
 * Checks `value` against the kind of the request and returns the answer in its stored form; `InvalidInputError`
 * otherwise (A2).
 */
export function checkAnswer(request: InboxRequest, value: unknown): Json {
  switch (request.kind) {
    case "approval":
      if (value === true) return true;
      throw invalid(request, `an approval takes true alone, got ${show(value)}; "no" is reject`);
    case "choice": {
      const { choices = [] } = request;
      if (typeof value === "string" && choices.includes(value)) return value;
      throw invalid(request, noChoice(choices, value));
    }
    case "text":
      if (typeof value === "string") return value;
      throw invalid(request, `a string is needed, got ${show(value)}`);
    case "json": {
      const copied = copyJson(value);
      if (copied.ok) return copied.json;
      throw invalid(request, `a value that JSON can carry is needed; at ${copied.why}`);
    }
  }
}

function noChoice(choices: readonly string[], value: unknown): string {
  const guess = typeof value === "string" ? didYouMean(value, choices) : "";
  return `one of ${boundedList(choices.map(show))} is needed, got ${show(value)}${guess}`;
}

/** Names the answer in an error message. */
export function answerTo(request: InboxRequest): string {
  return `The answer to request ${request.id}`;
}

function invalid(request: InboxRequest, message: string): InvalidInputError {
  return new InvalidInputError(`${answerTo(request)} does not fit`, [{ message }]);
}
