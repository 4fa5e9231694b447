// Turn: calls in the next turn of the event loop.
//
// A turn is no time, so it is the platform's own `setImmediate` also when a test has put a fake in its place (C7): a
// fake turn comes only when the test moves its clock, and a test that first awaits a promise of errand would wait for
// ever.

import { platformTimers } from "../values/node.js";

/** Calls `fn` in the next turn of the event loop. */
export function nextTurn(fn: () => void): void {
  platformTimers.setImmediate(fn);
}
