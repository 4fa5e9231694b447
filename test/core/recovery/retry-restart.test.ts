// Attempts over restarts (§10, D4, H7): what a retry keeps when its process ends in the pause, before it is stored, or while it runs.

import { defineKind, type RetryOptions, type SpawnOptions, type TaskContext, type TaskManagerOptions } from "errand";
import { describe, expect, test } from "vitest";
import { allFree, deferred, peek, settled, slots } from "../../support/basics.js";
import { deaf, given, isEnd, untilStopped } from "../../support/program.js";
import { compacted, durable, type Process, started, task } from "../../support/restarts.js";

const EVEN = { backoffMs: 100, factor: 1, jitter: false } as const;
const thrice: RetryOptions = { ...EVEN, maxAttempts: 3 };
const LONG = { retention: { ttlMs: Number.POSITIVE_INFINITY } } as const;
const open = (options: Omit<TaskManagerOptions, "clock" | "store"> = {}) => started({ ...LONG, ...options });
const fails = (): never => {
  throw new Error("no");
};
/** What each attempt does; the ones after the last as the last. */
function kindOf(...each: readonly ((ctx: TaskContext) => unknown)[]) {
  return durable<unknown>((ctx) => given(each[Math.min(ctx.attempt, each.length) - 1])(ctx));
}
const attemptOf = (process: Process, id: string) => {
  const { attempt, status } = task(process, id).record;
  return [attempt, status];
};

describe("a restart in the pause", () => {
  test("goes on with the next attempt when its time has come, and not before: notBeforeAt is kept, over two restarts and a snapshot", async () => {
    for (const isCompacted of [false, true]) {
      const runs: number[] = [];
      const kind = kindOf(fails, (ctx) => void runs.push(ctx.attempt));
      const first = await open({ kinds: [kind] });
      const { id } = first.manager.spawn(kind, { retry: { ...EVEN, maxAttempts: 9, backoffMs: 10_000 } });
      await settled();
      const { notBeforeAt } = task(first, id).record;
      expect(notBeforeAt).toBe(11_000);
      if (isCompacted) await compacted(first);
      const second = await first.restart();
      await settled();
      expect(task(second, id).record).toMatchObject({ status: "queued", notBeforeAt });
      expect(slots(second.manager)).toMatchObject({ held: 0, queued: 0 });
      if (isCompacted) await compacted(second);
      const third = await second.restart();
      await third.pass(given(notBeforeAt) - third.clock.now() - 1);
      expect([runs.length, task(third, id).status]).toEqual([0, "queued"]);
      await third.pass(1);
      expect([runs.length, task(third, id).status]).toEqual([1, "succeeded"]);
      expect(task(third, id).record).not.toHaveProperty("notBeforeAt");
      allFree(third.manager);
    }
  });

  test("that lasted longer than the pause starts it at once", async () => {
    const kind = kindOf(fails, () => "went on");
    const first = await open({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { retry: thrice });
    await settled();
    const second = await first.restart(undefined, 5_000);
    expect(await peek(task(second, id).result())).toMatchObject({ value: "went on" });
  });

  test("of a plain function, or of a kind that cannot go on, interrupts it, at once and with no timer", async () => {
    const stays = defineKind({ name: "stays", run: fails });
    const first = await open({ kinds: [stays] });
    const ids = [first.manager.spawn(fails, { retry: thrice }).id, first.manager.spawn(stays, { retry: thrice }).id];
    await settled();
    const second = await first.restart();
    for (const id of ids) expect(attemptOf(second, id)).toEqual([2, "interrupted"]);
    expect(second.clock.nextAt).toBeUndefined();
  });

  test("whose retry was not stored knows of the attempt before alone", async () => {
    const kind = kindOf(fails, (ctx) => ctx.attempt);
    const first = await open({ kinds: [kind] });
    first.manager.pause();
    const { id } = first.manager.spawn(kind, { retry: thrice });
    await settled();
    first.store.hold();
    first.manager.resume();
    await settled();
    expect(attemptOf(first, id)).toEqual([2, "queued"]);
    const second = await first.restart();
    // Its start may have been hidden by the crash: it counts (ARCHITECTURE).
    expect(await peek(task(second, id).result())).toMatchObject({ value: 2 });
  });

  test("with a cancel asked for before carries that out", async () => {
    const kind = kindOf(async (ctx) => {
      ctx.spawn(deaf);
      await new Promise(setImmediate);
      fails();
    });
    const first = await open({ kinds: [kind], graceMs: 1e6 });
    const { id } = first.manager.spawn(kind, { retry: thrice });
    await settled();
    expect(attemptOf(first, id)).toEqual([2, "queued"]);
    void task(first, id).cancel("enough");
    await settled();
    const second = await first.restart();
    expect(task(second, id).record).toMatchObject({ status: "cancelled", reason: "enough" });
  });

  test("keeps totalTimeoutMs: it passes while no process is there, or in the pause", async () => {
    const kind = kindOf(fails, () => "too late");
    for (const downMs of [10, 5_000]) {
      const first = await open({ kinds: [kind] });
      const { id } = first.manager.spawn(kind, { retry: { ...thrice, backoffMs: 2_000 }, totalTimeoutMs: 1_000 });
      await settled();
      const second = await first.restart(undefined, downMs);
      await second.pass(1_000);
      expect(task(second, id).record).toMatchObject({ status: "failed", error: { code: "total_timeout" } });
      expect(second.clock.nextAt).toBeUndefined();
    }
  });

  test("is one that a close leaves active, with no timer behind it", async () => {
    const kind = kindOf(fails, () => "went on");
    const first = await open({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { retry: thrice });
    await settled();
    await first.manager.close();
    expect([task(first, id).status, first.clock.nextAt]).toEqual(["queued", undefined]);
    const second = await first.restart();
    await second.pass(100);
    expect(await peek(task(second, id).result())).toMatchObject({ value: "went on" });
    expect(second.store.kept.filter(isEnd)).toHaveLength(1);
  });

  test("keeps a question with a key, its answer and the unread messages", async () => {
    const kind = kindOf(
      (ctx) => {
        void ctx.ask({ question: "Which?", key: "k" }).catch(() => undefined);
        void ctx.ask({ question: "Not this?" }).catch(() => undefined);
        fails();
      },
      async (ctx) => [await ctx.ask({ question: "Which?", key: "k" }), (await ctx.receive())?.content],
    );
    for (const isAnsweredBefore of [true, false]) {
      const first = await open({ kinds: [kind] });
      const { id } = first.manager.spawn(kind, { retry: thrice });
      await settled();
      await task(first, id).send("hello");
      const [question, ...others] = first.manager.inbox.list();
      expect(others).toEqual([]);
      const answer = ({ manager }: Process) => manager.inbox.answer(given(question).id, "left", { by: "ann" });
      if (isAnsweredBefore) await answer(first);
      const second = await first.restart();
      if (!isAnsweredBefore) await answer(second);
      await second.pass(100);
      expect(await peek(task(second, id).result())).toMatchObject({
        value: ["left", [{ type: "text", text: "hello" }]],
      });
    }
  });
});

describe("a restart in the last pause", () => {
  test("is no run: maxAttempts counts what ran, and nothing did", async () => {
    const kind = kindOf(fails, () => "went on");
    const first = await open({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { retry: { ...EVEN, maxAttempts: 2 } });
    await settled();
    expect(attemptOf(first, id)).toEqual([2, "queued"]);
    const second = await first.restart(undefined, 10);
    await second.pass(100);
    expect(attemptOf(second, id)[1]).toBe("succeeded");
  });
});

describe("a restart while an attempt runs", () => {
  test("counts as one: maxAttempts is of failures and crashes together", async () => {
    const kind = kindOf(fails, deaf);
    const first = await open({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { retry: thrice });
    await settled();
    await first.pass(100);
    expect(attemptOf(first, id)).toEqual([2, "running"]);
    const second = await first.restart();
    await settled();
    expect(attemptOf(second, id)).toEqual([3, "running"]);
    const third = await second.restart();
    expect(attemptOf(third, id)).toEqual([3, "interrupted"]);
  });

  test("and then a failure is tried again only while attempts are left", async () => {
    const kind = kindOf(deaf, fails);
    for (const maxAttempts of [2, 3]) {
      const first = await open({ kinds: [kind] });
      const { id } = first.manager.spawn(kind, { retry: { ...EVEN, maxAttempts } });
      await settled();
      const second = await first.restart();
      await settled();
      await second.pass(500);
      expect(attemptOf(second, id)).toEqual([maxAttempts, "failed"]);
    }
  });

  test("keeps the retry of its spawn, not its kind's; retryIf of a spawn is of its process, that of a kind is not", async () => {
    let asked = 0;
    const kind = durable<unknown>((ctx) => (ctx.attempt === 1 ? deaf() : fails()), {
      retry: {
        ...EVEN,
        maxAttempts: 9,
        retryIf: (_, attempt) => {
          asked++;
          return attempt < 4;
        },
      },
    });
    const first = await open({ kinds: [kind] });
    const options: SpawnOptions[] = [
      {},
      { retry: { ...EVEN, maxAttempts: 3 } },
      { retry: { ...EVEN, maxAttempts: 5, retryIf: () => false } },
    ];
    const ids = options.map((more) => first.manager.spawn(kind, more).id);
    await settled();
    await compacted(first);
    const second = await first.restart();
    for (let n = 0; n < 10; n++) await second.pass(100);
    expect(ids.map((id) => task(second, id).record.attempt)).toEqual([4, 3, 5]);
    expect(asked).toBe(3);
  });

  test("gives the next attempt the whole of its timeoutMs, and what is left of totalTimeoutMs", async () => {
    const kind = kindOf(untilStopped);
    const first = await open({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, {
      timeoutMs: 200,
      totalTimeoutMs: 2_000,
      retry: { ...EVEN, maxAttempts: 99 },
    });
    await first.pass(150);
    const second = await first.restart(undefined, 50);
    await settled();
    await second.pass(199);
    expect(attemptOf(second, id)).toEqual([2, "running"]);
    await second.pass(1);
    expect(attemptOf(second, id)).toEqual([3, "queued"]);
    await second.pass(1_600);
    expect(task(second, id).record).toMatchObject({
      status: "failed",
      error: { code: "total_timeout" },
      finishedAt: 3_000,
    });
    expect(second.clock.nextAt).toBeUndefined();
  });

  test("sums up usage, keeps startedAt, and the checkpoint of the last attempt", async () => {
    const seen: unknown[] = [];
    const kind = kindOf(
      async (ctx) => {
        ctx.reportUsage({ inputTokens: 1 });
        await ctx.checkpoint("one");
        fails();
      },
      async (ctx) => {
        seen.push(ctx.lastCheckpoint);
        ctx.reportUsage({ inputTokens: 2 });
        await ctx.checkpoint("two");
        await deaf();
      },
      (ctx) => {
        seen.push(ctx.lastCheckpoint);
        ctx.reportUsage({ inputTokens: 4 });
      },
    );
    const first = await open({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, { retry: thrice });
    await first.pass(100);
    const second = await first.restart();
    await settled();
    expect(seen).toEqual(["one", "two"]);
    expect(task(second, id).record).toMatchObject({
      status: "succeeded",
      startedAt: 1_000,
      usage: { inputTokens: 7 },
      attempt: 3,
    });
  });
});

describe("H7 the family of an attempt", () => {
  test("that failed is over before its next one in another process: what ignored the sweep went with its process", async () => {
    const kind = kindOf(
      async (ctx) => {
        const ignores = ctx.spawn(deaf, { id: "ignores" });
        ctx.spawn(deaf, { id: "apart", detached: true });
        while (ignores.status !== "running") await new Promise(setImmediate);
        fails();
      },
      (ctx) => ctx.list({ status: ["queued", "running", "blocked"] }).length,
    );
    const first = await open({ kinds: [kind], graceMs: 1e6 });
    const { id } = first.manager.spawn(kind, { retry: thrice });
    await first.pass(500);
    expect([task(first, id).status, task(first, "ignores").status]).toEqual(["queued", "running"]);
    const second = await first.restart();
    // Its sweep was asked for before.
    expect(task(second, "ignores").record).toMatchObject({ status: "cancelled", reason: "error" });
    expect(task(second, "apart").status).toBe("interrupted");
    expect(await peek(task(second, id).result())).toMatchObject({ value: 0 });
  });

  test("that was spawned in the pause with an id is kept for the next attempt, in another process too", async () => {
    const gate = deferred<string>();
    const child = defineKind<unknown>({
      name: "child",
      canReattach: () => true,
      run: (ctx) => (ctx.attempt === 1 ? deaf() : gate.promise),
    });
    const kind = kindOf(fails, (ctx) => ctx.spawn(child, { id: "kept" }).result());
    const first = await open({ kinds: [kind, child] });
    const { id } = first.manager.spawn(kind, { retry: { ...thrice, backoffMs: 5_000 } });
    await settled();
    first.manager.spawn(child, { id: "kept", parent: id });
    await settled();
    const second = await first.restart();
    await settled();
    expect(attemptOf(second, "kept")).toEqual([2, "running"]);
    await second.pass(5_000);
    gate.resolve("done");
    expect(await peek(task(second, id).result())).toMatchObject({ value: "done" });
    expect(task(second, "kept").record.attempt).toBe(2);
  });
});

describe("D1 an attempt and the store", () => {
  test("the next one starts once that it is one is stored, however short its pause", async () => {
    const runs: number[] = [];
    const process = await open();
    const work = process.manager.spawn(
      (ctx) => {
        runs.push(ctx.attempt);
        if (ctx.attempt === 1) process.store.hold();
        if (ctx.attempt === 1) fails();
      },
      { retry: { ...EVEN, maxAttempts: 2, backoffMs: 0 } },
    );
    await process.pass(1_000);
    expect([runs, work.record.attempt]).toEqual([[1], 2]);
    process.store.letThrough();
    await settled();
    expect([runs, work.status]).toEqual([[1, 2], "succeeded"]);
  });

  test("that a task is tried again is reported once it is stored, and a cancel meanwhile is not held up", async () => {
    const process = await open();
    const told: string[] = [];
    for (const type of ["task.retried", "task.cancelled"] as const) process.manager.on(type, () => told.push(type));
    const work = process.manager.spawn(() => process.clock.sleep(1).then(fails), { retry: thrice });
    await settled();
    process.store.hold();
    await process.pass(1);
    expect([work.record.attempt, told]).toEqual([2, []]);
    const outcome = work.cancel("enough");
    await settled();
    expect([work.status, told, (await peek(outcome)).is, process.clock.nextAt]).toEqual([
      "cancelled",
      [],
      "pending",
      undefined,
    ]);
    process.store.letThrough();
    expect(await peek(outcome)).toMatchObject({ value: { status: "cancelled" } });
    expect(told).toEqual(["task.retried", "task.cancelled"]);
  });

  test("D5 a store that fails in the pause holds the next attempt, and loses none", async () => {
    const process = await open();
    const work = process.manager.spawn((ctx) => (ctx.attempt === 1 ? fails() : "second"), { retry: thrice });
    process.store.failure = new Error("disk full");
    await settled();
    await process.pass(100);
    const isHeld = work.status;
    process.store.failure = undefined;
    await process.pass(10_000);
    expect([isHeld === "running" || isHeld === "queued", await peek(work.result())]).toMatchObject([
      true,
      { value: "second" },
    ]);
  });

  test("live and restored are the same state, at each point of a task's attempts", async () => {
    const kind = kindOf(fails, fails, () => "third");
    const first = await open({ kinds: [kind] });
    const { id } = first.manager.spawn(kind, {
      retry: { ...EVEN, maxAttempts: 9 },
      budget: { tokens: 5 },
      timeoutMs: 1_000,
    });
    for (let n = 0; n < 5; n++) {
      await settled();
      const { record } = task(first, id);
      if (record.status === "succeeded") break;
      const beside = await first.restart(undefined, 0);
      // In the pause nothing ran, so its restart is no attempt.
      const { runtime: _, updatedAt: __, ...restored } = task(beside, id).record;
      const { runtime: ___, updatedAt: ____, ...live } = record;
      expect(restored).toEqual(live);
      await first.pass(100);
    }
    expect(task(first, id).status).toBe("succeeded");
    const next = await first.restart();
    expect(task(next, id).record).toEqual(task(first, id).record);
  });
});
