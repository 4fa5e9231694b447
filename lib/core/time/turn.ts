// Turn: what waits for the end of this turn of the event loop.
//
// A turn is no time, so it is the platform's own `setImmediate` also when a test has put a fake in its place (C7): a fake turn comes only when
// the test moves its clock, and a test that awaits a promise of errand's first would wait for ever.

import { setImmediate } from "node:timers";

/** Kept, because a fake that replaces the property of the module would be seen through the import as well. */
const platformImmediate = setImmediate;

/** Calls `fn` in the next turn of the event loop. */
export function nextTurn(fn: () => void): void {
  platformImmediate(fn);
}
