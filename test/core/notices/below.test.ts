// A silent task with a loop of its own keeps the loops above it waiting, and no other loop (N3).

import type { TaskContext } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, settled } from "../../support/basics.js";
import { batchOf, PENDING, quietWorld, told, toldBy } from "../../support/loops.js";

describe("undefined", () => {
  test("is given to a session, though a silent task of another session has one below it that wakes its loop", async () => {
    const { manager } = quietWorld();
    const [here, there] = [manager.session("here"), manager.session("there")];
    const gate = deferred();
    const silent = async (ctx: TaskContext) => {
      ctx.spawn(() => gate.promise, { wake: "onTerminal" });
      await gate.promise;
    };
    there.spawn(silent, { wake: "silent" });
    await settled();
    expect(await toldBy(here.nextNotices())).toBeUndefined();
    // The task keeps the loop of its own session waiting.
    expect(await toldBy(there.nextNotices({ timeoutMs: 1e6 }))).toBe(PENDING);
    gate.resolve();
  });

  test("is not given to a task's loop while a silent child of it has one below that would be passed on", async () => {
    const { manager } = quietWorld();
    const [inner, outer] = [deferred(), deferred()];
    const loop = manager.spawn(async (ctx) => {
      ctx.spawn(
        async (silent) => {
          silent.spawn(() => inner.promise, { wake: "onTerminal", id: "inner", detached: true });
          await outer.promise;
        },
        { wake: "silent" },
      );
      await settled();
      return told(await ctx.nextNotices());
    });
    await settled();
    await settled();
    expect(loop.status).toBe("blocked");
    outer.resolve();
    await settled();
    expect(loop.status).toBe("blocked");
    inner.resolve();
    expect(await loop.result()).toEqual(["inner succeeded"]);
  });

  test("is given to a task's loop, though a silent task beside it has one below that wakes its own", async () => {
    const { manager } = quietWorld();
    const gate = deferred();
    manager.spawn(
      async (ctx) => {
        ctx.spawn(() => gate.promise, { wake: "onTerminal" });
        await gate.promise;
      },
      { wake: "silent" },
    );
    await settled();
    const loop = manager.spawn((ctx) => toldBy(ctx.nextNotices()));
    expect(await loop.result()).toBeUndefined();
    gate.resolve();
  });
});

test("D6 a task of whose notices some are acknowledged is kept for the others, and for nothing then", async () => {
  const { manager } = quietWorld({ retention: { maxFinished: 0 } });
  const chat = manager.session("chat");
  const gate = deferred();
  const task = chat.spawn(
    async (ctx) => {
      await ctx.post("half of it");
      await gate.promise;
      return 1;
    },
    { wake: "onActivity" },
  );
  await settled();
  const first = await batchOf(chat);
  gate.resolve();
  await settled();
  await first.ack();
  const second = await batchOf(chat);
  expect(told(second)).toEqual([`${task.id} succeeded`]);
  expect(manager.get(task.id)).toBeDefined();
  await second.ack();
  expect(manager.get(task.id)).toBeUndefined();
  expect(await toldBy(chat.nextNotices())).not.toBe(PENDING);
});
