// Question: what may be asked, and what may be answered (A2).
//
// Checks a question before its request is opened and an answer before its command. Knows no task and no request that is open.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { toJsonSchema } from "../schema/json-schema.js";
import { InvalidInputError } from "../task/errors.js";
import type { InboxRequest, Question } from "../task/request.js";
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
import type { WaitOptions } from "../waits/waits.js";

/** `key` keeps the request over retries and restarts: asking again with it is the same request. Without one it is withdrawn with the attempt. */
export interface AskOptions extends WaitOptions {
  /** Anything JSON can carry, for who answers. */
  details?: unknown;
  key?: string | undefined;
  /** From the asking on: `RequestExpiredError`. Asked again with the same key, the first one's counts. */
  timeoutMs?: number | undefined;
}

/** The answer is text, one of `choices`, or what `schema` gives; `choices` and `schema` together are a `TypeError`. */
export interface Ask {
  <const T = string>(
    request: AskOptions & {
      question: string;
      choices?: readonly (T & string)[] | undefined;
      schema?: StandardSchemaV1<unknown, T> | undefined;
      onTimeout?: "fail" | { default: NoInfer<T> } | undefined;
    },
  ): Promise<T>;
}

/** A question as `ask` and `approve` take it. */
export interface AskInput<T> extends AskOptions {
  question: string;
  choices?: readonly (T & string)[] | undefined;
  schema?: StandardSchemaV1<unknown, T> | undefined;
  onTimeout?: "fail" | { default: T } | undefined;
}

const ASK_OPTIONS: ReadonlySet<string> = new Set<keyof AskInput<unknown>>([
  ...(["question", "choices", "schema", "details", "key", "timeoutMs", "onTimeout", "signal"] as const),
]);

/** An approval is answered by yes or no, and expires as a refusal. */
const APPROVE_OPTIONS: ReadonlySet<string> = new Set<keyof AskInput<unknown>>([
  ...(["question", "details", "key", "timeoutMs", "signal"] as const),
]);

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

/** A2: the answer as the request keeps it, if it is one for this kind of request. */
export function checkAnswer(request: InboxRequest, value: unknown): Json {
  switch (request.kind) {
    case "approval":
      if (value === true) return true;
      throw invalid(request, `an approval takes true alone, got ${show(value)}; "no" is reject`);
    case "choice":
      if (typeof value === "string" && request.choices?.includes(value)) return value;
      throw invalid(request, `one of ${request.choices?.map(show).join(", ")} is needed, got ${show(value)}`);
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

export function answerTo(request: InboxRequest): string {
  return `The answer to request ${request.id}`;
}

function invalid(request: InboxRequest, message: string): InvalidInputError {
  return new InvalidInputError(`${answerTo(request)} does not fit`, [{ message }]);
}
