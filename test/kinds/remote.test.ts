// A kind that looks after work elsewhere (§10): it steers (`deliver`), polls the work (`reconcile`) and cleans it up
// (`cancel`).
//
// Time is a manual clock; the outside world of these kinds is a list in the test.

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type {
  FailureCode,
  KindDefinition,
  Logger,
  Message,
  ReconcileReport,
  TaskContext,
  TaskManager,
  TaskRecord,
} from "errand";
import { defineKind } from "errand";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { allFree, deferred, facts, peek, settled, slots, unhandled } from "../support/basics.js";
import { deaf, given, hold, refusalOf, typesOf, untilStopped, world } from "../support/program.js";

interface Warning {
  readonly message: string;
  readonly fields: object | undefined;
}

/** A logger, and what it was warned of. */
function listening() {
  const warnings: Warning[] = [];
  const ignore = (): void => undefined;
  const logger: Logger = {
    debug: ignore,
    info: ignore,
    warn: (message, fields) => void warnings.push({ message, fields }),
    error: ignore,
  };
  return { logger, warnings };
}

type Definition<R> = Partial<KindDefinition<undefined, undefined, R, R, unknown>>;

/** A kind whose remote reports the `lines` one at a time, and then repeats the last one. */
function remote<R = string>(
  lines: readonly (ReconcileReport<R> | (() => ReconcileReport<R> | PromiseLike<ReconcileReport<R>>))[],
  more: Definition<R> = {},
) {
  const asked: TaskRecord[] = [];
  const kind = defineKind<R>({
    name: "remote",
    run: () => undefined as R,
    reconcile: (record) => {
      const line = given(lines[Math.min(asked.length, lines.length - 1)]);
      asked.push(record);
      return typeof line === "function" ? line() : line;
    },
    ...more,
  });
  return { kind, asked };
}

const running = { status: "running" } as const;
const done = { status: "succeeded", value: "done" } as const;

/** Collects garbage: every object without a reference is gone afterwards. */
function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("no gc");
  collect();
}

/** Text of a message that is one part of text. */
function textOf({ content }: Message): string {
  const [part] = content;
  return part?.type === "text" ? part.text : JSON.stringify(part);
}

describe("§10 deliver", () => {
  /** A kind that runs until it is stopped, and what it was steered with. */
  function steered(more: Definition<unknown> = {}) {
    const heard: string[] = [];
    const kind = defineKind<unknown>({
      name: "steered",
      run: untilStopped,
      deliver: (_record, message) => void heard.push(textOf(message)),
      ...more,
    });
    return { kind, heard };
  }

  test("gets each message once, in the order sent, with the record of its task", async () => {
    const records: TaskRecord[] = [];
    const { kind, heard } = steered();
    const seen = defineKind({
      name: "seen",
      run: untilStopped,
      deliver: (record, message) => {
        records.push(record);
        heard.push(textOf(message));
      },
    });
    expect(kind.name).toBe("steered");
    const { manager } = world();
    const handle = manager.spawn(seen);
    await settled();
    const sent = await Promise.all(["a", "b", "c"].map((text) => handle.send(text)));
    await settled();
    expect(heard).toEqual(["a", "b", "c"]);
    expect(records.map(({ id, status }) => [id, status])).toEqual(sent.map(() => [handle.id, "running"]));
  });

  test("gets one after the other: the next waits for the one before", async () => {
    const gates = [deferred(), deferred(), deferred()];
    const begun: string[] = [];
    const { kind } = steered({
      deliver: (_record, message) => {
        begun.push(textOf(message));
        return given(gates[begun.length - 1]).promise;
      },
    });
    const { manager } = world();
    const handle = manager.spawn(kind);
    await settled();
    for (const text of ["a", "b", "c"]) await handle.send(text);
    await settled();
    expect(begun).toEqual(["a"]);
    gates[0]?.resolve();
    await settled();
    expect(begun).toEqual(["a", "b"]);
    gates[1]?.resolve();
    await settled();
    expect(begun).toEqual(["a", "b", "c"]);
  });

  test("gets those sent before the start at the start, before those sent after it", async () => {
    const { kind, heard } = steered();
    const { manager } = world({ concurrency: 1 });
    const blocker = hold(manager);
    const handle = manager.spawn(kind);
    for (const text of ["a", "b"]) await handle.send(text);
    await settled();
    expect([handle.status, heard]).toEqual(["queued", []]);
    blocker.finish();
    await settled();
    await handle.send("c");
    await settled();
    expect(heard).toEqual(["a", "b", "c"]);
  });

  test("gets what was sent in the pause before a retry when that starts, and nothing a second time", async () => {
    let runs = 0;
    const { kind, heard } = steered({
      retry: { maxAttempts: 2, backoffMs: 1_000, jitter: false },
      run: (ctx) => {
        runs += 1;
        if (runs === 1) return ctx.receive().then(() => Promise.reject(new Error("once more")));
        return untilStopped(ctx);
      },
    });
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await settled();
    await handle.send("first");
    await settled();
    expect(handle.record).toMatchObject({ status: "queued", notBeforeAt: 1_000 });
    await handle.send("in the pause");
    await settled();
    expect(heard).toEqual(["first"]);
    await pass(1_000);
    expect(handle.record).toMatchObject({ status: "running", attempt: 2 });
    expect(heard).toEqual(["first", "in the pause"]);
  });

  test.each<[string, () => void | Promise<void>]>([
    [
      "throws",
      () => {
        throw new Error("deaf today");
      },
    ],
    ["rejects", () => Promise.reject(new Error("deaf today"))],
  ])("that %s is reported to the logger, and the next message is delivered", async (_how, fail) => {
    const { logger, warnings } = listening();
    const tried: string[] = [];
    const { kind } = steered({
      deliver: (_record, message) => {
        tried.push(textOf(message));
        return tried.length === 1 ? fail() : undefined;
      },
    });
    const { manager } = world({ logger });
    const handle = manager.spawn(kind);
    const rejections = await unhandled(async () => {
      await handle.send("a");
      await handle.send("b");
      await settled();
    });
    expect([tried, rejections, handle.status]).toEqual([["a", "b"], [], "running"]);
    expect(warnings).toMatchObject([
      { message: expect.stringContaining(handle.id), fields: { error: { message: "deaf today" } } },
    ]);
  });

  test("leaves the message to `ctx.receive` all the same", async () => {
    const { kind, heard } = steered({ run: async (ctx) => textOf(given(await ctx.receive())) });
    const { manager } = world();
    const handle = manager.spawn(kind);
    await handle.send("turn left");
    expect(await handle.result()).toBe("turn left");
    await settled();
    expect(heard).toEqual(["turn left"]);
  });

  test("A5 does not get a message that answers a question", async () => {
    const { kind, heard } = steered({ run: (ctx) => ctx.ask({ question: "Left or right?" }) });
    const { manager } = world();
    const handle = manager.spawn(kind);
    await settled();
    const [request] = manager.inbox.list();
    await handle.send("beside it");
    await handle.send("left", { inReplyTo: given(request).id });
    expect(await handle.result()).toBe("left");
    await settled();
    expect(heard).toEqual(["beside it"]);
  });

  test("H0 runs outside any task, also for a message that a task sends", async () => {
    const inside: unknown[] = [];
    const { manager } = world();
    const { kind } = steered({ deliver: () => void inside.push(manager.current?.id) });
    const handle = manager.spawn(kind);
    await manager.spawn(() => handle.send("from a task"), { root: true }).result();
    await settled();
    expect(inside).toEqual([undefined]);
  });

  test("gets nothing that the task posts itself", async () => {
    const { kind, heard } = steered({ run: (ctx) => ctx.post("to my owner") });
    const { manager } = world();
    await manager.spawn(kind).result();
    await settled();
    expect(heard).toEqual([]);
  });

  test("never ends: a cancel does not wait for it, and no further message is delivered", async () => {
    const begun: string[] = [];
    const { kind } = steered({
      deliver: (_record, message) => {
        begun.push(textOf(message));
        return deaf();
      },
    });
    const { manager } = world();
    const handle = manager.spawn(kind);
    await settled();
    await handle.send("a");
    await handle.send("b");
    await settled();
    expect(await handle.cancel("enough")).toMatchObject({ status: "cancelled", reason: "enough" });
    await settled();
    expect(begun).toEqual(["a"]);
  });

  test("gets nothing once the task is over, also of what waited for the one before", async () => {
    const gate = deferred();
    const begun: string[] = [];
    const { kind } = steered({
      deliver: (_record, message) => {
        begun.push(textOf(message));
        return gate.promise;
      },
    });
    const { manager } = world();
    const handle = manager.spawn(kind);
    await settled();
    await handle.send("a");
    await handle.send("b");
    await handle.cancel();
    gate.resolve();
    await settled();
    expect(begun).toEqual(["a"]);
  });
});

describe("§10 reconcile is asked", () => {
  test("once `run` gave nothing, again after 1 s, then after pauses that double up to 30 s", async () => {
    const { kind, asked } = remote([running]);
    const { manager, clock, pass } = world();
    const at: number[] = [];
    const handle = manager.spawn(kind);
    for (let second = 0; second <= 130; second += 1) {
      const before = asked.length;
      await pass(second === 0 ? 0 : 1_000);
      if (asked.length > before) at.push(clock.now());
    }
    expect(handle.status).toBe("blocked");
    const pauses = at.map((time, index) => time - (at[index - 1] ?? 0));
    expect(pauses).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]);
  });

  test.each<[string, (count: number) => ReconcileReport<string>]>([
    ["progress", (count) => ({ ...running, progress: { current: count } })],
    ["a summary", (count) => ({ ...running, summary: `step ${count}` })],
    ["usage", () => ({ ...running, usage: { inputTokens: 1 } })],
    ["links", (count) => ({ ...running, links: { resourceIds: [`r${count}`] } })],
  ])("again after 1 s when there is news: %s", async (_what, news) => {
    let count = 0;
    const { kind, asked } = remote([running, running, running, () => news(++count), running]);
    const { manager, pass } = world();
    manager.spawn(kind);
    await pass(0);
    while (asked.length < 4) await pass(1_000);
    const before = asked.length;
    await pass(1_000);
    expect(asked.length).toBe(before + 1);
    await pass(1_000);
    expect(asked.length).toBe(before + 1);
  });

  test.each<[string, ReconcileReport<string>]>([
    ["the same progress", { ...running, progress: { current: 1, total: 2 } }],
    ["the same progress in another order", { ...running, progress: { label: "x", total: 2, unit: "p", current: 1 } }],
    ["the same summary", { ...running, summary: "same" }],
    ["the same links", { ...running, links: { remoteTaskId: "r-1", resourceIds: ["a"] } }],
    ["fields that are undefined", { ...running, progress: undefined, summary: undefined, usage: undefined }],
  ])("less and less often while there is no news: %s", async (_what, report) => {
    const { kind, asked } = remote([report]);
    const { manager, pass } = world();
    const told = facts(manager);
    const handle = manager.spawn(kind);
    for (let second = 0; second < 60; second += 1) await pass(1_000);
    expect(asked.length).toBeLessThan(10);
    expect(typesOf(told, handle.id).filter((type) => type === "task.progressed").length).toBeLessThanOrEqual(1);
  });

  test("with the newest record: what it reported, and the links of `run`, are in it", async () => {
    const { kind, asked } = remote([{ ...running, summary: "half" }, done], {
      run: (ctx) => {
        ctx.link({ remoteTaskId: "r-1" });
        return undefined as never;
      },
    });
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(10_000);
    expect(await handle.result()).toBe("done");
    expect(asked.map(({ links, summary }) => [links.remoteTaskId, summary])).toEqual([
      ["r-1", undefined],
      ["r-1", "half"],
    ]);
  });

  test.each([
    ["a usage", { usage: { tokens: 5 } }],
    ["a link", { links: { remoteTaskID: "r" } }],
    ["a progress", { progress: { curent: 1 } }],
    ["a summary", { summary: 7 }],
    ["an artifact", { artifacts: [{ name: "log", type: "text", data: "a" }, { name: "no content" }] }],
  ])("§12 a report with %s that does not fit writes no part of it, at no poll", async (_, wrong) => {
    const right = {
      summary: "half",
      artifacts: [{ name: "log", type: "text", data: "chunk" }],
      links: { remoteTaskId: "r-1" },
    };
    const { kind } = remote([
      { ...running, ...right, ...wrong } as never,
      { ...running, ...right, ...wrong } as never,
      done,
    ]);
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(30_000);
    expect(await handle.result()).toBe("done");
    const { summary, artifacts, links } = handle.record;
    expect([summary, artifacts, links]).toEqual([undefined, [], {}]);
  });

  test("H0 outside any task", async () => {
    const inside: unknown[] = [];
    const { manager, pass } = world();
    const { kind } = remote([
      async () => {
        inside.push(manager.current?.id);
        await settled(1);
        inside.push(manager.current?.id);
        return done;
      },
    ]);
    const handle = manager.spawn(kind);
    await pass(1_000);
    expect(await handle.result()).toBe("done");
    expect(inside).toEqual([undefined, undefined]);
  });

  test("is not asked when `run` gave a value", async () => {
    const { kind, asked } = remote([done], { run: () => "here" });
    const { manager } = world();
    expect(await manager.spawn(kind).result()).toBe("here");
    expect(asked).toEqual([]);
  });

  test("is not asked when `run` failed", async () => {
    const { kind, asked } = remote([done], { run: () => Promise.reject(new Error("could not start")) });
    const { manager } = world();
    expect(await manager.spawn(kind).outcome()).toMatchObject({ error: { code: "error", message: "could not start" } });
    expect(asked).toEqual([]);
  });

  test("L2 no slot is held between two polls: with one slot everybody else runs", async () => {
    const { kind } = remote([running, running, running, done]);
    const { manager, pass } = world({ concurrency: 1 });
    const remotes = Array.from({ length: 5 }, () => manager.spawn(kind));
    await pass(0);
    await pass(1_500);
    const other = manager.spawn(() => "ran");
    expect(await other.result()).toBe("ran");
    expect(slots(manager)).toMatchObject({ held: 0, free: 1 });
    await pass(60_000);
    // The five remotes share the lines: each has received its end at last.
    expect(remotes.map(({ status }) => status)).toEqual(remotes.map(() => "succeeded"));
    allFree(manager);
  });
});

describe("§10 what reconcile reports", () => {
  test("is reported as a run would report it: progress, summary, usage, links", async () => {
    const { kind } = remote([
      {
        ...running,
        progress: { current: 1, total: 3, unit: "pages" },
        summary: "page 1",
        usage: { inputTokens: 10, outputTokens: 1, costUsd: 0.5 },
        links: { remoteTaskId: "r-1", resourceIds: ["a"] },
      },
      {
        status: "succeeded",
        value: "done",
        progress: { current: 3, total: 3 },
        summary: "page 3",
        usage: { inputTokens: 5, costUsd: 0.25 },
        links: { resourceIds: ["a", "b"] },
      },
    ]);
    const { manager, pass } = world();
    const told = facts(manager);
    const owner = hold(manager);
    await settled();
    const handle = owner.ctx.spawn(kind);
    await pass(0);
    await pass(5_000);
    expect(await handle.result()).toBe("done");
    expect(handle.record).toMatchObject({
      progress: { current: 3, total: 3 },
      summary: "page 3",
      usage: { inputTokens: 15, outputTokens: 1, costUsd: 0.75 },
      links: { remoteTaskId: "r-1", resourceIds: ["a", "b"] },
    });
    expect(owner.handle.usage()).toMatchObject({ inputTokens: 15, tasks: 2 });
    const types = typesOf(told, handle.id);
    expect(types.filter((type) => type === "usage.reported" || type === "task.progressed")).toHaveLength(4);
    owner.finish();
  });

  test("a value goes through the output schema: parsed, or `schema_mismatch`, or `no_result`", async () => {
    const output = z.object({ n: z.number() }).transform(({ n }) => n * 2);
    const of = (value: unknown) =>
      defineKind({
        name: "checked",
        output,
        run: () => undefined as never,
        reconcile: () => ({ status: "succeeded", value: value as { n: number } }),
      });
    const { manager, pass } = world();
    const [fits, other, none] = [{ n: 2 }, { n: "2" }, undefined].map((value) => manager.spawn(of(value)));
    await pass(1_000);
    expect(await given(fits).result()).toBe(4);
    expect(await given(other).outcome()).toMatchObject({ status: "failed", error: { code: "schema_mismatch" } });
    expect(await given(none).outcome()).toMatchObject({ status: "failed", error: { code: "no_result" } });
  });

  const codes: readonly FailureCode[] = [
    "error",
    "timeout",
    "total_timeout",
    "stalled",
    "budget_exceeded",
    "no_result",
    "schema_mismatch",
    "rejected",
    "orphaned",
  ];
  test.each(codes)(
    "a failure with the code %s fails the task with it; only error, timeout and stalled retry",
    async (code) => {
      const { kind } = remote([{ status: "failed", message: "there", code }], {
        retry: { maxAttempts: 2, backoffMs: 0 },
      });
      const { manager, pass } = world();
      const handle = manager.spawn(kind);
      await pass(5_000);
      expect(await handle.outcome()).toMatchObject({ status: "failed", error: { code, message: "there" } });
      expect(handle.record.attempt).toBe(["error", "timeout", "stalled"].includes(code) ? 2 : 1);
    },
  );

  test("a failure without a code is `error`", async () => {
    const { kind } = remote([{ status: "failed", message: "there" }]);
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(1_000);
    expect(await handle.outcome()).toMatchObject({ error: { code: "error", message: "there" } });
  });

  test("cancelled there is cancelled here, in its words; `cancel` is not called, and its children are swept", async () => {
    const calls: string[] = [];
    const children: string[] = [];
    const { kind } = remote([running, { status: "cancelled", reason: "closed by an operator" }], {
      run: (ctx) => {
        children.push(ctx.spawn(deaf, { graceMs: 0 }).id);
        return undefined as never;
      },
      cancel: (_record, reason) => void calls.push(reason),
    });
    const { manager, pass } = world();
    const told = facts(manager);
    const handle = manager.spawn(kind);
    await pass(5_000);
    expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: "closed by an operator" });
    expect(manager.get(given(children[0]))?.status).toBe("cancelled");
    expect(calls).toEqual([]);
    expect(typesOf(told, handle.id).filter((type) => type.startsWith("task.c"))).toEqual([
      "task.created",
      "task.cancelRequested",
      "task.cancelled",
    ]);
    await expect(handle.result()).rejects.toMatchObject({ code: "TASK_OUTCOME" });
    allFree(manager);
  });

  test("H6 usage may overspend a budget: the task fails, and `cancel` is called", async () => {
    const calls: string[] = [];
    const { kind, asked } = remote([{ ...running, usage: { inputTokens: 6 } }], {
      cancel: ({ stopReason }) => void calls.push(String(stopReason)),
    });
    const { manager, pass } = world();
    const handle = manager.spawn(kind, { budget: { tokens: 10 } });
    await pass(5_000);
    expect(await handle.outcome()).toMatchObject({ status: "failed", error: { code: "budget_exceeded" } });
    expect([asked.length, calls]).toEqual([2, ["budget_exceeded"]]);
  });

  test("H6 an end that overspends a budget is `budget_exceeded`; the work is over there: `cancel` is not called", async () => {
    const calls: string[] = [];
    const { kind } = remote([{ ...done, usage: { inputTokens: 11 } }], { cancel: () => void calls.push("called") });
    const { manager, pass } = world();
    const handle = manager.spawn(kind, { budget: { tokens: 10 } });
    await pass(5_000);
    expect(await handle.outcome()).toMatchObject({ status: "failed", error: { code: "budget_exceeded" } });
    expect(calls).toEqual([]);
  });

  test.each<[string, () => ReconcileReport<string> | Promise<ReconcileReport<string>>]>([
    [
      "a throw",
      () => {
        throw new Error("no line");
      },
    ],
    ["a rejection", () => Promise.reject(new Error("no line"))],
  ])("%s is reported to the logger, and it is asked again after the next pause", async (_how, fail) => {
    const { logger, warnings } = listening();
    const { kind, asked } = remote([fail, fail, done]);
    const { manager, pass } = world({ logger });
    const handle = manager.spawn(kind);
    await pass(10_000);
    expect(await handle.result()).toBe("done");
    expect(asked).toHaveLength(3);
    const warning = { message: expect.stringContaining(handle.id), fields: { error: { message: "no line" } } };
    expect(warnings).toMatchObject([warning, warning]);
  });

  test.each<[string, unknown]>([
    ["nothing", undefined],
    ["null", null],
    ["a status that is none", { status: "completed", value: 1 }],
    ["no status", {}],
    ["progress that is none", { status: "running", progress: { current: Number.NaN } }],
    ["usage that is negative", { status: "running", usage: { inputTokens: -1 } }],
    ["links that are none", { status: "running", links: { remoteTaskId: 7 } }],
    ["a summary that is none", { status: "running", summary: 7 }],
    ["a failure without words", { status: "failed" }],
    ["a code that is none", { status: "failed", message: "there", code: "broken" }],
  ])(
    "§12 a report that is %s is reported to the logger as a throw is, and it is asked again",
    async (_what, report) => {
      const { logger, warnings } = listening();
      const { kind } = remote([() => report as ReconcileReport<string>, done]);
      const { manager, pass } = world({ logger });
      const handle = manager.spawn(kind);
      await pass(10_000);
      expect(await handle.outcome()).toMatchObject({ status: "succeeded", value: "done" });
      expect(warnings).toMatchObject([{ message: expect.stringContaining(handle.id) }]);
    },
  );
});

describe("§10 a poll that never answers", () => {
  const never = () => new Promise<never>(() => undefined);

  test("C2 does not keep a cancel: the task is over at once", async () => {
    const { kind, asked } = remote([never]);
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(1_000);
    expect(asked).toHaveLength(1);
    const outcome = handle.cancel("enough");
    await settled();
    expect(await peek(outcome)).toMatchObject({ is: "fulfilled", value: { status: "cancelled", reason: "enough" } });
    expect(manager.stats().abandoned).toBe(0);
    allFree(manager);
  });

  test("C6 does not keep a total timeout", async () => {
    const { kind } = remote([never]);
    const { manager, pass } = world();
    const handle = manager.spawn(kind, { totalTimeoutMs: 3_000 });
    await pass(3_000);
    expect(handle.record).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
  });

  test("C6 does not keep a timeout: a poll is work of the attempt", async () => {
    const { kind } = remote([never]);
    const { manager, pass } = world();
    const handle = manager.spawn(kind, { timeoutMs: 3_000 });
    await pass(10_000);
    expect(handle.record).toMatchObject({ status: "failed", error: { code: "timeout" } });
  });

  test("D8 does not keep a shutdown", async () => {
    const { kind } = remote([never]);
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(1_000);
    const closed = manager.close();
    await settled();
    expect(await peek(closed)).toEqual({ is: "fulfilled", value: undefined });
    expect(handle.record).toMatchObject({ status: "interrupted", reason: "shutdown" });
  });

  test("C5 that fails after the stop raises no unhandledRejection, and is not reported", async () => {
    const { logger, warnings } = listening();
    const answer = deferred<ReconcileReport<string>>();
    const { kind } = remote([() => answer.promise]);
    const { manager, pass } = world({ logger });
    const handle = manager.spawn(kind);
    await pass(1_000);
    const rejections = await unhandled(async () => {
      await handle.cancel();
      answer.reject(new Error("late"));
      await settled();
    });
    expect([rejections, warnings]).toEqual([[], []]);
  });

  test("S2 an answer that comes after the stop changes nothing", async () => {
    const answer = deferred<ReconcileReport<string>>();
    const { kind } = remote([() => answer.promise]);
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(1_000);
    await handle.cancel("enough");
    answer.resolve({ ...done, summary: "late", usage: { inputTokens: 1 } });
    await settled();
    expect(handle.record).toMatchObject({ status: "cancelled", usage: { inputTokens: 0 } });
    expect(handle.record).not.toHaveProperty("summary");
  });

  test("§10 that was overtaken by a stop is not asked again", async () => {
    const { kind, asked } = remote([running]);
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(1_500);
    const before = asked.length;
    await handle.cancel();
    await pass(100_000);
    expect(asked.length).toBe(before);
  });
});

describe("§10 cancel winds down", () => {
  interface Call {
    readonly id: string;
    readonly status: string;
    readonly stopReason: string | undefined;
    readonly reason: string;
  }

  /** A kind that obeys, and the calls of its `cancel`. */
  function wound(more: Definition<unknown> = {}) {
    const calls: Call[] = [];
    const kind = defineKind<unknown>({
      name: "wound",
      run: untilStopped,
      cancel: ({ id, status, stopReason }, reason) => void calls.push({ id, status, stopReason, reason }),
      ...more,
    });
    return { kind, calls };
  }

  const stops: readonly [
    string,
    (manager: TaskManager, kind: ReturnType<typeof wound>["kind"]) => string,
    number,
    string,
  ][] = [
    [
      "cancel",
      (manager, kind) => {
        const handle = manager.spawn(kind);
        void settled(2).then(() => handle.cancel("words"));
        return handle.id;
      },
      0,
      "words",
    ],
    ["timeout", (manager, kind) => manager.spawn(kind, { timeoutMs: 10 }).id, 10, "timeout"],
    ["total_timeout", (manager, kind) => manager.spawn(kind, { totalTimeoutMs: 10 }).id, 10, "total_timeout"],
    ["stalled", (manager, kind) => manager.spawn(kind, { stallTimeoutMs: 10 }).id, 10, "stalled"],
  ];
  test.each(stops)("once, with the record and the reason, after %s", async (stopReason, spawn, ms, reason) => {
    const { kind, calls } = wound();
    const { manager, pass } = world();
    const id = spawn(manager, kind);
    await settled();
    await pass(ms);
    await pass(10_000);
    expect(calls).toEqual([{ id, status: "running", stopReason, reason }]);
    expect(["failed", "cancelled"]).toContain(manager.get(id)?.status);
  });

  test("H2 once for each that an ancestor's end swept, with its code", async () => {
    const { kind, calls } = wound();
    const { manager } = world();
    const ids: string[] = [];
    const parent = manager.spawn(async (ctx) => {
      ids.push(ctx.spawn(kind).id, ctx.spawn(kind).id);
      await settled();
      throw new Error("over");
    });
    expect((await parent.outcome()).status).toBe("failed");
    expect(calls).toEqual(ids.map((id) => ({ id, status: "running", stopReason: "cancel", reason: "error" })));
  });

  test("H6 once when a budget above it is spent", async () => {
    const { kind, calls } = wound();
    const { manager } = world();
    const parent = manager.spawn(
      async (ctx) => {
        ctx.spawn(kind);
        await settled();
        ctx.reportUsage({ inputTokens: 2 });
        return untilStopped(ctx);
      },
      { budget: { tokens: 1 } },
    );
    expect(await parent.outcome()).toMatchObject({ error: { code: "budget_exceeded" } });
    expect(calls).toMatchObject([{ stopReason: "cancel", reason: "budget_exceeded" }]);
  });

  test("while the task is blocked, too", async () => {
    const { kind, calls } = wound({ run: (ctx) => ctx.sleep(Number.POSITIVE_INFINITY) });
    const { manager } = world();
    const handle = manager.spawn(kind);
    await settled();
    await handle.cancel("words");
    expect(calls).toMatchObject([{ status: "blocked", reason: "words" }]);
  });

  test("between two polls, too, and once", async () => {
    const calls: string[] = [];
    const { kind } = remote([running], { cancel: (_record, reason) => void calls.push(reason) });
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(1_500);
    await handle.cancel("words");
    await handle.cancel("again");
    await pass(100_000);
    expect(calls).toEqual(["words"]);
  });

  test("not what never started", async () => {
    const { kind, calls } = wound();
    const { manager } = world({ concurrency: 1 });
    const blocker = hold(manager);
    const handle = manager.spawn(kind);
    await settled();
    await handle.cancel();
    blocker.finish();
    await settled();
    expect([calls, handle.status]).toEqual([[], "cancelled"]);
  });

  test("not what waits for its next attempt", async () => {
    const { kind, calls } = wound({
      run: () => Promise.reject(new Error("once more")),
      retry: { maxAttempts: 2, backoffMs: 1_000 },
    });
    const { manager } = world();
    const handle = manager.spawn(kind);
    await settled();
    expect(handle.status).toBe("queued");
    await handle.cancel();
    await settled();
    expect([calls, handle.status]).toEqual([[], "cancelled"]);
  });

  test("once for each attempt that was stopped", async () => {
    const { kind, calls } = wound({ retry: { maxAttempts: 3, backoffMs: 0 } });
    const { manager, pass } = world();
    const handle = manager.spawn(kind, { timeoutMs: 10 });
    await pass(100);
    expect([handle.record.attempt, handle.status]).toEqual([3, "failed"]);
    expect(calls).toMatchObject([1, 2, 3].map(() => ({ stopReason: "timeout" })));
  });

  test("not what fails or returns by itself", async () => {
    const { kind, calls } = wound({
      run: (ctx) => (ctx.record.tags.includes("fails") ? Promise.reject(new Error("x")) : 1),
    });
    const { manager } = world();
    await manager.spawn(kind).outcome();
    const failed = manager.spawn(kind, { tags: ["fails"] });
    await failed.outcome();
    await failed.cancel();
    await settled();
    expect(calls).toEqual([]);
  });

  test("H1 not what has returned and waits for its children", async () => {
    const { kind, calls } = wound({
      run: (ctx) => {
        ctx.spawn(untilStopped);
        return "returned";
      },
    });
    const { manager } = world();
    const handle = manager.spawn(kind);
    await settled();
    expect(handle.record.blockedOn).toMatchObject([{ on: "children" }]);
    expect(await handle.cancel()).toMatchObject({ status: "succeeded", value: "returned" });
    expect(calls).toEqual([]);
  });

  test("not what has returned while its result is still checked", async () => {
    const checked = deferred();
    const { manager } = world();
    const calls: string[] = [];
    const kind = defineKind({
      name: "checked",
      output: z.string().refine(async () => (await checked.promise, true)),
      run: () => "returned",
      cancel: (_record, reason) => void calls.push(reason),
    });
    const handle = manager.spawn(kind);
    await settled();
    expect(handle.status).toBe("running");
    const outcome = handle.cancel();
    await settled();
    checked.resolve();
    expect(await outcome).toMatchObject({ status: "succeeded", value: "returned" });
    expect(calls).toEqual([]);
  });

  test("C1 work that returns all the same has succeeded; it is wound down nevertheless", async () => {
    const { kind, calls } = wound({ run: async (ctx) => (await ctx.cancelled(), "all the same") });
    const { manager } = world();
    const handle = manager.spawn(kind);
    await settled();
    expect(await handle.cancel("words")).toMatchObject({ status: "succeeded", value: "all the same" });
    expect(calls).toMatchObject([{ reason: "words" }]);
  });

  test("C2 the task is over when it is wound down, within its grace", async () => {
    const gate = deferred();
    const { kind } = wound({ cancel: () => gate.promise });
    const { manager, pass } = world({ graceMs: 1_000 });
    const handle = manager.spawn(kind);
    await settled();
    const outcome = handle.cancel();
    await pass(999);
    expect(await peek(outcome)).toEqual({ is: "pending" });
    gate.resolve();
    await settled();
    expect(await peek(outcome)).toMatchObject({ is: "fulfilled", value: { status: "cancelled" } });
    expect(manager.stats().abandoned).toBe(0);
    allFree(manager);
  });

  test("C2 after the grace the task is over, whatever is still wound down", async () => {
    const gate = deferred();
    const { kind } = wound({ cancel: () => gate.promise });
    const { manager, pass } = world({ graceMs: 1_000 });
    const told = facts(manager);
    const handle = manager.spawn(kind);
    await settled();
    const outcome = handle.cancel();
    await pass(1_000);
    expect(await peek(outcome)).toMatchObject({ is: "fulfilled", value: { status: "cancelled" } });
    expect(manager.stats().abandoned).toBe(1);
    gate.resolve();
    await settled();
    expect(manager.stats().abandoned).toBe(0);
    expect(typesOf(told, handle.id).slice(-3)).toEqual(["task.abandoned", "task.cancelled", "task.lateSettled"]);
  });

  test("a function that hears nothing, too, and is given up after the grace", async () => {
    const { kind, calls } = wound({ run: deaf });
    const { manager, pass } = world({ graceMs: 1_000 });
    const handle = manager.spawn(kind);
    await settled();
    void handle.cancel("words");
    await settled();
    expect(calls).toMatchObject([{ reason: "words" }]);
    await pass(1_000);
    expect(handle.status).toBe("cancelled");
    expect(calls).toHaveLength(1);
  });

  test.each<[string, () => void | Promise<void>]>([
    [
      "throws",
      () => {
        throw new Error("no line");
      },
    ],
    ["rejects", () => Promise.reject(new Error("no line"))],
  ])("one that %s is reported to the logger, and changes nothing", async (_how, cancel) => {
    const { logger, warnings } = listening();
    const { kind } = wound({ cancel });
    const { manager } = world({ logger });
    const handle = manager.spawn(kind);
    await settled();
    const rejections = await unhandled(async () => {
      expect(await handle.cancel("words")).toMatchObject({ status: "cancelled", reason: "words" });
    });
    expect(rejections).toEqual([]);
    expect(warnings).toMatchObject([
      { message: expect.stringContaining(handle.id), fields: { error: { message: "no line" } } },
    ]);
  });

  test("H0 outside any task, also when a task asked for the stop", async () => {
    const inside: unknown[] = [];
    const { manager } = world();
    const { kind } = wound({
      cancel: async () => {
        inside.push(manager.current?.id);
        await settled(1);
        inside.push(manager.current?.id);
      },
    });
    const handle = manager.spawn(kind);
    await settled();
    await manager.spawn(() => handle.cancel(), { root: true }).result();
    expect(inside).toEqual([undefined, undefined]);
  });

  test("H3 nothing is spawned under the task from there", async () => {
    const errors: unknown[] = [];
    const { manager } = world();
    let held: TaskContext | undefined;
    const kind = defineKind({
      name: "spawning",
      run: (ctx) => untilStopped((held = ctx)),
      cancel: async () => void errors.push(await refusalOf(() => held?.spawn(() => 1))),
    });
    const handle = manager.spawn(kind);
    await settled();
    await handle.cancel();
    expect(errors).toMatchObject([{ code: "SCOPE_CANCELLED" }]);
    expect(manager.list()).toHaveLength(1);
  });

  test("D8 at a shutdown after which the task cannot go on", async () => {
    const { kind, calls } = wound();
    const { manager } = world();
    const handle = manager.spawn(kind);
    await settled();
    await manager.close();
    expect(handle.status).toBe("interrupted");
    expect(calls).toMatchObject([{ stopReason: "shutdown", reason: "shutdown" }]);
  });

  test("D8 at the shutdown of a manager without a store, after which no process resumes it", async () => {
    const { kind, calls } = wound({ canReattach: () => true });
    const { manager } = world();
    const handle = manager.spawn(kind);
    await settled();
    await manager.close();
    expect(handle.status).toBe("interrupted");
    expect(calls).toMatchObject([{ reason: "shutdown" }]);
  });

  test("W3 C5 many polls leave no listener on the signal, and many tasks no warning", async () => {
    const signals: AbortSignal[] = [];
    const { kind } = remote([running], {
      run: (ctx) => {
        signals.push(ctx.signal);
        return undefined as never;
      },
      cancel: () => undefined,
    });
    const warnings: unknown[] = [];
    const note = (warning: unknown): void => void warnings.push(warning);
    process.on("warning", note);
    const { manager, pass } = world();
    const handles = Array.from({ length: 20 }, () => manager.spawn(kind));
    await pass(300_000);
    await Promise.all(handles.map((handle) => handle.cancel()));
    await settled();
    process.off("warning", note);
    expect([signals.length, warnings]).toEqual([20, []]);
  });

  test("W3 what a remote reported is let go of: many polls keep no report", async () => {
    const reports: WeakRef<object>[] = [];
    const { kind } = remote([
      () => {
        const report = { ...running, progress: { current: reports.length } };
        reports.push(new WeakRef(report));
        return report;
      },
    ]);
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    for (let second = 0; second < 50; second += 1) await pass(1_000);
    expect(reports.length).toBeGreaterThanOrEqual(50);
    collectGarbage();
    expect(reports.filter((report) => report.deref() !== undefined).length).toBeLessThan(5);
    await handle.cancel();
  });
});
