// Mailbox: the messages of one task, both ways, and which of the inbound ones its function has read (§8).
//
// Owns the list and the reader's place in it; sending and receiving are decided by the loop and waited for by `messages.ts`. However many messages
// there are, to add, to take and to find one is O(1); to give one back is O(log n).

import { RankQueue } from "../lanes/rank-queue.js";
import type { Message } from "../task/message.js";
import { Fifo, type Placed } from "../values/fifo.js";
import type { Ranked } from "../values/heap.js";

export interface Receiver extends Placed {
  resolve(taken: Unread): void;
  reject(error: Error): void;
}

/** An inbound message that nothing has read; its rank is its place in order of coming. */
export interface Unread extends Ranked {
  readonly message: Message;
  /** The message is delivered once this is stored (D1). */
  readonly seq: number;
}

export class Mailbox {
  readonly #messages: Message[] = [];
  /** The place of each message in `#messages`. */
  readonly #places = new Map<string, number>();
  #inbound = 0;
  readonly #unread = new RankQueue<Unread>();
  readonly #unreadOf = new Map<Message, Unread>();
  /** Those who wait in `receive`, first come first served. */
  readonly receivers = new Fifo<Receiver>();
  /** Those who wait for one to come, and leave it to others to take. */
  readonly lookouts = new Set<{ resolve(): void }>();

  /** How many inbound messages ever came. */
  get inbound(): number {
    return this.#inbound;
  }

  /** An inbound message goes to the first that waits for one, or stays unread. `true`: one that waited has it. */
  add(message: Message, seq = 0): boolean {
    this.keep(message);
    if (message.direction === "outbound") return false;
    const receiver = this.receivers.first();
    const unread = { message, seq, rank: this.#messages.length, order: 0, place: -1 };
    if (receiver !== undefined) {
      receiver.resolve(unread);
      return true;
    }
    this.putBack(unread);
    for (const lookout of [...this.lookouts]) lookout.resolve();
    return false;
  }

  get hasUnread(): boolean {
    return this.#unread.size > 0;
  }

  /** Oldest first. */
  unread(): Generator<Unread> {
    return this.#unread.inOrder();
  }

  /** Its loop has it otherwise than by receiving it. */
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

  /** The function is over: whoever waits here, it or another that had its context, waits for nothing. */
  close(errorOf: () => Error): void {
    for (const receiver of [...this.receivers.inOrder()]) receiver.reject(errorOf());
  }

  /** Kept for the record only: it answered a question, nothing else reads it. */
  keep(message: Message): void {
    this.#places.set(message.id, this.#messages.length);
    this.#messages.push(message);
    if (message.direction === "inbound") this.#inbound++;
  }

  takeUnread(): Unread | undefined {
    const unread = this.#unread.first();
    if (unread !== undefined) this.read(unread.message);
    return unread;
  }

  get size(): number {
    return this.#messages.length;
  }

  /** The message at a place, counted from 0 in order of coming. */
  at(place: number): Message | undefined {
    return this.#messages[place];
  }

  /** The newest `limit` after the message id `after`, oldest first. */
  list(query: { after?: string | undefined; limit?: number | undefined } = {}): readonly Message[] {
    const { after, limit = Number.POSITIVE_INFINITY } = query;
    // From the first on, when there is none with that id.
    const from = after === undefined ? 0 : (this.#places.get(after) ?? -1) + 1;
    return this.#messages.slice(Math.max(from, this.#messages.length - limit));
  }
}
