// An outcome that a wait delivered to its owner makes no notice (N2). A wait of another caller, or a lost one, changes
// nothing.

import type { TaskContext, TaskHandle } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, peek, settled } from "../../support/basics.js";
import { batchOf, PENDING, quietWorld, told, toldBy } from "../../support/loops.js";
import { given, hold, untilStopped } from "../../support/program.js";

type Wait = (
  handle: TaskHandle<number>,
  chat: ReturnType<ReturnType<typeof quietWorld>["manager"]["session"]>,
) => Promise<unknown>;

/** Every wait that delivers an outcome. */
const WAITS: readonly [string, Wait][] = [
  ["result", (handle) => handle.result().catch(() => undefined)],
  ["outcome", (handle) => handle.outcome()],
  ["outcome in time", (handle) => handle.outcome({ timeoutMs: 1_000 })],
  ["awaitTasks", (handle, chat) => chat.awaitTasks([handle])],
  ["awaitTasks by id", (handle, chat) => chat.awaitTasks([handle.id])],
  ["awaitTasks any", (handle, chat) => chat.awaitTasks([handle], { until: "any" })],
  ["a step of outcomes", (handle, chat) => chat.outcomes([handle])[Symbol.asyncIterator]().next()],
  ["cancel", (handle) => handle.cancel("enough")],
  ["cancelAll", (_handle, chat) => chat.cancelAll()],
  ["a disposal", (handle) => handle[Symbol.asyncDispose]()],
];

describe("N2 a wait of the session that spawned it", () => {
  test.each(WAITS)("%s, begun before the end, acknowledges its notice", async (_what, wait) => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const task = hold<number>(chat);
    await settled();
    const [given, next] = [wait(task.handle, chat), chat.nextNotices()];
    await settled();
    task.finish(1);
    expect((await peek(given)).is).toBe("fulfilled");
    expect(await toldBy(next)).toBeUndefined();
    expect(await toldBy(chat.nextNotices({ timeoutMs: 0 }))).toBeUndefined();
  });

  test.each(WAITS)(
    "%s, begun after the end, acknowledges its notice, also one that was delivered",
    async (_what, wait) => {
      const { manager } = quietWorld();
      const chat = manager.session("chat");
      const task = hold<number>(chat);
      await settled();
      task.finish(1);
      expect(await toldBy(chat.nextNotices())).toEqual([`${task.handle.id} succeeded`]);
      await wait(task.handle, chat);
      // `cancelAll` delivers the outcomes of living tasks only.
      expect(await toldBy(chat.nextNotices())).toEqual(
        _what === "cancelAll" ? [`${task.handle.id} succeeded`] : undefined,
      );
    },
  );

  test("leaves the others to be notified", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const [a, b, c] = [hold<number>(chat), hold<number>(chat), hold<number>(chat)];
    const any = chat.awaitTasks([a.handle, b.handle, c.handle], { until: 2 });
    const next = chat.nextNotices();
    await settled();
    b.finish(1);
    c.finish(2);
    a.finish(3);
    expect((await any).ended).toHaveLength(2);
    expect(await toldBy(next)).toEqual([`${a.handle.id} succeeded`]);
  });

  test("that gives a timeout acknowledges those that it gave as ended, and no other", async () => {
    const { manager, pass } = quietWorld();
    const chat = manager.session("chat");
    const [a, b] = [hold<number>(chat), hold<number>(chat)];
    const waited = chat.awaitTasks([a.handle, b.handle], { timeoutMs: 100 });
    await settled();
    a.finish(1);
    await pass(100);
    expect(await waited).toMatchObject({ reason: "timeout", ended: [{ id: a.handle.id }] });
    const next = chat.nextNotices();
    expect(await toldBy(next)).toBe(PENDING);
    b.finish(2);
    expect(await toldBy(next)).toEqual([`${b.handle.id} succeeded`]);
  });

  test("that passes its timeout, or its signal, acknowledges nothing", async () => {
    const { manager, pass } = quietWorld();
    const chat = manager.session("chat");
    const task = hold<number>(chat);
    const over = new AbortController();
    const waits = [task.handle.outcome({ timeoutMs: 300 }), task.handle.outcome({ timeoutMs: 0 })];
    const withdrawn = task.handle.result({ signal: over.signal });
    await pass(300);
    over.abort();
    expect(await Promise.all(waits)).toEqual([undefined, undefined]);
    expect((await peek(withdrawn)).is).toBe("rejected");
    task.finish(1);
    expect(await toldBy(chat.nextNotices())).toEqual([`${task.handle.id} succeeded`]);
  });

  test("is not one that a task of the session makes through a handle that it was given: that is the task's own (§3)", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const task = hold<number>(chat);
    const sibling = chat.spawn(() => task.handle.outcome(), { wake: "silent" });
    await settled();
    task.finish(1);
    expect(await peek(sibling.result())).toMatchObject({ value: { status: "succeeded" } });
    expect(await toldBy(chat.nextNotices())).toEqual([`${task.handle.id} succeeded`]);
  });

  test.each<[string, (id: string) => (world: ReturnType<typeof quietWorld>) => Promise<unknown>]>([
    [
      "the manager's handle",
      (id) =>
        ({ manager }) =>
          given(manager.get(id)).result(),
    ],
    [
      "the manager's awaitTasks",
      (id) =>
        ({ manager }) =>
          manager.awaitTasks([id]),
    ],
    [
      "the manager's cancelAll",
      () =>
        ({ manager }) =>
          manager.cancelAll(),
    ],
    [
      "another session's awaitTasks",
      (id) =>
        ({ manager }) =>
          manager.session("other").awaitTasks([id]),
    ],
    [
      "a task outside sessions",
      (id) =>
        ({ manager }) =>
          manager.spawn(() => given(manager.get(id)).result()).result(),
    ],
    [
      "a sibling",
      (id) =>
        ({ manager }) =>
          manager
            .session("chat")
            .spawn(() => given(manager.get(id)).result(), { wake: "silent" })
            .outcome(),
    ],
  ])("is not one of a stranger: %s", async (_what, by) => {
    const world = quietWorld();
    const chat = world.manager.session("chat");
    const task = hold<number>(chat);
    await settled();
    const waited = by(task.handle.id)(world);
    await settled();
    task.finish(1);
    await waited;
    const { status } = task.handle;
    expect(await toldBy(chat.nextNotices())).toEqual([`${task.handle.id} ${status}`]);
  });
});

describe("N2 a wait of a task whose loop reads", () => {
  test.each<[string, (ctx: TaskContext, handle: TaskHandle<number>) => Promise<unknown>]>([
    ["result", (_ctx, handle) => handle.result()],
    ["ctx.awaitTasks", (ctx, handle) => ctx.awaitTasks([handle])],
    ["ctx.outcomes", (ctx, handle) => ctx.outcomes([handle])[Symbol.asyncIterator]().next()],
    ["ctx.cancelAll", (ctx) => ctx.cancelAll()],
  ])("%s acknowledges the notice of a child, read before or after", async (_what, wait) => {
    for (const readsFirst of [true, false]) {
      const { manager } = quietWorld();
      const gate = deferred<number>();
      const loop = manager.spawn(async (ctx) => {
        if (readsFirst) await ctx.nextNotices();
        const child = ctx.spawn(() => Promise.race([gate.promise, untilStopped(ctx)]));
        await wait(ctx, child);
        return told(await ctx.nextNotices());
      });
      await settled();
      gate.resolve(1);
      expect(await peek(loop.result())).toEqual({ is: "fulfilled", value: undefined });
    }
  });

  test("for one of many leaves the others to be notified", async () => {
    const { manager } = quietWorld();
    const loop = manager.spawn(async (ctx) => {
      const children = Array.from({ length: 5 }, (_, n) => ctx.spawn(() => n, { id: `c${n}` }));
      const first = await ctx.awaitTasks(children, { until: 3 });
      return [first.ended.map(({ id }) => id), told(await ctx.nextNotices())];
    });
    expect(await peek(loop.result())).toMatchObject({
      value: [
        ["c0", "c1", "c2"],
        ["c3 succeeded", "c4 succeeded"],
      ],
    });
  });

  test("that is stopped before it was given leaves its notice to be delivered", async () => {
    const { manager } = quietWorld({ concurrency: 1, lanes: { side: { concurrency: 5 } } });
    const chat = manager.session("chat");
    const rivalGate = deferred();
    let child: TaskHandle<number> | undefined;
    const childGate = deferred<number>();
    const loop = chat.spawn(
      async (ctx) => {
        child = ctx.spawn(() => childGate.promise, { wake: "onTerminal", detached: true, lane: "side" });
        await child.result();
      },
      { wake: "silent" },
    );
    await settled();
    // Another task has the slot, so the wait that has the outcome is queued for it.
    manager.spawn(() => rivalGate.promise, { root: true });
    await settled();
    childGate.resolve(1);
    await settled();
    expect(loop.record.blockedOn).toEqual([{ on: "slot" }]);
    void loop.cancel();
    await settled();
    expect(loop.status).toBe("cancelled");
    expect(await toldBy(chat.nextNotices())).toEqual([`${given(child).id} succeeded`]);
    rivalGate.resolve();
  });

  test("gets what its child's children left only once it was passed on (N3)", async () => {
    const { manager } = quietWorld();
    const inner = deferred();
    const loop = manager.spawn(async (ctx) => {
      const child = ctx.spawn((below) => {
        below.spawn(() => inner.promise, { wake: "onTerminal", detached: true, id: "inner" });
        return 1;
      });
      await child.result();
      return told(await ctx.nextNotices());
    });
    await settled();
    expect(loop.record.blockedOn).toEqual([{ on: "notice" }]);
    inner.resolve();
    expect(await peek(loop.result())).toMatchObject({ value: ["inner succeeded"] });
  });
});

describe("N2 an acknowledgement", () => {
  test("twice is once, and of one batch leaves what came after it", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const [a, b] = [hold(chat), hold(chat)];
    await settled();
    a.finish();
    const first = await batchOf(chat);
    b.finish();
    await settled();
    await first.ack();
    await first.ack();
    const second = await batchOf(chat);
    expect(told(second)).toEqual([`${b.handle.id} succeeded`]);
    await Promise.all([second.ack(), second.ack(), first.ack()]);
    expect(await toldBy(chat.nextNotices())).toBeUndefined();
  });

  test("of an earlier batch takes what a later one delivered again", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const [a, b] = [hold(chat), hold(chat)];
    await settled();
    a.finish();
    const first = await batchOf(chat);
    b.finish();
    await settled();
    const both = await batchOf(chat);
    expect(told(both)).toEqual([`${a.handle.id} succeeded`, `${b.handle.id} succeeded`]);
    await first.ack();
    expect(await toldBy(chat.nextNotices())).toEqual([`${b.handle.id} succeeded`]);
    await both.ack();
    expect(await toldBy(chat.nextNotices())).toBeUndefined();
  });

  test("of the last makes a loop that waits for nothing more go on", async () => {
    const { manager, pass } = quietWorld();
    const chat = manager.session("chat");
    const task = hold(chat);
    await settled();
    task.finish();
    const batch = await batchOf(chat);
    const next = chat.nextNotices({ coalesceMs: 100 });
    await batch.ack();
    await pass(100);
    expect(await toldBy(next)).toBeUndefined();
  });

  test("after close is ManagerClosedError, unless there was nothing left to acknowledge", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const [a, b] = [hold(chat), hold(chat)];
    await settled();
    a.finish();
    const first = await batchOf(chat);
    await first.ack();
    b.finish();
    await settled();
    const second = await batchOf(chat);
    await manager.close();
    expect(await peek(first.ack())).toMatchObject({ is: "fulfilled" });
    expect(await peek(second.ack())).toMatchObject({ is: "rejected", error: { code: "MANAGER_CLOSED" } });
  });

  test("by a function that is over acknowledges nothing, is counted, and rejects (S2)", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const loop = chat.spawn(async (ctx) => {
      ctx.spawn(() => 1, { id: "inner" });
      return ctx.nextNotices();
    });
    const batch = await loop.result();
    expect(told(batch)).toEqual(["inner succeeded"]);
    const { droppedWrites } = manager.stats();
    expect(await peek(given(batch).ack())).toMatchObject({ is: "rejected", error: { code: "TASK_TERMINATED" } });
    expect(manager.stats().droppedWrites).toBe(droppedWrites + 1);
    // No caller received the outcome, so its notice passes to the session (N3).
    expect(await toldBy(chat.nextNotices())).toEqual(["inner succeeded"]);
  });

  test("by one that was stopped, and has not settled, still counts", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const loop = chat.spawn(async (ctx) => {
      ctx.spawn(() => 1, { id: "inner" });
      const batch = await ctx.nextNotices();
      await untilStopped(ctx).catch(() => undefined);
      await batch?.ack();
      throw ctx.signal.reason;
    });
    await settled();
    void manager.get(loop.id)?.cancel();
    await settled();
    expect(await toldBy(chat.nextNotices())).toEqual([`${loop.id} cancelled`]);
  });
});
