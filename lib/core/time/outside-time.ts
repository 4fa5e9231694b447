// Outside time: real time, for waits on the world outside this process (C7).
//
// A stopped program, a file that another process holds and a busy database continue in real time, whatever a test has
// put in place of the platform's timers: a fake pause between two checks of them would never end. Everything that a
// task or a user waits for is measured by the clock of the manager instead (lib/core/time/clock.ts).

import { platformTimers } from "../values/node.js";

/** The timers of the world outside the process. */
export const outsideTimers = platformTimers;

/** Resolves `ms` later, and keeps the process alive until then. */
export function outsidePause(ms: number): Promise<void> {
  return new Promise((resolve) => outsideTimers.setTimeout(resolve, ms));
}
