// Snapshots: the laws of `compact`: what a snapshot replaces, and which events stay readable (D6).

import assert from "node:assert/strict";
import type { Json } from "../../core/values/json.js";
import { eventsOf, type Law, type LawStore, notes, opened, rejectsWith } from "./law.js";

/** The laws of snapshots. */
export const SNAPSHOTS: readonly Law[] = [
  [
    "a snapshot is given back from then on, and the events behind it with their seqs (D6)",
    async ({ store, reopen }) => {
      await opened(store);
      await store.append(notes(1, 5));
      await store.compact({ tasks: [{ id: "a", tags: [] }], count: 1 }, 3);
      await store.append(notes(6, 7));
      const again = await reopen();
      assert.deepEqual(await opened(again), { nextSeq: 8, snapshot: { tasks: [{ id: "a", tags: [] }], count: 1 } });
      assert.deepEqual(await eventsOf(again, { from: 4 }), notes(4, 7));
      await again.compact({ tasks: [] }, 7);
      assert.deepEqual(await again.peek(), { nextSeq: 8, snapshot: { tasks: [] } });
      await again.append(notes(8, 8));
      assert.deepEqual(await eventsOf(again, { from: 8 }), notes(8, 8));
      await again.close();
    },
  ],
  ...[null, "text", 0, true, [], {}, [1, [2]], { a: null, "": { b: [] }, list: [null, "x", {}] }].map(
    (snapshot: Json) =>
      [
        `a snapshot may be any JSON: ${JSON.stringify(snapshot)} (D6)`,
        async ({ store, reopen }: LawStore) => {
          await opened(store);
          await store.compact(snapshot, 0);
          assert.deepEqual((await opened(await reopen())).snapshot, snapshot);
        },
      ] as const,
  ),
  [
    "a snapshot may stand for more than was appended: then the next seq is behind it (D6)",
    async ({ store, reopen }) => {
      await opened(store);
      await store.append(notes(1, 3));
      await store.compact("all", 10);
      assert.deepEqual(await store.peek(), { nextSeq: 11, snapshot: "all" });
      const again = await reopen();
      assert.equal((await opened(again)).nextSeq, 11);
      await again.append(notes(11, 12));
      assert.deepEqual(await eventsOf(again, { from: 11 }), notes(11, 12));
      assert.deepEqual(await eventsOf(again), notes(11, 12));
      await rejectsWith("EVENTS_COMPACTED", eventsOf(again, { from: 10 }), { oldest: 11 });
      await again.close();
    },
  ],
  [
    "a snapshot may be ahead of an append that is still to come (D6)",
    async ({ store, reopen }) => {
      await opened(store);
      await store.append(notes(1, 3));
      await store.compact("five", 5);
      await store.append(notes(4, 6));
      const again = await reopen();
      assert.equal((await opened(again)).nextSeq, 7);
      assert.deepEqual(await eventsOf(again), notes(1, 6));
      await again.close();
    },
  ],
  [
    "a snapshot is taken while an append is under way, and both are kept (D6)",
    async ({ store, reopen }) => {
      await opened(store);
      await store.append(notes(1, 3));
      await Promise.all([store.compact("three", 3), store.append(notes(4, 200)), store.compact("late", 3)]);
      const again = await reopen();
      assert.deepEqual(await opened(again), { nextSeq: 201, snapshot: "late" });
      assert.deepEqual(await eventsOf(again, { from: 4 }), notes(4, 200));
      await again.close();
    },
  ],
  [
    "reading from before the oldest kept is EventsCompactedError, which names the oldest (D6)",
    async ({ store }) => {
      await opened(store);
      await rejectsWith("EVENTS_COMPACTED", eventsOf(store, { from: 0 }), { oldest: 1 });
      await store.append(notes(1, 3));
      await store.compact("ten", 10);
      await store.append(notes(11, 12));
      await rejectsWith("EVENTS_COMPACTED", eventsOf(store, { from: 1 }), { oldest: 11 });
      await store.close();
    },
  ],
  [
    "a store that has only a snapshot keeps no event before it (D6)",
    async ({ store }) => {
      await opened(store);
      await store.compact("ten", 10);
      await rejectsWith("EVENTS_COMPACTED", eventsOf(store, { from: 10 }), { oldest: 11 });
      assert.deepEqual(await eventsOf(store, { from: 11 }), []);
      assert.deepEqual(await eventsOf(store), []);
      await store.close();
    },
  ],
];
