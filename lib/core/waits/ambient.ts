// Ambient: which task's function is running this code (H0).
//
// One storage for all managers, of all copies of errand, so that a wait is found to be the wait of the task whose code made the call, whichever
// manager that task is of.

import { AsyncLocalStorage } from "node:async_hooks";
import type { Attempt } from "../live/task.js";
import type { Work } from "../task/kind-parts.js";
import { shared } from "../values/copies.js";

const storage = shared("ambient", () => new AsyncLocalStorage<Attempt | undefined>());

/** The attempt whose function made this call. It may have settled since: look at its `phase`. */
export function ambientAttempt(): Attempt | undefined {
  return storage.getStore();
}

/** Whose wait a call makes: that of the task whose code made it, else of the given context; of nobody outside tasks (§3, H0). */
export function waiterOf(context: Attempt | undefined): Attempt | undefined {
  const ambient = storage.getStore();
  return ambient === undefined || ambient.phase === "settled" ? context : ambient;
}

export function runInside(attempt: Attempt, work: Work, call: (attempt: Attempt, work: Work) => unknown): unknown {
  return storage.run(attempt, call, attempt, work);
}

/** In no task, and otherwise where it is called. A process in which no task is ambient never pays for following one. */
export function runUnowned<R>(fn: () => R): R {
  return storage.getStore() === undefined ? fn() : storage.run(undefined, fn);
}
