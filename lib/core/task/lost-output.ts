// Lost output: an output that a store says it has, and cannot give (D2).
//
// The task succeeded, and everything but the value is there. The reference stays in journal and snapshot, so the next process asks again: what was
// put back is found, and what was not stays lost. No reader is given `undefined` in place of a value.

import { OutputLostError } from "./errors.js";
import type { TaskOutcome } from "./record.js";

export interface LostOutput {
  /** The place that the store names: a file, a row of a table. */
  readonly where: string;
  /** The fault that was found there. */
  readonly why: string;
  /** The error of the store. */
  readonly cause?: unknown;
}

/** Words for a record, which says why it has no output. */
export function lostInWords({ where, why }: LostOutput): string {
  return `it is lost: ${where}: ${why}`;
}

/** The outcome of its task. `value` is not listed, so that a copy or a print of the outcome does not read it. */
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
