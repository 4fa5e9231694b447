// Stored mark: how far the facts of one manager are stored, and the callers that wait for it (D1).
//
// Owns the only answer to "is it stored?". Without a store every fact counts as stored. Written by the committer. Read
// by the loop, which holds deliveries, and by every part that resolves once a fact is stored.

interface Waiter {
  readonly seq: number;
  readonly orFailing: boolean;
  readonly resolve: () => void;
  readonly reject: (why: Error) => void;
}

/** How far the facts of one manager are stored. */
export class StoredMark {
  #seq = Number.POSITIVE_INFINITY;
  #deliverable = Number.POSITIVE_INFINITY;
  #isStrict = false;
  #isFailing = false;
  #waiting: Waiter[] = [];
  /** Why nothing more will be stored. */
  #ended: Error | undefined;

  /** A store is attached, whose newest fact is `seq`. Without `isStrict`, no delivery waits for it. */
  attach(seq: number, isStrict: boolean): void {
    this.#isStrict = isStrict;
    this.#set(seq);
  }

  /** `seq` of the newest stored fact. */
  get seq(): number {
    return this.#seq;
  }

  /** `seq` of the newest fact that may be delivered: with relaxed durability, every fact. */
  get deliverable(): number {
    return this.#deliverable;
  }

  /** Resolves when the fact `seq` is stored. Rejects when it will not be. */
  until(seq: number): Promise<void> {
    return this.missing(seq) ?? Promise.resolve();
  }

  /** Same as `until`; `undefined`: the fact is stored. */
  missing(seq: number): Promise<void> | undefined {
    return seq <= this.#seq ? undefined : this.#wait(seq, false);
  }

  /** Resolves when the fact `seq` is stored, or while the store fails: for readers of stored events. */
  readable(seq: number): Promise<void> {
    return seq <= this.#seq || this.#isFailing ? Promise.resolve() : this.#wait(seq, true);
  }

  #wait(seq: number, orFailing: boolean): Promise<void> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => this.#waiting.push({ seq, orFailing, resolve, reject }));
  }

  // ── for the committer ────────────────────────────────────────────────────

  /** Every fact up to `seq` is stored. */
  advance(seq: number): void {
    this.#isFailing = false;
    this.#set(seq);
    this.#release((waiter) => waiter.seq <= seq);
  }

  /** The store fails. */
  failing(): void {
    this.#isFailing = true;
    this.#release(({ orFailing }) => orFailing);
  }

  /** Nothing more will be stored: rejects every caller that waits, and every later one. */
  end(why: Error): void {
    this.#ended = why;
    for (const { reject } of this.#waiting.splice(0)) reject(why);
  }

  #set(seq: number): void {
    this.#seq = seq;
    if (this.#isStrict) this.#deliverable = seq;
  }

  #release(isDue: (waiter: Waiter) => boolean): void {
    if (this.#waiting.length === 0) return;
    const due = this.#waiting.filter(isDue);
    this.#waiting = this.#waiting.filter((waiter) => !isDue(waiter));
    for (const { resolve } of due) resolve();
  }
}
