// Lists: the laws of `readLists`, the optional reading of several events at once. A store without it keeps them all.

import assert from "node:assert/strict";
import type { ReadOptions, TaskStore } from "../../core/durable/store.js";
import type { TaskEvent } from "../../core/task/events.js";
import { eventsOf, type Law, notes, opened, rejectsWith } from "./law.js";

/** The laws of events that are read in lists. */
export const LISTS: readonly Law[] = [
  [
    "lists of events, joined, are the events that are read one by one, and no list is empty (D6)",
    async ({ store, reopen }) => {
      await opened(store);
      for (const [first, last] of [
        [1, 1],
        [2, 3],
        [4, 300],
        [301, 301],
      ] as const)
        await store.append(notes(first, last));
      for (const each of [store, await reopen()])
        for (const from of [undefined, 1, 3, 150, 301, 302])
          assert.deepEqual(await joined(each, { from }), await eventsOf(each, { from }), `from ${from}`);
      await store.close();
    },
  ],
  [
    "lists do not begin before the oldest kept event (D6)",
    async ({ store }) => {
      await opened(store);
      await store.append(notes(1, 9));
      await store.compact(null, 9);
      await store.append(notes(10, 12));
      await store.compact(null, 12);
      const [oldest] = await eventsOf(store);
      assert.deepEqual((await joined(store, {}))[0], oldest);
      await rejectsWith("EVENTS_COMPACTED", joined(store, { from: 0 }), {});
      await store.close();
    },
  ],
  [
    "lists of an aborted read reject with the reason of its signal (D6)",
    async ({ store }) => {
      await opened(store);
      await store.append(notes(1, 5));
      const reason = new Error("enough");
      if (store.readLists !== undefined)
        await assert.rejects(joined(store, { signal: AbortSignal.abort(reason) }), reason);
      await store.close();
    },
  ],
];

/** The events of all lists; of a store without lists, its events one by one. */
async function joined(store: TaskStore, options: ReadOptions): Promise<readonly TaskEvent[]> {
  if (store.readLists === undefined) return eventsOf(store, options);
  const events: TaskEvent[] = [];
  for await (const list of store.readLists(options)) {
    assert.ok(list.length > 0, "an empty list");
    events.push(...list);
  }
  return events;
}
