// Event lists: reads the events of a store in lists, and turns lists into single events.
//
// Each step of an asynchronous iteration costs some promises, so a reader of many events takes them in lists. Called by
// every reader of a store, and by the stores that yield lists.

import type { TaskEvent } from "../task/events.js";
import { throwIfAborted } from "../values/abort-signal.js";
import type { ReadOptions, TaskStore } from "./store.js";

/** The part of a store that reads events. */
export type EventSource = Pick<TaskStore, "read" | "readLists">;

/** The events of `store` in lists; each list has one event when the store yields no lists. */
export function listsOf(store: EventSource, options: ReadOptions): AsyncIterable<readonly TaskEvent[]> {
  return store.readLists?.(options) ?? inLists(store.read(options));
}

async function* inLists(events: AsyncIterable<TaskEvent>): AsyncGenerator<readonly TaskEvent[], void, undefined> {
  for await (const event of events) yield [event];
}

/** The events of the lists, one by one, until `signal` is aborted: then the step rejects with its reason. */
export async function* oneByOne(
  lists: AsyncIterable<readonly TaskEvent[]>,
  signal: AbortSignal | undefined,
): AsyncGenerator<TaskEvent, void, undefined> {
  for await (const events of lists) {
    for (const event of events) {
      yield event;
      throwIfAborted(signal);
    }
  }
}
