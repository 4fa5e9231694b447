// Notices (N1–N3): the events of its tasks that an owner loop receives, by the public names.

import { describe, expect, test } from "vitest";
import { TaskManager } from "../../../lib/index.js";

describe("N1: a notice", () => {
  test("tells of the end of a session's task, once, and is gone when it is acknowledged", async () => {
    await using manager = new TaskManager();
    const session = manager.session("chat");
    session.spawn(() => "done", { title: "Look" });
    const batch = await session.nextNotices();
    expect(batch?.notices).toMatchObject([{ type: "task.succeeded", outcome: { value: "done" } }]);
    expect(batch?.text).toContain('"Look" succeeded: "done"');
    const again = await session.nextNotices();
    expect(again?.notices).toEqual(batch?.notices);
    await batch?.ack();
    expect(await session.nextNotices()).toBeUndefined();
  });

  test("10 000 ends in one turn are one batch", async () => {
    await using manager = new TaskManager();
    const session = manager.session("chat");
    for (let n = 0; n < 10_000; n++) session.spawn(() => n);
    const batch = await session.nextNotices();
    expect(batch?.notices).toHaveLength(10_000);
    expect(batch?.text.length).toBeLessThan(9_000);
    await batch?.ack();
    expect(await session.nextNotices()).toBeUndefined();
  });
});
describe("N2", () => {
  test("an outcome that its owner awaited is not delivered again", async () => {
    await using manager = new TaskManager();
    const session = manager.session("chat");
    const handle = session.spawn(async () => 1);
    const [value, batch] = await Promise.all([handle.result(), session.nextNotices()]);
    expect(value).toBe(1);
    expect(batch).toBeUndefined();
  });
});
describe("a task's loop", () => {
  test("that reads late gets the notices of children that ended before", async () => {
    await using manager = new TaskManager();
    const seen = await manager
      .spawn(async (ctx) => {
        ctx.spawn(() => 1);
        ctx.spawn(() => 2);
        await ctx.sleep(5);
        const batch = await ctx.nextNotices();
        await batch?.ack();
        const rest = await ctx.nextNotices();
        return [batch?.notices.length, rest];
      })
      .result();
    expect(seen).toEqual([2, undefined]);
  });
  test("with silent children gets undefined at once", async () => {
    await using manager = new TaskManager();
    const seen = await manager
      .spawn(async (ctx) => {
        ctx.spawn((child) => child.sleep(10_000), { wake: "silent", detached: true });
        return (await ctx.nextNotices()) === undefined;
      })
      .result();
    expect(seen).toBe(true);
  });
});
