// Settled: how a function ended, and what a record can say of it.
//
// Told before anything is decided, because reading a value, or an error, may run code of its own: `decide` reads neither.

import { isErrandError } from "./errors.js";
import { printed, read, readText } from "./printed.js";
import type { TaskFailure } from "./record.js";
import { type Output, toOutput } from "./state.js";
import type { FailureCode } from "./status.js";

export interface Returned {
  readonly how: "returned";
  readonly value: unknown;
  readonly output: Output | undefined;
}
export interface Threw {
  readonly how: "threw";
  readonly error: unknown;
  /** Left out where nobody asks: how a stopped task ended is said by what stopped it. */
  readonly failure: TaskFailure | undefined;
}
/** `silent`: it did not end, within the grace. `unstarted`: it never began. */
export type Settled = Returned | Threw | { readonly how: "silent" } | { readonly how: "unstarted" };

export function returned(value: unknown): Returned {
  return { how: "returned", value, output: toOutput(value) };
}

export function threw(error: unknown): Threw & { readonly failure: TaskFailure } {
  return { how: "threw", error, failure: toFailure(codeOfThrown(error), error) };
}

/** Of a task that was stopped before: a sweep of thousands reads no stack. */
export function threwStopped(error: unknown): Threw {
  return { how: "threw", error, failure: undefined };
}

/** What a thrown value says. Reading it never throws. */
export function messageOf(thrown: unknown): string {
  return readText(() => (thrown instanceof Error ? thrown.message : undefined)) ?? printed(thrown);
}

/** Fails a task with a code of its own: what a kind's function gave is not what the kind promises, or its remote says how it failed (§10). */
export class FailureError extends Error {
  readonly failure: FailureCode;

  constructor(failure: FailureCode, message: string) {
    super(message);
    this.name = "FailureError";
    this.failure = failure;
  }
}

/** A4: a rejection or an expiry that the function lets through is its own kind of failure. */
function codeOfThrown(error: unknown): FailureCode {
  const failure = read(() => (error instanceof FailureError ? error.failure : undefined));
  if (failure !== undefined) return failure;
  const isRefused = read(() => isErrandError(error, "REQUEST_REJECTED") || isErrandError(error, "REQUEST_EXPIRED"));
  return isRefused ? "rejected" : "error";
}

/** Whatever was thrown, told faithfully: an Error by its words, anything else as it prints. Reading it never throws (S8). */
function toFailure(code: FailureCode, thrown: unknown): TaskFailure {
  if (!read(() => thrown instanceof Error)) return withCause({ code, message: printed(thrown) }, thrown);
  const error = thrown as Error;
  const name = readText(() => error.name);
  const stack = readText(() => error.stack);
  const message = messageOf(thrown);
  return withCause(
    { code, message, ...(name === undefined ? {} : { name }), ...(stack === undefined ? {} : { stack }) },
    thrown,
  );
}

/** The cause is there to be read and not to be written out, as that of an `Error`: JSON could seldom carry it. */
export function withCause(failure: TaskFailure, cause: unknown): TaskFailure {
  return Object.freeze(Object.defineProperty(failure, "cause", { value: cause }));
}
