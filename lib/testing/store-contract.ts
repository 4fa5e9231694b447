// Store contract: the laws of `TaskStore`, to be run against a store by any test runner.
//
// A law makes its own store, and asks of it what the manager asks: nothing is assumed of where or how it keeps things. Each title names the
// rule it protects (D1, D2, D3, D6, D7).

import assert from "node:assert/strict";
import type { ReadOptions, TaskStore } from "../core/durable/store.js";
import { type ErrandErrorCode, isErrandError } from "../core/task/errors.js";
import type { TaskEvent } from "../core/task/events.js";
import type { Runtime } from "../core/task/record.js";
import { checkType } from "../core/values/checks.js";
import type { Json } from "../core/values/json.js";

/** A store under test, on a place of its own. */
export interface StoreUnderTest {
  /** Not open yet. */
  readonly store: TaskStore;
  /** Another store on the same data, not open yet, once the first was closed or is given up: it closes or abandons what it finds open. */
  reopen(): Promise<TaskStore>;
  /** Takes away what was made. */
  cleanup(): Promise<void>;
}

/** One thing that a store must keep. `run` rejects when it does not. */
export interface StoreLaw {
  readonly title: string;
  run(): Promise<void>;
}

/** Every law of a store; `make` gives an empty one for each. */
export function storeContract(make: () => Promise<StoreUnderTest>): readonly StoreLaw[] {
  checkType("make", make, "function");
  return LAWS.map(([title, law]) => ({
    title,
    async run() {
      const made = await make();
      try {
        await law({ store: made.store, reopen: () => made.reopen() });
      } finally {
        await made.cleanup();
      }
    },
  }));
}

interface Given {
  readonly store: TaskStore;
  readonly reopen: () => Promise<TaskStore>;
}

const LAWS: readonly (readonly [title: string, law: (given: Given) => Promise<void>])[] = [
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
    "what was given may be changed afterwards, and changes nothing that is kept (D2)",
    async ({ store }) => {
      await opened(store);
      const payload = { pages: [1, 2] };
      const snapshot = { tasks: [{ id: "a" }] };
      const output = { lines: ["one"] };
      await store.append([note(1, payload)]);
      await store.compact(snapshot, 0);
      await store.putOutput("a", output);
      payload.pages.push(3);
      snapshot.tasks.push({ id: "b" });
      output.lines.push("two");
      assert.deepEqual(await eventsOf(store), [note(1, { pages: [1, 2] })]);
      assert.deepEqual((await store.peek()).snapshot, { tasks: [{ id: "a" }] });
      assert.deepEqual(await store.getOutput("a"), { lines: ["one"] });
      await store.close();
    },
  ],
  [
    "what was got may be changed, and changes nothing that is kept (D2)",
    async ({ store }) => {
      await opened(store);
      await store.append([note(1, { pages: [1, 2] })]);
      await store.compact({ tasks: [1] }, 0);
      await store.putOutput("a", { lines: ["one"] });
      for (const event of await eventsOf(store)) spoil(event);
      spoil((await store.peek()).snapshot);
      spoil(await store.getOutput("a"));
      assert.deepEqual(await eventsOf(store), [note(1, { pages: [1, 2] })]);
      assert.deepEqual((await store.peek()).snapshot, { tasks: [1] });
      assert.deepEqual(await store.getOutput("a"), { lines: ["one"] });
      await store.close();
    },
  ],
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
        async ({ store, reopen }: Given) => {
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
  [
    "a record of five megabytes is kept, among small ones (D7)",
    async ({ store, reopen }) => {
      await opened(store);
      const long = "päge 😀\n".repeat(600_000);
      const batch = [note(1), note(2), note(3, { long }), note(4)];
      await store.append(batch);
      await store.putOutput("long", [long]);
      await store.compact({ tasks: [1, { long }] }, 0);
      const again = await reopen();
      const { snapshot } = await opened(again);
      assert.deepEqual(snapshot, { tasks: [1, { long }] });
      assert.deepEqual(await eventsOf(again), batch);
      assert.deepEqual(await again.getOutput("long"), [long]);
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
    "any text is kept: half a surrogate pair, U+2028, NUL, line ends, quotes, what looks like a store's own (D7)",
    async ({ store, reopen }) => {
      await opened(store);
      await keeps(store, reopen, TEXTS);
    },
  ],
  [
    "any number is kept; minus zero is zero (D7)",
    async ({ store, reopen }) => {
      await opened(store);
      const numbers = [0, 1, -1, 2 ** 53, -(2 ** 53), 1e-7, 5e-324, 1.7976931348623157e308, 0.1 + 0.2];
      await keeps(store, reopen, numbers);
      const again = await reopen();
      await opened(again);
      await again.putOutput("zero", -0);
      assert.ok(Object.is(await again.getOutput("zero"), 0));
      await again.close();
    },
  ],
  [
    "a field named __proto__ is one like any other, at any depth (D7)",
    async ({ store, reopen }) => {
      await opened(store);
      const value = (): { [key: string]: Json } => ({
        ...asOwn("__proto__", { isAdmin: true }),
        constructor: 1,
        in: [asOwn("__proto__", 1)],
      });
      await store.append([note(1, value())]);
      await store.putOutput("a", value());
      await store.compact(value(), 0);
      const again = await reopen();
      const { snapshot } = await opened(again);
      const [event] = await eventsOf(again);
      const payload = event?.type === "custom" ? event.payload : undefined;
      for (const got of [snapshot, payload, await again.getOutput("a")])
        assert.equal(JSON.stringify(got), JSON.stringify(value()));
      assert.equal(Object.hasOwn({}, "isAdmin"), false);
      await again.close();
    },
  ],
  [
    "an output is put, got, replaced and deleted (D7)",
    async ({ store, reopen }) => {
      await opened(store);
      assert.equal(await store.getOutput("a"), undefined);
      await store.putOutput("a", { page: 1 });
      await store.putOutput("b", null);
      await store.putOutput("a", { page: 2 });
      await store.putOutput("c", "three");
      const again = await reopen();
      await opened(again);
      assert.deepEqual(await again.getOutput("a"), { page: 2 });
      assert.equal(await again.getOutput("b"), null);
      await again.deleteOutputs(["b", "nobody", "c"]);
      await again.deleteOutputs([]);
      assert.equal(await again.getOutput("b"), undefined);
      assert.equal(await again.getOutput("c"), undefined);
      assert.deepEqual(await again.getOutput("a"), { page: 2 });
      await again.close();
    },
  ],
  [
    "outputs may be put at the same time, also for one task: one of them is kept whole (D7)",
    async ({ store }) => {
      await opened(store);
      const ids = Array.from({ length: 20 }, (_, index) => `task_${index}`);
      await Promise.all(ids.map((id) => store.putOutput(id, { id })));
      for (const id of ids) assert.deepEqual(await store.getOutput(id), { id });
      const texts = ids.map((id) => id.repeat(10_000));
      await Promise.all(texts.map((text) => store.putOutput("one", text)));
      const kept = await store.getOutput("one");
      assert.ok(texts.some((text) => text === kept));
      await store.close();
    },
  ],
  [
    "an id is any text, stays where outputs are, and is no other id (D7)",
    async ({ store, reopen }) => {
      await opened(store);
      for (const [index, id] of IDS.entries()) await store.putOutput(id, { index });
      await store.append(IDS.map((id, index) => ({ ...note(index + 1), taskId: id })));
      const again = await reopen();
      await opened(again);
      for (const [index, id] of IDS.entries())
        assert.deepEqual(await again.getOutput(id), { index }, JSON.stringify(id));
      const events = await eventsOf(again);
      assert.deepEqual(
        events.map(({ taskId }) => taskId),
        IDS,
      );
      await again.deleteOutputs(IDS.slice(1));
      assert.deepEqual(await again.getOutput(IDS[0] ?? ""), { index: 0 });
      assert.equal((await again.peek()).nextSeq, IDS.length + 1);
      await again.close();
    },
  ],
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

// ── what the laws are told with ────────────────────────────────────────────

const WRITER: Runtime = { instanceId: "contract", pid: process.pid, startedAt: 1 };

function opened(store: TaskStore): ReturnType<TaskStore["open"]> {
  return store.open(WRITER);
}

function note(seq: number, payload: Json = { page: seq }): TaskEvent {
  return { type: "custom", seq, at: 1_700_000_000_000 + seq, taskId: `task_${seq}`, attempt: 1, name: "note", payload };
}

function notes(first: number, last: number): TaskEvent[] {
  return Array.from({ length: last - first + 1 }, (_, index) => note(first + index));
}

async function eventsOf(store: TaskStore, options?: ReadOptions): Promise<TaskEvent[]> {
  const events: TaskEvent[] = [];
  for await (const event of store.read(options)) events.push(event);
  return events;
}

/** Puts `values` through every door, and takes them out of another store. */
async function keeps(store: TaskStore, reopen: () => Promise<TaskStore>, values: readonly Json[]): Promise<void> {
  const named = Object.fromEntries(values.map((value) => [JSON.stringify(value), value]));
  const events = values.map((value, index) => note(index + 1, { value, named }));
  for (const event of events) await store.append([event]);
  await store.putOutput("values", { values, named });
  await store.compact({ values, named }, 0);
  const again = await reopen();
  assert.deepEqual((await opened(again)).snapshot, { values, named });
  assert.deepEqual(await eventsOf(again), events);
  assert.deepEqual(await again.getOutput("values"), { values, named });
  await again.close();
}

/** Changes whatever of a value can be changed. */
function spoil(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const field of Object.values(value)) spoil(field);
  if (!Object.isFrozen(value)) Reflect.set(value, Array.isArray(value) ? 0 : "spoiled", "spoiled");
}

function asOwn(key: string, value: Json): { [key: string]: Json } {
  return Object.defineProperty({}, key, { value, enumerable: true, configurable: true, writable: true });
}

async function rejectsWith(
  code: ErrandErrorCode,
  promise: Promise<unknown>,
  fields: { readonly [field: string]: unknown },
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isErrandError(error, code), `${String(error)} is no ${code}`);
    for (const [field, value] of Object.entries(fields)) assert.deepEqual(Reflect.get(error, field), value, field);
    return true;
  });
}

const TEXTS: readonly string[] = [
  "",
  "\ud800",
  "\udc00 \ud83d",
  "\u2028\u2029",
  "😀 👩‍👩‍👧 e\u0301",
  "\0",
  "a\0b\u0001\u001f\u007f",
  "\n",
  "one\r\ntwo\n",
  '"\\"',
  '{"a":1}\n',
  ',"crc":"00000000"}',
  ',"crc":"00000000"}\n',
  ',"batch":1}',
  "\ufeff",
  "\uffff\ufffd",
];

const IDS: readonly string[] = [
  "task_1",
  "Task_1",
  "TASK_1",
  "",
  ".",
  "..",
  "../x",
  "../../journal",
  "/etc/passwd",
  "..\\x",
  "C:\\x",
  "x/y",
  "x%2fy",
  "%",
  "%0041",
  "A",
  "a",
  "con",
  "CON",
  "nul",
  "lpt1",
  "x.",
  "x ",
  " x",
  "x.json",
  "x.tmp",
  "x\0y",
  "x\ny",
  "é",
  "e\u0301",
  "日本",
  "😀",
  "\ud83d",
  "\ude00",
  "*?<>|:\"'",
  "a".repeat(300),
  "a".repeat(301),
  "/".repeat(300),
  "__proto__",
  "constructor",
];
