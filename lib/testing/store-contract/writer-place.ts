// Writer's place: the laws of `open` and `close`: one writer at a time, and no write before or after (D1, D3).

import assert from "node:assert/strict";
import { eventsOf, type Law, notes, opened, rejectsWith, WRITER } from "./law.js";

/** The laws of opening and closing. */
export const WRITER_PLACE: readonly Law[] = [
  [
    "a store that is open is not opened a second time: StoreLockedError (D3)",
    async ({ store }) => {
      await opened(store);
      await rejectsWith("STORE_LOCKED", store.open(WRITER), {});
      await store.append(notes(1, 1));
      assert.deepEqual(await eventsOf(store), notes(1, 1));
      await store.close();
    },
  ],
  [
    "close gives the writer's place back; twice, and before open, it is nothing (D3)",
    async ({ store, reopen }) => {
      await store.close();
      await opened(store);
      await store.append(notes(1, 2));
      await store.close();
      await store.close();
      const again = await reopen();
      assert.equal((await opened(again)).nextSeq, 3);
      await again.close();
    },
  ],
  [
    "what writes rejects before open and after close, and nothing of it is kept (D1, D3)",
    async ({ store, reopen }) => {
      await rejectsWith("STORE_UNAVAILABLE", store.append(notes(1, 1)), {});
      await opened(store);
      await store.append(notes(1, 2));
      await store.close();
      await rejectsWith("STORE_UNAVAILABLE", store.append(notes(3, 3)), { needsSnapshot: false });
      await rejectsWith("STORE_UNAVAILABLE", store.compact("late", 2), {});
      await rejectsWith("STORE_UNAVAILABLE", store.putOutput("late", 2), {});
      await rejectsWith("STORE_UNAVAILABLE", store.deleteOutputs(["late"]), {});
      const again = await reopen();
      assert.deepEqual(await opened(again), { nextSeq: 3 });
      assert.deepEqual(await eventsOf(again), notes(1, 2));
      await again.close();
    },
  ],
  [
    "close waits for what is under way (D1)",
    async ({ store, reopen }) => {
      await opened(store);
      const appended = store.append(notes(1, 500));
      const compacted = store.compact("none", 0);
      await store.close();
      await Promise.all([appended, compacted]);
      const again = await reopen();
      assert.deepEqual(await opened(again), { nextSeq: 501, snapshot: "none" });
      await again.close();
    },
  ],
];
