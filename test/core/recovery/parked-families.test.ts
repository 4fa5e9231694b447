// Closing on families whose kinds go on: whoever returns while its child is left for the next process is left with it (D8, H1, H7).

import { defineKind, type TaskHandle, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { HeldStore } from "../../support/held-store.js";

const leaf = defineKind({ name: "leaf", canReattach: () => true, run: (ctx) => ctx.sleep(Number.POSITIVE_INFINITY) });
const returnsLate = defineKind({
  name: "returnsLate",
  canReattach: () => true,
  run: async (ctx) => {
    ctx.spawn(leaf, { id: "leaf" });
    await ctx.cancelled();
    return "what it had";
  },
});
const above = defineKind({
  name: "above",
  canReattach: () => true,
  run: async (ctx) => {
    ctx.spawn(returnsLate, { id: "middle" });
    await ctx.cancelled();
    return "at the top";
  },
});

describe("a parent that returns while its manager closes", () => {
  test("D8 H1 does not hold up the close with a child that is left for the next process, at any depth", async () => {
    const store = new HeldStore();
    const manager = await TaskManager.open({ store, kinds: [leaf, returnsLate, above] });
    const top = manager.spawn(above, { id: "top" });
    await started(manager, "leaf");
    await manager.close({ graceMs: 60_000 });
    expect(manager.list().map(({ id, status }) => [id, status])).toEqual([
      ["top", "blocked"],
      ["middle", "blocked"],
      ["leaf", "blocked"],
    ]);
    expect(top.status).toBe("blocked");

    // What had returned has its outcome; the child of a parent that does not run again is over.
    const next = await TaskManager.open({ store, kinds: [leaf, returnsLate, above] });
    expect(await Promise.all(["top", "middle", "leaf"].map(async (id) => next.get(id)?.outcome()))).toEqual([
      { id: "top", status: "succeeded", value: "at the top" },
      { id: "middle", status: "succeeded", value: "what it had" },
      expect.objectContaining({ id: "leaf", status: "interrupted" }),
    ]);
    await next.close();
  });
});

describe("a parent that returned, and whose last running child ends while its manager closes", () => {
  test("D8 H1 is left with the child that is left", async () => {
    const crawl = defineKind({
      name: "crawl",
      canReattach: () => true,
      run: async (ctx) => {
        ctx.spawn(leaf, { id: "leaf" });
        ctx.spawn(async (child) => {
          await child.cancelled();
          for (let turns = 0; turns < 5; turns++) await new Promise((resolve) => setImmediate(resolve));
        });
        await ctx.cancelled();
        return "done";
      },
    });
    const manager = await TaskManager.open({ store: new HeldStore(), kinds: [leaf, crawl] });
    const parent = manager.spawn(crawl);
    await started(manager, "leaf");
    await manager.close({ graceMs: 60_000 });
    expect(parent.status).toBe("blocked");
    expect(manager.list({ parentId: parent.id }).map(({ status }) => status)).toEqual(["blocked", "succeeded"]);
  });
});

async function started(manager: TaskManager, id: string): Promise<TaskHandle> {
  for await (const event of manager.events()) if (event.taskId === id && event.type === "task.blocked") break;
  const handle = manager.get(id);
  if (handle === undefined) throw new Error(`there is no ${id}`);
  return handle;
}

describe("a task that never started", () => {
  test("D4 names the process that made it, also after a process that made nothing", async () => {
    const store = new HeldStore();
    const first = await TaskManager.open({ store, lanes: { shut: { concurrency: 1 } } });
    first.pause("shut");
    const [one, two] = [first.spawn(() => 1, { lane: "shut" }), first.spawn(() => 2, { lane: "shut" })];
    await two.stored();
    const created = store.kept.find(({ type }) => type === "task.created");
    expect(created).toHaveProperty("runtime.pid", process.pid);

    const second = await TaskManager.open({ store: store.crash() });
    const outcome = await second.get(two.id)?.outcome();
    expect(outcome).toMatchObject({ status: "interrupted", reason: "process_lost", pid: process.pid });
    expect(outcome).toHaveProperty("instanceId", created && "runtime" in created ? created.runtime?.instanceId : "");
    expect(one.id).not.toBe(two.id);
    await second.close();
    await first.close();
  });
});
