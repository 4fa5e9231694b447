// Notices and the store: nothing is told before it is stored (D1), what was not acknowledged comes again after a restart (N1), a store that
// fails drops none (D5), and a compaction keeps them (D6).

import type { NoticeBatch, TaskEvent, TaskManagerOptions } from "errand";
import { defineKind, StoreUnavailableError } from "errand";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deferred, peek, settled, unhandled } from "../../support/basics.js";
import { batchOf, PENDING, told, toldBy } from "../../support/loops.js";
import { deaf, given, hold, isEnd } from "../../support/program.js";
import { compacted, durable, type Process, started, task } from "../../support/restarts.js";

const chatOf = ({ manager }: Process) => manager.session("chat");
const LONG = { retention: { ttlMs: Number.POSITIVE_INFINITY } } as const;
const open = (options: Omit<TaskManagerOptions, "clock" | "store"> = {}) => started({ ...LONG, ...options });

describe("D1 nothing is reported before it is stored:", () => {
  test("an end, to a loop that waits", async () => {
    const process = await open();
    const work = hold(chatOf(process));
    await settled();
    const next = chatOf(process).nextNotices();
    process.store.hold();
    work.finish();
    expect(await toldBy(next)).toBe(PENDING);
    process.store.release();
    expect(await toldBy(next)).toEqual([`${work.handle.id} succeeded`]);
  });

  test("an end, to a loop that asks after it", async () => {
    const process = await open();
    const work = hold(chatOf(process));
    await settled();
    process.store.hold();
    work.finish();
    await settled();
    expect(work.handle.status).toBe("succeeded");
    // W2: a passed limit reports what is stored, which is nothing.
    expect(await toldBy(chatOf(process).nextNotices({ timeoutMs: 0 }))).toEqual([]);
    const next = chatOf(process).nextNotices();
    expect(await toldBy(next)).toBe(PENDING);
    process.store.letThrough();
    expect(await toldBy(next)).toEqual([`${work.handle.id} succeeded`]);
  });

  test("an acknowledgement: ack resolves when it is stored, and a crash before that brings the batch again", async () => {
    const first = await open();
    chatOf(first).spawn(() => 1, { id: "job" });
    const batch = await batchOf(chatOf(first));
    first.store.hold();
    const acked = batch.ack();
    expect((await peek(acked)).is).toBe("pending");
    const next = await first.restart();
    const again = await batchOf(chatOf(next));
    expect(told(again)).toEqual(["job succeeded"]);
    expect(again.notices[0]?.id).toBe(batch.notices[0]?.id);
    first.store.letThrough();
    expect((await peek(acked)).is).toBe("fulfilled");
  });

  test("a second acknowledgement of what is being acknowledged resolves no sooner", async () => {
    const process = await open();
    chatOf(process).spawn(() => 1);
    const batch = await batchOf(chatOf(process));
    process.store.hold();
    const [one, two] = [batch.ack(), batch.ack()];
    expect([(await peek(one)).is, (await peek(two)).is]).toEqual(["pending", "pending"]);
    process.store.letThrough();
    await Promise.all([one, two]);
  });

  test("that nothing is left: the last outcome and its acknowledgement come first", async () => {
    const process = await open();
    const work = hold<number>(chatOf(process));
    await settled();
    const [result, next] = [work.handle.result(), chatOf(process).nextNotices()];
    process.store.hold();
    work.finish(1);
    expect([(await peek(result)).is, (await peek(next)).is]).toEqual(["pending", "pending"]);
    process.store.letThrough();
    expect(await peek(result)).toMatchObject({ value: 1 });
    expect(await toldBy(next)).toBeUndefined();
  });

  test("what is stored of a turn is notified, and what comes in the next turn is notified too, however the two meet", async () => {
    // The second ends in the very moment in which the first one's end is stored and taken by a wait.
    const process = await open();
    const chat = chatOf(process);
    const [a, b] = [hold<number>(chat), hold<number>(chat)];
    await settled();
    const next = chat.nextNotices();
    void a.handle.result().then(() => b.finish(2));
    a.finish(1);
    expect(await toldBy(next)).toEqual([`${b.handle.id} succeeded`]);
  });

  test.each([0, 1, 2, 3])("ends that meet a commit half-way are all notified (%s turns apart)", async (turns) => {
    const process = await open();
    const chat = chatOf(process);
    const works = Array.from({ length: 6 }, () => hold<number>(chat));
    await settled();
    process.store.hold();
    const seen: string[] = [];
    const loop = (async () => {
      for (;;) {
        const batch = await chat.nextNotices();
        if (batch === undefined) return;
        seen.push(...given(told(batch)));
        await batch.ack();
      }
    })();
    for (const [n, work] of works.entries()) {
      work.finish(n);
      for (let turn = 0; turn < turns; turn++) await new Promise(setImmediate);
      process.store.release();
    }
    for (let turn = 0; turn < 30; turn++) {
      process.store.release();
      await new Promise(setImmediate);
    }
    expect((await peek(loop)).is).toBe("fulfilled");
    expect(seen).toEqual(works.map(({ handle }) => `${handle.id} succeeded`));
  });

  test("relaxed, all of it is notified at once", async () => {
    const process = await open({ durability: "relaxed" });
    const work = hold(chatOf(process));
    await settled();
    process.store.hold();
    work.finish();
    const batch = await batchOf(chatOf(process));
    expect(told(batch)).toEqual([`${work.handle.id} succeeded`]);
    expect((await peek(batch.ack())).is).toBe("fulfilled");
    expect(await toldBy(chatOf(process).nextNotices())).toBeUndefined();
  });
});

describe("an outcome that a wait was about to give", () => {
  test("and did not, because its loop was over first, is notified to the next owner (N2, N3)", async () => {
    const process = await open();
    const chat = chatOf(process);
    const [child, leave] = [deferred<number>(), deferred()];
    chat.spawn(
      async (ctx) => {
        const handle = ctx.spawn(() => child.promise, { id: "child", detached: true, wake: "onTerminal" });
        void handle.result();
        await leave.promise;
      },
      { wake: "silent", id: "loop" },
    );
    await settled();
    process.store.hold();
    child.resolve(1);
    await settled();
    // The outcome waits for the store; nobody is left to be given it.
    leave.resolve();
    await settled();
    expect(task(process, "loop").status).toBe("succeeded");
    process.store.letThrough();
    await settled();
    expect(await toldBy(chat.nextNotices())).toEqual(["child succeeded"]);
  });

  test("and did not, because of a crash, is notified after it", async () => {
    const first = await open();
    const work = hold<number>(chatOf(first), { id: "job" });
    await settled();
    const result = work.handle.result();
    work.finish(1);
    // The end is stored and given; that it was given is not.
    await new Promise(setImmediate);
    first.store.hold();
    await settled();
    void result;
    const next = await first.restart();
    const { status } = task(next, "job");
    expect(told(await batchOf(chatOf(next)))).toEqual([`job ${status}`]);
  });

  test("and gave, is not notified after a restart", async () => {
    const first = await open();
    expect(
      await chatOf(first)
        .spawn(() => 1, { id: "job" })
        .result(),
    ).toBe(1);
    await settled();
    const next = await first.restart();
    expect(await toldBy(chatOf(next).nextNotices())).toBeUndefined();
  });
});

describe("N1 after a restart", () => {
  test("what was not acknowledged comes again, with the same ids and in the same order, and once acknowledged no more", async () => {
    const first = await open();
    const chat = chatOf(first);
    const work = hold<number>(chat, { id: "a", wake: "onActivity" });
    await settled();
    work.ctx.emit("page", { n: 1 });
    void work.ctx.post([{ type: "data", data: { half: true } }]);
    chat.spawn(() => Promise.reject(new Error("no")), { id: "b" });
    await settled();
    work.ctx.emit("page", { n: 2 });
    work.finish(7);
    await settled();
    const before = await batchOf(chat);
    const second = await first.restart();
    const after = await batchOf(chatOf(second));
    expect(after.notices.map(({ id, taskId, at, type }) => ({ id, taskId, at, type }))).toEqual(
      before.notices.map(({ id, taskId, at, type }) => ({ id, taskId, at, type })),
    );
    expect(after.text).toBe(before.text);
    expect(told(after)).toEqual(["a custom page", "a message", "b failed", "a custom page", "a succeeded"]);
    await after.ack();
    const third = await second.restart();
    expect(await toldBy(chatOf(third).nextNotices())).toBeUndefined();
  });

  test("what came after the acknowledgement is notified alone", async () => {
    const first = await open();
    chatOf(first).spawn(() => 1, { id: "a" });
    await (await batchOf(chatOf(first))).ack();
    chatOf(first).spawn(() => 2, { id: "b" });
    await settled();
    const next = await first.restart();
    expect(told(await batchOf(chatOf(next)))).toEqual(["b succeeded"]);
  });

  test("a snapshot keeps them: what was acknowledged before it, what was not, and the numbers they go on with", async () => {
    const first = await open();
    const chat = chatOf(first);
    const work = hold<number>(chat, { id: "a", wake: "onActivity" });
    await settled();
    work.ctx.emit("1");
    await settled();
    await (await batchOf(chat)).ack();
    work.ctx.emit("2");
    chat.spawn(() => 1, { id: "b" });
    await settled();
    await compacted(first);
    work.ctx.emit("3");
    await settled();
    const before = await batchOf(chat);
    expect(told(before)).toEqual(["a custom 2", "b succeeded", "a custom 3"]);
    const second = await first.restart();
    const after = await batchOf(chatOf(second));
    expect(told(after)).toEqual(["a custom 2", "b succeeded", "a custom 3", "a interrupted"]);
    expect(after.notices.slice(0, 3).map(({ id }) => id)).toEqual(before.notices.map(({ id }) => id));
    expect(new Set(after.notices.map(({ id }) => id)).size).toBe(4);
    await compacted(second);
    await after.ack();
    const third = await second.restart();
    expect(await toldBy(chatOf(third).nextNotices())).toBeUndefined();
  });

  test("a task that was interrupted says so to its session, naming instance and pid (D4)", async () => {
    const first = await open();
    chatOf(first).spawn(deaf, { id: "job", title: "Look" });
    await settled();
    const { instanceId, pid } = given(task(first, "job").record.runtime);
    const next = await first.restart();
    const batch = await batchOf(chatOf(next));
    expect(batch.notices).toMatchObject([
      { type: "task.interrupted", outcome: { reason: "process_lost", instanceId, pid } },
    ]);
    expect(batch.text).toContain(instanceId);
    expect(batch.text).toContain(String(pid));
  });

  test("a whole tree is notified to its session: those below first had a loop, which is gone", async () => {
    const first = await open();
    chatOf(first).spawn(
      async (ctx) => {
        ctx.spawn(deaf, { id: "child" });
        ctx.spawn(() => 1, { id: "done" });
        await ctx.nextNotices();
        await deaf();
      },
      { id: "loop" },
    );
    await settled();
    const next = await first.restart();
    const batch = await batchOf(chatOf(next));
    expect(told(batch)?.toSorted()).toEqual(["child interrupted", "done succeeded", "loop interrupted"]);
    expect(told(batch)?.[0]).toBe("done succeeded");
  });

  test("a loop that is resumed gets the notices that its last attempt did not acknowledge, and those of children that were not resumed", async () => {
    const seen: (readonly string[] | undefined)[] = [];
    const loop = durable(async (ctx) => {
      if (ctx.attempt === 1) {
        ctx.spawn(() => 1, { id: "done" });
        ctx.spawn(deaf, { id: "lost" });
      }
      const batch = await ctx.nextNotices();
      seen.push(told(batch)?.toSorted());
      if (ctx.attempt === 1) await deaf();
      await batch?.ack();
      seen.push(told(await ctx.nextNotices()));
      return "over";
    });
    const first = await open({ kinds: [loop] });
    const { id } = chatOf(first).spawn(loop);
    await settled();
    const next = await first.restart();
    expect(await peek(task(next, id).result())).toMatchObject({ value: "over" });
    expect(seen).toEqual([["done succeeded"], ["done succeeded", "lost interrupted"], undefined]);
    expect(told(await batchOf(chatOf(next)))).toEqual([`${id} succeeded`]);
  });

  test("a child that goes on with its loop tells it of its end, once", async () => {
    const gate = deferred<string>();
    const child = defineKind<string>({
      name: "child",
      canReattach: () => true,
      run: (ctx) => (ctx.attempt === 1 ? deaf() : gate.promise),
    });
    const loop = durable(async (ctx) => {
      ctx.spawn(child, { id: "child" });
      const batch = await ctx.nextNotices();
      await batch?.ack();
      return [told(batch), await ctx.nextNotices()];
    });
    const first = await open({ kinds: [child, loop] });
    const { id } = chatOf(first).spawn(loop);
    await settled();
    const next = await first.restart();
    await settled();
    expect(task(next, id).record.blockedOn).toEqual([{ on: "notice" }]);
    gate.resolve("done");
    expect(await peek(task(next, id).result())).toMatchObject({ value: [["child succeeded"], undefined] });
  });

  test("a loop gets no notice of a child whose outcome its last attempt was given, unless it had not read yet: then no loop had the notice", async () => {
    const loop = durable(async (ctx) => {
      const reads = ctx.record.tags.includes("reads");
      if (ctx.attempt === 1) {
        if (reads) await ctx.nextNotices();
        await ctx.spawn(() => 1, { id: "given" }).result();
        await deaf();
      }
      return told(await ctx.nextNotices());
    });
    for (const isCompacted of [true, false]) {
      for (const tags of [["reads"], []]) {
        const first = await open({ kinds: [loop] });
        const { id } = chatOf(first).spawn(loop, { tags });
        await settled();
        if (isCompacted) await compacted(first);
        const next = await first.restart();
        const value = tags.length > 0 ? undefined : ["given succeeded"];
        expect(await peek(task(next, id).result())).toEqual({ is: "fulfilled", value });
      }
    }
  });

  test("wake as it was said is kept, and as it was not said too", async () => {
    const idle = durable(() => deaf());
    for (const isCompacted of [false, true]) {
      const first = await open({ kinds: [idle] });
      const chat = chatOf(first);
      for (const wake of ["silent", "onTerminal", "onActivity", undefined] as const)
        chat.spawn(idle, { wake, id: String(wake) });
      await settled();
      const wakes = ({ manager }: Process) =>
        manager
          .list()
          .filter(({ kind }) => kind !== undefined)
          .map(({ wake }) => wake);
      expect(wakes(first)).toEqual(["silent", "onTerminal", "onActivity", "onTerminal"]);
      if (isCompacted) await compacted(first);
      expect(wakes(await first.restart())).toEqual(wakes(first));
    }
  });

  test("retention lets go of what an earlier process reported and acknowledged, and of nothing else", async () => {
    const options = { retention: { maxFinished: 0, ttlMs: Number.POSITIVE_INFINITY } };
    const first = await started(options);
    for (const id of ["a", "b", "c"]) chatOf(first).spawn(() => id, { id });
    const batch = await batchOf(chatOf(first));
    const second = await first.restart();
    expect(second.manager.list()).toHaveLength(3);
    const again = await batchOf(chatOf(second));
    expect(again.text).toBe(batch.text);
    await again.ack();
    expect(second.manager.list()).toEqual([]);
    const third = await second.restart();
    expect(third.manager.list()).toEqual([]);
    expect(await toldBy(chatOf(third).nextNotices())).toBeUndefined();
  });

  test("ids of notices are never given twice, over any number of restarts", async () => {
    const idle = durable((ctx) => {
      ctx.emit("again", ctx.attempt);
      return deaf();
    });
    let process = await open({ kinds: [idle] });
    chatOf(process).spawn(idle, { id: "job", wake: "onActivity" });
    const ids: string[] = [];
    for (let n = 0; n < 4; n++) {
      await settled();
      const batch = await batchOf(chatOf(process));
      ids.push(...batch.notices.map(({ id }) => id));
      await batch.ack();
      if (n === 1) await compacted(process);
      process = await process.restart();
    }
    expect(ids).toHaveLength(4);
    expect(new Set(ids).size).toBe(4);
  });

  test("over many restarts without an acknowledgement, nothing is lost and nothing comes twice", async () => {
    let process = await open();
    for (let n = 0; n < 5; n++) {
      chatOf(process).spawn(() => n, { id: `t${n}` });
      await settled();
      const batch = await batchOf(chatOf(process));
      expect(told(batch)).toEqual(Array.from({ length: n + 1 }, (_, k) => `t${k} succeeded`));
      if (n === 2) await compacted(process);
      process = await process.restart();
    }
  });
});

describe("D5 a store that fails", () => {
  test("keeps its notices until it takes them, and tells of them then", async () => {
    const process = await open();
    const work = hold(chatOf(process));
    await settled();
    const next = chatOf(process).nextNotices();
    process.store.failure = new Error("disk full");
    work.finish();
    expect(await toldBy(next)).toBe(PENDING);
    await process.pass(10_000);
    expect(await toldBy(next)).toBe(PENDING);
    process.store.failure = undefined;
    await process.pass(10_000);
    expect(await toldBy(next)).toEqual([`${work.handle.id} succeeded`]);
  });

  test("keeps an acknowledgement back: ack waits, and a crash brings the batch again", async () => {
    const process = await open();
    chatOf(process).spawn(() => 1, { id: "job" });
    const batch = await batchOf(chatOf(process));
    process.store.failure = new StoreUnavailableError("no space");
    const acked = batch.ack();
    await process.pass(10_000);
    expect((await peek(acked)).is).toBe("pending");
    const next = await process.restart();
    expect(told(await batchOf(chatOf(next)))).toEqual(["job succeeded"]);
    process.store.failure = undefined;
    await process.pass(10_000);
    expect((await peek(acked)).is).toBe("fulfilled");
  });

  test("lost with a close: a wait for notices, or for an ack, rejects because the manager is closed", async () => {
    const process = await open({ graceMs: 100 });
    const chat = chatOf(process);
    chat.spawn(() => 1);
    const batch = await batchOf(chat);
    const work = hold(chat);
    await settled();
    process.store.failure = new Error("disk full");
    const codes = Promise.all(
      [batch.ack(), chat.nextNotices({ coalesceMs: 1e6 })].map((promise) =>
        promise.then(
          () => "told",
          (error: { readonly code: string }) => error.code,
        ),
      ),
    );
    work.finish();
    await settled();
    const closing = peek(process.manager.close());
    await process.pass(10_000);
    await closing;
    expect(await peek(codes)).toMatchObject({ value: ["MANAGER_CLOSED", "MANAGER_CLOSED"] });
  });
});

describe("a close", () => {
  test("leaves what was not acknowledged to the next process, and its own ends with it", async () => {
    const first = await open();
    chatOf(first).spawn(() => 1, { id: "a" });
    chatOf(first).spawn((ctx) => ctx.sleep(1e9), { id: "b" });
    await settled();
    expect(told(await batchOf(chatOf(first)))).toEqual(["a succeeded"]);
    await first.manager.close();
    const next = await first.restart();
    expect(told(await batchOf(chatOf(next)))).toEqual(["a succeeded", "b interrupted"]);
  });

  test("leaves a loop that goes on in the next process its notices", async () => {
    const loop = durable(async (ctx) => {
      if (ctx.attempt === 1) ctx.spawn(() => 1, { id: "child" });
      const batch = await ctx.nextNotices();
      if (ctx.attempt === 1) await ctx.sleep(1e9);
      return told(batch);
    });
    const first = await open({ kinds: [loop] });
    const { id } = chatOf(first).spawn(loop);
    await settled();
    await first.manager.close();
    const next = await first.restart();
    expect(await peek(task(next, id).result())).toMatchObject({ value: ["child succeeded"] });
  });
});

describe("the notices of a loop are what the journal says, no more and no less,", () => {
  /** Ids of the notices that these events leave untold, oldest first: each transition that wakes is numbered in its task. */
  function untold(events: readonly TaskEvent[]): string[] {
    const wakes = new Map<string, string>();
    const made = new Map<string, number>();
    const pending = new Set<string>();
    for (const event of events) {
      const { taskId } = event;
      if (event.type === "task.created") wakes.set(taskId, event.record.wake);
      if (event.type === "task.updated") for (const id of event.patch.acknowledged ?? []) pending.delete(id);
      const wake = wakes.get(taskId) ?? "silent";
      if (!((wake !== "silent" && isEnd(event)) || (wake === "onActivity" && event.type === "custom"))) continue;
      made.set(taskId, (made.get(taskId) ?? 0) + 1);
      pending.add(`${taskId}.${made.get(taskId)}`);
    }
    return [...pending];
  }

  const op = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant("spawn" as const),
        wake: fc.constantFrom("onTerminal" as const, "onActivity" as const, "onActivity" as const, "silent" as const),
      }),
    },
    {
      weight: 12,
      arbitrary: fc.record({
        do: fc.constantFrom("finish" as const, "emit" as const, "cancel" as const, "await" as const),
        which: fc.nat(20),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constantFrom("read" as const, "ack" as const, "hold" as const, "release" as const, "open" as const),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom("restart" as const, "compact" as const, "close" as const) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("turn" as const) }) },
  );

  test("whatever is stored, held back, lost with a crash or put in a snapshot", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(op, { minLength: 20, maxLength: 60, size: "max" }),
        fc.constantFrom(0, 1, 1_000),
        async (ops, maxFinished) => {
          let process = await started({ retention: { maxFinished, ttlMs: Number.POSITIVE_INFINITY }, graceMs: 0 });
          let works: ReturnType<typeof hold>[] = [];
          let batch: NoticeBatch | undefined;
          let count = 0;
          /** Every event that was ever stored, also those that a snapshot stands for by now. */
          const stored = new Map<number, TaskEvent>();
          const note = () => {
            for (const event of process.store.kept) stored.set(event.seq, event);
          };
          const told = async () => {
            process.store.letThrough();
            await settled();
            note();
            const now = await peek(chatOf(process).nextNotices({ timeoutMs: 0 }));
            if (now.is !== "fulfilled") throw new Error(`it hangs: ${now.is}`);
            const events = [...stored.values()].toSorted((a, b) => a.seq - b.seq);
            expect(now.value?.notices.map(({ id }) => id) ?? []).toEqual(untold(events));
            return now.value;
          };
          for (const each of ops) {
            note();
            switch (each.do) {
              case "spawn":
                works.push(hold(chatOf(process), { wake: each.wake, id: `t${count++}` }));
                break;
              case "finish":
                works[each.which % works.length]?.finish(undefined);
                break;
              case "emit": {
                const work = works[each.which % works.length];
                if (work?.started) work.ctx.emit("page");
                break;
              }
              case "cancel":
                void process.manager.get(works[each.which % works.length]?.handle.id ?? "none")?.cancel();
                break;
              case "await":
                void works[each.which % works.length]?.handle.outcome({ timeoutMs: 5 }).catch(() => undefined);
                break;
              case "read":
                batch = await told();
                break;
              case "ack":
                void batch?.ack().catch(() => undefined);
                break;
              case "hold":
                process.store.hold();
                break;
              case "release":
                process.store.release();
                break;
              case "open":
                process.store.letThrough();
                break;
              case "compact":
                process.store.letThrough();
                await settled();
                note();
                await compacted(process);
                note();
                break;
              case "turn":
                await settled(1);
                break;
              default: {
                if (each.do === "close") {
                  const closing = peek(process.manager.close());
                  await process.pass(10);
                  await closing;
                }
                note();
                // What was not let through is lost, and its numbers are given again.
                process = await process.restart();
                [works, batch] = [[], undefined];
                await told();
              }
            }
          }
          await told();
          await process.manager.close();
        },
      ),
      { numRuns: Number(globalThis.process.env["NOTICE_RUNS"] ?? 100) },
    );
  });
});

test("C5 an ack that is not awaited raises no unhandledRejection, whatever becomes of its manager", async () => {
  const seen = await unhandled(async () => {
    const process = await open({ graceMs: 100 });
    chatOf(process).spawn(() => 1);
    const batch = await batchOf(chatOf(process));
    process.store.failure = new Error("disk full");
    void batch.ack();
    const closing = peek(process.manager.close());
    await process.pass(10_000);
    await closing;
    void batch.ack();
  });
  expect(seen).toEqual([]);
});

test("two managers, two stores: each tells its own", async () => {
  const [one, two] = [await open(), await open()];
  chatOf(one).spawn(() => 1, { id: "one" });
  chatOf(two).spawn(() => 2, { id: "two" });
  await settled();
  expect([told(await batchOf(chatOf(one))), told(await batchOf(chatOf(two)))]).toEqual([
    ["one succeeded"],
    ["two succeeded"],
  ]);
});
