// C7: a wall clock that is set, forward or back, and a machine that slept. Which limits are durations, which are instants, and which are both.

import { type Clock, type TaskContext, type TaskHandle, TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { deferred, peek, settled } from "../../support/basics.js";
import { hold, untilStopped } from "../../support/program.js";
import { bare, clocks, HOUR, settable, silent } from "../../support/set-clock.js";

const MINUTE = 60_000;

describe.each(clocks)("C7 on a wall clock that $which", ({ of, lateMs }) => {
  const set = [
    { how: "set back", byMs: -HOUR },
    { how: "set forward", byMs: HOUR },
  ];

  describe.each(set)("that is $how", ({ byMs }) => {
    test.each<{ limit: string; options: object; code: string }>([
      { limit: "timeoutMs", options: { timeoutMs: MINUTE }, code: "timeout" },
      { limit: "stallTimeoutMs", options: { stallTimeoutMs: MINUTE }, code: "stalled" },
      { limit: "elapsedTimeoutMs", options: { elapsedTimeoutMs: MINUTE }, code: "timeout" },
    ])("C7 $limit is a duration", async ({ options, code }) => {
      const world = settable(of);
      const task = hold(world.manager, options).handle;
      await settled();
      await world.pass(20_000);
      await world.set(byMs);
      await world.pass(39_999);
      expect([task.status, task.record.stopReason]).toEqual(["running", undefined]);
      await world.pass(1);
      expect(await task.outcome()).toMatchObject({ status: "failed", error: { code } });
    });

    test("C7 what timeoutMs has counted before a wait is kept", async () => {
      const world = settable(of);
      const gates = [deferred(), deferred()];
      const task = world.manager.spawn(
        async (ctx) => {
          await gates[0]?.promise;
          await ctx.sleep(1_000);
          await Promise.race([gates[1]?.promise, untilStopped(ctx)]);
        },
        { timeoutMs: MINUTE },
      );
      await settled();
      await world.pass(20_000);
      await world.set(byMs);
      gates[0]?.resolve();
      await settled();
      await world.pass(1_000);
      expect(task.status).toBe("running");
      await world.pass(39_999);
      expect(task.record.stopReason).toBeUndefined();
      await world.pass(1);
      expect(await task.outcome()).toMatchObject({ error: { code: "timeout" } });
    });

    test("C7 a sign of life is as old as what passed since", async () => {
      const world = settable(of);
      const task = hold(world.manager, { stallTimeoutMs: MINUTE });
      await settled();
      await world.pass(50_000);
      task.ctx.heartbeat();
      await world.set(byMs);
      await world.pass(MINUTE - 1);
      expect(task.handle.record.stopReason).toBeUndefined();
      await world.pass(1);
      expect(await task.handle.outcome()).toMatchObject({ error: { code: "stalled" } });
    });

    test.each<{ wait: string; begin: (ctx: TaskContext, other: TaskHandle) => Promise<unknown> }>([
      { wait: "sleep", begin: (ctx) => ctx.sleep(5 * MINUTE) },
      { wait: "receive", begin: (ctx) => ctx.receive({ timeoutMs: 5 * MINUTE }) },
      { wait: "awaitTasks", begin: (ctx, other) => ctx.awaitTasks([other], { timeoutMs: 5 * MINUTE }) },
      { wait: "outcome", begin: (_ctx, other) => other.outcome({ timeoutMs: 5 * MINUTE }) },
      {
        wait: "nextNotices",
        begin: (ctx) => {
          ctx.spawn(untilStopped, { wake: "onTerminal" });
          return ctx.nextNotices({ timeoutMs: 5 * MINUTE });
        },
      },
    ])("C7 the time of $wait is a duration", async ({ begin }) => {
      const world = settable(of);
      const other = hold(world.manager).handle;
      const waited = deferred<unknown>();
      world.manager.spawn(async (ctx) => waited.resolve(await begin(ctx, other)));
      await settled();
      await world.pass(1_000);
      await world.set(byMs);
      await world.pass(5 * MINUTE - 1_001);
      expect(await peek(waited.promise)).toEqual({ is: "pending" });
      await world.pass(1);
      expect(await peek(waited.promise)).toMatchObject({ is: "fulfilled" });
    });

    test("C7 the grace of a stopped function is a duration", async () => {
      const world = settable(of, { graceMs: MINUTE });
      const task = world.manager.spawn(() => new Promise<never>(() => undefined));
      await settled();
      const outcome = task.cancel();
      await world.set(byMs);
      await world.pass(MINUTE - 1);
      expect(await peek(outcome)).toEqual({ is: "pending" });
      await world.pass(1);
      expect(await outcome).toMatchObject({ status: "cancelled" });
    });

    test("L4 order in a line is by arrival: the older task is before the newer one", async () => {
      const world = settable(of, { concurrency: 1 });
      const first = hold(world.manager);
      const order: string[] = [];
      world.manager.spawn(() => void order.push("old"));
      await world.pass(10);
      await world.set(byMs);
      world.manager.spawn(() => void order.push("new"));
      first.finish();
      await settled();
      expect(order).toEqual(["old", "new"]);
    });

    test("L4 a priority is worth its agingMs, whatever the wall clock says", async () => {
      const world = settable(of, { concurrency: 1, agingMs: 1_000 });
      const first = hold(world.manager);
      const order: string[] = [];
      world.manager.spawn(() => void order.push("old"));
      await world.set(byMs);
      await world.pass(1_999);
      world.manager.spawn(() => void order.push("ahead"), { priority: 2 });
      await world.pass(2);
      world.manager.spawn(() => void order.push("too late to be ahead"), { priority: 2 });
      first.finish();
      await settled();
      expect(order).toEqual(["ahead", "old", "too late to be ahead"]);
    });
  });

  describe("that is set back, what the record keeps as an instant is not held up:", () => {
    test("C7 totalTimeoutMs", async () => {
      const world = settable(of);
      const task = hold(world.manager, { totalTimeoutMs: 10 * MINUTE }).handle;
      await world.pass(MINUTE);
      await world.set(-HOUR);
      await world.pass(9 * MINUTE - 1);
      expect(task.record.stopReason).toBeUndefined();
      await world.pass(1);
      expect(await task.outcome()).toMatchObject({ error: { code: "total_timeout" } });
    });

    test("C7 the expiry of a question", async () => {
      const world = settable(of);
      const task = world.manager.spawn((ctx) => ctx.approve("Deploy?", { timeoutMs: 10 * MINUTE }));
      await world.pass(MINUTE);
      await world.set(-HOUR);
      await world.pass(9 * MINUTE - 1);
      expect(world.manager.inbox.list()).toHaveLength(1);
      await world.pass(1);
      expect(world.manager.inbox.list()).toEqual([]);
      expect((await task.outcome()).status).toBe("failed");
    });

    test("C7 the backoff of a retry", async () => {
      const world = settable(of);
      let runs = 0;
      const task = world.manager.spawn(
        () => {
          if (++runs === 1) throw new Error("not yet");
        },
        { retry: { maxAttempts: 2, backoffMs: 10 * MINUTE, jitter: false } },
      );
      await world.pass(MINUTE);
      await world.set(-HOUR);
      await world.pass(9 * MINUTE - 1);
      expect([task.status, runs]).toEqual(["queued", 1]);
      await world.pass(1);
      expect([task.status, runs]).toEqual(["succeeded", 2]);
    });

    test("C7 the time for which an ended task is kept", async () => {
      const world = settable(of, { retention: { ttlMs: 10 * MINUTE } });
      const task = world.manager.spawn(() => undefined);
      await task.result();
      await world.set(-HOUR);
      await world.pass(10 * MINUTE - 1);
      expect(world.manager.get(task.id)).toBeDefined();
      await world.pass(1);
      expect(world.manager.get(task.id)).toBeUndefined();
    });
  });

  describe("that finds that the machine slept, what the record keeps as an instant comes at most 30 s late:", () => {
    test("C7 totalTimeoutMs", async () => {
      const world = settable(of);
      const task = hold(world.manager, { totalTimeoutMs: HOUR }).handle;
      await world.pass(MINUTE);
      await world.set(2 * HOUR);
      await world.pass(lateMs);
      expect(await task.outcome()).toMatchObject({ error: { code: "total_timeout" } });
    });

    test("C7 the expiry of a question", async () => {
      const world = settable(of);
      world.manager.spawn((ctx) => ctx.ask({ question: "Which?", timeoutMs: HOUR }));
      await world.pass(MINUTE);
      await world.set(2 * HOUR);
      await world.pass(lateMs);
      expect(world.manager.inbox.list()).toEqual([]);
    });

    test("C7 the backoff of a retry", async () => {
      const world = settable(of);
      let runs = 0;
      const work = () => {
        if (++runs === 1) throw new Error("not yet");
      };
      const task = world.manager.spawn(work, { retry: { maxAttempts: 2, backoffMs: HOUR, jitter: false } });
      await world.pass(MINUTE);
      await world.set(2 * HOUR);
      await world.pass(lateMs);
      expect([task.status, runs]).toEqual(["succeeded", 2]);
    });

    test("C7 the time for which an ended task is kept", async () => {
      const world = settable(of, { retention: { ttlMs: HOUR } });
      const task = world.manager.spawn(() => undefined);
      await task.result();
      await world.set(2 * HOUR);
      await world.pass(lateMs);
      expect(world.manager.get(task.id)).toBeUndefined();
    });
  });
});

describe("C7 instants that are awaited", () => {
  test("C7 need one timer more, however many they are, and none once nothing is awaited", async () => {
    const clock = manualClock();
    const timers = new Map<unknown, number>();
    const counted: Clock = {
      ...silent(clock),
      setTimeout: (fn, ms) => {
        const timer = clock.setTimeout(() => {
          timers.delete(timer);
          fn();
        }, ms);
        timers.set(timer, ms);
        return timer;
      },
      clearTimeout: (timer) => {
        timers.delete(timer);
        clock.clearTimeout(timer);
      },
    };
    const manager = new TaskManager({ clock: counted, retention: { ttlMs: Number.POSITIVE_INFINITY } });
    const tasks = Array.from({ length: 3 }, () => hold(manager, { totalTimeoutMs: HOUR }));
    await settled();
    await clock.advance(10 * MINUTE);
    expect([...timers.values()]).toEqual([HOUR, HOUR, HOUR, 30_000]);
    for (const task of tasks) task.finish();
    await settled();
    expect([...timers.values()]).toEqual([]);
  });

  test("C7 that are near need no other timer than their own", async () => {
    const { manager, clock } = settable(silent);
    const task = hold(manager, { totalTimeoutMs: 30_000 }).handle;
    await settled();
    expect(clock.nextAt).toBe(task.record.totalDeadlineAt);
  });
});

describe("C7 a clock that has only `now`", () => {
  test("C7 measures by its steps forward: what a step back hides is counted anew, and nothing stands still", async () => {
    const clock = manualClock(HOUR);
    const manager = new TaskManager({ clock: bare(clock), concurrency: 1 });
    const first = hold(manager, { stallTimeoutMs: MINUTE });
    await settled();
    await clock.advance(50_000);
    first.ctx.heartbeat();
    await clock.setNow(0);
    await clock.advance(MINUTE + 10_000);
    expect(await first.handle.outcome()).toMatchObject({ error: { code: "stalled" } });
  });

  test("is a clock; one with a `monotonic` that is no function is none", () => {
    const monotonic: unknown = 5;
    const clock = { ...bare(manualClock()), monotonic } as Clock;
    expect(() => new TaskManager({ clock })).toThrow(TypeError);
  });
});
