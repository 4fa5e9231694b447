// What a store keeps, and for how long (D6, D7): outputs that are too long for the journal, the snapshot, and what is evicted.

import { setImmediate } from "node:timers/promises";
import type { TaskEvent } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, settled } from "../../support/basics.js";
import { deaf, errandError, given, hold, refusalOf } from "../../support/program.js";
import { compacted, durable, gapless, outcome, type Process, started, take, task } from "../../support/restarts.js";

const LONG = "x".repeat(70_000);
/** From so many events on the journal is compacted. */
const MANY = 10_000;

/** So many events in a few turns, and all of them stored. */
async function fill({ manager }: Process, count = MANY): Promise<void> {
  const filler = manager.spawn((ctx) => {
    for (let n = 0; n < count; n++) ctx.emit("filler");
  });
  await filler.result();
  await settled();
}

async function run({ manager }: Process, id: string, ...values: readonly [unknown?]): Promise<void> {
  const value = values.length === 0 ? id : values[0];
  await manager.spawn(() => value, { id }).result();
  await settled();
}

describe("D7 an output over 64 KiB", () => {
  test("is put by itself, before the event that tells of it, which does not carry it", async () => {
    const process = await started();
    await run(process, "long", LONG);
    const { calls, kept } = process.store;
    const [end] = kept.filter(({ type }) => type === "task.succeeded");
    expect(end).toMatchObject({ taskId: "long", outputApart: true });
    expect(end).not.toHaveProperty("output");
    const append = calls.findIndex((call) => call.endsWith(`-${end?.seq}`));
    expect(calls.indexOf("put long")).toBeLessThan(append);
    expect(calls.indexOf("put long")).toBeGreaterThanOrEqual(0);
    expect(process.store.outputIds).toEqual(["long"]);
  });

  test.each<[what: string, value: unknown, isLong: boolean]>([
    ["a text of 64 KiB and more", "x".repeat(66_000), true],
    ["a text of less", "x".repeat(60_000), false],
    ["a list of many numbers", Array.from({ length: 40_000 }, (_, n) => n), true],
    ["an object of many keys", Object.fromEntries(Array.from({ length: 9_000 }, (_, n) => [`key${n}`, 1])), true],
    ["something deep", { a: [{ b: "x".repeat(70_000) }] }, true],
    ["something small", { a: 1 }, false],
    ["nothing", undefined, false],
  ])("%s", async (_what, value, isLong) => {
    const first = await started();
    await run(first, "task", value);
    expect(first.store.outputIds).toEqual(isLong ? ["task"] : []);
    const next = await first.restart();
    expect(await task(next, "task").result()).toEqual(value);
    expect(task(next, "task").record).toEqual(task(first, "task").record);
  });

  test.each(["journal", "snapshot"])("comes back from the %s through result(), record and events", async (how) => {
    const first = await started();
    await run(first, "long", { text: LONG });
    if (how === "snapshot") await compacted(first);
    const next = await first.restart();
    expect(await task(next, "long").result()).toEqual({ text: LONG });
    expect(await outcome(next, "long")).toEqual({ id: "long", status: "succeeded", value: { text: LONG } });
    expect(task(next, "long").record.output).toEqual({ text: LONG });
    if (how === "snapshot") return;
    const [, , end] = await take(next.manager.events({ from: 1 }), 3);
    expect(end).toMatchObject({ type: "task.succeeded", output: { text: LONG } });
    expect(end).not.toHaveProperty("outputApart");
    const [last] = await task(next, "long").history({ limit: 1 });
    expect(last).toMatchObject({ type: "task.succeeded", output: { text: LONG } });
  });

  test("a listener, and events() of the process that made it, have it as it is", async () => {
    const { manager, store } = await started();
    const heard: TaskEvent[] = [];
    manager.on("task.succeeded", (event) => heard.push(event));
    const live = take(manager.events({ taskId: "long" }), 3);
    await manager.spawn(() => LONG, { id: "long" }).result();
    expect(heard).toMatchObject([{ output: LONG }]);
    expect((await live)[2]).toMatchObject({ output: LONG });
    expect(store.kept).toHaveLength(3);
  });

  test("of a task that has returned and waits for its children survives a crash", async () => {
    const first = await started();
    const gate = deferred();
    first.manager.spawn(
      (ctx) => {
        ctx.spawn(() => gate.promise);
        return LONG;
      },
      { id: "parent" },
    );
    await settled();
    expect(first.store.outputIds).toEqual(["parent"]);
    const next = await first.restart();
    expect(await task(next, "parent").result()).toBe(LONG);
    expect(task(next, "parent").record.output).toBe(LONG);
  });

  test("whose file is gone: its record says that it is not kept", async () => {
    const first = await started();
    await run(first, "long", LONG);
    await first.store.deleteOutputs(["long"]);
    const next = await first.restart();
    expect(task(next, "long").record).toMatchObject({ status: "succeeded", outputOmitted: expect.any(String) });
    expect(task(next, "long").record).not.toHaveProperty("output");
  });

  test("that the store refuses is tried again, and its event waits for it", async () => {
    const { manager, store, pass } = await started();
    const putOutput = store.putOutput.bind(store);
    store.putOutput = () => Promise.reject(new Error("full"));
    const result = manager.spawn(() => LONG, { id: "long" }).result();
    await settled();
    expect(store.typesOf("long")).toEqual(["task.created"]);
    store.putOutput = putOutput;
    await pass(100);
    expect(await result).toBe(LONG);
    expect(store.outputIds).toEqual(["long"]);
  });
});

describe("D6 compaction", () => {
  test("comes when the journal is long beside what it tells, and never before", async () => {
    const process = await started();
    await fill(process, MANY - 20);
    expect(process.store.compactions).toBe(0);
    await fill(process, 100);
    expect(process.store.compactions).toBe(1);
    await fill(process, MANY - 200);
    expect(process.store.compactions).toBe(1);
  });

  test("a journal that tells of many tasks grows longer before it is compacted", async () => {
    const process = await started({ retention: { maxFinished: 1_600 } });
    for (let n = 0; n < 1_600; n++) process.manager.spawn(() => n);
    await process.manager.idle();
    await fill(process, 6_000);
    expect(process.store.compactions).toBe(1);
    await fill(process, 11_000);
    expect(process.store.compactions).toBe(1);
    await fill(process, 3_000);
    expect(process.store.compactions).toBe(2);
  });

  test("counts what an earlier process left in the journal", async () => {
    const first = await started();
    await fill(first, MANY - 100);
    const next = await first.restart();
    await fill(next, 200);
    expect([first.store.compactions, next.store.compactions]).toEqual([0, 1]);
  });

  test("D2 takes nothing away: the next process finds the same as without it", async () => {
    const first = await started();
    await run(first, "short", { a: 1 });
    await run(first, "long", LONG);
    const running = hold(first.manager, { id: "running" });
    await settled();
    await running.handle.send("hello");
    void running.ctx.ask({ question: "Which?", key: "which" }).catch(() => undefined);
    const before = first.store.crash();
    await fill(first);
    expect(first.store.compactions).toBe(1);
    expect(first.store.kept.length).toBeLessThan(MANY);
    const next = await first.restart();
    expect(await task(next, "long").result()).toBe(LONG);
    for (const id of ["short", "long"]) expect(task(next, id).record).toEqual(task(first, id).record);
    expect(task(next, "running").messages()).toEqual(running.handle.messages());
    expect((await started({}, before)).manager.get("short")?.record).toEqual(task(first, "short").record);
  });

  test("goes on beside the commits that follow, and the snapshot is of one instant", async () => {
    const process = await started();
    const { store, manager } = process;
    const compact = store.compact.bind(store);
    const gate = deferred();
    store.compact = async (snapshot, seq) => {
      await gate.promise;
      return compact(snapshot, seq);
    };
    await fill(process);
    await run(process, "beside");
    expect([store.compactions, store.typesOf("beside")]).toEqual([
      0,
      ["task.created", "task.started", "task.succeeded"],
    ]);
    gate.resolve();
    await settled();
    expect(store.compactions).toBe(1);
    await run(process, "after");
    const next = await process.restart();
    for (const id of ["beside", "after"]) expect(await task(next, id).result()).toBe(id);
    expect(manager.list()).toHaveLength(next.manager.list().length);
  });

  test("is of what is stored alone: a snapshot of facts that are not stored yet waits for them", async () => {
    const process = await started();
    const { store, manager } = process;
    await fill(process, MANY - 50);
    store.hold();
    const running = hold(manager, { id: "running" });
    await settled();
    store.release();
    await settled();
    store.release();
    for (let n = 0; n < 100; n++) running.ctx.emit("one");
    await settled();
    running.ctx.emit("two");
    store.release();
    await settled();
    expect([store.compactions, store.held.length]).toEqual([0, 1]);
    store.letThrough();
    await settled();
    expect(store.compactions).toBe(1);
  });

  test("that fails is reported, loses nothing, and is tried again", async () => {
    const process = await started();
    const { store, manager } = process;
    const failures: unknown[] = [];
    manager.on("store.failed", ({ error }) => failures.push(error));
    const compact = store.compact.bind(store);
    const full = new Error("the disk is full");
    store.compact = () => Promise.reject(full);
    await fill(process);
    expect(failures).toMatchObject([{ code: "STORE_UNAVAILABLE", cause: full }]);
    // It is the journal that decides whether new work is taken.
    await run(process, "after");
    store.compact = compact;
    await fill(process);
    expect(store.compactions).toBe(1);
    expect(await task(await process.restart(), "after").result()).toBe("after");
  });

  test("a crash while it is under way leaves what there was before", async () => {
    const process = await started();
    await run(process, "kept");
    process.store.compact = () => new Promise(() => undefined);
    await fill(process);
    expect(await task(await process.restart(), "kept").result()).toBe("kept");
  });

  test("seq goes on over snapshots and processes", async () => {
    const first = await started();
    await fill(first);
    const { seq } = given(first.store.kept.at(-1) ?? { seq: MANY + 3 });
    const next = await first.restart();
    await run(next, "after");
    expect(gapless(next.store.kept.slice(-3)).at(-1)).toBe(seq + 3);
  });

  test("a task whose cancel was caused by what JSON cannot carry does not stand in its way", async () => {
    const process = await started();
    const { store, manager } = process;
    const failures: unknown[] = [];
    manager.on("store.failed", ({ error }) => failures.push(error));
    const cancelled = manager.spawn(async (ctx) => {
      await ctx.cancelled();
      throw 1n;
    });
    await settled();
    expect(await cancelled.cancel("enough")).toMatchObject({ status: "cancelled", cause: 1n });
    await fill(process);
    expect([failures, store.compactions]).toEqual([[], 1]);
  });

  test("§2 an outcome comes back alike from the journal and from a snapshot: the cause is of its process alone", async () => {
    const first = await started();
    const cancelled = first.manager.spawn(async (ctx) => {
      await ctx.cancelled();
      throw Object.assign(new Error("stopped"), { detail: "a" });
    });
    await settled();
    await cancelled.cancel("enough");
    await settled();
    const byEvents = await first.restart();
    await compacted(first);
    const bySnapshot = await first.restart();
    expect(await outcome(bySnapshot, cancelled.id)).toEqual(await outcome(byEvents, cancelled.id));
    expect(await outcome(byEvents, cancelled.id)).toEqual({ id: cancelled.id, status: "cancelled", reason: "enough" });
  });

  test("D5 a cancel caused by what JSON cannot carry, while a child lives, is stored", async () => {
    const { manager, store, pass } = await started({ graceMs: 50 });
    const failures: unknown[] = [];
    manager.on("store.failed", ({ error }) => failures.push(error));
    const parent = manager.spawn(async (ctx) => {
      ctx.spawn(deaf);
      await ctx.cancelled();
      throw 1n;
    });
    await settled();
    void parent.cancel("enough");
    await pass(50);
    await settled();
    expect(failures).toEqual([]);
    expect(store.typesOf(parent.id)).toContain("task.cancelled");
  });
});

describe("D6 eviction", () => {
  test("takes a record out of index and store, and never out of a handle in hand", async () => {
    const first = await started({ retention: { maxFinished: 2 } });
    const handle = first.manager.spawn(() => LONG, { id: "first" });
    await handle.result();
    await settled();
    for (const id of ["second", "third"]) await run(first, id);
    expect(first.manager.get("first")).toBeUndefined();
    expect([await handle.result(), handle.record.output]).toEqual([LONG, LONG]);
    await compacted(first);
    const next = await first.restart();
    expect(next.manager.get("first")).toBeUndefined();
    expect(await handle.result()).toBe(LONG);
  });

  test("deletes the outputs of those that are evicted, once the snapshot is there that does not tell of them", async () => {
    const process = await started({ retention: { maxFinished: 2 } });
    for (const id of ["a", "b", "c"]) await run(process, id, LONG);
    expect(process.store.outputIds).toEqual(["a", "b", "c"]);
    await fill(process);
    const { calls } = process.store;
    expect(calls.indexOf("delete a")).toBeGreaterThan(calls.findIndex((call) => call.startsWith("compact")));
    expect(process.store.outputIds).not.toContain("a");
    expect(task(process, "c").record.output).toBe(LONG);
  });

  test("deletes the outputs of those that a process before had evicted", async () => {
    const first = await started({ retention: { maxFinished: 2 } });
    for (const id of ["a", "b", "c"]) await run(first, id, LONG);
    const next = await first.restart();
    await fill(next);
    expect(next.store.compactions).toBe(1);
    expect(next.store.outputIds).not.toContain("a");
  });

  test("never deletes the output of a task that has the id of one that was evicted", async () => {
    const first = await started({ retention: { maxFinished: 1 } });
    await run(first, "a", LONG);
    await run(first, "b");
    expect(first.manager.get("a")).toBeUndefined();
    const filler = first.manager.spawn((ctx) => {
      for (let n = 0; n < MANY; n++) ctx.emit("filler");
      return ctx.receive();
    });
    // Of the commit that makes the journal long enough.
    first.manager.spawn(() => `${LONG}again`, { id: "a" });
    await settled(20);
    expect(filler.status).toBe("blocked");
    expect(first.store.compactions).toBe(1);
    expect(first.store.outputIds).toEqual(["a"]);
  });

  test("never touches what lives, its ancestors, or what waits for an answer", async () => {
    const kind = durable((ctx) => ctx.ask({ question: "Which?", key: "which" }));
    const first = await started({ kinds: [kind], retention: { maxFinished: 1 } });
    first.manager.spawn(
      (ctx) => {
        ctx.spawn(kind, { id: "living", detached: true });
      },
      { id: "parent" },
    );
    await settled();
    for (const id of ["a", "b", "c"]) await run(first, id);
    await compacted(first);
    const next = await first.restart();
    expect(next.manager.list().map(({ id }) => id)).toEqual(expect.arrayContaining(["parent", "living"]));
    expect(task(next, "living").record.rootId).toBe("parent");
    expect(next.manager.inbox.list()).toHaveLength(1);
  });

  test("`maxFinished` counts over restarts, by the order of the ends", async () => {
    const first = await started({ retention: { maxFinished: 3 } });
    const held = hold(first.manager, { id: "last" });
    for (const id of ["a", "b", "c"]) await run(first, id);
    held.finish();
    await settled();
    const next = await first.restart();
    expect(next.manager.list().map(({ id }) => id)).toEqual(first.manager.list().map(({ id }) => id));
    await run(next, "d");
    expect(next.manager.list().map(({ id }) => id)).toEqual(["last", "c", "d"]);
  });

  test("`ttlMs` is counted from the end of the task, not from the start of the process", async () => {
    const first = await started({ retention: { ttlMs: 10_000 } });
    await run(first, "old");
    const next = await first.restart(undefined, 9_000);
    await next.pass(999);
    expect(next.manager.get("old")?.status).toBe("succeeded");
    await next.pass(1);
    expect(next.manager.get("old")).toBeUndefined();
  });

  test("the sums of a session keep what those had used that are evicted", async () => {
    const first = await started({ retention: { maxFinished: 1 } });
    const session = first.manager.session("chat");
    for (let n = 0; n < 4; n++) await session.spawn((ctx) => ctx.reportUsage({ inputTokens: 10 })).result();
    await settled();
    const sums = { inputTokens: 40, outputTokens: 0, costUsd: 0, tasks: 4 };
    expect((await first.restart()).manager.session("chat").usage()).toEqual(sums);
    await compacted(first);
    expect((await first.restart()).manager.session("chat").usage()).toEqual(sums);
    await setImmediate();
  });
});

describe("D6 EventsCompactedError", () => {
  test("events from before the oldest kept one reject with it, which names the oldest", async () => {
    const process = await started();
    await fill(process);
    await run(process, "after");
    const oldest = given(process.store.kept[0]).seq;
    const error = await refusalOf(() => take(process.manager.events({ from: 1 }), 1));
    expect(errandError(error, "EVENTS_COMPACTED").oldest).toBe(oldest);
    const [first] = await take(process.manager.events({ from: oldest }), 1);
    expect(first?.seq).toBe(oldest);
    const [default_] = await take(process.manager.events(), 1);
    expect(default_?.seq).toBe(oldest);
  });

  test("the same in the process after", async () => {
    const first = await started();
    await fill(first);
    await run(first, "after");
    const next = await first.restart();
    errandError(await refusalOf(() => take(next.manager.events({ from: 1 }), 1)), "EVENTS_COMPACTED");
  });
});

describe("D6 sessions in the snapshot", () => {
  test("a session without kept tasks is forgotten ttlMs after the last of them, over any number of restarts", async () => {
    const options = { retention: { maxFinished: 0, ttlMs: 10_000 } };
    let process = await started(options);
    for (const id of ["a", "b"])
      await process.manager
        .session(id)
        .spawn((ctx) => ctx.reportUsage({ inputTokens: 5 }), { wake: "silent" })
        .result();
    await settled();
    for (let n = 0; n < 3; n++) {
      await compacted(process);
      process = await process.restart(options, 3_000);
      expect(process.manager.session("a").usage().inputTokens).toBe(5);
    }
    await process.pass(2_000);
    await compacted(process);
    const last = await process.restart(options);
    expect(["a", "b"].map((id) => last.manager.session(id).usage().inputTokens)).toEqual([0, 0]);
  });
});
