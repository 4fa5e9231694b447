// What becomes of the tasks that a process left that is gone (D4): who goes on, who is over and with which words, and what is kept.

import { setImmediate } from "node:timers/promises";
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { TaskContext, TaskEvent, TaskRecord } from "errand";
import { defineKind, TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { allFree, deferred, facts, peek, settled, slots } from "../../support/basics.js";
import { deaf, given, hold, holdDeaf, refused, untilStopped } from "../../support/program.js";
import { compacted, durable, outcome, type Process, started, task } from "../../support/restarts.js";

/** Of the first attempt deaf, of the next ones its number. */
const resumable = durable((ctx) => (ctx.attempt === 1 ? deaf() : ctx.attempt));

/** Who ran it, as its outcome and its event tell. */
function ran({ manager }: Process, id: string) {
  const { instanceId, pid } = given(manager.get(id)?.record.runtime);
  return { instanceId, pid };
}

describe("D4 a plain function", () => {
  test.each(["running", "blocked", "queued"])(
    "that was %s is interrupted by the loss of its process, which its outcome and its event name",
    async (status) => {
      const first = await started({ concurrency: 1 });
      first.manager.spawn((ctx) => (status === "running" ? deaf() : ctx.ask({ question: "Which?" })), { id: "first" });
      if (status === "queued") first.manager.spawn(deaf);
      await settled();
      const { id } = status === "queued" ? first.manager.spawn(deaf) : task(first, "first");
      await settled();
      expect(task(first, id).status).toBe(status);
      const process = ran(first, "first");
      const { restart } = first;
      const next = await restart();
      expect(await outcome(next, id)).toEqual({ id, status: "interrupted", reason: "process_lost", ...process });
      expect(next.store.kept.at(-1)).toMatchObject({ type: "task.interrupted", reason: "process_lost", ...process });
      const record = task(next, id).record;
      expect(record).toMatchObject({ status: "interrupted", attempt: 1, reason: "process_lost", blockedOn: [] });
      expect([record.finishedAt, record.stopReason]).toEqual([next.clock.now(), undefined]);
      expect(process.pid).toBe(globalThis.process.pid);
      allFree(next.manager);
    },
  );

  test("that never started, in a process that started nothing, is interrupted with the name of that process", async () => {
    const first = await started();
    first.manager.pause();
    const { id } = first.manager.spawn(deaf);
    await settled();
    const next = await first.restart();
    expect(await outcome(next, id)).toMatchObject({
      status: "interrupted",
      reason: "process_lost",
      instanceId: expect.any(String),
      pid: process.pid,
    });
  });

  test("that never started is interrupted with the name of the process that had it, and not of one before", async () => {
    const first = await started();
    await first.manager.spawn(() => 1, { id: "earlier" }).result();
    await settled();
    const second = await first.restart();
    second.manager.pause();
    const { id } = second.manager.spawn(deaf);
    await settled();
    const third = await second.restart();
    expect(await outcome(third, id)).not.toMatchObject(ran(first, "earlier"));
  });

  test("that is over stays as it was, and is not reported a second time (S1, S6)", async () => {
    const first = await started();
    const { manager } = first;
    const done = manager.spawn(() => ({ a: [1] }));
    const failed = manager.spawn(() => Promise.reject(new RangeError("no")));
    const cancelled = manager.spawn(untilStopped);
    await settled();
    await cancelled.cancel("enough");
    await settled();
    const next = await first.restart();
    expect(next.store.kept.length).toBe(first.store.kept.length);
    expect(await next.manager.get(done.id)?.result()).toEqual({ a: [1] });
    expect(await outcome(next, failed.id)).toMatchObject({ status: "failed", error: { code: "error", message: "no" } });
    expect(await outcome(next, cancelled.id)).toMatchObject({ status: "cancelled", reason: "enough" });
    for (const { id } of [done, failed, cancelled]) expect(task(next, id).record).toEqual(task(first, id).record);
  });

  test("whose spawn was not stored was never there", async () => {
    const first = await started();
    first.store.hold();
    const { id } = first.manager.spawn(deaf);
    await settled();
    const next = await first.restart();
    expect([next.manager.get(id), next.manager.list()]).toEqual([undefined, []]);
  });
});

describe("D4 canReattach", () => {
  const answers: readonly [string, (() => boolean | Promise<boolean>) | undefined, goesOn: boolean][] = [
    ["true", () => true, true],
    ["false", () => false, false],
    ["a promise of true", async () => setImmediate(true), true],
    ["a promise of false", () => Promise.resolve(false), false],
    [
      "a throw",
      () => {
        throw new Error("no idea");
      },
      false,
    ],
    ["a rejection", () => Promise.reject(new Error("no idea")), false],
    ["what is not true", () => 1 as unknown as boolean, false],
    ["no such function", undefined, false],
  ];

  test.each(answers)("%s: the task goes on or is interrupted", async (_what, canReattach, goesOn) => {
    const kind = durable((ctx) => (ctx.attempt === 1 ? deaf() : "went on"), { canReattach });
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind);
    await settled();
    const process = ran(first, id);
    const next = await first.restart();
    await settled();
    expect(await outcome(next, id)).toEqual(
      goesOn
        ? { id, status: "succeeded", value: "went on" }
        : { id, status: "interrupted", reason: "process_lost", ...process },
    );
    expect(task(next, id).record.attempt).toBe(goesOn ? 2 : 1);
  });

  test("is asked once for each task, with its record as it was left", async () => {
    const records: TaskRecord[] = [];
    const kind = durable(deaf, { canReattach: (record) => records.push(record) > 0 });
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { input: { n: 7 }, tags: ["a"] });
    await settled();
    await first.restart();
    expect(records).toEqual([task(first, id).record]);
    expect(Object.isFrozen(records[0])).toBe(true);
  });

  test.each<[string, () => unknown, said: string]>([
    ["that throws", () => Promise.reject(new Error("no idea")), "threw"],
    ["that forgets its `return`", () => undefined, "gave neither true nor false, but undefined"],
    ["that gives an id for true", () => "remote-1", 'gave neither true nor false, but "remote-1"'],
  ])("%s is reported to the logger", async (_what, canReattach, said) => {
    const kind = durable(deaf, { canReattach: canReattach as () => boolean });
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind);
    await settled();
    const warnings: string[] = [];
    const quiet = () => undefined;
    const logger = { debug: quiet, info: quiet, warn: (message: string) => void warnings.push(message), error: quiet };
    await first.restart({ kinds: [kind], logger });
    expect(warnings).toEqual([expect.stringContaining(`${said}: task ${id} does not go on`)]);
  });

  test("is not asked of a task that is over", async () => {
    let asked = 0;
    const kind = durable(() => 1, { canReattach: () => ++asked > 0 });
    const first = await started({ kinds: [kind] });
    await first.manager.spawn(kind).result();
    await settled();
    const next = await first.restart();
    expect(asked).toBe(0);
    expect(next.manager.list({ status: "succeeded" })).toHaveLength(1);
  });

  test("the store has the decision before `open` resolves, and nothing has started by then", async () => {
    let runs = 0;
    const kind = durable((ctx) => {
      if (ctx.attempt > 1) runs++;
      return deaf();
    });
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind);
    await settled();
    const store = first.store.crash();
    store.hold();
    const opening = TaskManager.open({ store, kinds: [kind], clock: manualClock() });
    expect((await peek(opening)).is).toBe("pending");
    store.release();
    const manager = await opening;
    expect(store.kept.at(-1)).toMatchObject({ type: "task.reattached", taskId: id, attempt: 2 });
    const told = facts(manager);
    expect([runs, manager.get(id)?.status]).toEqual([0, "queued"]);
    await settled();
    // Its process had died: its start is stored before its function is called.
    expect([runs, told.map(({ type }) => type)]).toEqual([0, []]);
    store.letThrough();
    await settled();
    expect([runs, told.map(({ type }) => type)]).toEqual([1, ["task.started"]]);
  });
});

describe("D4 the next attempt", () => {
  test("is queued as attempt + 1, by this process, and runs with the input that was passed", async () => {
    const kind = durable((ctx, input) => (ctx.attempt === 1 ? deaf() : { input, attempt: ctx.attempt }));
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { input: { n: 7 } });
    await settled();
    const next = await first.restart();
    expect(task(next, id).record).toMatchObject({ status: "queued", attempt: 2, input: { n: 7 }, blockedOn: [] });
    expect(ran(next, id).instanceId).not.toBe(ran(first, id).instanceId);
    expect(await task(next, id).result()).toEqual({ input: { n: 7 }, attempt: 2 });
    expect(task(next, id).record.startedAt).toBe(task(first, id).record.startedAt);
  });

  test("S3 keeps the instant of the first start, and the end is its own", async () => {
    const first = await started({ kinds: [resumable] });
    const { id } = first.manager.spawn(resumable);
    await settled();
    const next = await first.restart(undefined, 50_000);
    await task(next, id).result();
    expect(task(next, id).record).toMatchObject({ createdAt: 1_000, startedAt: 1_000, finishedAt: 51_000 });
  });

  test("goes on also with a task that was queued, blocked, or asked a question", async () => {
    const kind = durable<unknown>((ctx) => (ctx.attempt > 1 ? ctx.attempt : ctx.ask({ question: "Which?" })));
    const first = await started({ kinds: [kind], concurrency: 1 });
    const asking = first.manager.spawn(kind);
    await settled();
    holdDeaf(first.manager);
    const queued = first.manager.spawn(kind);
    await settled();
    expect([asking.status, queued.status]).toEqual(["blocked", "queued"]);
    const next = await first.restart();
    expect(await task(next, asking.id).result()).toBe(2);
    expect(await task(next, queued.id).result()).toBe(2);
    expect(next.manager.inbox.list({ status: "withdrawn" })).toHaveLength(1);
  });

  test("`retry.maxAttempts` counts crashes: at the bound the task is interrupted and not asked for", async () => {
    let asked = 0;
    const kind = durable(deaf, { retry: { maxAttempts: 3 }, canReattach: () => ++asked > 0 });
    let process = await started({ kinds: [kind] });
    const { id } = process.manager.spawn(kind);
    const attempts: number[] = [];
    for (let crash = 0; crash < 3; crash++) {
      await settled();
      attempts.push(task(process, id).record.attempt);
      process = await process.restart();
    }
    expect(attempts).toEqual([1, 2, 3]);
    expect(await outcome(process, id)).toMatchObject({ status: "interrupted", reason: "process_lost" });
    expect(asked).toBe(2);
  });

  test("an input that does not fit its schema any more fails it", async () => {
    const was = durable(deaf);
    const first = await started({ kinds: [was] });
    const { id } = first.manager.spawn(was, { input: { n: 1 } });
    await settled();
    const now = durable(() => "ran", {
      input: { "~standard": { version: 1, vendor: "test", validate: () => ({ issues: [{ message: "too small" }] }) } },
    });
    const next = await first.restart({ kinds: [now] });
    expect(await outcome(next, id)).toMatchObject({ status: "failed", error: { code: "error" } });
    expect(task(next, id).record.error?.message).toContain("too small");
  });

  test("the raw input is kept, and parsed again", async () => {
    const parsed: unknown[] = [];
    const input: StandardSchemaV1<unknown, string> = {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: (value) => (parsed.push(value), { value: `<${JSON.stringify(value)}>` }),
      },
    };
    const kind = defineKind({
      name: "parsing",
      input,
      canReattach: () => true,
      run: (ctx, text) => (ctx.attempt === 1 ? deaf() : text),
    });
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { input: { a: 1 } });
    await settled();
    const next = await first.restart();
    expect(await task(next, id).result()).toBe('<{"a":1}>');
    expect(parsed).toEqual([{ a: 1 }, { a: 1 }]);
    expect(task(next, id).record.input).toEqual({ a: 1 });
  });

  test("finds the last checkpoint that was stored", async () => {
    const kind = durable(async (ctx) => {
      if (ctx.attempt > 1) return ctx.lastCheckpoint;
      await ctx.checkpoint({ page: 1 });
      await ctx.checkpoint({ page: 2 });
      return deaf();
    });
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind);
    await settled();
    await compacted(first);
    const next = await first.restart();
    expect(await task(next, id).result()).toEqual({ page: 2 });
  });

  test("does not find a checkpoint that was not stored", async () => {
    const kind = durable((ctx) => {
      if (ctx.attempt > 1) return { checkpoint: ctx.lastCheckpoint };
      void ctx.checkpoint(1);
      return deaf();
    });
    const first = await started({ kinds: [kind] });
    first.store.hold();
    const { id } = first.manager.spawn(kind);
    await settled();
    first.store.release();
    await settled();
    const next = await first.restart();
    expect(await task(next, id).result()).toEqual({ checkpoint: undefined });
  });

  test("reads the messages again that the one before had read; answers to questions it does not", async () => {
    const kind = durable(async (ctx) => {
      const texts: unknown[] = [];
      if (ctx.attempt === 1) {
        await ctx.receive();
        await ctx.ask({ question: "Which?" });
        return deaf();
      }
      for (let message = await ctx.receive({ timeoutMs: 0 }); message; message = await ctx.receive({ timeoutMs: 0 }))
        texts.push(message.content[0]);
      return texts;
    });
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind);
    await handle.send("one");
    await settled();
    await handle.send("answer", { inReplyTo: given(first.manager.inbox.list()[0]).id });
    await handle.send("two");
    await settled();
    const next = await first.restart();
    expect(task(next, handle.id).messages()).toEqual(handle.messages());
    expect(await task(next, handle.id).result()).toEqual([
      { type: "text", text: "one" },
      { type: "text", text: "two" },
    ]);
  });

  test("has what it wrote: usage, artifacts, links, metadata, summary, progress; and adds to it", async () => {
    const kind = durable((ctx) => {
      ctx.reportUsage({ inputTokens: 2, outputTokens: 3, costUsd: 0.5 });
      ctx.artifact({ name: `report-${ctx.attempt}`, type: "text/plain", data: "x" });
      ctx.link({ resourceIds: ["a", `${ctx.attempt}`] });
      if (ctx.attempt > 1) return "done";
      ctx.summary("half-way");
      ctx.progress({ current: 1, total: 2 });
      return deaf();
    });
    const first = await started({ kinds: [kind] });
    const session = first.manager.session("chat");
    const { id } = session.spawn(kind, {
      metadata: { a: [1] },
      tags: ["t"],
      title: "Title",
      name: "name",
      priority: 2,
    });
    await settled();
    const next = await first.restart();
    expect(task(next, id).record).toMatchObject({
      ...task(first, id).record,
      status: "queued",
      attempt: 2,
      runtime: expect.anything(),
      updatedAt: next.clock.now(),
    });
    await task(next, id).result();
    expect(task(next, id).record).toMatchObject({
      usage: { inputTokens: 4, outputTokens: 6, costUsd: 1, tasks: 1 },
      artifacts: [{ name: "report-1" }, { name: "report-2" }],
      links: { resourceIds: ["a", "1", "2"] },
      summary: "half-way",
    });
    expect(next.manager.session("chat").usage()).toEqual({ inputTokens: 4, outputTokens: 6, costUsd: 1, tasks: 1 });
  });

  test("S2 the process before cannot touch it: its late writes, and its end, count for nothing", async () => {
    const gate = deferred<string>();
    const contexts: TaskContext[] = [];
    const tracked = durable((ctx) => {
      contexts.push(ctx);
      return ctx.attempt === 1 ? gate.promise : deaf();
    });
    const first = await started({ kinds: [tracked] });
    const { id } = first.manager.spawn(tracked);
    await settled();
    const next = await first.restart();
    await settled();
    contexts[0]?.summary("late");
    gate.resolve("late");
    await settled();
    expect(task(next, id).record).toMatchObject({ status: "running", attempt: 2 });
    expect(task(next, id).record.summary).toBeUndefined();
    const third = await next.restart();
    expect(task(third, id).record.attempt).toBe(3);
  });

  test("C5 a signal that the spawner gave is of the process that is gone", async () => {
    const controller = new AbortController();
    const first = await started({ kinds: [resumable] });
    const { id } = first.manager.spawn(resumable, { signal: controller.signal });
    await settled();
    const next = await first.restart();
    controller.abort();
    expect(await task(next, id).result()).toBe(2);
  });

  test("L1 L4 stands in line like any other, in the order of before", async () => {
    const order: unknown[] = [];
    const kind = durable((ctx, input) => {
      if (ctx.attempt > 1) order.push(input?.n);
      return ctx.attempt > 1 ? undefined : deaf();
    });
    const first = await started({ kinds: [kind] });
    for (const n of [1, 2, 3]) {
      first.manager.spawn(kind, { input: { n }, priority: n === 3 ? 5 : 0 });
      await first.pass(10);
    }
    const next = await first.restart({ kinds: [kind], concurrency: 1 });
    next.manager.pause();
    await settled();
    next.manager.resume();
    await next.manager.idle();
    expect(order).toEqual([3, 1, 2]);
    expect(slots(next.manager).held).toBe(0);
  });

  test("idle() waits for it", async () => {
    const first = await started({ kinds: [resumable] });
    first.manager.spawn(resumable);
    await settled();
    const next = await first.restart();
    const idle = next.manager.idle();
    expect((await peek(idle)).is).toBe("fulfilled");
    expect(next.manager.list({ status: "succeeded" })).toHaveLength(1);
  });

  test("stored() of it is that of its newest attempt", async () => {
    const first = await started({ kinds: [resumable] });
    const { id } = first.manager.spawn(resumable);
    await settled();
    const next = await first.restart();
    next.store.hold();
    expect((await peek(task(next, id).stored())).is).toBe("fulfilled");
  });

  test("does not start when it is cancelled in the turn in which `open` resolved, and leaves no timer", async () => {
    const kind = durable((ctx) => (ctx.attempt === 1 ? deaf() : expect.unreachable()));
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { timeoutMs: 50 });
    await settled();
    const next = await first.restart({ kinds: [kind], retention: { ttlMs: Number.POSITIVE_INFINITY } });
    expect(await task(next, id).cancel("enough")).toMatchObject({ status: "cancelled", reason: "enough" });
    await settled();
    expect([task(next, id).record.startedAt, next.clock.nextAt]).toEqual([1_000, undefined]);
    allFree(next.manager);
  });

  test("leaves no timer for its total time when it is cancelled in the turn in which `open` resolved", async () => {
    const first = await started({ kinds: [resumable] });
    const { id } = first.manager.spawn(resumable, { totalTimeoutMs: 50_000 });
    await settled();
    const next = await first.restart({ kinds: [resumable], retention: { ttlMs: Number.POSITIVE_INFINITY } });
    await task(next, id).cancel("enough");
    await settled();
    expect(next.clock.nextAt).toBeUndefined();
  });
});

describe("D4 a stop that was asked for before the crash is carried out", () => {
  const stops: readonly [string, (process: Process, id: string) => Promise<unknown>, object][] = [
    [
      "a cancel, with its words",
      async ({ manager }, id) => void manager.get(id)?.cancel("enough"),
      { status: "cancelled", reason: "enough" },
    ],
    ["a timeout", ({ pass }) => pass(100), { status: "failed", error: { code: "timeout" } }],
  ];
  test.each(stops)("%s, also of a kind that could go on", async (_what, stop, expected) => {
    const first = await started({ kinds: [resumable] });
    const { id } = first.manager.spawn(resumable, { timeoutMs: 100, graceMs: 60_000 });
    await settled();
    await stop(first, id);
    await settled();
    expect(task(first, id).record.finishedAt).toBeUndefined();
    const next = await first.restart();
    expect(await outcome(next, id)).toMatchObject(expected);
    const { record } = task(next, id);
    expect([record.stopReason, record.cancelRequestedAt]).toEqual([
      task(first, id).record.stopReason,
      task(first, id).record.cancelRequestedAt,
    ]);
  });

  test.each([
    ["total_timeout", { totalTimeoutMs: 100 }],
    ["stalled", { stallTimeoutMs: 100 }],
  ])("%s", async (code, options) => {
    const first = await started();
    const { id } = first.manager.spawn(deaf, { ...options, graceMs: 60_000 });
    await settled();
    await first.pass(100);
    const next = await first.restart();
    expect(await outcome(next, id)).toMatchObject({ status: "failed", error: { code } });
  });

  test("H2 of a whole family: the swept ones are cancelled with the ancestor's code", async () => {
    const first = await started();
    const { id } = first.manager.spawn(
      (ctx) => {
        ctx.spawn(deaf, { id: "child" });
        ctx.spawn(deaf, { id: "loose", detached: true });
        return deaf();
      },
      { timeoutMs: 100, graceMs: 60_000 },
    );
    await settled();
    await first.pass(100);
    const next = await first.restart();
    expect(await outcome(next, id)).toMatchObject({ status: "failed", error: { code: "timeout" } });
    expect(await outcome(next, "child")).toMatchObject({ status: "cancelled", reason: "timeout" });
    expect(await outcome(next, "loose")).toMatchObject({ status: "interrupted", reason: "process_lost" });
  });

  test("one that was not stored was not asked for: the task goes on", async () => {
    const first = await started({ kinds: [resumable] });
    const handle = first.manager.spawn(resumable);
    await settled();
    first.store.hold();
    void handle.cancel("enough");
    const next = await first.restart();
    expect(await task(next, handle.id).result()).toBe(2);
  });

  test("a shut down that was cut off by a crash stops nothing: a kind goes on, a plain function is interrupted by it", async () => {
    const first = await started({ kinds: [resumable], graceMs: 60_000 });
    const going = first.manager.spawn(resumable);
    const plain = first.manager.spawn(deaf);
    await settled();
    void first.manager.close();
    await settled();
    const next = await first.restart();
    expect(await task(next, going.id).result()).toBe(2);
    expect(await outcome(next, plain.id)).toMatchObject({
      status: "interrupted",
      reason: "shutdown",
      ...ran(first, plain.id),
    });
    expect(task(next, going.id).record.stopReason).toBeUndefined();
  });
});

describe("C6 the timers of the next attempt", () => {
  test("`timeoutMs` is of each attempt, from its start", async () => {
    const kind = durable(deaf);
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { timeoutMs: 100, graceMs: 10 });
    await first.pass(90);
    const next = await first.restart();
    await next.pass(99);
    expect(task(next, id).status).toBe("running");
    await next.pass(1);
    await next.pass(10);
    expect(await outcome(next, id)).toMatchObject({ status: "failed", error: { code: "timeout" }, abandoned: true });
  });

  test("`timeoutMs` of a kind is kept with the task", async () => {
    const first = await started({ kinds: [durable(deaf, { timeoutMs: 100 })] });
    const { id } = first.manager.spawn("durable");
    await settled();
    const next = await first.restart({ kinds: [durable(untilStopped)] });
    await next.pass(100);
    expect(await outcome(next, id)).toMatchObject({ status: "failed", error: { code: "timeout" } });
  });

  test("`stallTimeoutMs` holds", async () => {
    const kind = durable(untilStopped);
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { stallTimeoutMs: 100 });
    await first.pass(90);
    const next = await first.restart();
    await next.pass(99);
    expect(task(next, id).status).toBe("running");
    await next.pass(1);
    expect(await outcome(next, id)).toMatchObject({ status: "failed", error: { code: "stalled" } });
  });

  test("`graceMs` holds", async () => {
    const kind = durable(deaf);
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { graceMs: 30 });
    await settled();
    const next = await first.restart();
    await settled();
    const cancelled = task(next, id).cancel();
    await next.pass(29);
    expect((await peek(cancelled)).is).toBe("pending");
    await next.pass(1);
    expect(await cancelled).toMatchObject({ status: "cancelled", abandoned: true });
  });

  test("`totalTimeoutMs` goes on, the time between the processes included", async () => {
    const kind = durable(untilStopped);
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { totalTimeoutMs: 1_000 });
    await first.pass(300);
    const next = await first.restart(undefined, 500);
    expect(task(next, id).record.totalDeadlineAt).toBe(2_000);
    await next.pass(199);
    expect(task(next, id).status).toBe("running");
    await next.pass(1);
    expect(await outcome(next, id)).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
    expect(task(next, id).record.finishedAt).toBe(2_000);
  });

  test("a total time that passed meanwhile fails the task with `total_timeout`, and sweeps it: it is neither asked for nor run", async () => {
    let asked = 0;
    const attempts: number[] = [];
    const kind = durable(
      (ctx) => {
        attempts.push(ctx.attempt);
        if (ctx.id === "top") ctx.spawn(kind, { id: "child" });
        return untilStopped(ctx);
      },
      { canReattach: () => ++asked > 0 },
    );
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "top", totalTimeoutMs: 1_000 });
    first.manager.spawn(deaf, { id: "plain", totalTimeoutMs: 1_000 });
    await settled();
    const next = await first.restart(undefined, 5_000);
    await settled();
    for (const id of ["top", "plain"])
      expect(await outcome(next, id)).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
    expect(await outcome(next, "child")).toMatchObject({ status: "cancelled", reason: "total_timeout" });
    expect([asked, attempts]).toEqual([0, [1, 1]]);
  });

  test("a task that inherited a total time has it from above", async () => {
    const kind = durable((ctx) => {
      ctx.spawn(leaf, { id: "leaf" });
      return untilStopped(ctx);
    });
    const leaf = durable(untilStopped, { name: "leaf" });
    const first = await started({ kinds: [kind, leaf] });
    first.manager.spawn(kind, { id: "top", totalTimeoutMs: 1_000 });
    await settled();
    const next = await first.restart(undefined, 100);
    expect(task(next, "leaf").record.totalDeadlineAt).toBe(2_000);
    await settled();
    await next.pass(900);
    expect(await outcome(next, "leaf")).toMatchObject({ status: "cancelled", reason: "total_timeout" });
  });
});

describe("D4 ids and names", () => {
  test("ids of all processes differ", async () => {
    let process = await started();
    const ids: string[] = [];
    for (let crash = 0; crash < 3; crash++) {
      for (let n = 0; n < 5; n++) ids.push(process.manager.spawn(deaf).id);
      const asking = process.manager.spawn((ctx) => ctx.ask({ question: "Which?" }));
      ids.push(asking.id, (await asking.send("hello")).id);
      await settled();
      ids.push(given(process.manager.inbox.list()[0]).id);
      process = await process.restart();
    }
    expect(new Set(ids).size).toBe(ids.length);
    expect(process.manager.list()).toHaveLength(18);
  });

  test("an id that errand makes never meets one that a process before was given", async () => {
    const first = await started();
    first.manager.spawn(deaf, { id: "task_1" });
    await settled();
    let made = 0;
    const ids = { next: (what: string) => `${what}_${++made}` };
    const next = await first.restart({ ids });
    made = 0;
    expect(next.manager.spawn(deaf).id).toBe("task_2");
  });

  test("a name is free again when its task is over, and taken while it goes on", async () => {
    const first = await started({ kinds: [resumable] });
    first.manager.spawn(deaf, { name: "plain" });
    const going = first.manager.spawn(durable(deaf), { name: "going" });
    await settled();
    const next = await first.restart({ kinds: [durable(deaf)] });
    expect(next.manager.spawn(deaf, { name: "plain" }).status).toBe("queued");
    expect(refused(() => next.manager.spawn(deaf, { name: "going" }), "NAME_TAKEN").taskId).toBe(going.id);
    expect(next.manager.list({ name: "plain" })).toHaveLength(2);
  });

  test("a name that was used twice is taken by the task that lives", async () => {
    const first = await started({ kinds: [resumable] });
    await first.manager.spawn(() => 1, { name: "one" }).result();
    const kind = durable(deaf);
    const living = first.manager.spawn(kind, { name: "one" });
    await settled();
    await compacted(first);
    const next = await first.restart({ kinds: [kind] });
    expect(refused(() => next.manager.spawn(deaf, { name: "one" }), "NAME_TAKEN").taskId).toBe(living.id);
  });

  test("§10 the same id, or call, finds the task of before, also one that is over", async () => {
    const kind = durable((ctx) => (ctx.attempt === 1 ? deaf() : 1));
    const first = await started({ kinds: [kind] });
    const session = first.manager.session("chat");
    session.spawn(kind, { id: "a", input: { n: 1 } });
    const called = session.spawn(kind, { callId: "call", runId: "run", input: { n: 2 } });
    await first.manager.spawn(() => "once", { id: "done" }).result();
    await settled();
    const next = await first.restart();
    const again = next.manager.session("chat");
    expect(again.spawn(kind, { id: "a", input: { n: 1 } }).id).toBe("a");
    expect(again.spawn(kind, { callId: "call", runId: "run", input: { n: 2 } }).id).toBe(called.id);
    expect(await next.manager.spawn(() => "twice", { id: "done" }).result()).toBe("once");
    refused(() => again.spawn(kind, { id: "a", input: { n: 3 } }), "ID_CONFLICT");
    expect(next.manager.list()).toHaveLength(3);
    expect(again.spawn(kind, { callId: "call", runId: "run", input: { n: 3 } }).id).not.toBe(called.id);
  });

  test("D6 a living task whose id was used before, by one that is not kept any more, is not lost with that one", async () => {
    const kind = durable(deaf);
    const first = await started({ kinds: [kind], retention: { ttlMs: 1_000 } });
    await first.manager.spawn(() => "old", { id: "a" }).result();
    await first.pass(1_000);
    expect(first.manager.get("a")).toBeUndefined();
    first.manager.spawn(kind, { id: "a" });
    await settled();
    const next = await first.restart(undefined, 500);
    await next.pass(2_000);
    expect(next.manager.get("a")?.status).toBe("running");
  });
});

describe("D4 the process after", () => {
  test("changes nothing at a second restart: what is over is over", async () => {
    const first = await started();
    for (let n = 0; n < 3; n++) first.manager.spawn(deaf);
    await settled();
    const second = await first.restart();
    const records = second.manager.list();
    const third = await second.restart();
    expect(third.manager.list()).toEqual(records);
    expect(third.store.kept.length).toBe(second.store.kept.length);
  });

  test("numbers on: `seq` is gapless over all processes", async () => {
    const first = await started({ kinds: [resumable] });
    first.manager.spawn(resumable);
    await first.manager.spawn(() => 1).result();
    const second = await first.restart();
    await second.manager.idle();
    await settled();
    const third = await second.restart();
    await third.manager.spawn(() => 2).result();
    await settled();
    const seqs = third.store.kept.map(({ seq }: TaskEvent) => seq);
    expect(seqs).toEqual(seqs.map((_seq, index) => index + 1));
  });

  test("`stats` and `idle` count nothing of what is over", async () => {
    const first = await started({ concurrency: 2 });
    for (let n = 0; n < 5; n++) first.manager.spawn(deaf);
    await settled();
    const next = await first.restart();
    expect(next.manager.stats()).toMatchObject({ queued: 0, running: 0, blocked: 0, abandoned: 0 });
    await next.manager.idle();
    allFree(next.manager);
    const held = hold(next.manager);
    await settled();
    expect(held.started).toBe(true);
  });

  test.each(["journal", "snapshot"])("W1 knows in which order those of before ended, from a %s", async (how) => {
    const first = await started();
    const held = ["a", "b", "c"].map((id) => hold(first.manager, { id }));
    await settled();
    for (const n of [2, 0, 1]) {
      held[n]?.finish();
      await settled();
    }
    if (how === "snapshot") await compacted(first);
    const { manager } = await first.restart();
    expect((await manager.awaitTasks(["a", "b", "c"])).ended.map(({ id }) => id)).toEqual(["c", "a", "b"]);
    const read: string[] = [];
    for await (const { id } of manager.outcomes(["a", "b", "c"])) read.push(id);
    expect(read).toEqual(["c", "a", "b"]);
    expect((await manager.awaitTasks(["a", "b", "c"], { until: "any" })).reason).toBe("done");
  });

  test("§9 a session of before has its tasks, and cancels those that go on", async () => {
    const kind = durable((ctx) => untilStopped(ctx));
    const first = await started({ kinds: [kind] });
    first.manager.session("chat").spawn(kind, { id: "going", name: "worker" });
    first.manager.session("other").spawn(kind, { id: "other" });
    first.manager.session("chat").spawn(deaf, { id: "plain" });
    await settled();
    const next = await first.restart();
    const session = next.manager.session("chat");
    expect(session.list().map(({ id }) => id)).toEqual(["going", "plain"]);
    expect([session.get("other"), session.get("going")?.status]).toEqual([undefined, "queued"]);
    await settled();
    const outcomes = await session.cancelAll({}, "enough");
    expect(outcomes.find(({ id }) => id === "going")).toMatchObject({ status: "cancelled", reason: "enough" });
    expect(task(next, "other").status).toBe("running");
  });

  test("§8 has no output of before: it is never journalled", async () => {
    const kind = durable((ctx) => {
      ctx.output("stdout", `attempt ${ctx.attempt}`);
      return deaf();
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "task" });
    await settled();
    const next = await first.restart();
    expect(task(next, "task").output().text).toBe("");
    await settled();
    expect(task(next, "task").output().text).toBe("attempt 2");
  });

  test("L6 takes up all that was in line, also more than `maxQueued`, and refuses new ones until there is room", async () => {
    const first = await started({ kinds: [resumable] });
    for (let n = 0; n < 5; n++) first.manager.spawn(resumable);
    await settled();
    const next = await first.restart({ kinds: [resumable], concurrency: 1, limits: { maxQueued: 1 } });
    next.manager.pause();
    await settled();
    refused(() => next.manager.spawn(deaf), "QUEUE_FULL");
    next.manager.resume();
    await next.manager.idle();
    expect(next.manager.list({ status: "succeeded" })).toHaveLength(5);
  });

  test("H0 asks kinds outside any task, also when it is opened inside one", async () => {
    const parents: unknown[] = [];
    const outer = new TaskManager();
    const kind = durable((ctx) => (ctx.attempt === 1 ? deaf() : outer.spawn(() => 1).record.parentId), {
      canReattach: () => {
        parents.push(outer.spawn(() => 1).record.parentId);
        return true;
      },
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { id: "task" });
    await settled();
    const next = await outer.spawn(() => first.restart()).result();
    expect([parents, await task(next, "task").result()]).toEqual([[undefined], undefined]);
  });
});
