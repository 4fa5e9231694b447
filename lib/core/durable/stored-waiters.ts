// Stored waiters: the callers that wait until an event is stored.
//
// Owns the list only: the committer says what is stored, and when the store fails.

interface Waiter {
  readonly seq: number;
  readonly orFailed: boolean;
  readonly resolve: () => void;
  readonly reject: (why: Error) => void;
}

/** The callers that wait for events of one store. */
export class StoredWaiters {
  #waiting: Waiter[] = [];

  /** Resolves when the event of `seq` is stored; with `orFailed` also when the store fails. */
  until(seq: number, orFailed: boolean): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ seq, orFailed, resolve, reject }));
  }

  /** Every event up to `seq` is stored. */
  stored(seq: number): void {
    if (this.#waiting.length === 0) return;
    const stored = this.#waiting.filter((waiter) => waiter.seq <= seq);
    this.#waiting = this.#waiting.filter((waiter) => waiter.seq > seq);
    for (const { resolve } of stored) resolve();
  }

  /** The store fails. */
  failed(): void {
    for (const { orFailed, resolve } of this.#waiting) if (orFailed) resolve();
    this.#waiting = this.#waiting.filter(({ orFailed }) => !orFailed);
  }

  /** No event will be stored: every waiting caller is rejected. */
  reject(why: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(why);
  }
}
