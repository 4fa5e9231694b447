// Outside: calls of code that belongs to no task, such as listeners, hooks, loggers and stores (H0).

import { AsyncResource } from "./node.js";

/** The context in which errand was loaded. */
const outside = new AsyncResource("errand.outside", { requireManualDestroy: true });

/** Calls `fn` in no task and in no trace, whichever call led to it. */
export function runOutside<R>(fn: () => R): R {
  return outside.runInAsyncScope(fn);
}
