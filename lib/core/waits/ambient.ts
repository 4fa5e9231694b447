// Ambient: the attempt whose function runs this code (H0).
//
// One storage for all managers of all copies of errand, so that a wait belongs to the task whose code made the call,
// whichever manager has the task.

import type { Attempt } from "../live/task.js";
import type { Work } from "../task/kind-parts.js";
import { shared } from "../values/copies.js";
import { AsyncLocalStorage } from "../values/node.js";

const storage = shared("ambient", () => new AsyncLocalStorage<Attempt | undefined>());

/** The attempt whose function made this call. It may have settled since: read its `phase`. */
export function ambientAttempt(): Attempt | undefined {
  return storage.getStore();
}

/**
 * The attempt that a wait belongs to: the attempt whose code made the call, else that of the context. `undefined`
 * outside tasks (§3, H0).
 */
export function waiterOf(context: Attempt | undefined): Attempt | undefined {
  const ambient = storage.getStore();
  return ambient === undefined || ambient.phase === "settled" ? context : ambient;
}

/** Calls the function of a task with `attempt` as the ambient one. */
export function runInside(attempt: Attempt, work: Work, caller: Caller): unknown {
  // The scope of the task's async context ends with this call, and so does what is entered in it.
  storage.enterWith(attempt);
  return caller.call(attempt, work);
}

/** Calls a task's function with the context of its attempt. */
interface Caller {
  call(attempt: Attempt, work: Work): unknown;
}

/**
 * Same as `runInside`, with no ambient attempt. A process without an ambient task does not pay for tracking one.
 */
export function runUnowned(attempt: Attempt, work: Work, caller: Caller): unknown {
  if (storage.getStore() !== undefined) storage.enterWith(undefined);
  return caller.call(attempt, work);
}
