// Ready notices: what may be delivered to one owner now, read as far as a batch has room for it.
//
// Owns nothing: a view of the owner's queue, and of the messages that its own task has not received, while one batch is chosen. What is not
// stored yet, and what a wait is about to give the owner, is left out (D1, N2).

import { PendingNotice } from "../live/notice-queue.js";
import type { Task } from "../live/task.js";
import { PRECEDENCES, type Precedence } from "../task/notice.js";
import type { Queue } from "./notice-queues.js";

export type TaskNotice = PendingNotice<Task>;

/** The notices of one batch (N1). */
export interface ChosenNotices {
  /** Notices that the text shows or counts, oldest first: what `ack` acknowledges. */
  readonly covered: readonly TaskNotice[];
  /** Notices among them that the text only counts, and the number by which it names them. */
  readonly counted: readonly TaskNotice[];
  readonly number: number | undefined;
}

export class ReadyNotices {
  readonly #queue: Queue;
  readonly #isReady: (notice: TaskNotice) => boolean;

  constructor(queue: Queue, isReady: (notice: TaskNotice) => boolean) {
    this.#queue = queue;
    this.#isReady = isReady;
  }

  get isEmpty(): boolean {
    for (const precedence of PRECEDENCES) for (const _ of this.of(precedence)) return false;
    return true;
  }

  /** The notices of one precedence, oldest first; read one at a time. */
  *of(precedence: Precedence): Generator<TaskNotice> {
    const pending = this.#queue.of(precedence);
    const among = precedence === "message" ? merged(pending, messagesFor(this.#queue)) : pending;
    for (const notice of among) if (this.#isReady(notice)) yield notice;
  }
}

/** Messages to the task whose loop the owner is, that nothing has received. They are kept where messages are kept. */
function* messagesFor({ owner }: Queue): Generator<TaskNotice> {
  if (typeof owner === "string") return;
  for (const { message, seq } of owner.extras?.mailbox?.unread() ?? []) {
    const what = { type: "message.sent", message } as const;
    yield new PendingNotice({ id: message.id, task: owner, at: message.createdAt, seq, what }, 0);
  }
}

/** Two sequences in order, as one. */
function* merged(some: Generator<TaskNotice>, others: Generator<TaskNotice>): Generator<TaskNotice> {
  let other = others.next();
  for (const one of some) {
    for (; !other.done && other.value.rank < one.rank; other = others.next()) yield other.value;
    yield one;
  }
  for (; !other.done; other = others.next()) yield other.value;
}

/** N1: oldest first. */
export function byAge(a: TaskNotice, b: TaskNotice): number {
  return a.rank - b.rank || a.order - b.order;
}
