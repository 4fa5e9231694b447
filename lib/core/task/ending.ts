// Ending: how a task ended, as its state keeps it, and the outcome that callers get.
//
// An ending is an outcome without the id of the task. Thousands of ended tasks are kept whose outcome no caller reads;
// an id and an outcome for each would cost more than the rest of their state. Pure.

import { type LostOutput, outcomeWithout } from "./lost-output.js";
import type { TaskOutcome } from "./outcome.js";

type WithoutId<O> = O extends TaskOutcome ? Omit<O, "id" | "outputLost"> : never;

/** How a task ended. The value of an output that the store has lost is `undefined` here. */
export type Ending = WithoutId<TaskOutcome>;

/** The outcome of the task `id`. `lost`: the store recorded the output and cannot return it. */
export function toOutcome(id: string, ending: Ending, lost: LostOutput | undefined): TaskOutcome {
  if (ending.status !== "succeeded") return Object.freeze({ id, ...ending });
  // One literal: a spread of an object costs as much as the rest.
  return lost === undefined
    ? Object.freeze({ id, status: "succeeded", value: ending.value })
    : outcomeWithout(id, lost);
}
