// Outputs: the laws of large outputs, and of the ids under which a store keeps them (D7).

import assert from "node:assert/strict";
import { eventsOf, type Law, note, opened } from "./law.js";

/** The laws of outputs. */
export const OUTPUTS: readonly Law[] = [
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
      await again.deleteOutputs(["b", "absent", "c"]);
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
];

/** Ids that a careless store mixes up, or takes for a path or a device. */
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
