// Settled: how a function ended, read before any decision.
//
// Reading a value or an error may run user code, so it happens here and `decide` reads neither.

import { Brand } from "../values/copies.js";
import { fieldOf, read, readText, tagOf } from "../values/safe-read.js";
import { isErrandError } from "./errors.js";
import { reasonsOf, toFailure } from "./failure.js";
import type { FailureCause, TaskFailure } from "./record.js";
import { type Output, toOutput } from "./state.js";
import type { FailureCode, StopReason } from "./status.js";

/** The function returned. */
export interface Returned {
  readonly how: "returned";
  /** The returned value. */
  readonly value: unknown;
  /** The part of the value that a record can hold. */
  readonly output: Output | undefined;
}
/** The function threw, or its promise rejected. */
export interface Threw {
  readonly how: "threw";
  /** The thrown value. */
  readonly error: unknown;
  /** Absent for a stopped task: the stop says how it ended. */
  readonly failure: TaskFailure | undefined;
  /**
   * The error that the function threw after a limit stopped the task, with the causes below it. The stop itself is no
   * cause, and neither is the abort error that a platform function made of it. Absent when nothing is left.
   */
  readonly causes?: readonly FailureCause[];
}
/** How a function ended. `silent`: it did not settle within its grace. `unstarted`: it was never called. */
export type Settled = Returned | Threw | { readonly how: "silent" } | { readonly how: "unstarted" };

/** The end of a function that returned `value`. */
export function returned(value: unknown): Returned {
  return { how: "returned", value, output: toOutput(value) };
}

/** The end of a function that threw `error` without a stop before. */
export function threw(error: unknown): Threw & { readonly failure: TaskFailure } {
  return { how: "threw", error, failure: toFailure(codeOfThrown(error), error) };
}

/**
 * The end of a function that threw after a stop. For a cancel or a shutdown it reads no stack and no causes, because
 * thousands may throw at once. For a limit the thrown error may say why the task was late.
 */
export function threwStopped(error: unknown, stop: StopReason): Threw {
  const isSwept = stop === "cancel" || stop === "shutdown" || isStopError(error);
  const causes = isSwept ? [] : reasonsOf(error, saysOnlyStop);
  if (causes.length === 0) return { how: "threw", error, failure: undefined };
  return { how: "threw", error, failure: undefined, causes };
}

function isStopError(error: unknown): boolean {
  return read(() => isErrandError(error, "TASK_CANCELLED")) === true;
}

/**
 * Whether the error says that the task was stopped, and nothing else: the stop, or the `AbortError` of a function of
 * the platform that was called with the signal of the task.
 */
function saysOnlyStop(error: unknown): boolean {
  if (isStopError(error)) return true;
  if (fieldOf(error, "name") !== "AbortError") return false;
  const cause = fieldOf(error, "cause");
  if (cause !== undefined) return isStopError(cause);
  return fieldOf(error, "code") === "ABORT_ERR" || readText(() => tagOf(error)) === "DOMException";
}

const BRAND = new Brand<{ readonly failure: FailureCode }>("failure");

/**
 * An error that fails its task with the given code: the result of a kind does not fit, or a remote system reports how
 * the work failed (§10).
 */
export class FailureError extends Error {
  /** The code of the failure. */
  readonly failure: FailureCode;

  constructor(failure: FailureCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "FailureError";
    this.failure = failure;
  }

  static {
    BRAND.mark(this.prototype, ({ failure }: FailureError) => ({ failure }));
  }
}

/**
 * The failure code of a thrown value. A rejected or expired question that the function does not catch fails the task as
 * `rejected` (A4).
 */
function codeOfThrown(error: unknown): FailureCode {
  const own = read(() => (typeof error === "object" && error !== null ? BRAND.read("error", error) : undefined));
  if (own !== undefined) return own.failure;
  const isRefused = read(() => isErrandError(error, "REQUEST_REJECTED") || isErrandError(error, "REQUEST_EXPIRED"));
  return isRefused ? "rejected" : "error";
}
