// How many of a task's pending waits its record and its events list (D6).

import { type TaskContext, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";

/** A manager, and the sum of what all `task.blocked` events list. */
function world() {
  const manager = new TaskManager({ limits: { maxChildren: 5_000, maxDescendants: 5_000 } });
  const listed = { events: 0, waits: 0, tasks: 0 };
  manager.on("task.blocked", ({ blockedOn }) => {
    listed.events++;
    listed.waits += blockedOn.length;
    for (const wait of blockedOn) if (wait.on === "tasks") listed.tasks += wait.taskIds.length;
  });
  return { manager, listed };
}

const MANY = 600;
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe("a task with many pending waits", () => {
  test("D6 lists the oldest 100 in its record, and makes no event for a change of the others", async () => {
    const { manager, listed } = world();
    const asking = manager.spawn((ctx) =>
      Promise.all(upTo(MANY).map((index) => ctx.ask({ question: "Which?", key: `k${index}` }))),
    );
    await settled();
    const ids = manager.inbox.list().map(({ id }) => id);
    expect(ids).toHaveLength(MANY);
    const first = ids.slice(0, 100).map((requestId) => ({ on: "input", requestId }));
    expect(asking.record.blockedOn).toEqual(first);
    expect(listed.events).toBe(100);
    // The newest questions are answered first: the record lists the others only near the end.
    for (const id of ids.slice(110).toReversed()) void manager.inbox.answer(id, "a", { by: "ada" });
    await settled();
    expect([listed.events, asking.record.blockedOn]).toEqual([100, first]);
    void manager.inbox.answer(ids[0] ?? "", "a", { by: "ada" });
    await settled();
    expect(asking.record.blockedOn).toEqual(ids.slice(1, 101).map((requestId) => ({ on: "input", requestId })));
    for (const id of ids.slice(1, 110)) void manager.inbox.answer(id, "a", { by: "ada" });
    expect(await asking.result()).toHaveLength(MANY);
    expect(asking.record.blockedOn).toEqual([]);
  });

  test("D6 makes a journal that is linear in the number of its children, whichever way it waits for them", async () => {
    const { manager, listed } = world();
    const children = (ctx: TaskContext) => upTo(MANY).map(() => ctx.spawn((child) => child.receive()));
    const parents = [
      manager.spawn((ctx) => Promise.all(children(ctx).map((child) => child.outcome()))),
      manager.spawn(async (ctx) => {
        let ended = 0;
        for await (const _ of ctx.outcomes(children(ctx))) ended++;
        return ended;
      }),
    ];
    await settled();
    for (const { parentId, id } of manager.list()) {
      if (parentId === undefined) continue;
      void manager.get(id)?.send("go");
      await settled();
    }
    for (const parent of parents) await parent.result();
    expect(listed.waits).toBeLessThan(parents.length * MANY * 110);
    expect(listed.tasks).toBeLessThan(parents.length * MANY * 110);
  });
});
