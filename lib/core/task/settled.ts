// Settled: how a function ended, and what a record can say of it.
//
// Told before anything is decided, because reading a value, or an error, may run code of its own: `decide` reads neither.

import { Brand } from "../values/copies.js";
import { read } from "../values/safe-read.js";
import { isErrandError } from "./errors.js";
import { reasonsOf, toFailure } from "./failure.js";
import type { FailureCause, TaskFailure } from "./record.js";
import { type Output, toOutput } from "./state.js";
import type { FailureCode, StopReason } from "./status.js";

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
  /** The error that a task threw after a limit stopped it, with the causes below; left out where that error is the stop itself. */
  readonly causes?: readonly FailureCause[];
}
/** `silent`: it did not end, within the grace. `unstarted`: it never began. */
export type Settled = Returned | Threw | { readonly how: "silent" } | { readonly how: "unstarted" };

export function returned(value: unknown): Returned {
  return { how: "returned", value, output: toOutput(value) };
}

export function threw(error: unknown): Threw & { readonly failure: TaskFailure } {
  return { how: "threw", error, failure: toFailure(codeOfThrown(error), error) };
}

/** The words of a task that was stopped before. A sweep of thousands reads no stack; a task that a limit stopped may have had a reason to be late. */
export function threwStopped(error: unknown, stop: StopReason): Threw {
  const isSwept = stop === "cancel" || stop === "shutdown" || read(() => isErrandError(error, "TASK_CANCELLED"));
  return { how: "threw", error, failure: undefined, ...(isSwept === false ? { causes: reasonsOf(error) } : {}) };
}

const BRAND = new Brand<{ readonly failure: FailureCode }>("failure");

/** Fails a task with a code of its own: what a kind's function gave is not what the kind promises, or its remote says how it failed (§10). */
export class FailureError extends Error {
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

/** A4: a rejection or an expiry that the function lets through is its own kind of failure. */
function codeOfThrown(error: unknown): FailureCode {
  const own = read(() => (typeof error === "object" && error !== null ? BRAND.read("error", error) : undefined));
  if (own !== undefined) return own.failure;
  const isRefused = read(() => isErrandError(error, "REQUEST_REJECTED") || isErrandError(error, "REQUEST_EXPIRED"));
  return isRefused ? "rejected" : "error";
}
