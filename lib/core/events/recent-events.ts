// Recent events: the newest events in memory, for readers of a stream (`events()`).
//
// Events are recorded only after the first read. At least the newest EVENTS_KEPT events are kept. A reader has a place
// in the list and no buffer of its own, so a slow reader costs nothing, and gets an `EventsCompactedError` when it
// falls behind. With a store, readers of slightly older events add those in front (`stored-events.ts`).

import { EventsCompactedError } from "../task/errors.js";
import type { TaskEvent } from "../task/events.js";
import { Stream } from "./stream.js";

const EVENTS_KEPT = 10_000;

/** The newest events of one manager. */
export class RecentEvents {
  #events: TaskEvent[] = [];
  /** `seq` of the first of `#events`. */
  #oldest: number;
  /** Whether no event will follow. */
  isClosed = false;
  readonly #waiting = new Set<() => void>();

  constructor(nextSeq: number) {
    this.#oldest = nextSeq;
  }

  /** `seq` of the oldest event that can be read. */
  get oldest(): number {
    return Math.max(this.#oldest, this.oldestKeepable);
  }
  /** `seq` of the oldest event that would be kept, if it was recorded. */
  get oldestKeepable(): number {
    return this.#next - EVENTS_KEPT;
  }
  get #next(): number {
    return this.#oldest + this.#events.length;
  }

  /** Adds the next event. An event that was decided before the first reader came is not kept. */
  add(event: TaskEvent): void {
    if (event.seq < this.#next) return;
    this.#events.push(event);
    // Half of the list is removed at once, so that keeping an event is O(1).
    if (this.#events.length >= 2 * EVENTS_KEPT) {
      this.#events = this.#events.slice(-EVENTS_KEPT);
      this.#oldest = event.seq - EVENTS_KEPT + 1;
    }
    this.#wake();
  }

  /** Adds older events, of which the last one is the event before `oldest`. */
  addOlder(events: readonly TaskEvent[]): void {
    const [first] = events;
    if (first === undefined || (events.at(-1)?.seq ?? 0) + 1 !== this.#oldest) return;
    this.#events = [...events, ...this.#events];
    this.#oldest = first.seq;
  }

  /** No event follows: readers end after the last one. */
  close(): void {
    this.isClosed = true;
    this.#wake();
  }

  /** The event of `seq`, which is not older than `oldest`. `undefined`: it has not been delivered yet. */
  at(seq: number): TaskEvent | undefined {
    return this.#events[seq - this.#oldest];
  }

  /** Calls `wake` at each event, and at the close, until the returned function is called. */
  listen(wake: () => void): () => void {
    this.#waiting.add(wake);
    return () => this.#waiting.delete(wake);
  }

  /** The newest `limit` matching events, oldest first. */
  newest(matches: (event: TaskEvent) => boolean, limit: number): readonly TaskEvent[] {
    const found: TaskEvent[] = [];
    for (let index = this.#events.length - 1; index >= 0 && found.length < limit; index--) {
      const event = this.#events[index];
      if (event !== undefined && matches(event)) found.push(event);
    }
    return found.reverse();
  }

  /** A stream of the matching events from `from` on. */
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
