// Outside time: how long the world outside this process takes (C7).
//
// A program that is stopped, a file that another process holds, a database that is busy: they go on in real time, whatever a test has put in
// the place of the platform's timers, and a fake pause between two looks at them would never end. Everything that a task or a user waits for
// is measured by the manager's clock instead (lib/core/time/clock.ts).

import { clearInterval, clearTimeout, setInterval, setTimeout } from "node:timers";

/** Kept, because a fake that replaces the property of the module would be seen through the import as well. */
export const outsideTimers = { setTimeout, clearTimeout, setInterval, clearInterval };

/** Resolves `ms` later, and keeps the process alive until then. */
export function outsidePause(ms: number): Promise<void> {
  return new Promise((resolve) => outsideTimers.setTimeout(resolve, ms));
}
