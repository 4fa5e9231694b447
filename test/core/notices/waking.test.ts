// Waking: what wakes a loop, what does not, and when a loop learns that nothing will (§9, N1, L2, L3).

import { type NoticeBatch, type SpawnOptions, TaskManager, type Wake } from "errand";
import { manualClock, simulate } from "errand/testing";
import { describe, expect, test } from "vitest";
import { allFree, deferred, facts, peek, settled, slots } from "../../support/basics.js";
import { batchOf, PENDING, quietWorld, seen, told, toldBy } from "../../support/loops.js";
import { deaf, given, hold, rejected, typesOf, untilStopped } from "../../support/program.js";

describe("the wake of a task, where its spawn does not say", () => {
  test("is onTerminal for what a named session spawns, as its child or not", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    expect(chat.spawn(() => 1).record.wake).toBe("onTerminal");
    expect(chat.spawn(() => 1, { title: "with options" }).record.wake).toBe("onTerminal");
    expect(chat.spawn(() => 1, { root: true }).record.wake).toBe("onTerminal");
    expect(chat.spawn(() => 1, { detached: true }).record.wake).toBe("onTerminal");
    await settled();
    expect(told(await batchOf(chat))).toHaveLength(4);
  });

  test("is silent for what the manager spawns, a task's ctx, and what is under a task of the session", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    expect(manager.spawn(() => 1).record.wake).toBe("silent");
    const task = hold(chat);
    await settled();
    expect(task.ctx.spawn(() => 1).record.wake).toBe("silent");
    expect(chat.spawn(() => 1, { parent: task.handle }).record.wake).toBe("silent");
  });

  test("is onTerminal for a task's children once its loop reads, spawned before or after", async () => {
    const { manager } = quietWorld();
    const loop = hold(manager);
    await settled();
    const before = loop.ctx.spawn(deaf);
    expect(before.record.wake).toBe("silent");
    void loop.ctx.nextNotices({ timeoutMs: 0 });
    const after = loop.ctx.spawn(deaf);
    const below = manager.spawn(deaf, { parent: loop.handle });
    expect([before, after, below].map(({ record }) => record.wake)).toEqual(["onTerminal", "onTerminal", "onTerminal"]);
  });

  test.each<[Wake | undefined, string[] | undefined]>([
    ["silent", undefined],
    ["onTerminal", ["child succeeded"]],
    ["onActivity", ["child succeeded"]],
    [undefined, ["child succeeded"]],
  ])("that is said wins: %s", async (wake, expected) => {
    for (const readsFirst of [true, false]) {
      const { manager } = quietWorld();
      const loop = manager.spawn(async (ctx) => {
        if (readsFirst) await ctx.nextNotices();
        ctx.spawn(() => 1, { wake, id: "child" });
        // The child ends before the first read, or after it.
        if (!readsFirst) await ctx.spawn(() => 2, { wake: "silent" }).result();
        return told(await ctx.nextNotices());
      });
      expect(await peek(loop.result())).toEqual({ is: "fulfilled", value: expected });
    }
  });

  test("says of children that ended before the first read, in the order in which they ended", async () => {
    const { manager } = quietWorld({ concurrency: 4 });
    const gates = [deferred(), deferred(), deferred()];
    const loop = manager.spawn(async (ctx) => {
      const children = gates.map(({ promise }, n) => ctx.spawn(() => promise, { id: `c${n}` }));
      // A wait for the children would deliver their ends, so the loop polls their status.
      while (children.some(({ status }) => status !== "succeeded")) await new Promise(setImmediate);
      return told(await ctx.nextNotices());
    });
    for (const n of [2, 0, 1]) {
      await settled(2);
      gates[n]?.resolve();
    }
    expect(await loop.result()).toEqual(["c2 succeeded", "c0 succeeded", "c1 succeeded"]);
  });

  test("of a task below a silent one does not reach above it while that one lives", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const silent = hold(chat, { wake: "silent" });
    await settled();
    silent.ctx.spawn(() => 1, { wake: "onTerminal" });
    await settled();
    expect((await toldBy(chat.nextNotices({ timeoutMs: 0 }))) ?? []).toEqual([]);
    silent.finish();
    await settled();
    expect(told(await batchOf(chat))).toEqual(["task_2 succeeded"]);
  });
});

describe("onActivity", () => {
  const busy = (options: SpawnOptions = {}) => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const handle = chat.spawn(
      async (ctx) => {
        ctx.emit("page", { n: 1 });
        void ctx.post("half of it");
        ctx.progress({ current: 1 });
        ctx.summary("reading");
        ctx.reportUsage({ inputTokens: 1 });
        ctx.artifact({ name: "a", type: "text/plain", data: "a" });
        ctx.heartbeat();
        const which = await ctx.ask({ question: "Which?", choices: ["left", "right"] });
        ctx.emit("which", which);
        return which;
      },
      { wake: "onActivity", ...options },
    );
    return { manager, chat, handle };
  };

  test("tells of messages, questions, custom events and the end, in order, and of nothing else", async () => {
    const { manager, chat, handle } = busy();
    const first = await batchOf(chat);
    expect(told(first)).toEqual([`${handle.id} custom page`, `${handle.id} message`, `${handle.id} request`]);
    expect(first.notices).toMatchObject([
      { type: "custom", name: "page", payload: { n: 1 } },
      { type: "message.sent", message: { direction: "outbound", content: [{ type: "text", text: "half of it" }] } },
      { type: "request.opened", request: { question: "Which?", status: "open", choices: ["left", "right"] } },
    ]);
    await first.ack();
    await manager.inbox.answer(given(manager.inbox.list()[0]).id, "left", { by: "ann" });
    expect(told(await batchOf(chat))).toEqual([`${handle.id} custom which`, `${handle.id} succeeded`]);
  });

  test("does not tell an owner what the owner sent", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const task = chat.spawn((ctx) => ctx.receive().then(() => deaf()), { wake: "onActivity" });
    await settled();
    await task.send("hello");
    expect(await toldBy(chat.nextNotices())).toBe(PENDING);
  });

  test("tells of a question that was answered meanwhile how it stands by now", async () => {
    const { manager, chat, handle } = busy();
    await settled();
    await manager.inbox.answer(given(manager.inbox.list()[0]).id, "right", { by: "ann" });
    const batch = await batchOf(chat);
    expect(batch.notices.find(({ type }) => type === "request.opened")).toMatchObject({
      request: { status: "answered" },
    });
    expect(told(batch)?.at(-1)).toBe(`${handle.id} succeeded`);
  });

  test("keeps what it delivered apart from an outcome that a wait gave: the end alone is acknowledged (N2)", async () => {
    const { manager, chat, handle } = busy();
    await settled();
    await manager.inbox.answer(given(manager.inbox.list()[0]).id, "right", { by: "ann" });
    await handle.result();
    expect(told(await batchOf(chat))).toEqual([
      `${handle.id} custom page`,
      `${handle.id} message`,
      `${handle.id} request`,
      `${handle.id} custom which`,
    ]);
  });

  test("drops with the write what a function wrote after it was over (S2)", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const task = hold<number>(chat, { wake: "onActivity" });
    await settled();
    task.finish(1);
    await settled();
    task.ctx.emit("late");
    void task.ctx.post("late");
    expect(told(await batchOf(chat))).toEqual([`${task.handle.id} succeeded`]);
  });
});

describe("undefined", () => {
  test.each<[string, (manager: TaskManager) => void]>([
    ["no task", () => undefined],
    ["a task of another session", (manager) => void manager.session("other").spawn(deaf)],
    ["a task of no session", (manager) => void manager.spawn(deaf)],
    ["a silent task", (manager) => void manager.session("chat").spawn(deaf, { wake: "silent" })],
  ])("is given at once with %s", async (_what, before) => {
    const { manager } = quietWorld();
    before(manager);
    for (const options of [{}, { timeoutMs: 5 }, { timeoutMs: 0 }, { coalesceMs: 5 }])
      expect(await seen(manager.session("chat").nextNotices(options))).toBeUndefined();
  });

  test("is given when everything is acknowledged, whatever was delivered", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    for (let n = 0; n < 3; n++) {
      chat.spawn(() => n);
      await (await batchOf(chat)).ack();
      expect(await toldBy(chat.nextNotices())).toBeUndefined();
    }
  });

  test("is given when the last that could wake it is cancelled and its wait has reported so", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const task = hold(chat);
    const next = chat.nextNotices();
    expect(await toldBy(next)).toBe(PENDING);
    await task.handle.cancel();
    expect(await toldBy(next)).toBeUndefined();
  });

  test("is not given while a task waits in a paused lane, for a person, for time, or to be tried again", async () => {
    const { manager, pass } = quietWorld({ lanes: { slow: { concurrency: 1 } } });
    const chat = manager.session("chat");
    manager.pause("slow");
    const tasks = [
      chat.spawn(() => 1, { lane: "slow" }),
      chat.spawn((ctx) => ctx.ask({ question: "Which?" })),
      chat.spawn((ctx) => ctx.sleep(1e9)),
      chat.spawn(() => Promise.reject(new Error("no")), { retry: { maxAttempts: 2, backoffMs: 1e6 } }),
    ];
    for (const task of tasks) {
      const next = chat.nextNotices({ timeoutMs: 10 });
      expect(await toldBy(next)).toBe(PENDING);
      await pass(10);
      expect(await toldBy(next)).toEqual([]);
      await task.cancel();
    }
    expect(await toldBy(chat.nextNotices())).toBeUndefined();
  });

  test("is not given while a silent task has one below it that could wake this loop when it is passed on (N3)", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const gate = deferred();
    chat.spawn(
      (ctx) => {
        ctx.spawn(() => gate.promise, { wake: "onTerminal", id: "inner" });
      },
      { wake: "silent" },
    );
    // A task that has spawned nothing yet wakes no loop.
    expect(await seen(chat.nextNotices())).toBeUndefined();
    await settled();
    const next = chat.nextNotices();
    await settled();
    gate.resolve();
    expect(await toldBy(next)).toEqual(["inner succeeded"]);
  });

  test("L3 is given to a loop when all that could wake it wait for the loop itself to end", async () => {
    const result = await simulate(async ({ manager }) => {
      const loop = manager.spawn(async (ctx) => {
        const me = given(manager.get(ctx.id));
        ctx.spawn(() => me.outcome(), { detached: true, wake: "onTerminal" });
        await ctx.sleep(5);
        return [await ctx.nextNotices()];
      });
      return loop.result();
    });
    expect(result).toEqual([undefined]);
  });

  test("L3 is given through a chain of waits, whatever is in it", async () => {
    const result = await simulate(async ({ manager }) => {
      const loop = manager.spawn(async (ctx) => {
        const me = given(manager.get(ctx.id));
        const middle = manager.spawn(() => me.outcome(), { root: true });
        ctx.spawn(() => middle.outcome(), { detached: true, wake: "onTerminal" });
        await ctx.sleep(5);
        return [await ctx.nextNotices()];
      });
      return loop.result();
    });
    expect(result).toEqual([undefined]);
  });

  test("L3 is given to the loop that waits already, when the last that could wake it comes to wait for it, or that one is refused", async () => {
    const result = await simulate(async ({ manager }) => {
      const loop = manager.spawn(async (ctx) => {
        const me = given(manager.get(ctx.id));
        ctx.spawn(
          async (child) => {
            await child.sleep(5);
            await me.outcome();
          },
          { detached: true, wake: "onTerminal", id: "child" },
        );
        return told(await ctx.nextNotices());
      });
      return loop.result();
    });
    // The child's wait closes the ring, so it is refused, and fails the child.
    expect(result).toEqual(["child failed"]);
  });

  test("L3 two loops that wait for each other's notices do not freeze each other", async () => {
    const result = await simulate(async ({ manager }) => {
      const a = manager.spawn(
        async (ctx) => {
          ctx.spawn(
            async (b) => {
              // b's only source is a's child that waits for b.
              b.spawn(() => given(manager.get("b")).outcome(), { detached: true, wake: "onTerminal" });
              await b.sleep(1);
              return [await b.nextNotices()];
            },
            { id: "b", wake: "onTerminal" },
          );
          return told(await ctx.nextNotices());
        },
        { id: "a" },
      );
      return a.result();
    });
    // The notices of tasks below b pass to a when b is over (N3).
    expect(result).toEqual(["b succeeded", "task_1 succeeded"]);
  });
});

describe("a wait for notices", () => {
  test("L2 lends the slot, is `notice` in blockedOn, and takes a slot to come back", async () => {
    const { manager } = quietWorld({ concurrency: 1 });
    const events = facts(manager);
    const gate = deferred();
    const loop = manager.spawn(async (ctx) => {
      ctx.spawn(() => gate.promise, { id: "child" });
      const batch = await ctx.nextNotices();
      expect(slots(manager).held).toBe(1);
      await batch?.ack();
      return told(batch);
    });
    await settled();
    expect(loop.record).toMatchObject({ status: "blocked", blockedOn: [{ on: "notice" }] });
    expect(slots(manager).held).toBe(1);
    gate.resolve();
    expect(await loop.result()).toEqual(["child succeeded"]);
    expect(typesOf(events, loop.id).filter((type) => type === "task.blocked" || type === "task.resumed")).toEqual([
      "task.blocked",
      "task.resumed",
    ]);
    allFree(manager);
  });

  test("L2 is no wait when its answer is there: no slot change, no event", async () => {
    const { manager } = quietWorld({ concurrency: 1 });
    const events = facts(manager);
    const loop = manager.spawn(async (ctx) => {
      const nothing = await ctx.nextNotices();
      const drained = await ctx.nextNotices({ timeoutMs: 0 });
      const child = ctx.spawn(deaf, { detached: true });
      const empty = await ctx.nextNotices({ timeoutMs: 0 });
      void child.cancel();
      return [nothing, drained, told(empty)];
    });
    expect(await loop.result()).toEqual([undefined, undefined, []]);
    expect(typesOf(events, loop.id)).not.toContain("task.blocked");
  });

  test("timeoutMs gives an empty batch, which has no text and whose ack is nothing", async () => {
    const { manager, clock, pass } = quietWorld();
    const chat = manager.session("chat");
    const task = hold(chat);
    const next = chat.nextNotices({ timeoutMs: 100 });
    await pass(99);
    expect(await toldBy(next)).toBe(PENDING);
    await pass(1);
    const batch = given(await next);
    expect(batch).toMatchObject({ text: "", notices: [] });
    await batch.ack();
    expect(clock.nextAt).toBeUndefined();
    task.finish();
    expect(told(await batchOf(chat))).toEqual([`${task.handle.id} succeeded`]);
  });

  test("timeoutMs 0 drains what is there, and waits for nothing", async () => {
    const { manager, clock } = quietWorld();
    const chat = manager.session("chat");
    const [a, b] = [hold(chat), hold(chat)];
    await settled();
    expect(await toldBy(chat.nextNotices({ timeoutMs: 0 }))).toEqual([]);
    a.finish();
    await settled();
    expect(await toldBy(chat.nextNotices({ timeoutMs: 0, coalesceMs: 50 }))).toEqual([`${a.handle.id} succeeded`]);
    expect(clock.nextAt).toBeUndefined();
    b.finish();
    await settled();
    expect(await toldBy(chat.nextNotices({ timeoutMs: 0 }))).toHaveLength(2);
  });

  test("what came in the very turn of its timeout is delivered once, now or at the next call", async () => {
    const { manager, pass } = quietWorld();
    const chat = manager.session("chat");
    chat.spawn((ctx) => ctx.sleep(100));
    const next = chat.nextNotices({ timeoutMs: 100 });
    await pass(100);
    const first = told(given(await next)) ?? [];
    const second = await toldBy(chat.nextNotices());
    expect(first.length === 0 ? second : first).toEqual(["task_1 succeeded"]);
  });

  test("a signal withdraws it with its reason, and leaves no timer and nothing acknowledged", async () => {
    const { manager, clock } = quietWorld();
    const chat = manager.session("chat");
    const task = hold(chat);
    const over = new AbortController();
    const reason = new Error("enough");
    const next = chat.nextNotices({ signal: over.signal, timeoutMs: 1_000, coalesceMs: 50 });
    await settled();
    task.finish();
    await settled();
    over.abort(reason);
    expect(await peek(next)).toEqual({ is: "rejected", error: reason });
    expect(clock.nextAt).toBeUndefined();
    expect(await peek(chat.nextNotices({ signal: over.signal }))).toEqual({ is: "rejected", error: reason });
    expect(told(await batchOf(chat))).toEqual([`${task.handle.id} succeeded`]);
  });

  test("coalesceMs waits for company after the first, and for no longer", async () => {
    const { manager, clock, pass } = quietWorld();
    const chat = manager.session("chat");
    for (const ms of [100, 120, 149, 151]) chat.spawn((ctx) => ctx.sleep(ms), { id: `t${ms}` });
    const next = chat.nextNotices({ coalesceMs: 50 });
    await pass(149);
    expect(await toldBy(next)).toBe(PENDING);
    await pass(1);
    expect(await toldBy(next)).toEqual(["t100 succeeded", "t120 succeeded", "t149 succeeded"]);
    await (await next)?.ack();
    expect(clock.nextAt).toBe(151);
    // The time of `coalesceMs` also applies to a notice that was pending before the call.
    await pass(1);
    const late = chat.nextNotices({ coalesceMs: 50 });
    expect(await toldBy(late)).toBe(PENDING);
    await pass(50);
    expect(await toldBy(late)).toEqual(["t151 succeeded"]);
    expect(clock.nextAt).toBeUndefined();
  });

  test("coalesceMs is cut short by timeoutMs, which gives what there is", async () => {
    const { manager, clock, pass } = quietWorld();
    const chat = manager.session("chat");
    chat.spawn((ctx) => ctx.sleep(10));
    const task = hold(chat);
    const next = chat.nextNotices({ coalesceMs: 1_000, timeoutMs: 20 });
    await pass(20);
    expect(await toldBy(next)).toEqual(["task_1 succeeded"]);
    expect(clock.nextAt).toBeUndefined();
    task.finish();
  });

  test("coalesceMs whose only notice was given by a wait meanwhile goes on waiting, or ends", async () => {
    const { manager, clock, pass } = quietWorld();
    const chat = manager.session("chat");
    const [a, b] = [hold<number>(chat), hold<number>(chat)];
    const next = chat.nextNotices({ coalesceMs: 50 });
    await settled();
    a.finish(1);
    await settled();
    await a.handle.result();
    await pass(50);
    expect(await toldBy(next)).toBe(PENDING);
    b.finish(2);
    await settled();
    await b.handle.result();
    await pass(50);
    expect(await toldBy(next)).toBeUndefined();
    expect(clock.nextAt).toBeUndefined();
  });

  test("C3 is rejected in the turn of the reader's cancel, and its notices come to the next owner", async () => {
    const { manager, clock } = quietWorld();
    const chat = manager.session("chat");
    const child = deferred();
    const loop = chat.spawn(
      async (ctx) => {
        ctx.spawn(() => child.promise, { id: "child", detached: true });
        await ctx.nextNotices({ timeoutMs: 500, coalesceMs: 5 });
      },
      { wake: "silent" },
    );
    await settled();
    const cancelled = loop.cancel("enough");
    await new Promise(setImmediate);
    expect(loop.status).toBe("cancelled");
    expect(await cancelled).toMatchObject({ status: "cancelled", reason: "enough" });
    expect(clock.nextAt).toBeUndefined();
    child.resolve();
    expect(told(await batchOf(chat))).toEqual(["child succeeded"]);
  });

  test("C3 that stands in line for its slot, with its batch, is rejected too, and the batch comes again to the next owner", async () => {
    const { manager } = quietWorld({ lanes: { default: { concurrency: 1 }, side: { concurrency: 3 } } });
    const chat = manager.session("chat");
    const [child, rival] = [deferred(), deferred()];
    const loop = chat.spawn(
      async (ctx) => {
        ctx.spawn(() => child.promise, { id: "child", detached: true, lane: "side" });
        const batch = await ctx.nextNotices();
        await batch?.ack();
      },
      { wake: "silent" },
    );
    await settled();
    manager.spawn(() => rival.promise);
    await settled();
    child.resolve();
    await settled();
    expect(loop.record.blockedOn).toEqual([{ on: "slot" }]);
    void loop.cancel();
    await settled();
    expect(await toldBy(chat.nextNotices())).toEqual(["child succeeded"]);
    rival.resolve();
    await settled();
    allFree(manager);
  });

  test("begun after a stop rejects in a later macrotask: a loop that swallows the error cannot freeze the process", async () => {
    const { manager } = quietWorld();
    let refusals = 0;
    const loop = manager.spawn(async (ctx) => {
      ctx.spawn(deaf, { detached: true });
      while (refusals < 3) await ctx.nextNotices().catch(() => refusals++);
    });
    await settled();
    void loop.cancel();
    await settled(20);
    expect([refusals >= 3, loop.status]).toEqual([true, "succeeded"]);
  });

  test("through a context whose function is over is refused, and never waits", async () => {
    const { manager } = quietWorld();
    const [done, failed, stopped] = [hold<number>(manager), hold(manager), hold(manager)];
    await settled();
    done.finish(1);
    failed.fail(new Error("no"));
    void stopped.handle.cancel();
    await settled();
    await rejected(() => done.ctx.nextNotices(), "TASK_TERMINATED");
    await rejected(() => failed.ctx.nextNotices(), "SCOPE_CANCELLED");
    await rejected(() => stopped.ctx.nextNotices(), "SCOPE_CANCELLED");
  });

  test("of another task, through a loop's context, ends when that loop does", async () => {
    const { manager } = quietWorld();
    const loop = hold<number>(manager);
    await settled();
    loop.ctx.spawn(deaf, { wake: "onTerminal", detached: true });
    const { ctx } = loop;
    const other = manager.spawn(() => ctx.nextNotices().then(String, () => "refused"), { root: true });
    await settled();
    expect(other.record.blockedOn).toEqual([{ on: "notice" }]);
    loop.finish(1);
    await settled();
    expect(other.status).not.toBe("blocked");
  });

  test("D8 outside tasks is ManagerClosedError when the manager closes, and one begun later too", async () => {
    const { manager, clock } = quietWorld();
    const chat = manager.session("chat");
    chat.spawn(untilStopped);
    const next = chat.nextNotices({ timeoutMs: 1e6, coalesceMs: 5 });
    await settled();
    await manager.close();
    // The ends that the close itself caused may be delivered first.
    const seenAtClose = await peek(next);
    if (seenAtClose.is === "fulfilled") expect(told(seenAtClose.value)).toEqual(["task_1 interrupted"]);
    else expect(seenAtClose).toMatchObject({ is: "rejected", error: { code: "MANAGER_CLOSED" } });
    await rejected(() => chat.nextNotices(), "MANAGER_CLOSED");
    expect(clock.nextAt).toBeUndefined();
  });

  test("§12 refuses what does not fit, before it waits or reads", async () => {
    const { manager } = quietWorld();
    const chat = manager.session("chat");
    const wrong: readonly [object, new () => Error][] = [
      [{ timeoutMs: -1 }, RangeError],
      [{ timeoutMs: Number.NaN }, RangeError],
      [{ timeoutMs: "5" }, TypeError],
      [{ coalesceMs: -1 }, RangeError],
      [{ coalesceMs: null }, TypeError],
      [{ signal: {} }, TypeError],
      [{ timeout: 5 }, TypeError],
    ];
    for (const [options, error] of wrong) {
      const now = await peek(chat.nextNotices(options));
      expect([options, now.is === "rejected" && now.error instanceof error]).toEqual([options, true]);
    }
  });
});

describe("two readers of one session", () => {
  const readers = async (count: number) => {
    const { manager, pass } = quietWorld();
    const chat = manager.session("chat");
    const tasks = Array.from({ length: 2 }, () => hold(chat));
    const nexts = Array.from({ length: count }, () => chat.nextNotices());
    await settled();
    return { manager, chat, tasks, nexts, pass };
  };

  test("N1 both have the batch, and one acknowledges it for both", async () => {
    const { chat, tasks, nexts } = await readers(2);
    tasks[0]?.finish();
    const [first, second] = nexts as [Promise<NoticeBatch>, Promise<NoticeBatch>];
    expect([await toldBy(first), await toldBy(second)]).toEqual([["task_1 succeeded"], ["task_1 succeeded"]]);
    await (await first).ack();
    tasks[1]?.finish();
    await settled();
    expect(told(await batchOf(chat))).toEqual(["task_2 succeeded"]);
    await (await second).ack();
    expect(told(await batchOf(chat))).toEqual(["task_2 succeeded"]);
  });

  test("N1 when the first is withdrawn the other has the batch", async () => {
    const { manager } = quietWorld({ lanes: { default: { concurrency: 1 }, side: { concurrency: 3 } } });
    const chat = manager.session("chat");
    const task = hold(chat, { lane: "side" });
    const rival = deferred();
    // The reader is a task without a session that reads the notices of the session.
    const reader = manager.spawn(() => chat.nextNotices());
    await settled();
    const other = chat.nextNotices();
    manager.spawn(() => rival.promise);
    await settled();
    task.finish();
    await settled();
    expect(reader.record.blockedOn).toEqual([{ on: "slot" }]);
    void reader.cancel();
    expect(await toldBy(other)).toEqual([`${task.handle.id} succeeded`]);
    rival.resolve();
  });

  test("none waits for ever when nothing lives any more and the first did not acknowledge", async () => {
    const { tasks, nexts } = await readers(2);
    for (const task of tasks) task.finish();
    for (const next of nexts) expect(await toldBy(next)).not.toBe(PENDING);
  });
});

describe("a turn", () => {
  test("N1 of a thousand ends in a task's loop is one batch, also when its slot is another's meanwhile", async () => {
    const { manager } = quietWorld({ lanes: { default: { concurrency: 1 }, side: { concurrency: 2_000 } } });
    const gate = deferred();
    const loop = manager.spawn(async (ctx) => {
      for (let n = 0; n < 1_000; n++) ctx.spawn(() => gate.promise, { lane: "side" });
      const batch = await ctx.nextNotices();
      await batch?.ack();
      return [batch?.notices.length, await ctx.nextNotices()];
    });
    await settled();
    gate.resolve();
    expect(await loop.result()).toEqual([1_000, undefined]);
  });

  test("N1 tells the oldest first over tasks and kinds of notices", async () => {
    const clock = manualClock();
    await using manager = new TaskManager({ clock });
    const chat = manager.session("chat");
    const [a, b] = [hold(chat, { wake: "onActivity", id: "a" }), hold(chat, { wake: "onActivity", id: "b" })];
    await settled();
    a.ctx.emit("1");
    b.ctx.emit("2");
    a.ctx.emit("3");
    b.finish();
    await settled();
    a.ctx.emit("4");
    expect(told(await batchOf(chat))).toEqual(["a custom 1", "b custom 2", "a custom 3", "b succeeded", "a custom 4"]);
  });
});
