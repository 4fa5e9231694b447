// Journal: the events of the recent past, for those who read them as a stream (`events()`).
//
// In memory, and only from the moment somebody first asks: history nobody asked for is not kept. It holds the newest KEPT events;
// a reader has a place in it and no buffer of its own, so a slow reader costs nothing and falls behind openly.

import { EventsCompactedError } from "../task/errors.js";
import type { TaskEvent } from "../task/events.js";
import { Stream } from "./stream.js";

const EVENTS_KEPT = 10_000;

export class RecentEvents {
  #events: TaskEvent[] = [];
  /** `seq` of the first of `#events`. */
  #oldest: number;
  isClosed = false;
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
    this.isClosed = true;
    this.#wake();
  }

  /** `undefined`: it has not been told yet. It is not older than `oldest`. */
  at(seq: number): TaskEvent | undefined {
    return this.#events[seq - this.#oldest];
  }

  /** Calls `wake` at each event, and when it is closed, until the returned off is called. */
  listen(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }

  /** The newest `limit` that match, oldest first. */
  newest(matches: (event: TaskEvent) => boolean, limit: number): readonly TaskEvent[] {
    const found = this.#events.filter(matches);
    return found.slice(Math.max(0, found.length - limit));
  }

  /** From `seq` on, those that match. */
  read(from: number, matches: (event: TaskEvent) => boolean, signal: AbortSignal | undefined): Stream<TaskEvent> {
    let seq = from;
    const next = () => {
      for (;;) {
        if (seq < this.oldest) throw new EventsCompactedError(seq, this.oldest);
        const event = this.at(seq);
        if (event === undefined) return undefined;
        seq++;
        if (matches(event)) return { value: event };
      }
    };
    const isOver = () => this.isClosed;
    return new Stream({ next, isOver, listen: (wake) => this.listen(wake) }, signal);
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
