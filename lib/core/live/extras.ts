// Desk: what only some tasks have. Made when the first of it is needed, so that a plain task does not carry the places for it.

import type { Start } from "../lanes/rate-limiter.js";
import type { Message } from "../task/message.js";
import type { TaskRecord } from "../task/record.js";
import type { RetryHooks } from "../task/retry.js";
import type { Deadlines } from "./deadlines.js";
import type { Mailbox } from "./mailbox.js";
import type { OutputRing } from "./output-ring.js";
import type { TaskRequests } from "./task-requests.js";

export interface Extras {
  mailbox?: Mailbox;
  /** Messages that its kind is handed when its function runs. */
  unsteered?: Message[] | undefined;
  /** Until its kind has been handed all before. */
  steering?: Promise<void>;
  output?: OutputRing;
  /** The newest start, as the windows of a lane with a rate count it. */
  start?: Start | undefined;
  /** The record while the task waits for its rate. */
  rateRecord?: { readonly untilAt: number; readonly of: TaskRecord; readonly record: TaskRecord };
  deadlines?: Deadlines;
  /** The open and closed questions it asked. */
  requests?: TaskRequests;
  /** The hooks of the spawn's `retry`. */
  retryHooks?: RetryHooks;
  /** A process died with it: from now on its start is stored before its function is called. */
  startsStored?: true;
  /** Until its next attempt stands in line. */
  retryDelay?: { cancel(): void } | undefined;
  /** Stops following the signal given to `spawn`. */
  unfollow?: () => void;
}

export function extrasOf(task: { extras: Extras | undefined }): Extras {
  task.extras ??= {};
  return task.extras;
}

/** The record of a task that its rate holds back until `untilAt`: the same object until one of the two changes. */
export function heldRecord(extras: Extras, of: TaskRecord, untilAt: number): TaskRecord {
  const { rateRecord } = extras;
  if (rateRecord?.untilAt === untilAt && rateRecord.of === of) return rateRecord.record;
  const blockedOn = Object.freeze([Object.freeze({ on: "rate", untilAt } as const)]);
  const record = Object.freeze({ ...of, blockedOn });
  extras.rateRecord = { untilAt, of, record };
  return record;
}
