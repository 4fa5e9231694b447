// Lost output: an output that a store recorded and cannot return (D2).
//
// The task succeeded, and only the value is missing. The reference stays in journal and snapshot, so the next process
// looks again: a value that was restored is found, any other stays lost. A reader never gets `undefined` in place of a
// lost value.

import type { TaskOutcome } from "./record.js";
import { OutputLostError } from "./store-errors.js";

/** Place of a lost output, and the reason. */
export interface LostOutput {
  /** Place that the store names: a file, or a row of a table. */
  readonly where: string;
  /** The fault that was found there. */
  readonly why: string;
  /** The error of the store. */
  readonly cause?: unknown;
}

/** Text for a record: why it has no output. */
export function lostInWords({ where, why }: LostOutput): string {
  return `it is lost: ${where}: ${why}`;
}

/**
 * The outcome of a task whose output is lost: reading `value` throws `OutputLostError`. `value` is not enumerable, so a
 * copy or a print of the outcome does not read it.
 */
export function outcomeWithout(taskId: string, lost: LostOutput): TaskOutcome {
  const outcome = { id: taskId, status: "succeeded" as const, outputLost: lostInWords(lost) };
  return Object.freeze(
    Object.defineProperty(outcome, "value", {
      get(): never {
        throw new OutputLostError(taskId, lost.where, lost.why, "cause" in lost ? { cause: lost.cause } : undefined);
      },
    }) as typeof outcome & { readonly value: never },
  );
}
