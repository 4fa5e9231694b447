// Mailbox: the messages of one task in both directions, and which inbound ones are unread (§8).
//
// Owns the list and the unread messages; `messages.ts` decides about sending and receiving. Adding, taking and finding
// a message is O(1), and putting one back is O(log n), however many messages there are.

import { RankQueue } from "../lanes/rank-queue.js";
import type { Message } from "../task/message.js";
import { Fifo, type Placed } from "../values/fifo.js";
import type { Ranked } from "../values/heap.js";

/** A `receive` that waits for a message. */
export interface Receiver extends Placed {
  /** Delivers a message. */
  resolve(taken: Unread): void;
  /** Ends the wait. */
  reject(error: Error): void;
}

/** An unread inbound message. Its rank is its position in order of coming. */
export interface Unread extends Ranked {
  /** The message. */
  readonly message: Message;
  /** The message is delivered once this fact is stored (D1). */
  readonly seq: number;
}

/** The messages of one task. */
export class Mailbox {
  readonly #messages: Message[] = [];
  /** The place of each message in `#messages`. */
  readonly #places = new Map<string, number>();
  #inbound = 0;
  readonly #unread = new RankQueue<Unread>();
  readonly #unreadOf = new Map<Message, Unread>();
  /** The waiting `receive` calls, oldest first. */
  readonly receivers = new Fifo<Receiver>();
  /** Waits that end when a message comes, and leave the message unread. */
  readonly lookouts = new Set<{ resolve(): void }>();

  /** The number of inbound messages, read ones included. */
  get inbound(): number {
    return this.#inbound;
  }

  /**
   * Adds a message that fact `seq` recorded. An inbound message goes to the oldest waiting `receive`, or stays unread.
   */
  add(message: Message, seq: number): void {
    this.keep(message);
    if (message.direction === "outbound") return;
    const receiver = this.receivers.first();
    const unread = { message, seq, rank: this.#messages.length, order: 0, place: -1 };
    if (receiver !== undefined) {
      receiver.resolve(unread);
      return;
    }
    this.putBack(unread);
    for (const lookout of [...this.lookouts]) lookout.resolve();
  }

  /** Whether there is an unread message. */
  get hasUnread(): boolean {
    return this.#unread.size > 0;
  }

  /** The unread messages, oldest first. */
  unread(): Generator<Unread> {
    return this.#unread.inOrder();
  }

  /** Whether the message waits for a `receive`. */
  isUnread(message: Message): boolean {
    return this.#unreadOf.has(message);
  }

  /** Marks the message as read, by other means than `receive`. */
  read(message: Message): void {
    const unread = this.#unreadOf.get(message);
    if (unread === undefined) return;
    this.#unreadOf.delete(message);
    this.#unread.remove(unread);
  }

  /** Makes the message unread again, in its old place. */
  putBack(taken: Unread): void {
    this.#unread.add(taken);
    this.#unreadOf.set(taken.message, taken);
  }

  /** The function is over: every waiting `receive`, also of another task that used its context, rejects. */
  close(errorOf: () => Error): void {
    for (const receiver of [...this.receivers.inOrder()]) receiver.reject(errorOf());
  }

  /** Adds a message that is read already, because it answered a question. */
  keep(message: Message): void {
    this.#places.set(message.id, this.#messages.length);
    this.#messages.push(message);
    if (message.direction === "inbound") this.#inbound++;
  }

  /** Takes the oldest unread message and marks it as read. */
  takeUnread(): Unread | undefined {
    const unread = this.#unread.first();
    if (unread !== undefined) this.read(unread.message);
    return unread;
  }

  /** The number of messages in both directions. */
  get size(): number {
    return this.#messages.length;
  }

  /** The message at a position, counted from 0 in order of coming. */
  at(place: number): Message | undefined {
    return this.#messages[place];
  }

  /** The newest `limit` messages after the message with the id `after`, oldest first. */
  list(query: { after?: string | undefined; limit?: number | undefined } = {}): readonly Message[] {
    const { after, limit = Number.POSITIVE_INFINITY } = query;
    // An unknown id lists from the first message on.
    const from = after === undefined ? 0 : (this.#places.get(after) ?? -1) + 1;
    return this.#messages.slice(Math.max(from, this.#messages.length - limit));
  }
}
