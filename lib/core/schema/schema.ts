// Schema: checks of a value by a schema of any library that implements Standard Schema.
//
// Owns the outcome of such a check (§12). A schema is code of a user: when it throws, returns no result, or does not
// answer in time, the value does not fit, and the error of the schema is the cause. Knows no task and no request.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { InvalidInputError } from "../task/errors.js";
import { errorInWords, messageOf } from "../task/failure.js";
import { Alarm, type Timekeeper } from "../time/clock.js";
import { handled, isThenable } from "../values/handled.js";
import { printed } from "../values/safe-read.js";

/** The result of a check: the value that the schema made, or why the value does not fit. */
export type Verdict =
  | {
      /** The value fits. */
      readonly fits: true;
      /** The value that the schema made. */
      readonly value: unknown;
    }
  | {
      /** The value does not fit. */
      readonly fits: false;
      /** The reasons. */
      readonly issues: readonly StandardSchemaV1.Issue[];
      /** The error of a schema that threw. */
      readonly cause?: { readonly error: unknown };
    };

/** Milliseconds that a schema which checks later may take. */
const LATER_MS = 10_000;

/** The verdict of `schema` on `value`: at once, unless the schema checks later. Never throws and never rejects. */
export function judge(schema: StandardSchemaV1, value: unknown, clock: Timekeeper): Verdict | Promise<Verdict> {
  try {
    const result: unknown = schema["~standard"].validate(value);
    return isThenable(result) ? inTime(result, clock) : verdictOf(result);
  } catch (error) {
    return threw(error);
  }
}

/** The verdict of `schema` on `value` within the call. `TypeError`: the schema checks later. */
export function judgeNow(schema: StandardSchemaV1, value: unknown, what: string): Verdict {
  try {
    const result: unknown = schema["~standard"].validate(value);
    if (!isThenable(result)) return verdictOf(result);
    void handled(Promise.resolve(result));
    const hidden = thrownInside(schema, value);
    if (hidden !== undefined) return threw(hidden.error);
  } catch (error) {
    return threw(error);
  }
  throw new TypeError(
    `${what} must be checked at once, and its schema gives a promise: it checks later, or its library hides that a check threw`,
  );
}

/** The value that the schema returned. `InvalidInputError` says that `what` does not fit, and why. */
export function valueOf(verdict: Verdict, what: string): unknown {
  if (verdict.fits) return verdict.value;
  throw new InvalidInputError(misfit(verdict, what), verdict.issues, causeOf(verdict));
}

type Misfit = Extract<Verdict, { readonly fits: false }>;

/** A sentence that says that `what` does not fit. */
export function misfit({ cause }: Misfit, what: string): string {
  return cause === undefined ? `${what} does not fit` : `${what} does not fit, its schema threw`;
}

/** The cause for an error about a value that does not fit: the error of the schema, if it threw. */
export function causeOf({ cause }: Misfit): ErrorOptions {
  return cause === undefined ? {} : { cause: cause.error };
}

function verdictOf(result: unknown): Verdict {
  if (typeof result !== "object" || result === null) return noResult();
  const issues: unknown = "issues" in result ? result.issues : undefined;
  if (issues === undefined) return "value" in result ? { fits: true, value: result.value } : noResult();
  if (!Array.isArray(issues)) return noResult();
  return {
    fits: false,
    issues: issues.length === 0 ? [{ message: "its schema does not say why" }] : issues.map(issueOf),
  };
}

function noResult(): Verdict {
  return { fits: false, issues: [{ message: "its schema returned neither a value nor a list of issues" }] };
}

/** The issue as the library made it, when it is valid. */
function issueOf(issue: unknown): StandardSchemaV1.Issue {
  const isObject = typeof issue === "object" && issue !== null;
  const { message, path } = isObject ? (issue as { readonly message?: unknown; readonly path?: unknown }) : {};
  const isPath = path === undefined || (Array.isArray(path) && path.every(isSegment));
  if (typeof message === "string" && isPath) return issue as StandardSchemaV1.Issue;
  return { message: typeof message === "string" ? message : isObject ? "its schema does not say why" : printed(issue) };
}

function isSegment(segment: unknown): boolean {
  return typeof segment === "object" ? segment !== null && "key" in segment : segment !== undefined;
}

function threw(error: unknown): Verdict {
  return { fits: false, issues: [{ message: errorInWords(error) }], cause: { error } };
}

/**
 * The error of a check that throws inside a schema of zod. zod answers it by a second run that checks later; its
 * `parse` passes the error on, and says which checks check later.
 */
function thrownInside(schema: StandardSchemaV1, value: unknown): { readonly error: unknown } | undefined {
  if (schema["~standard"].vendor !== "zod" || !("parse" in schema) || typeof schema.parse !== "function")
    return undefined;
  try {
    Reflect.apply(schema.parse, schema, [structuredClone(value)]);
    return undefined;
  } catch (error) {
    return messageOf(error).includes("parseAsync") ? undefined : { error };
  }
}

function inTime(result: PromiseLike<unknown>, clock: Timekeeper): Promise<Verdict> {
  return new Promise((resolve) => {
    const message = `its schema did not answer within ${LATER_MS / 1_000} s`;
    const alarm = new Alarm(clock, LATER_MS, () => resolve({ fits: false, issues: [{ message }] }));
    const answered = (verdict: () => Verdict) => {
      alarm.cancel();
      resolve(attempted(verdict));
    };
    Promise.resolve(result).then(
      (given) => answered(() => verdictOf(given)),
      (error: unknown) => answered(() => threw(error)),
    );
  });
}

/** The verdict, or the error of code that ran when the result was read. */
function attempted(verdict: () => Verdict): Verdict {
  try {
    return verdict();
  } catch (error) {
    return threw(error);
  }
}
