// Event reader: the events of a manager with a store, from any kept event on, and then live (D6).
//
// Owns a place in the journal. Old events are read from the store, about a page ahead; recent events, and those that
// memory recalls, are read from memory. A reader that falls behind continues in the store.

import type { RecentEvents } from "../events/recent-events.js";
import { type Source, Stream } from "../events/stream.js";
import type { TaskEvent } from "../task/events.js";
import { type EventSource, listsOf } from "./event-lists.js";
import { isApart, type OutputKeeper, wholeOf } from "./large-outputs.js";
import type { TaskStore } from "./store.js";
import { fromStore, storeFailure } from "./store-failure.js";
import type { StoredMark } from "./stored-mark.js";

const PAGE = 256;

interface ReaderDeps {
  readonly store: TaskStore;
  readonly recent: RecentEvents;
  /** How far the events are stored. */
  readonly mark: StoredMark;
  /** Reads the events from `seq` on into memory, if they are near. */
  recall(seq: number): Promise<void>;
}

/** Whether a reader wants an event. */
export type Matches = (event: TaskEvent) => boolean;

/** A stream of the matching events from `from` on, or from the oldest kept event. */
export function readEvents(
  deps: ReaderDeps,
  from: number | undefined,
  matches: Matches,
  signal: AbortSignal | undefined,
): Stream<TaskEvent> {
  return new Stream(new EventReader(deps, from, matches), signal);
}

/** The newest `limit` matching events, oldest first. */
export async function newestEvents(
  store: EventSource & OutputKeeper,
  matches: Matches,
  limit: number,
): Promise<readonly TaskEvent[]> {
  let newest: TaskEvent[] = [];
  await fromStore("read", async () => {
    for await (const events of listsOf(store, {})) {
      for (const event of events) if (matches(event)) newest.push(event);
      if (newest.length >= 2 * limit + PAGE) newest = newest.slice(newest.length - limit);
    }
  });
  return Promise.all(newest.slice(Math.max(0, newest.length - limit)).map((event) => wholeOf(event, store)));
}

class EventReader implements Source<TaskEvent> {
  readonly #deps: ReaderDeps;
  readonly #matches: Matches;
  /** `seq` of the newest stored event when the reader began. */
  readonly #storedSeq: number;
  /** `seq` of the next event. `undefined` before the first page, when the reader begins at the oldest kept event. */
  #seq: number | undefined;
  #page: TaskEvent[] = [];
  #reading: AsyncIterator<readonly TaskEvent[]> | undefined;
  #isFetching = false;
  #isLeft = false;
  #failure: { readonly error: unknown } | undefined;
  readonly #wakes = new Set<() => void>();

  constructor(deps: ReaderDeps, from: number | undefined, matches: Matches) {
    this.#deps = deps;
    this.#storedSeq = deps.mark.seq;
    this.#seq = from;
    this.#matches = matches;
  }

  next(): { readonly value: TaskEvent } | undefined {
    const { recent } = this.#deps;
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.error;
      const isRecent = this.#page.length === 0 && this.#seq !== undefined && this.#seq >= recent.oldest;
      const event = isRecent ? recent.at(this.#seq ?? 0) : this.#page.shift();
      if (event === undefined) {
        if (!isRecent) this.#fetch();
        return undefined;
      }
      if (isRecent) this.#stopReading();
      this.#seq = event.seq + 1;
      if (this.#matches(event)) return { value: event };
    }
  }

  isOver(): boolean {
    return this.#isLeft || (this.#deps.recent.isClosed && !this.#isFetching);
  }

  listen(wake: () => void): () => void {
    this.#wakes.add(wake);
    const unlisten = this.#deps.recent.listen(wake);
    return () => {
      this.#wakes.delete(wake);
      unlisten();
    };
  }

  left(): void {
    this.#isLeft = true;
    this.#stopReading();
  }

  /** Stops reading the store: the reader is ahead of that place, or has left. */
  #stopReading(): void {
    const reading = this.#reading;
    this.#reading = undefined;
    void reading?.return?.();
  }

  #fetch(): void {
    if (this.#isFetching || this.#isLeft) return;
    this.#isFetching = true;
    void this.#fetchPage()
      .catch((error: unknown) => {
        this.#failure = { error: storeFailure("read", error) };
      })
      .finally(() => {
        this.#isFetching = false;
        for (const wake of [...this.#wakes]) wake();
      });
  }

  /**
   * Reads the next page. When neither the store nor memory has the next event, it waits for the pending append. If the
   * event will never be stored, the reader ends.
   */
  async #fetchPage(): Promise<void> {
    const { store, recent, mark } = this.#deps;
    if (this.#reading === undefined && this.#seq !== undefined) {
      await this.#deps.recall(this.#seq);
      if (this.#seq >= recent.oldest) return;
    }
    this.#reading ??= listsOf(store, { from: this.#seq })[Symbol.asyncIterator]();
    const page: TaskEvent[] = [];
    while (page.length < PAGE) {
      const step = await this.#reading.next();
      if (step.done) {
        this.#reading = undefined;
        break;
      }
      for (const event of step.value) page.push(isApart(event) ? await wholeOf(event, store) : event);
    }
    this.#page = page;
    if (page.length > 0) return;
    // The store has no event yet: its first event was being stored at the first read.
    const { oldest } = recent;
    this.#seq ??= Math.min(oldest, this.#storedSeq + 1);
    if (this.#seq < oldest) await mark.until(oldest - 1).catch(() => (this.#isLeft = true));
  }
}
