// Time: which clock runs in which state, whom a timer stops, and timers that are longer than a platform's (C6).

import type { Clock, TaskContext, TaskHandle } from "errand";
import { defineKind, TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { deferred, facts, settled } from "../../support/basics.js";
import { deaf, errandError, hold, holdDeaf, typesOf, untilStopped, world } from "../../support/program.js";

describe("C6 timeoutMs", () => {
  test("C6 timeoutMs fails a running task with `timeout`, not a millisecond before", async () => {
    const { manager, pass } = world();
    const told = facts(manager);
    const task = hold(manager, { timeoutMs: 100 });
    await settled();
    await pass(99);
    expect(task.handle.record.stopReason).toBeUndefined();
    await pass(1);
    const outcome = await task.handle.outcome();
    expect(outcome).toMatchObject({ id: task.handle.id, status: "failed", error: { code: "timeout" } });
    expect(outcome.status === "failed" && outcome.error.message).toMatch(/timeoutMs/);
    expect(task.handle.record).toMatchObject({ status: "failed", stopReason: "timeout", finishedAt: 100 });
    expect(typesOf(told, task.handle.id)).toEqual([
      "task.created",
      "task.started",
      "task.cancelRequested",
      "task.failed",
    ]);
  });

  test("C6 timeoutMs counts what ran before, between and after waits, however many overlap", async () => {
    const { manager, clock, pass } = world();
    await pass(1_000);
    const runs = deferred();
    const task = manager.spawn(
      async (ctx) => {
        await runs.promise;
        await Promise.all([ctx.sleep(10), ctx.sleep(20), ctx.receive({ timeoutMs: 30 })]);
        await untilStopped(ctx);
      },
      { timeoutMs: 100 },
    );
    await settled();
    await pass(60);
    runs.resolve();
    await settled();
    await pass(30);
    expect([task.status, clock.nextAt]).toEqual(["running", 1_130]);
    await pass(39);
    expect(task.status).toBe("running");
    await pass(1);
    expect(task.record).toMatchObject({ status: "failed", stopReason: "timeout", finishedAt: 1_130 });
  });

  test.each([{ timeoutMs: 100 }, { totalTimeoutMs: 100 }, { stallTimeoutMs: 100 }, { elapsedTimeoutMs: 100 }])(
    "C6 a task with %o has that timer alone",
    async (options) => {
      const timers: number[] = [];
      const clock = manualClock();
      const counted: Clock = {
        now: () => clock.now(),
        setTimeout: (fn, ms) => {
          timers.push(ms);
          return clock.setTimeout(fn, ms);
        },
        clearTimeout: (timer) => clock.clearTimeout(timer),
      };
      const manager = new TaskManager({ clock: counted });
      manager.spawn(deaf, options);
      await settled();
      expect(timers).toEqual([100]);
    },
  );

  test("C1 after a timeout the outcome is failed also when the function returns normally", async () => {
    const { manager, pass } = world();
    const task = holdDeaf<string>(manager, { timeoutMs: 100 });
    await settled();
    await pass(100);
    expect(task.handle.status).toBe("running");
    task.finish("in the end");
    expect(await task.handle.outcome()).toMatchObject({ status: "failed", error: { code: "timeout" } });
    expect(task.handle.record.output).toBeUndefined();
  });

  test("C6 timeoutMs does not run while the task is queued", async () => {
    const { manager, pass } = world({ concurrency: 1 });
    const first = hold(manager);
    const second = hold(manager, { timeoutMs: 100 });
    await settled();
    await pass(1_000);
    first.finish();
    await pass(99);
    expect([second.handle.status, second.handle.record.stopReason]).toEqual(["running", undefined]);
    await pass(1);
    expect(await second.handle.outcome()).toMatchObject({ error: { code: "timeout" } });
  });

  test("C6 timeoutMs adds up the running time before and after a wait, and leaves the wait out", async () => {
    const { manager, pass } = world();
    const gates = [deferred(), deferred()];
    const task = manager.spawn(
      async (ctx) => {
        await gates[0]?.promise;
        await ctx.sleep(1_000);
        await Promise.race([gates[1]?.promise, untilStopped(ctx)]);
      },
      { timeoutMs: 100 },
    );
    await settled();
    await pass(60);
    gates[0]?.resolve();
    await settled();
    expect(task.status).toBe("blocked");
    await pass(1_000);
    expect(task.status).toBe("running");
    await pass(39);
    expect(task.record.stopReason).toBeUndefined();
    await pass(1);
    expect(await task.outcome()).toMatchObject({ status: "failed", error: { code: "timeout" } });
  });

  test.each<{ wait: string; begin: (ctx: TaskContext, other: TaskHandle) => Promise<unknown> }>([
    { wait: "input", begin: (ctx) => ctx.ask({ question: "which?" }) },
    { wait: "tasks", begin: (ctx, other) => ctx.awaitTasks([other]) },
    { wait: "message", begin: (ctx) => ctx.receive() },
    { wait: "time", begin: (ctx) => ctx.sleep(1_000_000) },
  ])("C6 timeoutMs and stallTimeoutMs do not run while the task is blocked on $wait", async ({ begin }) => {
    const { manager, pass } = world();
    const other = hold(manager).handle;
    const task = manager.spawn((ctx) => begin(ctx, other), { timeoutMs: 100, stallTimeoutMs: 100 });
    await settled();
    await pass(10_000);
    expect([task.status, task.record.stopReason]).toEqual(["blocked", undefined]);
  });

  test("C6 the way back to a slot counts for no timer but the total", async () => {
    const { manager, pass } = world({ concurrency: 1 });
    const gate = deferred();
    const resuming = manager.spawn(
      async (ctx) => {
        await ctx.sleep(10);
        await gate.promise;
        return "back";
      },
      { timeoutMs: 100, stallTimeoutMs: 100 },
    );
    const total = manager.spawn((ctx) => ctx.sleep(10), { totalTimeoutMs: 600, timeoutMs: 100, stallTimeoutMs: 100 });
    await settled();
    const busy = hold(manager);
    await settled();
    expect(busy.started).toBe(true);
    await pass(510);
    expect([resuming.record.blockedOn, total.record.blockedOn]).toEqual([[{ on: "slot" }], [{ on: "slot" }]]);
    await pass(90);
    expect(await total.outcome()).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
    expect(resuming.record.stopReason).toBeUndefined();
    busy.finish();
    await settled();
    expect(resuming.status).toBe("running");
    gate.resolve();
    expect(await resuming.result()).toBe("back");
  });

  test("C6 a task that waits for its children has no running time left to count", async () => {
    const { manager, pass } = world();
    const gate = deferred();
    const parent = manager.spawn(
      (ctx) => {
        ctx.spawn(() => gate.promise);
        return "value";
      },
      { timeoutMs: 100, stallTimeoutMs: 100 },
    );
    await settled();
    await pass(1_000);
    expect(parent.status).toBe("blocked");
    gate.resolve();
    expect(await parent.outcome()).toMatchObject({ status: "succeeded", value: "value" });
  });

  test("C6 a timer of a task that has ended has no effect", async () => {
    const { manager, pass } = world();
    const told = facts(manager);
    const task = manager.spawn(() => "done", { timeoutMs: 100, totalTimeoutMs: 100, stallTimeoutMs: 100 });
    await task.result();
    await settled();
    const before = told.length;
    await pass(1_000);
    expect(told.length).toBe(before);
    expect(task.record).toMatchObject({ status: "succeeded", output: "done" });
  });
});

describe("C6 stallTimeoutMs", () => {
  test("§8 no sign of life for stallTimeoutMs in running fails as `stalled`", async () => {
    const { manager, pass } = world();
    const task = hold(manager, { stallTimeoutMs: 100 });
    await settled();
    await pass(99);
    expect(task.handle.record.stopReason).toBeUndefined();
    await pass(1);
    expect(await task.handle.outcome()).toMatchObject({ status: "failed", error: { code: "stalled" } });
    expect(task.handle.record.stopReason).toBe("stalled");
  });

  test.each<{ sign: string; give: (ctx: TaskContext) => unknown }>([
    { sign: "heartbeat", give: (ctx) => ctx.heartbeat() },
    { sign: "progress", give: (ctx) => ctx.progress({ current: 1 }) },
    { sign: "output", give: (ctx) => ctx.output("stdout", ".") },
    { sign: "message", give: (ctx) => ctx.post("still here") },
  ])("§8 $sign is a sign of life", async ({ give }) => {
    const { manager, pass } = world();
    const task = hold(manager, { stallTimeoutMs: 100 });
    await settled();
    for (let round = 0; round < 3; round += 1) {
      await pass(60);
      await give(task.ctx);
    }
    await pass(99);
    expect([task.handle.status, task.handle.record.stopReason]).toEqual(["running", undefined]);
    await pass(1);
    expect(await task.handle.outcome()).toMatchObject({ status: "failed", error: { code: "stalled" } });
  });

  test("§8 summary and emit are no sign of life", async () => {
    const { manager, pass } = world();
    const task = hold(manager, { stallTimeoutMs: 100 });
    await settled();
    await pass(60);
    task.ctx.summary("busy");
    task.ctx.emit("busy");
    await pass(40);
    expect(await task.handle.outcome()).toMatchObject({ error: { code: "stalled" } });
  });

  test("C6 a wait is no silence: stallTimeoutMs goes on only in running", async () => {
    const { manager, pass } = world();
    const task = manager.spawn(
      async (ctx) => {
        ctx.heartbeat();
        await ctx.sleep(1_000);
        await untilStopped(ctx);
      },
      { stallTimeoutMs: 100 },
    );
    await settled();
    await pass(1_000);
    expect([task.status, task.record.stopReason]).toEqual(["running", undefined]);
    await pass(99);
    expect(task.record.stopReason).toBeUndefined();
    await pass(1);
    expect(await task.outcome()).toMatchObject({ error: { code: "stalled" } });
  });
});

describe("C6 elapsedTimeoutMs", () => {
  test("C6 elapsedTimeoutMs counts from the start of an attempt, waits included, and fails it with `timeout`", async () => {
    const { manager, pass } = world();
    const task = manager.spawn((ctx) => ctx.ask({ question: "which?" }), { elapsedTimeoutMs: 100 });
    await settled();
    await pass(99);
    expect([task.status, task.record.stopReason]).toEqual(["blocked", undefined]);
    await pass(1);
    expect(await task.outcome()).toMatchObject({
      status: "failed",
      error: { code: "timeout", message: expect.stringContaining("elapsedTimeoutMs") },
    });
    expect(task.record).toMatchObject({ stopReason: "timeout", reason: "elapsed_timeout", finishedAt: 100 });
    expect(manager.inbox.list()).toEqual([]);
  });

  test("C6 elapsedTimeoutMs does not count the line before the start, and counts the way back to a slot", async () => {
    const { manager, pass } = world({ concurrency: 1 });
    const first = hold(manager);
    const task = manager.spawn((ctx) => ctx.sleep(10), { elapsedTimeoutMs: 100 });
    await settled();
    await pass(1_000);
    expect(task.status).toBe("queued");
    first.finish();
    await settled();
    hold(manager);
    await pass(99);
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    await pass(1);
    expect(await task.outcome()).toMatchObject({ error: { code: "timeout" } });
  });

  test("C6 elapsedTimeoutMs is whole again in each attempt: what it ended is retried", async () => {
    const { manager, pass } = world();
    let runs = 0;
    const task = manager.spawn(
      async (ctx) => {
        if (++runs < 3) await ctx.receive();
        await ctx.sleep(90);
        return runs;
      },
      { elapsedTimeoutMs: 100, retry: { maxAttempts: 3, backoffMs: 1_000, jitter: false, factor: 1 } },
    );
    await settled();
    await pass(100);
    expect([task.status, task.record.attempt]).toEqual(["queued", 2]);
    await pass(1_100);
    expect([task.status, task.record.attempt]).toEqual(["queued", 3]);
    await pass(1_090);
    expect(await task.result()).toBe(3);
  });

  test("C6 elapsedTimeoutMs ends with the function: what its children take is not counted", async () => {
    const { manager, pass } = world();
    const gate = deferred();
    const parent = manager.spawn(
      (ctx) => {
        ctx.spawn(() => gate.promise);
        return "value";
      },
      { elapsedTimeoutMs: 100 },
    );
    await settled();
    await pass(1_000);
    gate.resolve();
    expect(await parent.result()).toBe("value");
  });

  test("C6 elapsedTimeoutMs and timeoutMs: the first to pass decides", async () => {
    const { manager, pass } = world();
    const busy = hold(manager, { elapsedTimeoutMs: 200, timeoutMs: 100 }).handle;
    const waiting = manager.spawn((ctx) => ctx.receive(), { elapsedTimeoutMs: 200, timeoutMs: 100 });
    await settled();
    await pass(100);
    expect([busy.record.reason, waiting.status]).toEqual(["timeout", "blocked"]);
    await pass(100);
    expect(waiting.record.reason).toBe("elapsed_timeout");
  });

  test("§10 a kind's elapsedTimeoutMs is for the spawns that say none", async () => {
    const { manager, pass } = world();
    const kind = defineKind({ name: "waits", elapsedTimeoutMs: 100, run: (ctx) => ctx.receive() });
    const task = manager.spawn(kind);
    const longer = manager.spawn(kind, { elapsedTimeoutMs: 300 });
    const free = manager.spawn(kind, { elapsedTimeoutMs: Number.POSITIVE_INFINITY });
    await settled();
    await pass(100);
    expect([task.status, longer.status]).toEqual(["failed", "blocked"]);
    await pass(200);
    expect([longer.status, free.status]).toEqual(["failed", "blocked"]);
  });

  test.each([-1, Number.NaN, "5"])("§12 elapsedTimeoutMs: %j is refused by name, by a spawn and by a kind", (wrong) => {
    const { manager } = world();
    const elapsedTimeoutMs = wrong as number;
    expect(() => manager.spawn(() => undefined, { elapsedTimeoutMs })).toThrow(/elapsedTimeoutMs/);
    expect(() => defineKind({ name: "k", elapsedTimeoutMs, run: () => undefined })).toThrow(/elapsedTimeoutMs/);
  });
});

describe("C6 totalTimeoutMs", () => {
  test("C6 totalTimeoutMs runs from the spawn also while the task is queued, and ends it there", async () => {
    const { manager, pass } = world({ concurrency: 1 });
    const told = facts(manager);
    hold(manager);
    const queued = hold(manager, { totalTimeoutMs: 100 });
    expect(queued.handle.record.totalDeadlineAt).toBe(100);
    await settled();
    await pass(99);
    expect(queued.handle.status).toBe("queued");
    await pass(1);
    expect(await queued.handle.outcome()).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
    expect(queued.started).toBe(false);
    expect(typesOf(told, queued.handle.id)).not.toContain("task.started");
    expect(manager.stats().queued).toBe(0);
  });

  test("C6 totalTimeoutMs runs while the task is blocked, and withdraws its request", async () => {
    const { manager, pass } = world();
    const task = manager.spawn((ctx) => ctx.ask({ question: "which?" }), { totalTimeoutMs: 100 });
    await settled();
    await pass(100);
    expect(await task.outcome()).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
    expect(manager.inbox.list()).toEqual([]);
  });

  test("C6 totalTimeoutMs adds up whatever the states: queued, running, blocked", async () => {
    const { manager, pass } = world({ concurrency: 1 });
    const first = hold(manager);
    const gate = deferred();
    const task = manager.spawn(
      async (ctx) => {
        await gate.promise;
        await ctx.sleep(1_000);
      },
      { totalTimeoutMs: 100, timeoutMs: 1_000 },
    );
    await settled();
    await pass(40);
    first.finish();
    await pass(30);
    gate.resolve();
    await pass(29);
    expect([task.status, task.record.stopReason]).toEqual(["blocked", undefined]);
    await pass(1);
    expect(await task.outcome()).toMatchObject({ error: { code: "total_timeout" } });
  });

  test("C6 totalTimeoutMs sweeps the subtree in the turn it fires", async () => {
    const { manager, pass, clock } = world();
    const root = hold(manager, { totalTimeoutMs: 100 });
    await settled();
    const child = holdDeaf(root.ctx, { graceMs: 1_000 });
    await settled();
    const leaf = hold(child.ctx);
    await settled();
    await clock.advance(100);
    expect([root, child, leaf].map(({ handle }) => handle.record.stopReason)).toEqual([
      "total_timeout",
      "cancel",
      "cancel",
    ]);
    expect([child.handle.record.reason, leaf.handle.record.reason]).toEqual(["total_timeout", "total_timeout"]);
    await pass(1_000);
    expect(await root.handle.outcome()).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
  });

  test("C6 the record tells its own total deadline or the nearest one inherited", async () => {
    const { manager, clock } = world();
    await clock.advance(1_000);
    const root = hold(manager, { totalTimeoutMs: 500 });
    await settled();
    await clock.advance(100);
    const inherits = hold(root.ctx);
    const sooner = hold(root.ctx, { totalTimeoutMs: 50 });
    const later = hold(root.ctx, { totalTimeoutMs: 5_000 });
    const none = hold(manager);
    await settled();
    const below = hold(sooner.ctx);
    await settled();
    const deadlines = [root, inherits, sooner, later, below, none].map(({ handle }) => handle.record.totalDeadlineAt);
    expect(deadlines).toEqual([1_500, 1_500, 1_150, 1_500, 1_150, undefined]);
    expect([root.ctx.totalDeadlineAt, inherits.ctx.totalDeadlineAt, none.ctx.totalDeadlineAt]).toEqual([
      1_500,
      1_500,
      undefined,
    ]);
  });

  test("C6 only the task that set the total timeout fails by it: below it, tasks are swept", async () => {
    const { manager, pass } = world();
    const root = hold(manager, { totalTimeoutMs: 100 });
    await settled();
    const child = hold(root.ctx);
    await settled();
    await pass(100);
    expect(await root.handle.outcome()).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
    expect(await child.handle.outcome()).toMatchObject({ status: "cancelled", reason: "total_timeout" });
  });

  test("C6 a child's own total timeout leaves its parent alone", async () => {
    const { manager, pass } = world();
    const root = hold(manager, { totalTimeoutMs: 1_000 });
    await settled();
    const child = hold(root.ctx, { totalTimeoutMs: 100 });
    await settled();
    await pass(100);
    expect(await child.handle.outcome()).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
    expect([root.handle.status, root.handle.record.stopReason]).toEqual(["running", undefined]);
  });

  test("H2 a child that is let go when its parent returns is on its own time, and so is all below it", async () => {
    const { manager, pass } = world();
    const root = hold(manager, { totalTimeoutMs: 100, children: "detach" });
    await settled();
    const own = hold(root.ctx, { totalTimeoutMs: 300 });
    const loose = hold(root.ctx);
    await settled();
    const below = hold(loose.ctx);
    await settled();
    const deadlines = () => [own, loose, below].map(({ handle }) => handle.record.totalDeadlineAt);
    expect(deadlines()).toEqual([100, 100, 100]);
    root.finish();
    await settled();
    expect(deadlines()).toEqual([300, undefined, undefined]);
    expect(loose.ctx.totalDeadlineAt).toBeUndefined();
    await pass(100);
    expect([loose.handle.status, below.handle.status]).toEqual(["running", "running"]);
    await pass(200);
    expect(await own.handle.outcome()).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
  });

  test("H2 a detached task inherits no total timeout", async () => {
    const { manager, pass } = world();
    const root = hold(manager, { totalTimeoutMs: 100 });
    await settled();
    const loose = hold(root.ctx, { detached: true });
    await settled();
    expect(loose.handle.record.totalDeadlineAt).toBeUndefined();
    await pass(100);
    expect((await root.handle.outcome()).status).toBe("failed");
    expect([loose.handle.status, loose.handle.record.stopReason]).toEqual(["running", undefined]);
  });

  test("H2 a child let go by `detach` outlives the total timeout it had inherited", async () => {
    const { manager, pass } = world();
    const root = hold(manager, { totalTimeoutMs: 100 });
    await settled();
    const middle = hold(root.ctx, { children: "detach" });
    await settled();
    const child = hold(middle.ctx);
    await settled();
    middle.finish();
    await settled();
    expect(child.handle.record.detached).toBe(true);
    await pass(100);
    expect((await root.handle.outcome()).status).toBe("failed");
    expect(child.handle.status).toBe("running");
  });

  test("H1 the total timeout of a returned task sweeps its children, and its outcome stands", async () => {
    const { manager, pass } = world({ graceMs: 10 });
    const parent = manager.spawn(
      (ctx) => {
        ctx.spawn(deaf, { id: "child" });
        return "value";
      },
      { totalTimeoutMs: 100 },
    );
    await settled();
    await pass(100);
    expect(parent.status).toBe("blocked");
    await pass(10);
    expect(await parent.outcome()).toMatchObject({ status: "succeeded", value: "value" });
    expect(manager.get("child")?.record).toMatchObject({ status: "cancelled", reason: "total_timeout" });
  });
});

describe("long and endless times", () => {
  const long = 2 ** 31 + 5;

  test.each([
    { option: "timeoutMs", code: "timeout" },
    { option: "totalTimeoutMs", code: "total_timeout" },
    { option: "stallTimeoutMs", code: "stalled" },
  ])("§12 $option beyond 2^31−1 ms fires at its time and not before", async ({ option, code }) => {
    const { manager, pass } = world();
    const task = hold(manager, { [option]: long });
    await settled();
    await pass(long - 1);
    expect([task.handle.status, task.handle.record.stopReason]).toEqual(["running", undefined]);
    await pass(1);
    expect(await task.handle.outcome()).toMatchObject({ status: "failed", error: { code } });
  });

  test("§12 sleep, receive, ask and awaitTasks take times beyond 2^31−1 ms", async () => {
    const { manager, pass } = world();
    const other = hold(manager).handle;
    const ends: string[] = [];
    manager.spawn(async (ctx) => {
      await Promise.all([
        ctx.sleep(long).then(() => ends.push("sleep")),
        ctx.receive({ timeoutMs: long }).then(() => ends.push("receive")),
        ctx.ask({ question: "which?", timeoutMs: long, onTimeout: { default: "none" } }).then(() => ends.push("ask")),
        ctx.awaitTasks([other], { timeoutMs: long }).then(() => ends.push("awaitTasks")),
      ]);
    });
    await settled();
    await pass(long - 1);
    expect(ends).toEqual([]);
    await pass(1);
    expect(ends.toSorted()).toEqual(["ask", "awaitTasks", "receive", "sleep"]);
  });

  test("§12 on the platform's own timers a time beyond 2^31−1 ms does not fire at once, and gives no warning", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on("warning", note);
    try {
      const manager = new TaskManager({ graceMs: long });
      const task = hold(manager, { timeoutMs: long, totalTimeoutMs: long, stallTimeoutMs: long });
      const sleeper = manager.spawn((ctx) => ctx.sleep(long));
      const waiting = manager.awaitTasks([task.handle], { timeoutMs: long });
      // An overflowed platform timer would be due after 1 ms: before this one, which began later.
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect([task.handle.status, task.handle.record.stopReason, sleeper.status]).toEqual([
        "running",
        undefined,
        "blocked",
      ]);
      expect(warnings).toEqual([]);
      await manager.cancelAll();
      expect((await waiting).reason).toBe("done");
    } finally {
      process.off("warning", note);
    }
  });

  test("§12 Infinity is a time that never comes", async () => {
    const { manager, pass } = world({ graceMs: Infinity });
    const task = holdDeaf(manager, { timeoutMs: Infinity, totalTimeoutMs: Infinity, stallTimeoutMs: Infinity });
    await settled();
    await pass(long);
    expect(task.handle.record.stopReason).toBeUndefined();
    void task.handle.cancel();
    await pass(long);
    expect(task.handle.status).toBe("running");
  });
});

describe("timers and their owners", () => {
  /** A manual clock that knows how many of its timers are still out. */
  function countedClock() {
    const clock = manualClock();
    const out = new Set<unknown>();
    const counted: Clock = {
      now: () => clock.now(),
      setTimeout(fn, ms) {
        const timer: unknown = clock.setTimeout(() => {
          out.delete(timer);
          fn();
        }, ms);
        out.add(timer);
        return timer;
      },
      clearTimeout(timer) {
        out.delete(timer);
        clock.clearTimeout(timer);
      },
    };
    return { clock, counted, out };
  }

  test("C5 no timer outlives its task", async () => {
    const { clock, counted, out } = countedClock();
    const manager = new TaskManager({ clock: counted, concurrency: 10, retention: { ttlMs: Infinity } });
    const timed = { timeoutMs: 1_000, totalTimeoutMs: 2_000, stallTimeoutMs: 3_000, graceMs: 4_000 };
    const done = manager.spawn(() => "done", timed);
    const broken = manager.spawn(() => Promise.reject(new Error("broken")), timed);
    const cancelled = manager.spawn(untilStopped, timed);
    const asleep = manager.spawn((ctx) => ctx.sleep(1_000_000), timed);
    const asking = manager.spawn((ctx) => ctx.ask({ question: "which?", timeoutMs: 1_000_000 }), timed);
    const waiting = manager.spawn((ctx) => ctx.awaitTasks([asleep], { timeoutMs: 1_000_000 }), timed);
    const left = manager.spawn((ctx) => void ctx.sleep(1_000_000), timed);
    const late = manager.spawn(untilStopped, { timeoutMs: 10 });
    const outside = manager.awaitTasks([asleep], { timeoutMs: 1_000_000 });
    await settled();
    expect(out.size).toBeGreaterThan(0);
    await clock.advance(10);
    await settled();
    for (const task of [cancelled, asleep, asking, waiting]) await task.cancel();
    await Promise.all([done, broken, left, late, outside].map((task) => ("outcome" in task ? task.outcome() : task)));
    await settled();
    expect(manager.stats()).toMatchObject({ queued: 0, running: 0, blocked: 0, abandoned: 0 });
    expect(out.size).toBe(0);
  });

  test("C5 a task that stops itself while its value, or its error, is read leaves no grace behind", async () => {
    const { counted, out } = countedClock();
    const manager = new TaskManager({ clock: counted, retention: { ttlMs: Infinity } });
    const stop = (): void => void manager.cancelAll();
    const value = {
      get sly() {
        stop();
        return 1;
      },
    };
    class SlyError extends Error {
      override get message(): string {
        stop();
        return "sly";
      }
    }
    const returns = manager.spawn(() => value);
    await settled();
    const throws = manager.spawn(async () => Promise.reject(new SlyError()));
    await settled();
    expect([returns.status, throws.status]).toEqual(["succeeded", "cancelled"]);
    expect(out.size).toBe(0);
  });

  test("C6 a wait answered before its timeout is decided once: the timer changes nothing", async () => {
    const { manager, pass } = world();
    const receiving = manager.spawn((ctx) => ctx.receive({ timeoutMs: 100 }));
    await settled();
    await receiving.send("in time");
    await pass(1_000);
    expect((await receiving.result())?.content).toEqual([{ type: "text", text: "in time" }]);
  });

  test("C6 a wait decided by its timeout keeps that, whatever comes in the same turn", async () => {
    const { manager, clock } = world();
    const receiving = manager.spawn((ctx) => ctx.receive({ timeoutMs: 100 }));
    await settled();
    clock.setTimeout(() => void receiving.send("too late").catch(() => undefined), 100);
    await clock.advance(100);
    expect(await receiving.result()).toBeUndefined();
  });

  test("C6 a timeout due at the instant of the return, but after it, changes nothing", async () => {
    const { manager, clock } = world();
    const gate = deferred<string>();
    clock.setTimeout(() => gate.resolve("in time"), 100);
    const task = manager.spawn(() => gate.promise, { timeoutMs: 100, totalTimeoutMs: 100 });
    await settled();
    await clock.advance(100);
    expect(await task.outcome()).toMatchObject({ status: "succeeded", value: "in time" });
  });

  test("§13 stamps are the clock's: created, started, finished", async () => {
    const { manager, pass } = world({ concurrency: 1 });
    const first = hold(manager);
    const second = hold(manager);
    await pass(10);
    first.finish();
    await settled();
    await pass(20);
    second.finish();
    await settled();
    const stamps = [first, second].map(({ handle: { record } }) => [
      record.createdAt,
      record.startedAt,
      record.finishedAt,
    ]);
    expect(stamps).toEqual([
      [0, 0, 10],
      [0, 10, 30],
    ]);
  });

  test("C4 a task stopped by a timer rejects its own waits with its own TaskCancelledError", async () => {
    const { manager, pass } = world();
    let caught: unknown;
    const task = manager.spawn(
      (ctx) =>
        ctx.receive().catch((error: unknown) => {
          caught = error;
          throw error;
        }),
      { totalTimeoutMs: 100 },
    );
    await settled();
    await pass(100);
    const error = errandError(caught, "TASK_CANCELLED");
    expect([error.reason, error.taskId]).toEqual(["total_timeout", task.id]);
  });
});

test("C6 a stallTimeoutMs of 0 is for a function that has started: it is stalled a millisecond later", async () => {
  const { manager, pass } = world();
  let started = false;
  const task = manager.spawn(
    (ctx) => {
      started = !ctx.isCancelled;
      return untilStopped(ctx);
    },
    { stallTimeoutMs: 0 },
  );
  await settled();
  expect([started, task.status]).toEqual([true, "running"]);
  await pass(1);
  expect(task.record).toMatchObject({ status: "failed", stopReason: "stalled" });
});
