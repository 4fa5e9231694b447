// Event reader: the events of a manager with a store, from any that is kept on, and then live (D6).
//
// Owns a place in the journal. What the store keeps is read from it, a page ahead at most; from where the events of the recent past are
// in memory, they are read there. A reader that falls behind goes back to the store.

import type { RecentEvents } from "../events/recent-events.js";
import { type Source, Stream } from "../events/stream.js";
import type { TaskEvent } from "../task/events.js";
import { isApart, wholeOf } from "./large-outputs.js";
import type { TaskStore } from "./store.js";

const PAGE = 256;

interface ReaderDeps {
  readonly store: TaskStore;
  readonly recent: RecentEvents;
  /** `seq` of the newest that is stored. */
  readonly storedSeq: number;
  /** Resolves when the event of `seq` is stored. */
  readonly durable: (seq: number) => Promise<void>;
  readonly isClosed: () => boolean;
}

type Matches = (event: TaskEvent) => boolean;

export function readEvents(
  deps: ReaderDeps,
  from: number | undefined,
  matches: Matches,
  signal: AbortSignal | undefined,
): Stream<TaskEvent> {
  return new Stream(new EventReader(deps, from, matches), signal);
}

/** The newest `limit` events of those that match, oldest first. */
export async function newestEvents(
  store: Pick<TaskStore, "read" | "getOutput" | "outputPlace">,
  matches: Matches,
  limit: number,
): Promise<readonly TaskEvent[]> {
  let newest: TaskEvent[] = [];
  for await (const event of store.read()) {
    if (!matches(event)) continue;
    newest.push(event);
    if (newest.length >= 2 * limit + PAGE) newest = newest.slice(-limit);
  }
  return Promise.all(newest.slice(Math.max(0, newest.length - limit)).map((event) => wholeOf(event, store)));
}

class EventReader implements Source<TaskEvent> {
  readonly #deps: ReaderDeps;
  readonly #matches: Matches;
  /** The next one; not known before the first, when the oldest kept is wanted. */
  #seq: number | undefined;
  #page: TaskEvent[] = [];
  #reading: AsyncIterator<TaskEvent> | undefined;
  #isFetching = false;
  #isLeft = false;
  #failure: { readonly error: unknown } | undefined;
  readonly #wakes = new Set<() => void>();

  constructor(deps: ReaderDeps, from: number | undefined, matches: Matches) {
    this.#deps = deps;
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
      if (isRecent) this.#letGo();
      this.#seq = event.seq + 1;
      if (this.#matches(event)) return { value: event };
    }
  }

  isOver(): boolean {
    return this.#isLeft || (this.#deps.isClosed() && !this.#isFetching);
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
    this.#letGo();
  }

  /** Where the store is read is behind where the reader is, or nobody reads. */
  #letGo(): void {
    const reading = this.#reading;
    this.#reading = undefined;
    void reading?.return?.();
  }

  #fetch(): void {
    if (this.#isFetching || this.#isLeft) return;
    this.#isFetching = true;
    void this.#fetchPage()
      .catch((error: unknown) => {
        this.#failure = { error };
      })
      .finally(() => {
        this.#isFetching = false;
        for (const wake of [...this.#wakes]) wake();
      });
  }

  /** Where the store has no more, and memory not yet, it is being stored; or it never will be, and the reader is done. */
  async #fetchPage(): Promise<void> {
    const { store, recent, durable } = this.#deps;
    this.#reading ??= store.read({ from: this.#seq })[Symbol.asyncIterator]();
    const page: TaskEvent[] = [];
    while (page.length < PAGE) {
      const step = await this.#reading.next();
      if (step.done) {
        this.#reading = undefined;
        break;
      }
      page.push(isApart(step.value) ? await wholeOf(step.value, store) : step.value);
    }
    this.#page = page;
    if (page.length > 0) return;
    // A store that keeps nothing yet: the first is what was being stored when it was asked for.
    const { oldest } = recent;
    this.#seq ??= Math.min(oldest, this.#deps.storedSeq + 1);
    if (this.#seq < oldest) await durable(oldest - 1).catch(() => (this.#isLeft = true));
  }
}
