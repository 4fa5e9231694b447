// Lane item: what a lane knows of a task.
//
// Owns types only.

import type { Weight } from "../task/record.js";
import type { QueueEntry } from "./lane-queue.js";
import type { Start } from "./rate-limiter.js";

/** The account of an owner of tasks that stand in lines. */
export interface QueueAccount {
  /** First starts of the owner in line, over all lanes (L6). */
  queued: number;
}

/** An item that stands in line for a slot, or holds one. */
export interface Slotted extends QueueEntry {
  /** Whether the item holds a slot. */
  holdsSlot: boolean;
  /** Account of the session. `undefined` for a task of no session. */
  readonly account: QueueAccount | undefined;
  /** Amounts that each start takes from the windows. */
  readonly weight: Weight | undefined;
  /** The newest start in a lane with a rate: granted, or happened. */
  start: Start | undefined;
}
