// Extras: the parts of a task that only some tasks have.
//
// Owns no rule: each field names its part. The object is made when its first field is needed, so a plain task does not
// carry the fields.

import type { Start } from "../lanes/rate-limiter.js";
import type { KindParts } from "../task/kind-parts.js";
import type { Message } from "../task/message.js";
import type { TaskRecord } from "../task/record.js";
import type { RetryHooks } from "../task/retry.js";
import type { Deadlines } from "./deadlines.js";
import type { Mailbox } from "./mailbox.js";
import type { OutputRing } from "./output-ring.js";
import type { TaskRequests } from "./task-requests.js";

/** The optional parts of one task. */
export interface Extras {
  /** The kind that the spawn brought, in this process. */
  kind?: KindParts | undefined;
  /** The messages of the task. */
  mailbox?: Mailbox;
  /** Messages that the kind receives when the function starts. */
  unsteered?: Message[] | undefined;
  /** The id that the task had in the journal of another process, whose id a task of this process has (D9). */
  formerId?: string | undefined;
  /** Resolves when the kind has received all earlier messages. */
  steering?: Promise<void>;
  /** The newest printed output. */
  output?: OutputRing;
  /** The newest start, as the windows of a lane with a rate count it. */
  start?: Start | undefined;
  /** The record while the task waits for its rate. */
  rateRecord?: { readonly untilAt: number; readonly of: TaskRecord; readonly record: TaskRecord };
  /** The timers of the task's limits. */
  deadlines?: Deadlines;
  /** The questions of the task. */
  requests?: TaskRequests;
  /** The hooks of the spawn's `retry`. */
  retryHooks?: RetryHooks;
  /** The task was reattached after a sudden death: here each start is stored before the function is called. */
  startsStored?: true;
  /** The delay before the next attempt stands in line. */
  retryDelay?: { cancel(): void } | undefined;
  /** Stops following the signal given to `spawn`. */
  unfollow?: () => void;
}

/** The extras of the task, made when first needed. */
export function extrasOf(task: { extras: Extras | undefined }): Extras {
  task.extras ??= {};
  return task.extras;
}

/**
 * The record of a task that its rate holds back until `untilAt`. Returns the same object until `of` or `untilAt`
 * changes.
 */
export function heldRecord(extras: Extras, of: TaskRecord, untilAt: number): TaskRecord {
  const { rateRecord } = extras;
  if (rateRecord?.untilAt === untilAt && rateRecord.of === of) return rateRecord.record;
  const blockedOn = Object.freeze([Object.freeze({ on: "rate", untilAt } as const)]);
  const record = Object.freeze({ ...of, blockedOn });
  extras.rateRecord = { untilAt, of, record };
  return record;
}
