// The owner of a notice (N3), and how long the notice is kept for it (N2, D6).

import { type TaskContext, type TaskHandle, TaskManager } from "errand";
import { countedIds } from "errand/testing";
import { describe, expect, test } from "vitest";
import { allFree, deferred, peek, settled } from "../../support/basics.js";
import { batchOf, PENDING, quietWorld, told, toldBy } from "../../support/loops.js";
import { deaf, given, hold, holdDeaf, untilStopped, world } from "../../support/program.js";

/** The ways in which an owner can end, and the type of its own notice. */
const ENDS: readonly [string, (task: ReturnType<typeof hold>, manager: TaskManager) => void, string][] = [
  ["returned", (task) => task.finish(undefined), "succeeded"],
  ["failed", (task) => task.fail(new Error("no")), "failed"],
  // A handle of the session would deliver the outcome to it, so the manager's is used.
  ["was cancelled", (task, manager) => void manager.get(task.handle.id)?.cancel(), "cancelled"],
];

describe("N3 an owner that is gone", () => {
  test.each(ENDS)(
    "because it %s passes its undelivered notices to its session, oldest first, with its own end",
    async (_how, end, word) => {
      const { manager } = quietWorld();
      const chat = manager.session("chat");
      const owner = hold(chat, { id: "owner" });
      await settled();
      const before = deferred();
      const after = deferred();
      owner.ctx.spawn(() => before.promise, { id: "before", detached: true, wake: "onTerminal" });
      owner.ctx.spawn(() => after.promise, { id: "after", detached: true, wake: "onTerminal" });
      await settled();
      before.resolve();
      await settled();
      end(owner, manager);
      await settled();
      expect(told(await batchOf(chat))).toEqual(["before succeeded", `owner ${word}`]);
      after.resolve();
      await settled();
      expect(told(await batchOf(chat))).toEqual(["before succeeded", `owner ${word}`, "after succeeded"]);
    },
  );

  test("hands nothing on that it acknowledged, or was given by a wait", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const owner = chat.spawn(
      async (ctx) => {
        ctx.spawn(() => 1, { id: "a" });
        await (await ctx.nextNotices())?.ack();
        await ctx.spawn(() => 2, { id: "b" }).result();
        ctx.spawn(() => 3, { id: "c" });
        const told = await ctx.nextNotices();
        return told?.notices.length;
      },
      { wake: "silent" },
    );
    expect(await owner.result()).toBe(1);
    expect(told(await batchOf(chat))).toEqual(["c succeeded"]);
  });

  test("hands them to its nearest living ancestor, past those that are gone", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const top = hold(chat, { id: "top", wake: "silent" });
    await settled();
    const middle = hold(top.ctx, { id: "middle", detached: true, wake: "silent" });
    await settled();
    const low = hold(middle.ctx, { id: "low", detached: true, wake: "silent" });
    await settled();
    const leaf = deferred();
    low.ctx.spawn(() => leaf.promise, { id: "leaf", detached: true, wake: "onTerminal" });
    await settled();
    middle.finish();
    await settled();
    low.finish();
    await settled();
    leaf.resolve();
    await settled();
    expect(told(await batchOf(top.ctx))).toEqual(["leaf succeeded"]);
    top.finish();
    await settled();
    expect(told(await batchOf(chat))).toEqual(["leaf succeeded"]);
  });

  test("hands them to a loop that waits already, and wakes it", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const alive = hold(chat, { id: "alive" });
    const owner = hold(chat, { wake: "silent" });
    await settled();
    owner.ctx.spawn(() => 1, { id: "child", wake: "onTerminal" });
    await settled();
    const next = chat.nextNotices();
    expect(await toldBy(next)).toBe(PENDING);
    owner.finish();
    expect(await toldBy(next)).toEqual(["child succeeded"]);
    alive.finish();
  });

  test("that has returned, and waits for its children, gets no further notice: their ends are its session's", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const gate = deferred();
    chat.spawn(
      (ctx) => {
        ctx.spawn(() => gate.promise, { id: "child", wake: "onTerminal" });
        return "early";
      },
      { id: "owner" },
    );
    const next = chat.nextNotices();
    expect(await toldBy(next)).toBe(PENDING);
    gate.resolve();
    expect(await toldBy(next)).toEqual(["child succeeded", "owner succeeded"]);
  });

  test("with neither ancestor nor session takes them along: nothing is kept for it", async () => {
    const { manager } = quietWorld({ retention: { maxFinished: 0 } });
    const owner = hold(manager);
    await settled();
    const late = deferred();
    owner.ctx.spawn(() => 1, { id: "child", wake: "onTerminal", detached: true });
    owner.ctx.spawn(() => late.promise, { id: "late", wake: "onTerminal", detached: true });
    await settled();
    expect(manager.get("child")).toBeDefined();
    owner.finish();
    await settled();
    late.resolve();
    await settled();
    expect(manager.list()).toEqual([]);
  });

  test("hands on its own, of thousands too", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const gate = deferred();
    const count = 8_000;
    for (let n = 0; n < count; n++)
      chat.spawn(
        async (ctx) => {
          ctx.spawn(() => n, { wake: "onTerminal" });
          await gate.promise;
        },
        { wake: "silent" },
      );
    await settled();
    gate.resolve();
    await settled();
    const batch = await batchOf(chat);
    expect(batch.notices).toHaveLength(count);
    await batch.ack();
    expect(await batchOf(chat).catch(() => "none")).toBe("none");
  });

  test("is not one that is tried again: its next attempt gets the notice", async () => {
    const { manager, pass } = quietWorld();
    const chat = manager.session("chat");
    const gate = deferred();
    const owner = chat.spawn(
      async (ctx) => {
        if (ctx.attempt === 2) return told(await ctx.nextNotices());
        ctx.spawn(() => gate.promise, { id: "apart", detached: true, wake: "onTerminal" });
        throw new Error("no");
      },
      { retry: { maxAttempts: 2, backoffMs: 10, jitter: false }, wake: "silent" },
    );
    await settled();
    gate.resolve();
    await settled();
    await pass(10);
    expect(await peek(owner.result())).toMatchObject({ value: ["apart succeeded"] });
  });

  test("leaves a batch it was given as it is: its ack rejects, and the next owner gets the batch (S2)", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const kept: { ack?: () => Promise<void> } = {};
    chat.spawn(
      async (ctx) => {
        ctx.spawn(() => 1, { id: "child" });
        const batch = given(await ctx.nextNotices());
        kept.ack = () => batch.ack();
      },
      { wake: "silent" },
    );
    await settled();
    expect(await peek(given(kept.ack)())).toMatchObject({ is: "rejected", error: { code: "TASK_TERMINATED" } });
    expect(told(await batchOf(chat))).toEqual(["child succeeded"]);
  });
});

describe("N1 a loop that reads late", () => {
  test("gets the oldest first, of children that said when they wake it and of those that did not", async () => {
    const { manager, pass } = quietWorld();
    const loop = hold(manager);
    await settled();
    loop.ctx.spawn((ctx) => ctx.sleep(10), { id: "plain, at 10" });
    loop.ctx.spawn((ctx) => ctx.sleep(20), { id: "said so, at 20", wake: "onTerminal" });
    loop.ctx.spawn((ctx) => ctx.sleep(30), { id: "plain, at 30" });
    await pass(30);
    const batch = await batchOf(loop.ctx);
    expect(batch.notices.map(({ taskId, at }) => [taskId, at])).toEqual([
      ["plain, at 10", 10],
      ["said so, at 20", 20],
      ["plain, at 30", 30],
    ]);
  });
});

describe("N3 a sweep", () => {
  test("tells a session of each that wakes it, leaf first, once, and of nothing below the silent", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const top = hold(chat, { id: "top" });
    await settled();
    const below = hold(top.ctx, { id: "below", wake: "onTerminal" });
    await settled();
    below.ctx.spawn(untilStopped, { id: "leaf", wake: "onTerminal" });
    below.ctx.spawn(untilStopped, { id: "silent" });
    await settled();
    void manager.get("top")?.cancel();
    await settled();
    const batch = await batchOf(chat);
    expect(told(batch)).toEqual(["leaf cancelled", "below cancelled", "top cancelled"]);
    await batch.ack();
    expect(await toldBy(chat.nextNotices())).toBeUndefined();
  });

  test("with children that ignore it tells when they were given up", async () => {
    const { manager, pass } = quietWorld({ graceMs: 100 });
    const chat = manager.session("chat");
    const task = holdDeaf(chat);
    await settled();
    void manager.get(task.handle.id)?.cancel();
    const next = chat.nextNotices();
    expect(await toldBy(next)).toBe(PENDING);
    await pass(100);
    const batch = given(await next);
    expect(told(batch)).toEqual(["task_1 cancelled"]);
    await batch.ack();
    // The late end of an abandoned function is no transition.
    task.finish();
    expect(await toldBy(chat.nextNotices())).toBeUndefined();
  });
});

describe("inside a task of the session", () => {
  test("a named session's notices are those of that task's loop", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    chat.spawn(deaf, { id: "elsewhere" });
    const loop = chat.spawn(async () => {
      manager.session("chat").spawn(() => 1, { id: "mine" });
      const batch = await manager.session("chat").nextNotices();
      await batch?.ack();
      return [told(batch), await manager.session("chat").nextNotices()];
    });
    expect(await peek(loop.result())).toMatchObject({ value: [["mine succeeded"], undefined] });
  });

  test("of another session it reads that session's, as its own wait", async () => {
    const { manager } = quietWorld({ concurrency: 2 });
    const chat = manager.session("chat");
    const gate = deferred();
    chat.spawn(() => gate.promise, { id: "of chat" });
    const other = manager.session("other").spawn(async () => {
      const batch = await manager.session("chat").nextNotices();
      await batch?.ack();
      return told(batch);
    });
    await settled();
    expect(other.record.blockedOn).toEqual([{ on: "notice" }]);
    gate.resolve();
    expect(await other.result()).toEqual(["of chat succeeded"]);
    expect(await toldBy(chat.nextNotices())).toBeUndefined();
    allFree(manager);
  });

  test("of another manager lends the slot of its own", async () => {
    const [here, there] = [world({ concurrency: 1 }), world({ concurrency: 1 })];
    const chat = there.manager.session("chat");
    const gate = deferred();
    chat.spawn(() => gate.promise, { id: "far" });
    const reader = here.manager.spawn(async () => {
      const batch = await chat.nextNotices();
      await batch?.ack();
      return [told(batch), await chat.nextNotices()];
    });
    await settled();
    expect([reader.status, here.manager.stats().lanes["default"]?.held]).toEqual(["blocked", 0]);
    gate.resolve();
    expect(await peek(reader.result())).toMatchObject({ value: [["far succeeded"], undefined] });
    allFree(here.manager);
    allFree(there.manager);
  });

  test("L3 of another manager, whose task waits for this one, gives undefined and no hang", async () => {
    const [here, there] = [world(), world()];
    const chat = there.manager.session("chat");
    const reader = here.manager.spawn(async (ctx) => {
      await ctx.sleep(10);
      return [await chat.nextNotices()];
    });
    chat.spawn(() => reader.outcome());
    await here.pass(10);
    expect(await peek(reader.result())).toMatchObject({ is: "fulfilled", value: [undefined] });
  });
});

describe("D6 retention", () => {
  test("keeps what was not delivered to a session, and lets it go with the acknowledgement", async () => {
    const { manager } = quietWorld({ retention: { maxFinished: 0 } });
    const chat = manager.session("chat");
    for (let n = 0; n < 5; n++) chat.spawn(() => n);
    manager.spawn(() => "outside sessions");
    await settled();
    const batch = await batchOf(chat);
    expect(batch.notices).toHaveLength(5);
    expect(batch.notices.map((notice) => notice.type === "task.succeeded" && notice.outcome)).toEqual(
      batch.notices.map(({ taskId: id }, value) => ({ id, status: "succeeded", value })),
    );
    expect(manager.list()).toHaveLength(5);
    await batch.ack();
    expect(manager.list()).toEqual([]);
    // The batch that the caller holds remains readable.
    expect(batch.notices[4]).toMatchObject({ outcome: { value: 4 } });
  });

  test("lets go of what a wait gave its owner", async () => {
    const { manager } = quietWorld({ retention: { maxFinished: 0 } });
    const chat = manager.session("chat");
    const [a, b] = [hold<number>(chat), hold<number>(chat)];
    await settled();
    const waits = [a.handle.result(), given(manager.get(b.handle.id)).result()];
    a.finish(1);
    b.finish(2);
    expect(await Promise.all(waits)).toEqual([1, 2]);
    await settled();
    expect(manager.list().map(({ id }) => id)).toEqual([b.handle.id]);
  });

  test("ttlMs waits for the acknowledgement too", async () => {
    const { manager, pass } = world({ retention: { ttlMs: 1_000 } });
    const chat = manager.session("chat");
    chat.spawn(() => 1);
    await pass(5_000);
    const batch = await batchOf(chat);
    expect(told(batch)).toEqual(["task_1 succeeded"]);
    await batch.ack();
    expect(manager.list()).toEqual([]);
  });

  test("keeps the parents of what was not delivered, for their tree, and no longer", async () => {
    const { manager } = quietWorld({ retention: { maxFinished: 0 } });
    const chat = manager.session("chat");
    chat.spawn((ctx) => void ctx.spawn(() => 1, { wake: "onTerminal", id: "leaf" }), { wake: "silent", id: "top" });
    await settled();
    expect(manager.list().map(({ id }) => id)).toEqual(["top", "leaf"]);
    await (await batchOf(chat)).ack();
    expect(manager.list()).toEqual([]);
  });

  test("an id that is used again while its notice waits is the same task, and makes no second notice", async () => {
    const { manager } = quietWorld({ retention: { maxFinished: 0 } });
    const chat = manager.session("chat");
    const first = chat.spawn(() => 1, { id: "job" });
    await settled();
    expect(chat.spawn(() => 2, { id: "job" }).id).toBe(first.id);
    const batch = await batchOf(chat);
    expect(told(batch)).toEqual(["job succeeded"]);
    await batch.ack();
    // The record is evicted, so the same id starts new work with a new notice.
    chat.spawn(() => 3, { id: "job" });
    await settled();
    const again = await batchOf(chat);
    expect(again.notices).toMatchObject([{ taskId: "job", outcome: { value: 3 } }]);
    // A batch of the earlier task does not acknowledge the notice of the later one.
    await batch.ack();
    expect(told(await batchOf(chat))).toEqual(["job succeeded"]);
  });

  test("ten thousand tasks that wake a session, acknowledged in batches, leave nothing", async () => {
    await using manager = new TaskManager({ ids: countedIds(), concurrency: 50, retention: { maxFinished: 0 } });
    const chat = manager.session("chat");
    const handles = Array.from({ length: 10_000 }, (_, n) => chat.spawn(async () => n));
    const seen = new Set<string>();
    for (;;) {
      const batch = await chat.nextNotices();
      if (batch === undefined) break;
      for (const { taskId } of batch.notices) {
        expect(seen.has(taskId)).toBe(false);
        seen.add(taskId);
      }
      await batch.ack();
    }
    expect([seen.size, manager.list().length]).toEqual([handles.length, 0]);
  });
});

describe("a chain of loops", () => {
  test("each subagent's loop gets its own notices, and ends when nothing wakes it (concurrency 1)", async () => {
    const { manager } = quietWorld({ concurrency: 1 });
    const loop =
      (depth: number) =>
      async (ctx: TaskContext): Promise<readonly string[]> => {
        const seen: string[] = [];
        if (depth > 0) for (const n of [1, 2]) ctx.spawn(loop(depth - 1), { id: `${ctx.id}.${n}` });
        for (;;) {
          const batch = await ctx.nextNotices();
          if (batch === undefined) return seen;
          seen.push(...given(told(batch)));
          await batch.ack();
        }
      };
    const top: TaskHandle<readonly string[]> = manager.spawn(loop(3), { id: "t" });
    expect(await peek(top.result())).toMatchObject({ value: ["t.1 succeeded", "t.2 succeeded"] });
    expect(manager.list()).toHaveLength(15);
    allFree(manager);
  });
});
