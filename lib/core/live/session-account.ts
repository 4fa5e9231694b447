// Session account: what one named session has used, and how much of it lives and waits (L6, §8).
//
// Counts alone. The ledger keeps the accounts and writes them; the slots write how many tasks are in line.

import type { Budget, Usage } from "../task/record.js";
import { NOTHING_SPENT } from "../task/usage.js";
import type { Placed } from "../values/fifo.js";

export const NOTHING_USED: Usage = Object.freeze({ ...NOTHING_SPENT, tasks: 0 });

/** The bounds on what the tasks of one session take together. */
export interface SessionBounds {
  readonly maxLiving?: number | undefined;
  readonly maxQueued?: number | undefined;
  readonly budget?: Readonly<Budget> | undefined;
}

export const NO_BOUNDS: SessionBounds = Object.freeze({});

export class SessionAccount implements Placed {
  readonly id: string;
  usage: Usage = NOTHING_USED;
  /** Tasks that have not ended. */
  living = 0;
  /** Tasks in line for their first slot. */
  queued = 0;
  /** Tasks whose records are kept, the living ones included. */
  kept = 0;
  bounds: SessionBounds = NO_BOUNDS;
  /** The living tasks were stopped because the budget was spent. */
  isSpent = false;
  /** The place in the queue of the accounts that may be forgotten. */
  place = -1;
  /** Since when no record is kept: on the monotonic clock, and on the wall clock. */
  idleAt = 0;
  idleSince = 0;

  constructor(id: string) {
    this.id = id;
  }
}
