// Cancel: what a stop does to work in every state, what its signal says, and what it never leaves behind (C1–C5, S5).

import { getEventListeners } from "node:events";
import type { LaneOptions, TaskContext, TaskHandle, TaskManager } from "errand";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allFree, deferred, facts, peek, settled, slots } from "../../support/basics.js";
import { type Compiled, compiled, runProgram } from "../../support/own-process.js";
import {
  deaf,
  endsIn,
  errandError,
  given,
  hold,
  holdDeaf,
  isEnd,
  refusalOf,
  refused,
  rejected,
  typesOf,
  untilStopped,
  world,
} from "../../support/program.js";

describe("cancel of work in every state", () => {
  test("C1 queued work ends within the call and its function never runs (L5)", async () => {
    const { manager } = world({ concurrency: 1 });
    const told = facts(manager);
    hold(manager);
    const queued = hold(manager);
    await settled();
    const outcome = queued.handle.cancel("no longer needed");
    expect(queued.handle.record).toMatchObject({
      status: "cancelled",
      stopReason: "cancel",
      reason: "no longer needed",
      attempt: 1,
    });
    expect(queued.handle.record.startedAt).toBeUndefined();
    expect(manager.stats().queued).toBe(0);
    expect(await outcome).toEqual({ id: queued.handle.id, status: "cancelled", reason: "no longer needed" });
    await settled();
    expect(queued.started).toBe(false);
    expect(typesOf(told, queued.handle.id)).toEqual(["task.created", "task.cancelRequested", "task.cancelled"]);
  });

  test("C1 work cancelled in the call after its spawn never starts, and its slot is free again", async () => {
    const { manager } = world({ concurrency: 1 });
    const told = facts(manager);
    const task = hold(manager);
    expect(task.handle.status).toBe("queued");
    void task.handle.cancel();
    expect(task.handle.status).toBe("cancelled");
    await settled();
    expect(task.started).toBe(false);
    expect(typesOf(told, task.handle.id)).toEqual(["task.created", "task.cancelRequested", "task.cancelled"]);
    allFree(manager);
  });

  test('C1 a cancel without words says "cancel"', async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    expect(await task.handle.cancel()).toMatchObject({ status: "cancelled", reason: "cancel" });
  });

  test("C1 a running task stays running until its function settles; its intent is there at once", async () => {
    const { manager, clock } = world();
    await clock.advance(7);
    const task = holdDeaf(manager);
    await settled();
    void task.handle.cancel("stop");
    expect(task.handle.record).toMatchObject({
      status: "running",
      stopReason: "cancel",
      reason: "stop",
      cancelRequestedAt: 7,
    });
    expect(task.ctx.isCancelled).toBe(true);
    await settled();
    expect(task.handle.status).toBe("running");
    task.fail(new Error("stopped"));
    expect((await task.handle.outcome()).status).toBe("cancelled");
  });

  test("S4 a blocked task stays blocked, on nothing, until its function settles, and holds no slot", async () => {
    const { manager } = world({ concurrency: 1 });
    const gate = deferred();
    const task = manager.spawn(async (ctx) => {
      await ctx.ask({ question: "which?" }).catch(() => undefined);
      await gate.promise;
      throw new Error("stopped");
    });
    await settled();
    const request = given(manager.inbox.list()[0]);
    void task.cancel();
    expect([task.status, task.record.blockedOn]).toEqual(["blocked", []]);
    await settled();
    expect([task.status, task.record.blockedOn]).toEqual(["blocked", []]);
    expect(manager.inbox.get(request.id)?.status).toBe("withdrawn");
    expect(await manager.spawn(() => "the slot was free").result()).toBe("the slot was free");
    gate.resolve();
    expect((await task.outcome()).status).toBe("cancelled");
  });

  test("S4 the request of a cancelled asker is withdrawn, and an answer comes too late", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = manager.spawn((ctx) => ctx.ask({ question: "which?" }));
    await settled();
    const { id } = given(manager.inbox.list()[0]);
    void task.cancel();
    const late = await rejected(() => manager.inbox.answer(id, "this one", { by: "ann" }), "ALREADY_ANSWERED");
    expect(late.request.status).toBe("withdrawn");
    expect((await task.outcome()).status).toBe("cancelled");
    await settled();
    expect(typesOf(told, task.id)).toContain("request.withdrawn");
  });

  test("C1 cancel when over changes nothing and gives the outcome it had", async () => {
    const { manager } = world();
    const told = facts(manager);
    const done = manager.spawn(() => "done");
    const broken = manager.spawn(() => Promise.reject(new Error("broken")));
    await Promise.all([done.outcome(), broken.outcome()]);
    await settled();
    const before = [done.record, broken.record, told.length];
    expect(await done.cancel("late")).toEqual({ id: done.id, status: "succeeded", value: "done" });
    expect(await broken.cancel("late")).toMatchObject({ status: "failed", error: { message: "broken" } });
    await settled();
    expect([done.record, broken.record, told.length]).toEqual(before);
  });

  test("C1 disposing a handle cancels its task", async () => {
    const { manager } = world();
    let kept: TaskHandle | undefined;
    {
      await using task = manager.spawn(untilStopped);
      kept = task;
      await settled();
    }
    expect(kept.status).toBe("cancelled");
  });
});

describe("the outcome of stopped work", () => {
  test("C1 returning normally after a cancel is succeeded, and cancel resolves with that", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      await untilStopped(ctx).catch(() => undefined);
      return "finished the page";
    });
    await settled();
    expect(await task.cancel()).toEqual({ id: task.id, status: "succeeded", value: "finished the page" });
    expect(await task.result()).toBe("finished the page");
    expect(task.record.stopReason).toBe("cancel");
  });

  test("C1 any rejection after a cancel is cancelled, with the error as cause", async () => {
    const { manager } = world();
    const cleanup = new Error("cleanup failed");
    const task = manager.spawn(async (ctx) => {
      await untilStopped(ctx).catch(() => undefined);
      throw cleanup;
    });
    await settled();
    const outcome = await task.cancel("stop");
    expect(outcome).toMatchObject({ id: task.id, status: "cancelled", reason: "stop" });
    expect(outcome.status === "cancelled" && outcome.cause).toBe(cleanup);
    const error = await rejected(() => task.result(), "TASK_OUTCOME");
    expect(error.outcome).toMatchObject({ status: "cancelled", reason: "stop" });
    expect([error.taskId, error.cause]).toEqual([task.id, cleanup]);
  });

  test("S5 the first cancel is kept: a second changes nothing and resolves with the same outcome", async () => {
    const { manager, pass } = world();
    const told = facts(manager);
    const task = holdDeaf(manager, { graceMs: 100 });
    await settled();
    const first = task.handle.cancel("first");
    await pass(60);
    const second = task.handle.cancel("second");
    expect(task.handle.record).toMatchObject({ reason: "first", cancelRequestedAt: 0 });
    await pass(40);
    expect(task.handle.status).toBe("cancelled");
    expect(await first).toMatchObject({ status: "cancelled", reason: "first" });
    expect(await second).toEqual(await first);
    const asked = told.filter((event) => event.type === "task.cancelRequested");
    expect(asked).toMatchObject([{ stopReason: "cancel", reason: "first" }]);
  });

  test("S5 a timeout after a cancel changes nothing: a return is still succeeded", async () => {
    const { manager, pass } = world();
    const task = holdDeaf<string>(manager, { timeoutMs: 50, totalTimeoutMs: 60, stallTimeoutMs: 40 });
    await settled();
    void task.handle.cancel();
    await pass(100);
    expect(task.handle.record.stopReason).toBe("cancel");
    task.finish("finished");
    expect((await task.handle.outcome()).status).toBe("succeeded");
  });

  test.each([
    { code: "timeout", options: { timeoutMs: 50 } },
    { code: "total_timeout", options: { totalTimeoutMs: 50 } },
    { code: "stalled", options: { stallTimeoutMs: 50 } },
  ])("S5 a cancel after a $code changes nothing: the task fails with that code", async ({ code, options }) => {
    const { manager, pass } = world();
    const task = holdDeaf<string>(manager, options);
    await settled();
    await pass(50);
    const cancelled = task.handle.cancel("too late");
    expect(task.handle.record.stopReason).toBe(code);
    task.finish("finished");
    expect(await cancelled).toMatchObject({ status: "failed", error: { code } });
  });

  test("S5 a task swept by its parent keeps that reason when it is cancelled itself", async () => {
    const { manager } = world();
    const root = hold(manager);
    await settled();
    const child = hold(root.ctx);
    await settled();
    void root.handle.cancel("from above");
    expect(await child.handle.cancel("by name")).toMatchObject({ status: "cancelled", reason: "from above" });
  });

  test("S5 a task cancelled by name keeps its words when its parent is cancelled after it", async () => {
    const { manager } = world();
    const root = hold(manager);
    await settled();
    const child = hold(root.ctx);
    await settled();
    void child.handle.cancel("by name");
    void root.handle.cancel("from above");
    expect(await child.handle.outcome()).toMatchObject({ status: "cancelled", reason: "by name" });
  });

  test("C4 a cancelled task's result rejects with TaskOutcomeError, which is no AbortError", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    void task.handle.cancel("stop");
    const error = await rejected(() => task.handle.result(), "TASK_OUTCOME");
    expect(error).toBeInstanceOf(Error);
    expect(error.name).not.toBe("AbortError");
    expect(error.outcome).toMatchObject({ status: "cancelled", reason: "stop" });
  });

  test("C4 a cancelled child does not look like the parent's own cancel", async () => {
    const { manager } = world();
    const parent = manager.spawn(async (ctx) => {
      const child = ctx.spawn(untilStopped);
      await settled();
      void child.cancel("not you");
      const error = await rejected(() => child.result(), "TASK_OUTCOME");
      return [error.taskId === child.id, ctx.isCancelled, ctx.signal.aborted];
    });
    expect(await parent.result()).toEqual([true, false, false]);
  });
});

describe("C2 grace and abandon", () => {
  test("C2 a function that does not settle within the default grace of 5 000 ms is abandoned", async () => {
    const { manager, pass } = world();
    const told = facts(manager);
    const task = holdDeaf(manager);
    await settled();
    const cancelled = task.handle.cancel("stop");
    await pass(4_999);
    expect([task.handle.status, manager.stats().abandoned]).toEqual(["running", 0]);
    await pass(1);
    expect([task.handle.status, manager.stats().abandoned]).toEqual(["cancelled", 1]);
    expect(await cancelled).toEqual({ id: task.handle.id, status: "cancelled", reason: "stop", abandoned: true });
    const types = typesOf(told, task.handle.id);
    expect(types.slice(-2).toSorted()).toEqual(["task.abandoned", "task.cancelled"]);
  });

  test.each([
    { whose: "the manager's", managerMs: 50, options: {}, expected: 50 },
    { whose: "the task's own", managerMs: 50, options: { graceMs: 200 }, expected: 200 },
  ])("C2 the grace is $whose", async ({ managerMs, options, expected }) => {
    const { manager, pass } = world({ graceMs: managerMs });
    const task = holdDeaf(manager, options);
    await settled();
    await pass(1_000);
    void task.handle.cancel();
    await pass(expected - 1);
    expect(task.handle.status).toBe("running");
    await pass(1);
    expect(task.handle.status).toBe("cancelled");
  });

  test.each([
    { code: "timeout", options: { timeoutMs: 50 } },
    { code: "total_timeout", options: { totalTimeoutMs: 50 } },
    { code: "stalled", options: { stallTimeoutMs: 50 } },
  ])("C2 the grace runs from the stop: an abandoned task fails with $code", async ({ code, options }) => {
    const { manager, pass } = world({ graceMs: 100 });
    const task = holdDeaf(manager, options);
    await settled();
    await pass(149);
    expect(task.handle.status).toBe("running");
    await pass(1);
    expect(await task.handle.outcome()).toMatchObject({ status: "failed", error: { code } });
  });

  test("C2 a late return is only a task.lateSettled event", async () => {
    const { manager, pass } = world({ graceMs: 10 });
    const told = facts(manager);
    const task = holdDeaf<string>(manager);
    await settled();
    void task.handle.cancel("stop");
    await pass(10);
    const outcome = await task.handle.outcome();
    task.finish("too late");
    await settled();
    expect(told.filter((event) => event.type === "task.lateSettled")).toMatchObject([
      { taskId: task.handle.id, settled: "returned" },
    ]);
    expect(await task.handle.outcome()).toEqual(outcome);
    expect([task.handle.status, task.handle.record.output]).toEqual(["cancelled", undefined]);
    expect(manager.stats().abandoned).toBe(0);
    expect(told.filter(isEnd)).toHaveLength(1);
    expect(told.findLast(({ type }) => type === "task.lateSettled")).not.toHaveProperty("message");
  });

  test("C2 a late throw is only a task.lateSettled event with its message", async () => {
    const { manager, pass } = world({ graceMs: 10 });
    const told = facts(manager);
    const task = holdDeaf(manager);
    await settled();
    void task.handle.cancel();
    await pass(10);
    task.fail(new Error("too late"));
    await settled();
    expect(told.filter((event) => event.type === "task.lateSettled")).toMatchObject([
      { taskId: task.handle.id, settled: "threw", message: "too late" },
    ]);
    expect(task.handle.status).toBe("cancelled");
  });

  test("C2 an abandoned task gives its slot back at once, and not once more when it settles (L8)", async () => {
    const { manager, pass } = world({ concurrency: 1, graceMs: 10 });
    const task = holdDeaf(manager);
    const next = hold(manager);
    await settled();
    void task.handle.cancel();
    await pass(9);
    expect([next.started, slots(manager).held]).toEqual([false, 1]);
    await pass(1);
    expect([next.started, slots(manager).held]).toEqual([true, 1]);
    task.finish();
    await settled();
    expect(slots(manager)).toMatchObject({ held: 1, free: 0 });
    next.finish();
    await settled();
    allFree(manager);
  });

  test("C2 in a lane with holdAbandoned the slot returns only when the function really ends", async () => {
    const lane: LaneOptions = { concurrency: 1, holdAbandoned: true };
    const { manager, pass } = world({ lanes: { disk: lane }, graceMs: 10 });
    const task = holdDeaf(manager, { lane: "disk" });
    const next = hold(manager, { lane: "disk" });
    await settled();
    void task.handle.cancel();
    await pass(1_000);
    expect(task.handle.status).toBe("cancelled");
    expect([next.started, slots(manager, "disk").held, manager.stats().abandoned]).toEqual([false, 1, 1]);
    task.finish();
    await settled();
    expect([next.started, slots(manager, "disk").held, manager.stats().abandoned]).toEqual([true, 1, 0]);
    next.finish();
    await settled();
    allFree(manager);
  });

  test("C2 work that settles within its grace is not abandoned, then or later", async () => {
    const { manager, pass } = world({ graceMs: 10 });
    const told = facts(manager);
    const task = holdDeaf(manager);
    await settled();
    void task.handle.cancel();
    await pass(9);
    task.fail(new Error("stopped"));
    await pass(1_000);
    expect(typesOf(told, task.handle.id)).not.toContain("task.abandoned");
    expect(manager.stats().abandoned).toBe(0);
  });

  test("S2 a stopped function still writes until it settles or is abandoned", async () => {
    const { manager, pass } = world({ graceMs: 10 });
    const told = facts(manager);
    const task = holdDeaf(manager);
    await settled();
    void task.handle.cancel();
    await pass(9);
    task.ctx.summary("winding down");
    task.ctx.output("stdout", "bye\n");
    task.ctx.reportUsage({ inputTokens: 1 });
    await task.ctx.post("almost done");
    await settled();
    expect(task.handle.record).toMatchObject({ summary: "winding down", usage: { inputTokens: 1 } });
    expect(task.handle.output().text).toBe("bye\n");
    expect(typesOf(told, task.handle.id)).toContain("message.sent");
    expect(manager.stats().droppedWrites).toBe(0);
  });

  test("S2 what an abandoned function writes is dropped whole, and what it spawns is refused", async () => {
    const { manager, pass } = world({ graceMs: 10 });
    const told = facts(manager);
    const task = holdDeaf(manager);
    await settled();
    const { ctx } = task;
    void task.handle.cancel();
    await pass(10);
    const before = told.length;
    const { record } = task.handle;
    const { droppedWrites } = manager.stats();
    ctx.summary("late");
    ctx.progress({ current: 1 });
    ctx.reportUsage({ inputTokens: 1 });
    ctx.link({ remoteTaskId: "late" });
    ctx.output("stdout", "late");
    await settled();
    expect(told.slice(before)).toEqual([]);
    expect(task.handle.record).toEqual(record);
    expect(task.handle.output().text).toBe("");
    expect(manager.stats().droppedWrites).toBe(droppedWrites + 5);
    refused(() => ctx.spawn(() => 1), "SCOPE_CANCELLED");
  });
});

/** Every wait a task can begin; `other` is a task outside that never ends. */
const waits: readonly {
  wait: string;
  begin: (ctx: TaskContext, other: TaskHandle, signal?: AbortSignal) => Promise<unknown>;
}[] = [
  { wait: "sleep", begin: (ctx, _other, signal) => ctx.sleep(1_000_000, { signal }) },
  { wait: "receive", begin: (ctx, _other, signal) => ctx.receive({ signal }) },
  { wait: "ask", begin: (ctx, _other, signal) => ctx.ask({ question: "which?", signal }) },
  { wait: "approve", begin: (ctx, _other, signal) => ctx.approve("go on?", { signal }) },
  { wait: "awaitTasks", begin: (ctx, other, signal) => ctx.awaitTasks([other], { signal }) },
  { wait: "outcomes", begin: (ctx, other, signal) => ctx.outcomes([other], { signal })[Symbol.asyncIterator]().next() },
  { wait: "result", begin: (_ctx, other, signal) => other.result({ signal }) },
  { wait: "outcome", begin: (_ctx, other, signal) => other.outcome({ signal }) },
  { wait: "cancel", begin: (_ctx, other, signal) => other.cancel("stop", { signal }) },
  { wait: "map", begin: (ctx, _other, signal) => ctx.map([1, 2], deaf, { concurrency: 1, signal }) },
];

describe("C3 a cancelled task needs no slot", () => {
  test.each(waits)(
    "C3 a pending $wait rejects in the turn of the cancel with the task's own TaskCancelledError",
    async ({ begin }) => {
      const { manager } = world();
      const other = holdDeaf(manager).handle;
      let caught: unknown;
      const task = manager.spawn(async (ctx) => {
        try {
          return await begin(ctx, other);
        } catch (error) {
          caught = error;
          throw error;
        }
      });
      await settled();
      expect(task.status).toBe("blocked");
      void task.cancel("stop");
      await settled(1);
      const error = errandError(caught, "TASK_CANCELLED");
      expect([error.name, error.reason, error.taskId]).toEqual(["AbortError", "stop", task.id]);
    },
  );

  test("C3 an answered wait that stands in line for its slot rejects too, in the turn of the cancel", async () => {
    const { manager, pass } = world({ concurrency: 1 });
    let caught: unknown;
    const task = manager.spawn((ctx) =>
      ctx.sleep(10).catch((error: unknown) => {
        caught = error;
        throw error;
      }),
    );
    const other = hold(manager);
    await settled();
    await pass(10);
    expect([task.record.blockedOn, other.started]).toEqual([[{ on: "slot" }], true]);
    void task.cancel("stop");
    await settled(1);
    errandError(caught, "TASK_CANCELLED");
    await settled();
    expect([task.status, other.handle.status]).toEqual(["cancelled", "running"]);
    other.finish();
    await settled();
    allFree(manager);
  });

  test.each(waits)("C3 a $wait begun after the cancel rejects in a later macrotask", async ({ begin }) => {
    const { manager } = world();
    const other = holdDeaf(manager).handle;
    const seen = deferred<[unknown, number]>();
    const task = manager.spawn(async (ctx) => {
      await untilStopped(ctx).catch(() => undefined);
      let hops = 0;
      const hop = async (): Promise<void> => {
        for (; hops < 1_000; hops += 1) await Promise.resolve();
      };
      void hop();
      seen.resolve([await refusalOf(() => begin(ctx, other)), hops]);
    });
    await settled();
    void task.cancel("stop");
    const [error, hops] = await seen.promise;
    expect(errandError(error, "TASK_CANCELLED").taskId).toBe(task.id);
    expect(hops).toBe(1_000);
    expect((await task.outcome()).status).toBe("succeeded");
  });

  test("C3 a loop that swallows its cancel leaves the process its turns", async () => {
    const { manager } = world();
    let turns = 0;
    let going = true;
    const turn = (): void => {
      turns += 1;
      if (going) setImmediate(turn);
    };
    const task = manager.spawn(async (ctx) => {
      for (let round = 0; round < 200; round += 1) await ctx.sleep(1_000_000).catch(() => undefined);
    });
    await settled();
    setImmediate(turn);
    await task.cancel();
    going = false;
    expect(turns).toBeGreaterThan(10);
  });

  test("C3 a wait begun after abandonment never settles", async () => {
    const { manager, pass } = world({ graceMs: 10 });
    const task = holdDeaf(manager);
    await settled();
    const { ctx } = task;
    void task.handle.cancel();
    await pass(10);
    const waiting: readonly Promise<unknown>[] = [ctx.sleep(1), ctx.receive(), ctx.ask({ question: "anyone?" })];
    const begun = waiting.map((wait) => peek(wait));
    await pass(1_000);
    expect(await Promise.all(begun)).toEqual([{ is: "pending" }, { is: "pending" }, { is: "pending" }]);
    expect(manager.inbox.list()).toEqual([]);
  });

  test("C3 a task that cancels itself and awaits it gets its own TaskCancelledError", async () => {
    const { manager } = world();
    let caught: unknown;
    const task: TaskHandle = manager.spawn(async (): Promise<unknown> => {
      try {
        return await task.cancel("done here");
      } catch (error) {
        caught = error;
        throw error;
      }
    });
    expect(await task.outcome()).toMatchObject({ status: "cancelled", reason: "done here" });
    const error = errandError(caught, "TASK_CANCELLED");
    expect([error.taskId, error.reason]).toEqual([task.id, "done here"]);
  });

  test("C3 a child that cancels its parent and awaits it gets its own TaskCancelledError", async () => {
    const { manager } = world();
    let caught: unknown;
    const parent: TaskHandle = manager.spawn(async (ctx): Promise<unknown> => {
      const child = ctx.spawn(
        async (): Promise<unknown> => {
          try {
            return await parent.cancel("all of it");
          } catch (error) {
            caught = error;
            throw error;
          }
        },
        { id: "child" },
      );
      return child.outcome();
    });
    expect(await parent.outcome()).toMatchObject({ status: "cancelled", reason: "all of it" });
    expect(errandError(caught, "TASK_CANCELLED").taskId).toBe("child");
  });
});

describe("C5 the signal", () => {
  test("C5 the signal aborts with TaskCancelledError after the call, never inside it", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    let heard = 0;
    task.ctx.signal.addEventListener("abort", () => (heard += 1));
    void task.handle.cancel("stop");
    expect(heard).toBe(0);
    await settled(1);
    expect(heard).toBe(1);
    const reason = errandError(task.ctx.signal.reason, "TASK_CANCELLED");
    expect(reason).toBeInstanceOf(Error);
    expect([reason.name, reason.code, reason.reason, reason.taskId]).toEqual([
      "AbortError",
      "TASK_CANCELLED",
      "stop",
      task.handle.id,
    ]);
  });

  test.each([
    { code: "timeout", options: { timeoutMs: 50 } },
    { code: "total_timeout", options: { totalTimeoutMs: 50 } },
    { code: "stalled", options: { stallTimeoutMs: 50 } },
  ])("C4 the signal of a task stopped by $code carries that code as reason", async ({ code, options }) => {
    const { manager, pass } = world();
    const task = hold(manager, options);
    await settled();
    const { signal } = task.ctx;
    await pass(50);
    expect(errandError(signal.reason, "TASK_CANCELLED").reason).toBe(code);
  });

  test("C5 it is one and the same AbortSignal at every read, a real one", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    expect(task.ctx.signal).toBeInstanceOf(AbortSignal);
    expect(task.ctx.signal).toBe(task.ctx.signal);
  });

  test("C5 read for the first time after the stop, it has already aborted", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      await ctx.receive().catch(() => undefined);
      return [ctx.signal.aborted, errandError(ctx.signal.reason, "TASK_CANCELLED").reason];
    });
    await settled();
    void task.cancel("stop");
    expect(await task.result()).toEqual([true, "stop"]);
  });

  test("C5 a signal without a reader is never made", async () => {
    const Platform = globalThis.AbortController;
    let made = 0;
    class Counted extends Platform {
      constructor() {
        super();
        made += 1;
      }
    }
    globalThis.AbortController = Counted;
    try {
      const { manager } = world();
      const unread = Array.from({ length: 50 }, () => manager.spawn((ctx) => ctx.receive()));
      await settled();
      await Promise.all(unread.map((task) => task.cancel()));
      expect(made).toBe(0);
      const reading = hold(manager);
      await settled();
      expect(made).toBe(1);
      await reading.handle.cancel();
    } finally {
      globalThis.AbortController = Platform;
    }
  });

  test("C5 cancelled() resolves at the stop, never rejects, and is no wait", async () => {
    const { manager } = world({ concurrency: 1 });
    const task = manager.spawn(async (ctx) => {
      await ctx.cancelled();
      await ctx.cancelled();
      return "wound down";
    });
    await settled();
    expect([task.status, slots(manager).held]).toEqual(["running", 1]);
    void task.cancel();
    expect(await task.result()).toBe("wound down");
  });
});

describe("the caller's own signal", () => {
  const listenersOf = (signal: AbortSignal): number => getEventListeners(signal, "abort").length;

  test("C5 aborting a spawn's signal cancels the task, with the reason as words", async () => {
    const { manager } = world();
    const words = async (abort: (controller: AbortController) => void): Promise<string | undefined> => {
      const controller = new AbortController();
      const task = hold(manager, { signal: controller.signal });
      await settled();
      expect(task.handle.status).toBe("running");
      abort(controller);
      const outcome = await task.handle.outcome();
      return outcome.status === "cancelled" ? outcome.reason : undefined;
    };
    expect(await words((controller) => controller.abort("user left"))).toBe("user left");
    expect(await words((controller) => controller.abort(new Error("socket closed")))).toBe("socket closed");
    expect(await words((controller) => controller.abort())).toBe("aborted");
    // Only the platform's own reason says nothing: what somebody wrote is told as it was written.
    const timeout = new DOMException("took too long", "TimeoutError");
    expect(await words((controller) => controller.abort(timeout))).toBe("took too long");
    const own = Object.assign(new Error("gave up"), { name: "AbortError" });
    expect(await words((controller) => controller.abort(own))).toBe("gave up");
  });

  test("C5 a signal that aborts while the task is queued ends it at once", async () => {
    const { manager } = world({ concurrency: 1 });
    const controller = new AbortController();
    hold(manager);
    const queued = hold(manager, { signal: controller.signal });
    await settled();
    controller.abort("user left");
    await settled();
    expect(queued.handle.record).toMatchObject({ status: "cancelled", reason: "user left" });
    expect(queued.started).toBe(false);
  });

  test("C5 a signal that has already aborted gives a task that is cancelled at once", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = hold(manager, { signal: AbortSignal.abort("too late") });
    expect(task.handle.record).toMatchObject({ status: "cancelled", stopReason: "cancel", reason: "too late" });
    await settled();
    expect(task.started).toBe(false);
    expect(typesOf(told, task.handle.id)).toEqual(["task.created", "task.cancelRequested", "task.cancelled"]);
    allFree(manager);
  });

  test("C5 the signal reaches the task's children as a sweep, with its words", async () => {
    const { manager } = world();
    const controller = new AbortController();
    const parent = hold(manager, { signal: controller.signal });
    await settled();
    const child = hold(parent.ctx);
    await settled();
    controller.abort("user left");
    expect(await child.handle.outcome()).toMatchObject({ status: "cancelled", reason: "user left" });
  });

  test("C5 the listener on it goes when the task ends, however it ends", async () => {
    const { manager, pass } = world({ concurrency: 5, graceMs: 10 });
    const { signal } = new AbortController();
    const tasks = [hold(manager, { signal }), hold(manager, { signal }), hold(manager, { signal, timeoutMs: 5 })];
    const abandoned = holdDeaf(manager, { signal });
    await settled();
    expect(listenersOf(signal)).toBeGreaterThan(0);
    tasks[0]?.finish();
    tasks[1]?.fail(new Error("broken"));
    await pass(5);
    void abandoned.handle.cancel();
    await pass(10);
    const lent = manager.spawn(untilStopped, { signal });
    await lent.cancel();
    await settled();
    expect(manager.list().map(({ status }) => status)).toEqual([
      "succeeded",
      "failed",
      "failed",
      "cancelled",
      "cancelled",
    ]);
    expect(listenersOf(signal)).toBe(0);
  });

  test("C5 the listener on it goes when the task is cancelled before its start", async () => {
    const { manager } = world();
    const { signal } = new AbortController();
    await hold(manager, { signal }).handle.cancel();
    await settled();
    expect(listenersOf(signal)).toBe(0);
  });

  test("C5 a refused spawn leaves no listener", () => {
    const { manager } = world();
    const { signal } = new AbortController();
    refused(() => manager.spawn(() => 1, { signal, lane: "nowhere" }), "UNKNOWN_LANE");
    refused(() => manager.spawn(() => 1, { signal, name: "self" }), "RESERVED_NAME");
    expect(listenersOf(signal)).toBe(0);
  });

  test.each(waits)(
    "§3 aborting the signal of a $wait withdraws the wait, which rejects with the signal's reason",
    async ({ begin, wait }) => {
      const { manager } = world();
      const other = holdDeaf(manager).handle;
      const controller = new AbortController();
      const why = new Error("changed my mind");
      const task = manager.spawn(async (ctx) => {
        const error = await refusalOf(() => begin(ctx, other, controller.signal));
        return [error === why, ctx.isCancelled];
      });
      await settled();
      expect(task.status).toBe("blocked");
      controller.abort(why);
      await settled();
      expect(listenersOf(controller.signal)).toBe(0);
      // The children of a withdrawn map are cancelled, and deaf; the map's own wait is over all the same.
      if (wait === "map") expect(task.record.blockedOn).toMatchObject([{ on: "children" }]);
      else expect(await task.result()).toEqual([true, false]);
      expect(other.status).toBe("running");
    },
  );

  test.each(waits.filter(({ wait }) => wait !== "map"))(
    "§3 a $wait with a signal that has already aborted rejects with its reason",
    async ({ begin }) => {
      const { manager } = world();
      const other = holdDeaf(manager).handle;
      const why = new Error("already gone");
      const task = manager.spawn(
        async (ctx) => (await refusalOf(() => begin(ctx, other, AbortSignal.abort(why)))) === why,
      );
      expect(await task.result()).toBe(true);
      await settled();
      expect(manager.inbox.list()).toEqual([]);
    },
  );

  test("C5 a wait that ends leaves no listener on its signal", async () => {
    const { manager, pass } = world();
    const { signal } = new AbortController();
    const task = manager.spawn(async (ctx) => {
      const child = ctx.spawn(async (inner) => {
        await inner.sleep(10, { signal });
      });
      await ctx.awaitTasks([child], { signal });
      await child.outcome({ signal });
      await child.result({ signal });
      for await (const outcome of ctx.outcomes([child], { signal })) expect(outcome.status).toBe("succeeded");
      await ctx.receive({ timeoutMs: 10, signal });
      await ctx.ask({ question: "which?", timeoutMs: 10, onTimeout: { default: "none" }, signal });
      await ctx.map([1, 2, 3], () => 1, { concurrency: 2, signal });
      return "done";
    });
    await settled();
    for (let round = 0; round < 4; round += 1) await pass(10);
    expect(await task.result()).toBe("done");
    await manager.idle({ signal });
    await manager.room({ signal });
    await manager.cancelAll({}, "stop", { signal });
    await settled();
    expect(listenersOf(signal)).toBe(0);
  });

  test("C5 any number of tasks on one signal raises no MaxListeners warning", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on("warning", note);
    try {
      const { manager } = world();
      const controller = new AbortController();
      const tasks = Array.from({ length: 200 }, () => hold(manager, { signal: controller.signal }));
      await settled();
      const shared = manager.spawn(async (ctx) => {
        const children = Array.from({ length: 100 }, () => ctx.spawn(() => ctx.signal.aborted));
        await Promise.all(children.map((child) => child.outcome({ signal: controller.signal })));
        await Promise.all(Array.from({ length: 100 }, () => ctx.sleep(1_000_000, { signal: controller.signal })));
      });
      await settled();
      controller.abort("all of you");
      await Promise.all(tasks.map(({ handle }) => handle.outcome()));
      expect((await shared.outcome()).status).toBe("failed");
      await settled();
      expect(warnings).toEqual([]);
    } finally {
      process.off("warning", note);
    }
  });
});

describe("cancelAll", () => {
  test("§13 cancelAll cancels what fits the filter and below, and resolves with how each ended", async () => {
    const { manager } = world();
    const tagged = hold(manager, { tags: ["old"] });
    const other = hold(manager);
    await settled();
    const child = hold(tagged.ctx);
    await settled();
    const outcomes = await manager.cancelAll({ tags: ["old"] }, "swept");
    expect(outcomes.find(({ id }) => id === tagged.handle.id)).toEqual(
      expect.objectContaining({ status: "cancelled", reason: "swept" }),
    );
    expect(await child.handle.outcome()).toMatchObject({ status: "cancelled", reason: "swept" });
    expect(other.handle.status).toBe("running");
  });

  test("§13 cancelAll without a filter ends everything, queued and running, roots and detached", async () => {
    const { manager } = world({ concurrency: 2 });
    const root = hold(manager);
    await settled();
    const loose = hold(root.ctx, { detached: true });
    const queued = hold(manager);
    await settled();
    const outcomes = await manager.cancelAll();
    expect(new Map(outcomes.map(({ id, status }) => [id, status]))).toEqual(
      new Map([root, loose, queued].map(({ handle }) => [handle.id, "cancelled"])),
    );
    allFree(manager);
  });

  test("§13 cancelAll tells the actual outcomes: work that returns all the same has succeeded", async () => {
    const { manager } = world();
    const task = manager.spawn(async (ctx) => {
      await ctx.cancelled();
      return "finished";
    });
    await settled();
    expect(await manager.cancelAll()).toEqual([{ id: task.id, status: "succeeded", value: "finished" }]);
  });

  test("§13 cancelAll with nothing to cancel resolves with nothing", async () => {
    const { manager } = world();
    await manager.spawn(() => 1).result();
    expect(await manager.cancelAll()).toEqual([]);
  });
});

describe("many", () => {
  /** 100 000 tasks in one tree, ten children each; tells how each ended, and whether a parent ended before a child. */
  async function cancelTree(manager: TaskManager, work: (ctx: TaskContext) => Promise<unknown>) {
    const total = 100_000;
    const parentOf = new Map<string, string | undefined>();
    const ended = new Map<string, number>();
    let early = 0;
    for (const type of ["task.succeeded", "task.failed", "task.cancelled", "task.interrupted"] as const) {
      manager.on(type, ({ taskId }) => {
        ended.set(taskId, (ended.get(taskId) ?? 0) + 1);
        const parent = parentOf.get(taskId);
        if (parent !== undefined && ended.has(parent)) early += 1;
      });
    }
    const handles: TaskHandle[] = [];
    for (let index = 0; index < total; index += 1) {
      const parent = index === 0 ? undefined : handles[Math.floor((index - 1) / 10)];
      const handle = manager.spawn(work, { parent });
      parentOf.set(handle.id, parent?.id);
      handles.push(handle);
    }
    await settled();
    const root = given(handles[0]);
    const outcome = await root.cancel("all of it");
    await settled();
    const cancelled = handles.filter(({ status }) => status === "cancelled").length;
    const once = [...ended.values()].filter((count) => count === 1).length;
    return { outcome, early, cancelled, once, ended: ended.size, total };
  }

  test("C5 one call cancels 100 000 started tasks of one tree: each ends once, leaf first", async () => {
    const { manager } = world();
    const { outcome, early, cancelled, once, ended, total } = await cancelTree(manager, (ctx) => ctx.receive());
    expect(outcome.status).toBe("cancelled");
    expect({ early, cancelled, once, ended }).toEqual({ early: 0, cancelled: total, once: total, ended: total });
    allFree(manager);
  }, 180_000);

  test("L5 one call cancels 100 000 tasks of one tree that stand in line: each ends once, leaf first", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: Infinity } });
    const { outcome, early, cancelled, once, ended, total } = await cancelTree(manager, untilStopped);
    expect(outcome.status).toBe("cancelled");
    expect({ early, cancelled, once, ended }).toEqual({ early: 0, cancelled: total, once: total, ended: total });
    allFree(manager);
  }, 180_000);

  test("C5 the cascade walks iteratively: a chain of 10 000 ends leaf first", async () => {
    const { manager } = world({ limits: { maxDepth: 20_000 } });
    const told = facts(manager);
    const chain: TaskHandle[] = [];
    for (let depth = 0; depth < 10_000; depth += 1) {
      chain.push(manager.spawn((ctx) => ctx.receive(), { parent: chain.at(-1) }));
    }
    await settled();
    expect((await given(chain[0]).cancel()).status).toBe("cancelled");
    await settled();
    const expected = chain.map(({ id }) => id).reverse();
    expect(endsIn(told)).toEqual(expected);
  });
});

describe("a process of its own", () => {
  let library: Compiled;
  beforeAll(async () => {
    library = await compiled();
  }, 120_000);
  afterAll(() => library.remove());

  test("C5 10 000 tasks spawned, cancelled and never awaited print no warning and raise no unhandledRejection", async () => {
    const { code, signal, stdout, stderr } = await runProgram(
      library,
      `
      import { TaskManager } from "../lib/index.js";
      process.on("unhandledRejection", (error) => {
        console.error("unhandledRejection", error);
        process.exitCode = 1;
      });
      const manager = new TaskManager({ concurrency: 3_000 });
      const outside = new AbortController();
      const works = [
        (ctx) => ctx.sleep(60_000),
        (ctx) => new Promise((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason))),
        async () => { throw new Error("broken"); },
        async (ctx) => { void ctx.ask({ question: "which?" }); void ctx.sleep(60_000); await ctx.receive(); },
        (ctx) => { const child = ctx.spawn((inner) => inner.sleep(60_000)); void child.result(); return child.outcome(); },
        () => Promise.reject(undefined),
        async (ctx) => { await ctx.sleep(60_000).catch(() => {}); await ctx.receive(); },
        (ctx) => ctx.map([1, 2], (inner) => inner.sleep(60_000), { concurrency: 2 }),
      ];
      const handles = [];
      for (let index = 0; index < 10_000; index += 1) {
        const signal = index % 3 === 0 ? outside.signal : undefined;
        const handle = manager.spawn(works[index % works.length], { signal });
        if (index % 4 === 1) void handle.outcome();
        if (index % 2 === 0) void handle.cancel("at once");
        handles.push(handle);
      }
      setImmediate(() => {
        outside.abort();
        for (const handle of handles) void handle.cancel("later");
      });
      process.on("exit", () => {
        const living = manager.list().filter(({ finishedAt }) => finishedAt === undefined).length;
        console.log(JSON.stringify({ living, ended: handles.filter(({ record }) => record.finishedAt !== undefined).length }));
      });
    `,
      ["--trace-warnings"],
    );
    expect(stderr).toBe("");
    expect([code, signal]).toEqual([0, null]);
    expect(JSON.parse(stdout)).toEqual({ living: 0, ended: 10_000 });
  }, 120_000);

  test("C5 an unread handle of a task that timed out or failed raises nothing either", async () => {
    const { code, stdout, stderr } = await runProgram(
      library,
      `
      import { TaskManager } from "../lib/index.js";
      const manager = new TaskManager({ graceMs: 5 });
      for (let index = 0; index < 100; index += 1) {
        const options = [{ timeoutMs: 5 }, { totalTimeoutMs: 5 }, { stallTimeoutMs: 5 }, {}][index % 4];
        void manager.spawn(async (ctx) => {
          if (index % 4 === 3) throw new Error("broken");
          await new Promise((resolve) => setTimeout(resolve, 50));
          throw new Error("late");
        }, options);
      }
      process.on("exit", () => console.log(manager.list({ status: "failed" }).length));
    `,
      ["--trace-warnings"],
    );
    expect([code, stderr, stdout.trim()]).toEqual([0, "", "100"]);
  }, 120_000);
});

test("C5 a dispose that is not awaited raises nothing when its caller is over", async () => {
  const seen: unknown[] = [];
  const onUnhandled = (error: unknown) => seen.push(error);
  process.on("unhandledRejection", onUnhandled);
  const { manager } = world();
  const parent = manager.spawn((ctx) => {
    const child = ctx.spawn((inner) => inner.sleep(60_000));
    void child[Symbol.asyncDispose]();
    return "done";
  });
  expect(await parent.result()).toBe("done");
  await settled();
  process.off("unhandledRejection", onUnhandled);
  expect(seen).toEqual([]);
});

test("C2 C3 a lane that holds the slots of abandoned functions has one back when its function freezes at a wait", async () => {
  const { manager, pass } = world({ lanes: { disk: { concurrency: 1, holdAbandoned: true } }, graceMs: 10 });
  const go = deferred();
  const zombie = manager.spawn(
    async (ctx) => {
      await go.promise;
      await ctx.sleep(1);
    },
    { lane: "disk" },
  );
  await settled();
  void zombie.cancel();
  await pass(10);
  expect([zombie.status, slots(manager, "disk").held]).toEqual(["cancelled", 1]);
  go.resolve();
  await settled();
  expect([slots(manager, "disk").held, manager.stats().abandoned]).toEqual([0, 1]);
});

test("C5 asking again and again whether a stop was asked for adds one listener", async () => {
  const { manager } = world();
  const task = hold(manager);
  await settled();
  const listeners = () => getEventListeners(task.ctx.signal, "abort").length;
  const before = listeners();
  const asked = Array.from({ length: 50 }, () => task.ctx.cancelled());
  expect(listeners()).toBe(before + 1);
  void task.handle.cancel();
  await Promise.all(asked);
});
