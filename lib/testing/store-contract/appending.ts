// Appending: the laws of `append` and `read`: order, whole batches, and reads beside a writer (D1, D2, D5, D6).

import assert from "node:assert/strict";
import { eventsOf, type Law, note, notes, opened } from "./law.js";

/** The laws of events that are appended and read. */
export const APPENDING: readonly Law[] = [
  [
    "a new store has no event and no snapshot, and its next seq is 1 (D6)",
    async ({ store }) => {
      assert.deepEqual(await opened(store), { nextSeq: 1 });
      assert.deepEqual(await eventsOf(store), []);
      await store.close();
    },
  ],
  [
    "events are read in the order they were appended, without a gap (D6)",
    async ({ store }) => {
      await opened(store);
      await store.append(notes(1, 3));
      await store.append(notes(4, 4));
      await store.append(notes(5, 100));
      assert.deepEqual(await eventsOf(store), notes(1, 100));
      await store.close();
    },
  ],
  [
    "an append that resolved is read by another store on the same data (D2)",
    async ({ store, reopen }) => {
      await opened(store);
      await store.append(notes(1, 3));
      await store.append(notes(4, 9));
      const again = await reopen();
      assert.equal((await opened(again)).nextSeq, 10);
      assert.deepEqual(await eventsOf(again), notes(1, 9));
      await again.append(notes(10, 11));
      assert.deepEqual(await eventsOf(again), notes(1, 11));
      await again.close();
    },
  ],
  [
    "events are read, and peeked at, before the store is open (D3)",
    async ({ store, reopen }) => {
      await opened(store);
      await store.append(notes(1, 3));
      await store.compact({ tasks: [] }, 2);
      const again = await reopen();
      assert.deepEqual(await again.peek(), { nextSeq: 4, snapshot: { tasks: [] } });
      assert.deepEqual(await eventsOf(again, { from: 3 }), notes(3, 3));
    },
  ],
  [
    "a batch with an event out of order is refused, and nothing of it is kept (D2)",
    async ({ store, reopen }) => {
      await opened(store);
      await assert.rejects(store.append(notes(2, 3)));
      await store.append(notes(1, 2));
      await assert.rejects(store.append(notes(4, 5)), "a gap before it");
      await assert.rejects(store.append(notes(2, 5)), "one that is there");
      await assert.rejects(store.append([...notes(3, 4), ...notes(6, 6)]), "a gap inside it");
      assert.deepEqual(await eventsOf(store), notes(1, 2));
      await store.append(notes(3, 4));
      const again = await reopen();
      assert.equal((await opened(again)).nextSeq, 5);
      assert.deepEqual(await eventsOf(again), notes(1, 4));
      await again.close();
    },
  ],
  [
    "a batch that cannot be written is refused whole, and what follows is kept (D2, D5)",
    async ({ store }) => {
      await opened(store);
      await store.append(notes(1, 2));
      const unwritable = {
        ...note(4),
        toJSON: () => {
          throw new Error("out of paper");
        },
      };
      await assert.rejects(store.append([note(3), unwritable, note(5)]));
      assert.deepEqual(await eventsOf(store), notes(1, 2));
      await store.append(notes(3, 5));
      assert.deepEqual(await eventsOf(store), notes(1, 5));
      await store.close();
    },
  ],
  [
    "an empty batch is nothing (D1)",
    async ({ store, reopen }) => {
      await opened(store);
      await store.append([]);
      await store.append(notes(1, 1));
      await store.append([]);
      const again = await reopen();
      assert.equal((await opened(again)).nextSeq, 2);
      assert.deepEqual(await eventsOf(again), notes(1, 1));
      await again.close();
    },
  ],
  [
    "a batch of ten thousand events is kept (D2)",
    async ({ store, reopen }) => {
      await opened(store);
      await store.append(notes(1, 10_000));
      const again = await reopen();
      assert.equal((await opened(again)).nextSeq, 10_001);
      assert.deepEqual(await eventsOf(again), notes(1, 10_000));
      await again.close();
    },
  ],
  [
    "events are read from any seq on, and from behind the last one there is none (D6)",
    async ({ store }) => {
      await opened(store);
      for (const [first, last] of [
        [1, 1],
        [2, 7],
        [8, 8],
        [9, 10],
      ] as const)
        await store.append(notes(first, last));
      for (let from = 1; from <= 10; from++) assert.deepEqual(await eventsOf(store, { from }), notes(from, 10));
      assert.deepEqual(await eventsOf(store, { from: 11 }), []);
      await store.close();
    },
  ],
  [
    "an aborted read rejects with the reason of its signal (D6)",
    async ({ store }) => {
      await opened(store);
      await store.append(notes(1, 5));
      const reason = new Error("enough");
      await assert.rejects(eventsOf(store, { signal: AbortSignal.abort(reason) }), reason);
      const abort = new AbortController();
      const seen: number[] = [];
      const read = async (): Promise<void> => {
        for await (const { seq } of store.read({ signal: abort.signal })) {
          seen.push(seq);
          if (seq === 2) abort.abort(reason);
        }
      };
      await assert.rejects(read(), reason);
      assert.deepEqual(seen, [1, 2]);
      await store.close();
    },
  ],
  [
    "a read may be left half-way, and two may go on at once (D6)",
    async ({ store }) => {
      await opened(store);
      await store.append(notes(1, 5));
      for await (const { seq } of store.read()) if (seq === 2) break;
      assert.deepEqual(await Promise.all([eventsOf(store), eventsOf(store, { from: 2 })]), [notes(1, 5), notes(2, 5)]);
      await store.close();
    },
  ],
  [
    "a read while appends go on gives whole events in order, and all whose append had resolved (D1, D6)",
    async ({ store }) => {
      await opened(store);
      await store.append(notes(1, 10));
      let isOver = false;
      const write = async (): Promise<void> => {
        for (let seq = 11; seq < 400; seq += 13) await store.append(notes(seq, seq + 12));
        isOver = true;
      };
      const written = write();
      for (let durable = 10; !isOver; ) {
        const events = await eventsOf(store);
        assert.deepEqual(events, notes(1, events.length));
        assert.ok(events.length >= durable);
        durable = events.length;
      }
      await written;
      await store.close();
    },
  ],
];
