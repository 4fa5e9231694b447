// Session account: the usage of one named session, and the counts of its tasks (L6, §8).
//
// Owns the numbers. `session-usage.ts` keeps and writes the accounts; the slots write `queued`.

import type { Budget, Usage } from "../task/record.js";
import { NOTHING_SPENT } from "../task/usage.js";
import type { Placed } from "../values/fifo.js";

/** The usage of a session without tasks. */
export const NOTHING_USED: Usage = Object.freeze({ ...NOTHING_SPENT, tasks: 0 });

/** The bounds on what the tasks of one session take together. */
export interface SessionBounds {
  /** The largest number of living tasks. */
  readonly maxLiving?: number | undefined;
  /** The largest number of tasks in line for their first slot. */
  readonly maxQueued?: number | undefined;
  /** The budget of all tasks together. */
  readonly budget?: Readonly<Budget> | undefined;
}

/** The bounds of a session that has none. */
export const NO_BOUNDS: SessionBounds = Object.freeze({});

/** The account of one session. */
export class SessionAccount implements Placed {
  /** The id of the session. */
  readonly id: string;
  /** The usage of all its tasks, evicted ones included. */
  usage: Usage = NOTHING_USED;
  /** Tasks that have not ended. */
  living = 0;
  /** Tasks in line for their first slot. */
  queued = 0;
  /** Tasks whose records are kept, living ones included. */
  kept = 0;
  /** The bounds of the session. */
  bounds: SessionBounds = NO_BOUNDS;
  /** The living tasks were stopped because the budget was spent. */
  isSpent = false;
  /** The place in the queue of the accounts that may be forgotten. */
  place = -1;
  /** The instant since which no record is kept, on the monotonic clock. */
  idleAt = 0;
  /** The same instant on the wall clock, in epoch milliseconds. */
  idleSince = 0;

  constructor(id: string) {
    this.id = id;
  }
}
