// Messages to a loop that waits for notices: an unread message of its own task is part of the batch. `ack` or `receive`
// reads it, whichever comes first (§8, §9).

import type { TaskContext } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, peek, settled } from "../../support/basics.js";
import { batchOf, PENDING, quietWorld, told, toldBy } from "../../support/loops.js";
import { deaf, given } from "../../support/program.js";
import { started } from "../../support/restarts.js";

/** A loop with a living child. The test reads its notices. */
async function reading() {
  const { manager, pass, clock } = quietWorld();
  const contexts: TaskContext[] = [];
  const task = manager.spawn(
    (ctx) => {
      contexts.push(ctx);
      ctx.spawn(deaf, { wake: "onTerminal", id: "child", graceMs: 0 });
      return deaf();
    },
    { id: "loop" },
  );
  await settled();
  return { manager, pass, clock, task, ctx: given(contexts[0]) };
}

describe("a message to a loop", () => {
  test("wakes it, says what was sent, and is read with the acknowledgement", async () => {
    const { task, ctx } = await reading();
    const next = ctx.nextNotices();
    expect(await toldBy(next)).toBe(PENDING);
    const sent = await task.send("stop at ten");
    const batch = given(await next);
    expect(batch.notices).toMatchObject([
      { taskId: "loop", type: "message.sent", message: { id: sent.id, direction: "inbound" } },
    ]);
    expect(batch.text).toContain('"stop at ten"');
    // The message comes again until it is acknowledged; then `receive` does not find it.
    expect((await batchOf(ctx)).notices).toEqual(batch.notices);
    await batch.ack();
    await batch.ack();
    expect(await ctx.receive({ timeoutMs: 0 })).toBeUndefined();
    expect(await toldBy(ctx.nextNotices({ timeoutMs: 0 }))).toEqual([]);
    expect(task.messages()).toHaveLength(1);
  });

  test("that was received is not in a batch, and one that waits in receive has it first", async () => {
    const { task, ctx } = await reading();
    await task.send("one");
    expect(await ctx.receive()).toMatchObject({ content: [{ text: "one" }] });
    expect(await toldBy(ctx.nextNotices({ timeoutMs: 0 }))).toEqual([]);
    const [next, received] = [ctx.nextNotices(), ctx.receive()];
    await task.send("two");
    expect(await received).toMatchObject({ content: [{ text: "two" }] });
    expect(await toldBy(next)).toBe(PENDING);
  });

  test("of a batch that was delivered and then received is not taken from what came after by a late ack", async () => {
    const { task, ctx } = await reading();
    await task.send("one");
    const batch = await batchOf(ctx);
    await ctx.receive();
    await task.send("two");
    await batch.ack();
    expect(await ctx.receive({ timeoutMs: 0 })).toMatchObject({ content: [{ text: "two" }] });
  });

  test("stands among the notices by its time, oldest first", async () => {
    const { manager, task, ctx, pass } = await reading();
    await pass(1);
    await task.send("at 1");
    await pass(1);
    void manager.get("child")?.cancel();
    await pass(1);
    await task.send("at 3");
    const batch = await batchOf(ctx);
    expect(batch.notices.map(({ taskId, at }) => [taskId, at])).toEqual([
      ["loop", 1],
      ["child", 2],
      ["loop", 3],
    ]);
  });

  test("unread is the next attempt's, also when it was delivered and not acknowledged", async () => {
    const { manager, pass } = quietWorld();
    const gate = deferred();
    const task = manager.spawn(
      async (ctx) => {
        ctx.spawn(deaf, { detached: true });
        const batch = await ctx.nextNotices();
        if (ctx.attempt === 2) return told(batch);
        await gate.promise;
        throw new Error("no");
      },
      { retry: { maxAttempts: 2, backoffMs: 1, jitter: false }, id: "loop" },
    );
    await settled();
    await task.send("hello");
    await settled();
    gate.resolve();
    await settled();
    await pass(1);
    expect(await peek(task.result())).toMatchObject({ value: ["loop message"] });
  });

  test("that was not read goes with its loop: it is no news for the session", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const gate = deferred();
    const task = chat.spawn(() => gate.promise, { wake: "silent" });
    await settled();
    await task.send("too late");
    gate.resolve();
    await settled();
    expect(await toldBy(chat.nextNotices())).toBeUndefined();
  });

  test("D1 is delivered once it is stored, whatever else is being stored meanwhile", async () => {
    const process = await started({ retention: { ttlMs: Number.POSITIVE_INFINITY } });
    const { manager } = process;
    const contexts: TaskContext[] = [];
    const task = manager.spawn((ctx) => {
      contexts.push(ctx);
      ctx.spawn(deaf, { wake: "onTerminal" });
      return deaf();
    });
    const busy: TaskContext[] = [];
    manager.spawn((ctx) => {
      busy.push(ctx);
      return deaf();
    });
    await settled();
    const next = given(contexts[0]).nextNotices();
    await settled();
    // Another task writes at the moment when the message is stored.
    manager.on("message.sent", () => given(busy[0]).progress({ current: 1 }));
    process.store.hold();
    void task.send("hello");
    await settled();
    expect(await toldBy(next)).toBe(PENDING);
    process.store.isOpen = false;
    process.store.release();
    await settled();
    process.store.letThrough();
    expect(await toldBy(next)).toEqual([`${task.id} message`]);
  });

  test("is unread again after a restart, in which it is not known who had read it", async () => {
    const process = await started();
    const chat = process.manager.session("chat");
    const task = chat.spawn(deaf);
    await settled();
    await task.send("hello");
    const next = await process.restart();
    expect(next.manager.get(task.id)?.messages()).toHaveLength(1);
    expect(told(await batchOf(next.manager.session("chat")))).toEqual([`${task.id} interrupted`]);
  });
});

const QUIET = { debug: () => undefined, info: () => undefined, error: () => undefined };

describe("a loop that never acknowledges", () => {
  test("is warned of, once, and not when it acknowledges or gets something new", async () => {
    const warned: string[] = [];
    const { manager } = quietWorld({ logger: { ...QUIET, warn: (message) => void warned.push(message) } });
    const chat = manager.session("chat");
    for (let n = 0; n < 30; n++) {
      chat.spawn(() => n);
      await batchOf(chat);
    }
    expect(warned).toEqual([]);
    for (let n = 0; n < 40; n++) await batchOf(chat);
    expect(warned).toHaveLength(1);
    expect(warned[0]).toContain("chat");
    expect(warned[0]).toContain("ack");
  });
});
