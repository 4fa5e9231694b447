// Stored events: the events of a manager with a store, for its readers (`events()`, `history()`).
//
// Answers from memory where it can. Events that are a little older than the recent ones are read from the store once,
// for all readers, and are recent events from then on: many pages that connect again with an old cursor cost one read
// (D6). A reader of older events reads the store itself (`event-reader.ts`). Called by the core.

import type { RecentEvents } from "../events/recent-events.js";
import type { Stream } from "../events/stream.js";
import type { TaskEvent } from "../task/events.js";
import { freezeJson } from "../values/json.js";
import { listsOf } from "./event-lists.js";
import { type Matches, newestEvents, readEvents } from "./event-reader.js";
import { isApart } from "./large-outputs.js";
import type { TaskStore } from "./store.js";
import type { StoredMark } from "./stored-mark.js";

/** The events of one manager with a store. */
export class StoredEvents {
  readonly #store: TaskStore;
  readonly #mark: StoredMark;
  readonly #recentEvents: () => RecentEvents;
  /** The newest events, from the first read of a stream on. */
  #recent: RecentEvents | undefined;
  /** The reading of older events into memory: one at a time. */
  #recalling: Promise<void> | undefined;

  /** `recentEvents` is called at the first read of a stream: memory keeps events from then on. */
  constructor(store: TaskStore, mark: StoredMark, recentEvents: () => RecentEvents) {
    this.#store = store;
    this.#mark = mark;
    this.#recentEvents = recentEvents;
  }

  /** A stream of the matching events from `from` on, or from the oldest kept event. */
  read(from: number | undefined, matches: Matches, signal: AbortSignal | undefined): Stream<TaskEvent> {
    this.#recent ??= this.#recentEvents();
    const recent = this.#recent;
    const recall = (seq: number) => this.#recall(recent, seq);
    return readEvents({ store: this.#store, mark: this.#mark, recent, recall }, from, matches, signal);
  }

  /**
   * The newest `limit` events of a task, oldest first. `isOnly`: no other task has, or had, this id, so memory has all
   * events of the task when it has the first one.
   */
  history(taskId: string, isOnly: boolean, limit: number): Promise<readonly TaskEvent[]> {
    const matches: Matches = (event) => event.taskId === taskId;
    const found = this.#recent?.newest(matches, limit) ?? [];
    const isWhole = found.length >= limit || (isOnly && found[0]?.type === "task.created");
    return isWhole ? Promise.resolve(found) : newestEvents(this.#store, matches, limit);
  }

  /**
   * Reads the events from `seq` on into memory, if memory can keep them and all of them are stored. Rejects with the
   * error of the store.
   */
  async #recall(recent: RecentEvents, seq: number): Promise<void> {
    const isNear = () => seq < recent.oldest && seq >= recent.oldestKeepable && this.#mark.seq >= recent.oldest - 1;
    // The error of another reader concerns its own events.
    while (this.#recalling !== undefined && isNear()) await this.#recalling.catch(() => undefined);
    if (!isNear()) return;
    this.#recalling = this.#readOlder(recent, seq).finally(() => {
      this.#recalling = undefined;
    });
    await this.#recalling;
  }

  async #readOlder(recent: RecentEvents, from: number): Promise<void> {
    const end = recent.oldest;
    let older: TaskEvent[] = [];
    let next = from;
    for await (const events of listsOf(this.#store, { from })) {
      for (const event of events) {
        if (event.seq >= end) break;
        next = event.seq + 1;
        // Memory has whole events, and no outputs that are too long for the journal.
        if (isApart(event)) older = [];
        else older.push(freezeJson(event));
      }
      if (next >= end) break;
    }
    recent.addOlder(older);
  }
}
