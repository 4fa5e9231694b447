// Mailbox: the messages of one task, both ways, and which of the inbound ones its function has read (§8).
//
// Owns the list and the reader's place in it; sending and receiving are decided by the loop and waited for by `messages.ts`.

import type { Message } from "./message.js";

interface Receiver {
  resolve(taken: Unread): void;
  reject(error: Error): void;
}

/** An inbound message that nobody has read. */
export interface Unread {
  readonly message: Message;
  /** It is told of once this is stored (D1). */
  readonly seq: number;
}

export class Mailbox {
  readonly #messages: Message[] = [];
  readonly #unread: Unread[] = [];
  /** Those who wait in `receive`, first come first served. */
  readonly receivers = new Set<Receiver>();
  /** Those who wait for one to come, and leave it to others to take. */
  readonly lookouts = new Set<{ resolve(): void }>();

  /** An inbound message goes to the first that waits for one, or stays unread. `true`: one that waited has it. */
  add(message: Message, seq = 0): boolean {
    this.#messages.push(message);
    if (message.direction === "outbound") return false;
    const [receiver] = this.receivers;
    const unread = { message, seq };
    if (receiver !== undefined) {
      receiver.resolve(unread);
      return true;
    }
    this.#unread.push(unread);
    for (const lookout of [...this.lookouts]) lookout.resolve();
    return false;
  }

  get hasUnread(): boolean {
    return this.#unread.length > 0;
  }
  get unread(): readonly Unread[] {
    return this.#unread;
  }

  /** Its loop has it otherwise than by receiving it. */
  read(message: Message): void {
    const index = this.#unread.findIndex((unread) => unread.message === message);
    if (index >= 0) this.#unread.splice(index, 1);
  }

  /** It is the oldest unread one again. */
  putBack(taken: Unread): void {
    this.#unread.unshift(taken);
  }

  /** The function is over: whoever waits here, it or another that had its context, waits for nothing. */
  close(errorOf: () => Error): void {
    for (const receiver of [...this.receivers]) receiver.reject(errorOf());
  }

  /** Kept for the record only: it answered a question, nobody else reads it. */
  keep(message: Message): void {
    this.#messages.push(message);
  }

  takeUnread(): Unread | undefined {
    return this.#unread.shift();
  }

  /** The newest `limit` after the message id `after`, oldest first. */
  list(query: { after?: string | undefined; limit?: number | undefined } = {}): readonly Message[] {
    const { after, limit = Number.POSITIVE_INFINITY } = query;
    // From the first on, when there is none with that id.
    const from = this.#messages.findIndex((message) => message.id === after) + 1;
    const found = this.#messages.slice(from);
    return found.slice(Math.max(0, found.length - limit));
  }
}
