// Retention in memory: which ended tasks are let go, which never, and what a handle in hand still tells (D6).

import type { TaskHandle, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";
import { hold, refused, rejected, untilStopped, world } from "../../support/program.js";

const ids = (manager: TaskManager): string[] => manager.list().map(({ id }) => id);

describe("D6 maxFinished", () => {
  test("D6 of the ended tasks the newest maxFinished are kept", async () => {
    const { manager } = world({ retention: { maxFinished: 3 } });
    const tasks = [1, 2, 3, 4, 5].map((value) => manager.spawn(() => value, { id: `t${value}` }));
    for (const task of tasks) await task.result();
    await settled();
    expect(ids(manager)).toEqual(["t3", "t4", "t5"]);
    expect([manager.get("t1"), manager.get("t3")?.id]).toEqual([undefined, "t3"]);
    expect(manager.tree().map(({ record }) => record.id)).toEqual(["t3", "t4", "t5"]);
  });

  test("D6 the first to end is the first to go, whenever it was spawned", async () => {
    const { manager } = world({ retention: { maxFinished: 2 } });
    const [a, b, c] = ["a", "b", "c"].map((id) => hold(manager, { id }));
    await settled();
    for (const task of [c, a, b]) {
      task?.finish();
      await settled();
    }
    expect(ids(manager)).toEqual(["a", "b"]);
  });

  test("D6 H1 a task that is ending is not let go before it has ended: its parent keeps all its children", async () => {
    const { manager, pass } = world({ retention: { maxFinished: 1 }, lanes: { held: { concurrency: 1 } } });
    manager.pause("held");
    let kid: TaskHandle<never> | undefined;
    const grandparent = manager.spawn(async (ctx) => {
      const parent = ctx.spawn(async (inner) => {
        await inner.spawn(() => 1).outcome();
        await inner.sleep(10);
      });
      const queued = ctx.spawn(() => 2, { lane: "held" });
      kid = ctx.spawn(untilStopped);
      // The end of the parent cancels the queued one, while those who wait for the parent are being told.
      await ctx.awaitTasks([parent, queued], { until: "any", cancelRest: true });
      await ctx.spawn(() => 3).outcome();
      await ctx.sleep(60_000);
    });
    await pass(10);
    expect(manager.tree(grandparent.id)[0]?.children.map(({ record }) => record.id)).toContain(kid?.id);
    const outcome = await grandparent.cancel("enough");
    expect([outcome.status, kid?.status]).toEqual(["cancelled", "cancelled"]);
    expect(ids(manager)).toEqual([grandparent.id]);
  });

  test("D6 the default keeps 1 000", async () => {
    const { manager } = world();
    const tasks = Array.from({ length: 1_005 }, (_, value) => manager.spawn(() => value));
    await Promise.all(tasks.map((task) => task.result()));
    await settled();
    expect(manager.list()).toHaveLength(1_000);
  });

  test("D6 living tasks are never let go, and do not count", async () => {
    const { manager } = world({ concurrency: 2, retention: { maxFinished: 1 } });
    const running = hold(manager);
    const blocked = manager.spawn((ctx) => ctx.receive());
    await settled();
    const queued = [hold(manager), hold(manager)];
    for (let value = 0; value < 3; value += 1) await manager.spawn(() => value, { priority: 10 }).cancel();
    await settled();
    const living = [running.handle.id, blocked.id, ...queued.map(({ handle }) => handle.id)];
    expect(ids(manager)).toHaveLength(5);
    expect(ids(manager)).toEqual(expect.arrayContaining(living));
    for (const id of living) expect(manager.get(id)?.id).toBe(id);
  });

  test("D6 a task that waits for its children is living", async () => {
    const { manager } = world({ retention: { maxFinished: 1 } });
    const parent = hold(manager, { id: "parent" });
    await settled();
    const child = hold(parent.ctx, { id: "child" });
    await settled();
    parent.finish();
    for (let value = 0; value < 3; value += 1) await manager.spawn(() => value).result();
    await settled();
    expect([manager.get("parent")?.status, manager.get("child")?.status]).toEqual(["blocked", "running"]);
    child.finish();
    await settled();
    expect(parent.handle.status).toBe("succeeded");
  });

  test("D6 an ended task with kept descendants is kept: the way to the root never breaks", async () => {
    const { manager } = world({ retention: { maxFinished: 1 } });
    const root = hold(manager, { id: "root" });
    await settled();
    const middle = hold(root.ctx, { id: "middle", detached: true });
    await settled();
    const leaf = hold(middle.ctx, { id: "leaf", detached: true });
    await settled();
    root.finish();
    middle.finish();
    await settled();
    for (let value = 0; value < 3; value += 1) await manager.spawn(() => value, { id: `filler${value}` }).result();
    await settled();
    expect(manager.get("root")?.status).toBe("succeeded");
    expect(manager.get("middle")?.status).toBe("succeeded");
    expect(manager.tree("root")[0]?.children[0]?.children[0]?.record.id).toBe("leaf");
    leaf.finish();
    await settled();
    for (let value = 3; value < 6; value += 1) await manager.spawn(() => value, { id: `filler${value}` }).result();
    await settled();
    expect(ids(manager)).toEqual(["filler5"]);
  });

  test("D6 a parent that ended after its child goes in its own turn, not with the child", async () => {
    const { manager } = world({ retention: { maxFinished: 2 } });
    const parent = manager.spawn((ctx) => void ctx.spawn(() => 1, { id: "child" }), { id: "parent" });
    await parent.outcome();
    await manager.spawn(() => 2, { id: "other" }).outcome();
    expect(ids(manager)).toEqual(["parent", "other"]);
    await manager.spawn(() => 3, { id: "last" }).outcome();
    expect(ids(manager)).toEqual(["other", "last"]);
  });

  test("D6 what is let go no longer counts in lists of its session, but in the usage of a kept parent", async () => {
    const { manager } = world({ retention: { maxFinished: 1 } });
    const session = manager.session("chat");
    const parent = hold(session);
    await settled();
    const child = parent.ctx.spawn((ctx) => ctx.reportUsage({ inputTokens: 5 }));
    await child.result();
    await session.spawn(() => 1, { id: "last" }).result();
    await settled();
    expect(session.list().map(({ id }) => id)).toEqual([parent.handle.id, "last"]);
    expect(session.get(child.id)).toBeUndefined();
    expect(parent.handle.usage()).toMatchObject({ inputTokens: 5, tasks: 2 });
  });

  test.each([
    [["a"], ["b", "c", "d"]],
    [["b"], ["a", "c", "d"]],
    [["c"], ["a", "b", "d"]],
    [
      ["b", "a"],
      ["c", "d"],
    ],
    [
      ["b", "c"],
      ["a", "d"],
    ],
    [["a", "b", "c"], ["d"]],
  ])("D6 of the children of a living task only %j are let go: %j stay in its tree", async (gone, kept) => {
    const { manager } = world({ retention: { maxFinished: 0 } });
    const parent = hold(manager);
    await settled();
    const children = new Map(["a", "b", "c"].map((title) => [title, hold(parent.ctx, { title })]));
    await settled();
    for (const title of gone) {
      children.get(title)?.finish();
      await settled();
    }
    hold(parent.ctx, { title: "d" });
    expect(manager.tree(parent.handle.id)[0]?.children.map(({ record }) => record.title)).toEqual(kept);
  });

  test.each(["id", "callId"])(
    "D6 a child with an %s is kept as long as its parent lives, and evicted after it",
    async (name) => {
      const { manager } = world({ retention: { maxFinished: 1 } });
      const [parent, other] = [hold(manager, { id: "parent" }), hold(manager, { id: "other" })];
      await settled();
      const keyed = [1, 2, 3].map((n) => parent.ctx.spawn(() => n, { [name]: `page-${n}` }));
      const plain = parent.ctx.spawn(() => 4);
      // A child of the child is not kept for the grandparent.
      const deep = parent.ctx.spawn((ctx) => ctx.spawn(() => 5, { [name]: "deep" }).id, { [name]: "above" });
      const deepId = await deep.result();
      await settled();
      await manager.spawn(() => 6, { id: "last" }).result();
      await settled();
      for (const { id } of keyed) expect(manager.get(id)?.status).toBe("succeeded");
      expect([manager.get(plain.id), manager.get(deepId)]).toEqual([undefined, undefined]);
      for (const n of [1, 2, 3]) {
        const again = parent.ctx.spawn(() => -n, { [name]: `page-${n}` });
        expect([again.id, await again.result()]).toEqual([keyed[n - 1]?.id, n]);
      }
      parent.finish();
      await settled();
      expect(ids(manager)).toEqual(["parent", "other"]);
      other.finish();
    },
  );

  test("D6 a detached child with an id is kept for its parent as well, and a swept parent lets go of all", async () => {
    const { manager } = world({ retention: { maxFinished: 0 } });
    const parent = hold(manager);
    await settled();
    await parent.ctx.spawn(() => 1, { id: "apart", detached: true }).result();
    await parent.ctx.spawn(() => 2, { id: "below" }).result();
    await settled();
    expect(ids(manager)).toEqual([parent.handle.id, "apart", "below"]);
    await parent.handle.cancel();
    await settled();
    expect(ids(manager)).toEqual([]);
  });
});

describe("D6 ttlMs", () => {
  test("D6 an ended task is let go ttlMs after its end, not before", async () => {
    const { manager, pass } = world({ retention: { ttlMs: 1_000 } });
    const first = hold(manager, { id: "first" });
    const living = hold(manager, { id: "living" });
    await settled();
    await pass(500);
    first.finish();
    await settled();
    await pass(999);
    expect(ids(manager)).toEqual(["first", "living"]);
    await pass(1);
    expect([ids(manager), manager.get("first")]).toEqual([["living"], undefined]);
    await pass(100_000);
    expect(living.handle.status).toBe("running");
    expect(manager.get("living")?.id).toBe("living");
  });

  test("D6 each ended task has a ttlMs of its own, and no timer stays when the manager closes", async () => {
    const { manager, clock, pass } = world({ retention: { ttlMs: 1_000 } });
    for (const id of ["a", "b", "c"]) {
      await manager.spawn(() => id, { id }).outcome();
      await pass(400);
    }
    expect(ids(manager)).toEqual(["b", "c"]);
    await pass(200);
    expect(ids(manager)).toEqual(["c"]);
    expect(clock.nextAt).toBe(1_800);
    await manager.close();
    expect(clock.nextAt).toBeUndefined();
  });

  test("D6 an ended task with a living descendant outlives its ttlMs", async () => {
    const { manager, pass } = world({ retention: { ttlMs: 1_000 } });
    const root = hold(manager, { id: "root" });
    await settled();
    const loose = hold(root.ctx, { id: "loose", detached: true });
    await settled();
    root.finish();
    await settled();
    await pass(5_000);
    expect(ids(manager)).toEqual(["root", "loose"]);
    loose.finish();
    await settled();
    await pass(1_000);
    expect(ids(manager)).toEqual([]);
  });

  test("D6 the default keeps 30 days", async () => {
    const { manager, pass } = world();
    await manager.spawn(() => 1, { id: "done" }).result();
    await settled();
    const days = 30 * 24 * 3_600_000;
    await pass(days - 1);
    expect(ids(manager)).toEqual(["done"]);
    await pass(1);
    expect(ids(manager)).toEqual([]);
  });
});

describe("a handle in hand", () => {
  async function evicted() {
    const made = world({ retention: { maxFinished: 1 } });
    const { manager } = made;
    const task = hold<string>(manager, { id: "gone", name: "scout", title: "Look around" });
    await settled();
    await task.handle.send("hello");
    const posted = await task.ctx.post("hi");
    task.ctx.output("stdout", "line\n");
    task.ctx.reportUsage({ inputTokens: 3 });
    task.finish("found it");
    await task.handle.outcome();
    await manager.spawn(() => 1, { id: "next" }).result();
    await settled();
    return { ...made, handle: task.handle, posted };
  }

  test("D6 a handle of an evicted task still reads record, value, messages, output and usage", async () => {
    const { manager, handle, posted } = await evicted();
    expect([manager.get("gone"), ids(manager)]).toEqual([undefined, ["next"]]);
    expect([handle.id, handle.status]).toEqual(["gone", "succeeded"]);
    expect(handle.record).toMatchObject({ id: "gone", title: "Look around", status: "succeeded", output: "found it" });
    expect(await handle.result()).toBe("found it");
    expect(await handle.outcome()).toEqual({ id: "gone", status: "succeeded", value: "found it" });
    expect(handle.messages().at(-1)).toEqual(posted);
    expect(handle.output().text).toBe("line\n");
    expect(handle.usage()).toMatchObject({ inputTokens: 3, tasks: 1 });
    expect(await handle.cancel()).toMatchObject({ status: "succeeded" });
    await rejected(() => handle.send("late"), "TASK_TERMINATED");
  });

  test("W1 an evicted task whose handle is in hand counts as ended; its id alone is unknown", async () => {
    const { manager, handle } = await evicted();
    const { reason, outcomes } = await manager.awaitTasks([handle]);
    expect([reason, outcomes[0]]).toMatchObject(["done", { status: "succeeded", value: "found it" }]);
    for await (const outcome of manager.outcomes([handle])) expect(outcome.status).toBe("succeeded");
    await rejected(() => manager.awaitTasks(["gone"]), "TASK_NOT_FOUND");
    refused(() => manager.spawn(() => 1, { parent: "gone" }), "TASK_NOT_FOUND");
    refused(() => manager.spawn(() => 1, { parent: handle }), "TASK_TERMINATED");
  });

  test("D6 the name and the id of an evicted task are free again", async () => {
    const { manager, handle } = await evicted();
    const again = manager.spawn(() => "again", { id: "gone", name: "scout" });
    expect(await again.result()).toBe("again");
    expect(await handle.result()).toBe("found it");
  });

  test("D6 a wait begun before the eviction has its outcome", async () => {
    const { manager } = world({ retention: { maxFinished: 1 } });
    const tasks = Array.from({ length: 20 }, (_, index) => hold<number>(manager, { id: `t${index}` }));
    const waiting = manager.awaitTasks(tasks.map(({ handle }) => handle));
    await settled();
    for (const [index, task] of tasks.entries()) {
      task.finish(index);
      await settled(2);
    }
    const { outcomes } = await waiting;
    expect(outcomes.map((outcome) => outcome?.status === "succeeded" && outcome.value)).toEqual(
      tasks.map((_, index) => index),
    );
  });
});
