// Journal: the events of the recent past, for those who read them as a stream (`events()`).
//
// In memory, and only from the moment somebody first asks: history nobody asked for is not kept. It holds the newest KEPT events;
// a reader has a place in it and no buffer of its own, so a slow reader costs nothing and falls behind openly.

import { EventsCompactedError } from "./errors.js";
import type { TaskEvent } from "./events.js";
import { follow } from "./signal.js";

export const EVENTS_KEPT = 10_000;

export class Journal {
  #events: TaskEvent[] = [];
  /** `seq` of the first of `#events`. */
  #oldest: number;
  #isClosed = false;
  readonly #waiting = new Set<() => void>();

  constructor(nextSeq: number) {
    this.#oldest = nextSeq;
  }

  get oldest(): number {
    return Math.max(this.#oldest, this.#next - EVENTS_KEPT);
  }
  get #next(): number {
    return this.#oldest + this.#events.length;
  }

  add(event: TaskEvent): void {
    this.#events.push(event);
    // Cut in halves, so that keeping is O(1) an event.
    if (this.#events.length >= 2 * EVENTS_KEPT) {
      this.#events = this.#events.slice(-EVENTS_KEPT);
      this.#oldest = event.seq - EVENTS_KEPT + 1;
    }
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *read(
    from: number,
    matches: (event: TaskEvent) => boolean,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<TaskEvent, void, undefined> {
    let seq = from;
    while (!signal?.aborted) {
      if (seq < this.oldest) throw new EventsCompactedError(seq, this.oldest);
      const event = this.#events[seq - this.#oldest];
      if (event !== undefined) {
        seq++;
        if (matches(event)) yield event;
      } else if (this.#isClosed) return;
      else await this.#more(signal);
    }
  }

  /** Resolves when there is more, when nothing more comes, or when `signal` aborts. */
  #more(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const unfollow = signal === undefined ? undefined : follow(signal, () => wake());
      const wake = () => {
        this.#waiting.delete(wake);
        unfollow?.();
        resolve();
      };
      this.#waiting.add(wake);
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
