// Damage: the laws of values that a careless store would damage: values that the caller changes later, very long
// values, unusual texts and numbers, and field names with a meaning in JavaScript (D2, D7).

import assert from "node:assert/strict";
import type { TaskStore } from "../../core/durable/store.js";
import type { Json } from "../../core/values/json.js";
import { eventsOf, type Law, note, opened } from "./law.js";

/** The laws of values that must stay as they were stored. */
export const DAMAGE: readonly Law[] = [
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
];

/** Stores `values` as events, as an output and as a snapshot, and reads all of them back from another store. */
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

/** Changes each part of `value` that can be changed. */
function spoil(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  for (const field of Object.values(value)) spoil(field);
  if (!Object.isFrozen(value)) Reflect.set(value, Array.isArray(value) ? 0 : "spoiled", "spoiled");
}

/** Returns an object with `key` as its own field, also where `key` is `__proto__`. */
function asOwn(key: string, value: Json): { [key: string]: Json } {
  return Object.defineProperty({}, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Texts that a careless store cuts, escapes twice, or takes for its own format. */
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
