// Ready notices: the notices that may be delivered to one owner now, read only as far as a batch needs.
//
// Owns nothing: a view of the owner's queue, and of the unread messages of its own task, while one batch is chosen. The
// view leaves out facts that are not stored yet and outcomes that a wait is about to deliver (D1, N2). Called by
// `notice-reading.ts` and by the chooser of a batch.

import { PendingNotice } from "../live/notice-queue.js";
import type { Task } from "../live/task.js";
import { PRECEDENCES, type Precedence } from "../task/notice.js";
import type { Queue } from "./notice-queues.js";

/** A notice about a task. */
export type TaskNotice = PendingNotice<Task>;

/** The notices of one batch (N1). */
export interface ChosenNotices {
  /** The notices that the text shows or counts, oldest first: the ones that `ack` acknowledges. */
  readonly covered: readonly TaskNotice[];
  /** The covered notices that the text only counts. */
  readonly counted: readonly TaskNotice[];
  /** The number by which the text names the counted notices. */
  readonly number: number | undefined;
}

/** The deliverable notices of one owner. */
export class ReadyNotices {
  readonly #queue: Queue;
  readonly #isReady: (notice: TaskNotice) => boolean;

  constructor(queue: Queue, isReady: (notice: TaskNotice) => boolean) {
    this.#queue = queue;
    this.#isReady = isReady;
  }

  /** Whether no notice can be delivered. */
  get isEmpty(): boolean {
    for (const precedence of PRECEDENCES) for (const _ of this.of(precedence)) return false;
    return true;
  }

  /** The notices of one precedence, oldest first, read one at a time. */
  *of(precedence: Precedence): Generator<TaskNotice> {
    const pending = this.#queue.of(precedence);
    const among = precedence === "message" ? merged(pending, messagesFor(this.#queue)) : pending;
    for (const notice of among) if (this.#isReady(notice)) yield notice;
  }
}

/** The unread messages of the owner, when the owner is a task. The mailbox keeps them. */
function* messagesFor({ owner }: Queue): Generator<TaskNotice> {
  if (typeof owner === "string") return;
  for (const { message, seq } of owner.extras?.mailbox?.unread() ?? []) {
    const what = { type: "message.sent", message } as const;
    yield new PendingNotice({ id: message.id, task: owner, at: message.createdAt, seq, what }, 0);
  }
}

/** Merges two ordered sequences. */
function* merged(some: Generator<TaskNotice>, others: Generator<TaskNotice>): Generator<TaskNotice> {
  let other = others.next();
  for (const one of some) {
    for (; !other.done && other.value.rank < one.rank; other = others.next()) yield other.value;
    yield one;
  }
  for (; !other.done; other = others.next()) yield other.value;
}

/** Compares notices: oldest first (N1). */
export function byAge(a: TaskNotice, b: TaskNotice): number {
  return a.rank - b.rank || a.order - b.order;
}
