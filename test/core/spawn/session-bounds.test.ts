// What one session may take of its manager: its tasks that live and wait, its budget, and its place in the line of all (L6, H6).

import type { Session, SessionOptions, TaskHandle, TaskManager } from "errand";
import { defineKind } from "errand";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";
import { given, hold, refusalOf, refused, untilStopped, world } from "../../support/program.js";

const stays = defineKind({ name: "stays", run: (ctx) => untilStopped(ctx) });

/** How many tasks `owner` can spawn, of twenty. */
function spawned(owner: Pick<TaskManager, "spawn">): number {
  for (let n = 0; n < 20; n++) {
    try {
      owner.spawn(untilStopped);
    } catch {
      return n;
    }
  }
  return 20;
}

describe("L6 a session with `maxLiving`", () => {
  test("spawns no more while so many live, and the refusal names it", async () => {
    const { manager } = world();
    const chat = manager.session("chat", { limits: { maxLiving: 2 } });
    const first = hold(chat);
    chat.spawn(untilStopped);
    const error = refused(() => chat.spawn(untilStopped), "LIMIT_EXCEEDED");
    expect([error.limit, error.max]).toEqual(["session.maxLiving", 2]);
    expect(error.message).toContain("Session chat has 2 living tasks");
    expect(error.message).toContain("(session.limits.maxLiving is 2)");
    await settled();
    first.finish();
    await settled();
    expect(spawned(chat)).toBe(1);
    // Neither another session nor the program is affected.
    expect([spawned(manager.session("other")), spawned(manager)]).toEqual([20, 20]);
  });

  test("counts what its tasks spawn, and is the same through each handle of the session", async () => {
    const { manager } = world();
    manager.session("chat", { limits: { maxLiving: 2 } });
    const parent = hold(manager.session("chat"));
    await settled();
    parent.ctx.spawn(untilStopped);
    refused(() => parent.ctx.spawn(untilStopped), "LIMIT_EXCEEDED");
    refused(() => manager.session("chat").spawn(untilStopped), "LIMIT_EXCEEDED");
  });

  test("is changed by a later call, and a field that is left out keeps its value", async () => {
    const { manager } = world();
    const chat = manager.session("chat", { limits: { maxLiving: 1 }, budget: { tasks: 3 } });
    expect(spawned(chat)).toBe(1);
    manager.session("chat", { limits: { maxLiving: 2 } });
    expect(spawned(chat)).toBe(1);
    manager.session("chat", { limits: { maxLiving: 10 } });
    expect(spawned(chat)).toBe(1);
    expect(refused(() => chat.spawn(untilStopped), "LIMIT_EXCEEDED").limit).toBe("budget.tasks");
  });

  test("refuses a model in words, and the model goes on when one has ended", async () => {
    const { manager } = world({ kinds: [stays] });
    const chat = manager.session("chat", { limits: { maxLiving: 1 } });
    const spawnTask = given(chat.tools({ only: ["spawn_task"] })[0]);
    expect(await spawnTask.execute({ kind: "stays" })).not.toHaveProperty("error");
    expect(await spawnTask.execute({ kind: "stays" })).toMatchObject({ error: /Session chat has 1 living tasks/ });
    await chat.cancelAll();
    expect(await spawnTask.execute({ kind: "stays" })).not.toHaveProperty("error");
  });
});

describe("L6 a session with `maxQueued`", () => {
  test("has so many in line, and starts what needs no place", async () => {
    const { manager } = world({ concurrency: 2, lanes: { other: { concurrency: 1 } } });
    const chat = manager.session("chat", { limits: { maxQueued: 1 } });
    // Two start, one stands in line.
    expect(spawned(chat)).toBe(3);
    expect(refused(() => chat.spawn(untilStopped), "LIMIT_EXCEEDED").limit).toBe("session.maxQueued");
    expect(spawned(manager.session("free"))).toBe(20);
  });

  test("counts tasks that leave the line, however they do", async () => {
    const { manager } = world({ concurrency: 1 });
    const chat = manager.session("chat", { limits: { maxQueued: 1 } });
    const running = hold(chat);
    const queued = chat.spawn(untilStopped);
    refused(() => chat.spawn(untilStopped), "LIMIT_EXCEEDED");
    await queued.cancel();
    const next = hold(chat);
    refused(() => chat.spawn(untilStopped), "LIMIT_EXCEEDED");
    await settled();
    running.finish();
    await settled();
    expect(next.handle.status).toBe("running");
    expect(spawned(chat)).toBe(1);
    manager.pause();
    next.finish();
    await settled();
    refused(() => chat.spawn(untilStopped), "LIMIT_EXCEEDED");
  });

  test("0 lets nothing stand in line", () => {
    const { manager } = world({ concurrency: 1 });
    expect(spawned(manager.session("chat", { limits: { maxQueued: 0 } }))).toBe(1);
  });
});

describe("L6 the line of the manager", () => {
  const owners: readonly (readonly [string, (manager: TaskManager) => readonly Pick<TaskManager, "spawn">[]])[] = [
    ["a session", (manager) => [manager.session("a"), manager.session("b"), manager]],
    ["the program", (manager) => [manager, manager.session("a"), manager.session("b")]],
  ];
  test.each(owners)("that %s fills has a place for each owner that has nothing in it", async (_who, make) => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 8 } });
    const [greedy, ...others] = make(manager);
    expect(spawned(given(greedy))).toBe(9);
    for (const other of others) expect(spawned(other)).toBe(1);
    expect(refused(() => given(greedy).spawn(untilStopped), "QUEUE_FULL").maxQueued).toBe(8);
    expect(manager.stats().queued).toBe(10);
  });

  test("holds at most twice as many, whatever comes", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 3 } });
    manager.spawn(untilStopped);
    const places = Array.from({ length: 10 }, (_, n) => spawned(manager.session(`s${n}`)));
    expect(places).toEqual([3, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
  });

  test("that takes nothing takes nothing of anyone", () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 0 } });
    expect([spawned(manager), spawned(manager.session("a"))]).toEqual([1, 0]);
  });
});

describe("H6 a session with a budget", () => {
  const reports = { inputTokens: 60, costUsd: 0.6 };
  const budgets: readonly [string, SessionOptions["budget"]][] = [
    ["tokens", { tokens: 100 }],
    ["costUsd", { costUsd: 1 }],
  ];
  test.each(budgets)(
    "of %s stops all its living tasks at the report that overspends it, and spawns no more",
    async (name, budget) => {
      const { manager } = world();
      const chat = manager.session("chat", { budget });
      const [one, two] = [hold(chat), hold(chat)];
      const apart = manager.session("other").spawn(untilStopped);
      await settled();
      const below = one.ctx.spawn(untilStopped);
      const detached = one.ctx.spawn(untilStopped, { detached: true });
      await settled();
      one.ctx.reportUsage(reports);
      expect([one.handle, two.handle].map(({ record }) => record.stopReason)).toEqual([undefined, undefined]);
      two.ctx.reportUsage(reports);
      const stopped: TaskHandle[] = [one.handle, two.handle, below, detached];
      expect(stopped.map(({ record }) => record.stopReason)).toEqual([
        "budget_exceeded",
        "budget_exceeded",
        "cancel",
        "budget_exceeded",
      ]);
      expect(await one.handle.outcome()).toMatchObject({
        status: "failed",
        error: { code: "budget_exceeded", message: expect.stringContaining("session chat") },
      });
      expect(refused(() => chat.spawn(untilStopped), "LIMIT_EXCEEDED").limit).toBe(`budget.${name}`);
      expect(apart.record.stopReason).toBeUndefined();
      // A later call raises it.
      manager.session("chat", { budget: { tokens: 1_000, costUsd: 10 } });
      const again = hold(chat);
      await settled();
      again.ctx.reportUsage({ inputTokens: 2_000 });
      expect(again.handle.record.stopReason).toBe("budget_exceeded");
    },
  );

  test("of tasks counts all that were ever spawned in it, evicted ones too", async () => {
    const { manager } = world({ retention: { maxFinished: 0 } });
    const chat = manager.session("chat", { budget: { tasks: 3 } });
    for (let n = 0; n < 3; n++) await chat.spawn(() => n, { wake: "silent" }).result();
    const error = refused(() => chat.spawn(() => 3), "LIMIT_EXCEEDED");
    expect([error.limit, error.message]).toEqual([
      "budget.tasks",
      expect.stringContaining("The budget of session chat"),
    ]);
  });

  test("that was lowered below what is used stops its tasks at their next report", async () => {
    const { manager } = world();
    const chat = manager.session("chat", { budget: { tokens: 1_000 } });
    const one = hold(chat);
    await settled();
    one.ctx.reportUsage({ inputTokens: 500 });
    manager.session("chat", { budget: { tokens: 100 } });
    refused(() => chat.spawn(untilStopped), "LIMIT_EXCEEDED");
    expect(one.handle.record.stopReason).toBeUndefined();
    one.ctx.reportUsage({ outputTokens: 1 });
    expect(one.handle.record.stopReason).toBe("budget_exceeded");
  });

  test("shows a model what is left", async () => {
    const { manager } = world();
    const chat = manager.session("chat", { budget: { tokens: 1_000, tasks: 5 } });
    const one = hold(chat);
    await settled();
    one.ctx.reportUsage({ inputTokens: 400 });
    const line = "Your budget: 600 of 1000 tokens left, 4 of 5 tasks left";
    expect([chat.view().split("\n")[0], one.ctx.spawn(untilStopped) && one.ctx.view().split("\n")[0]]).toEqual([
      line,
      "Your budget: 600 of 1000 tokens left, 3 of 5 tasks left",
    ]);
  });
});

describe("§12 what bounds a session", () => {
  const bad: readonly (readonly [unknown, RegExp])[] = [
    [{ limit: {} }, /^session has no option "limit" \(did you mean limits\?\)/],
    [{ limits: { maxliving: 1 } }, /^session\.limits has no option "maxliving" \(did you mean maxLiving\?\)/],
    [{ limits: { maxLiving: -1 } }, /^session\.limits\.maxLiving must be an integer ≥ 0/],
    [{ limits: { maxQueued: "3" } }, /^session\.limits\.maxQueued must be an integer ≥ 0/],
    [{ budget: { tokens: Number.NaN } }, /^budget\.tokens must be/],
    [{ budget: { token: 3 } }, /token/],
    [5, /session/],
  ];
  test.each(bad)("is refused: %j", async (options, message) => {
    const { manager } = world();
    const error = await refusalOf(() => manager.session("chat", options as SessionOptions));
    expect(error).toMatchObject({ message: expect.stringMatching(message) });
    expect(spawned(manager.session("chat"))).toBe(20);
  });
});

describe("D6 a session without kept tasks", () => {
  const read = async (session: Session): Promise<void> => {
    for (let batch = await session.nextNotices({ timeoutMs: 0 }); batch !== undefined && batch.notices.length > 0; ) {
      await batch.ack();
      batch = await session.nextNotices({ timeoutMs: 0 });
    }
  };

  test("is forgotten ttlMs after the last of them, its usage included, and not before", async () => {
    const { manager, pass } = world({ retention: { maxFinished: 0, ttlMs: 1_000 } });
    const chat = manager.session("chat");
    const work = hold(chat, { wake: "silent" });
    await settled();
    work.ctx.reportUsage({ inputTokens: 5 });
    await pass(5_000);
    work.finish();
    await settled();
    await pass(999);
    expect(chat.usage()).toMatchObject({ inputTokens: 5, tasks: 1 });
    await pass(1);
    expect(chat.usage()).toMatchObject({ inputTokens: 0, tasks: 0 });
  });

  test("is kept while a notice of it is unread, and while it is used", async () => {
    const { manager, pass } = world({ retention: { maxFinished: 0, ttlMs: 1_000 } });
    const chat = manager.session("chat");
    await chat.spawn(() => 1).outcome();
    await manager
      .session("chat")
      .spawn((ctx) => ctx.reportUsage({ inputTokens: 5 }))
      .stored();
    await settled();
    await pass(5_000);
    expect(chat.usage().inputTokens).toBe(5);
    await read(chat);
    await pass(999);
    await chat.nextNotices({ timeoutMs: 0 });
    await pass(999);
    expect(chat.usage().inputTokens).toBe(5);
    await pass(1);
    expect(chat.usage().inputTokens).toBe(0);
  });

  test("keeps the bounds of its handle when it was forgotten", async () => {
    const { manager, pass } = world({ retention: { maxFinished: 0, ttlMs: 10 } });
    const chat = manager.session("chat", { limits: { maxLiving: 1 } });
    await chat.spawn(() => 1, { wake: "silent" }).outcome();
    await settled();
    await pass(1_000);
    expect(spawned(chat)).toBe(1);
  });
});
