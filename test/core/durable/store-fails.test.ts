// A store that fails (D5): what is decided is kept and tried again, nothing new is spawned, stops still work, and nobody waits for ever
// in silence.

import type { ManagerEventMap } from "errand";
import { StoreUnavailableError, TaskManager, viewStore } from "errand";
import { manualClock, memoryStore } from "errand/testing";
import { describe, expect, test } from "vitest";
import { allFree, facts, peek, settled, unhandled } from "../../support/basics.js";
import { HeldStore } from "../../support/held-store.js";
import { deaf, errandError, hold, refusalOf, refused, untilStopped } from "../../support/program.js";
import { compacted, durable, outcome, started, task } from "../../support/restarts.js";

const full = new Error("the disk is full");

type Failed = ManagerEventMap["store.failed"];

describe("D5 a store that fails", () => {
  test("is tried again after pauses that grow to five seconds, with every event since", async () => {
    const { manager, store, clock, pass } = await started();
    const failures: Failed[] = [];
    manager.on("store.failed", (event) => failures.push(event));
    store.failure = full;
    const running = manager.spawn(deaf);
    await settled();
    expect(failures.map(({ at }) => at)).toEqual([1_000]);
    const pauses: number[] = [];
    while (pauses.length < 8) {
      const before = clock.now();
      await pass((clock.nextAt ?? before) - before);
      pauses.push(clock.now() - before);
    }
    expect(pauses).toEqual([100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
    expect([failures.length, store.kept.length]).toEqual([9, 0]);
    store.failure = undefined;
    await pass(5_000);
    expect(store.typesOf(running.id)).toEqual(["task.created", "task.started"]);
  });

  test("after it recovered the next failure is tried again soon", async () => {
    const { manager, store, pass } = await started();
    for (let round = 0; round < 3; round++) {
      store.failure = full;
      const { id } = manager.spawn(() => round);
      await pass(100);
      store.failure = undefined;
      await pass(200);
      expect(store.typesOf(id)).toEqual(["task.created", "task.started", "task.succeeded"]);
    }
  });

  test("is reported by `store.failed`, which names the error, and is never journalled", async () => {
    const { manager, store, pass } = await started();
    const failures: Failed[] = [];
    manager.on("store.failed", (event) => failures.push(event));
    store.failure = full;
    manager.spawn(() => 1);
    await settled();
    const error = errandError(failures[0]?.error, "STORE_UNAVAILABLE");
    expect([error.cause, error.message, error.needsSnapshot]).toEqual([full, expect.stringContaining("full"), false]);
    store.failure = undefined;
    await pass(100);
    expect(store.kept.map(({ type }) => type)).toEqual(["task.created", "task.started", "task.succeeded"]);
  });

  test("is reported to the logger when there is no listener", async () => {
    const errors: unknown[][] = [];
    const quiet = () => undefined;
    const logger = { debug: quiet, info: quiet, warn: quiet, error: (...args: unknown[]) => void errors.push(args) };
    const { manager, store } = await started({ logger });
    store.failure = full;
    manager.spawn(() => 1);
    await settled();
    expect(errors).toEqual([[expect.any(String), { error: expect.objectContaining({ code: "STORE_UNAVAILABLE" }) }]]);
    const off = manager.on("store.failed", () => undefined);
    off();
    expect(errors).toHaveLength(1);
  });

  test("new spawns are StoreUnavailableError until it recovers, and start nothing", async () => {
    const { manager, store, pass } = await started();
    const running = hold(manager);
    const known = manager.spawn(deaf, { id: "known" });
    await settled();
    store.failure = full;
    running.ctx.emit("one");
    await settled();
    const spawns = [
      () => manager.spawn(() => expect.unreachable()),
      () => manager.session("chat").spawn(() => expect.unreachable()),
      () => running.ctx.spawn(() => expect.unreachable()),
      () => manager.spawn(() => expect.unreachable(), { callId: "call" }),
    ];
    for (const spawn of spawns) expect(refused(spawn, "STORE_UNAVAILABLE").cause).toBe(full);
    const mapped = refusalOf(() => running.ctx.map([1], () => expect.unreachable(), { concurrency: 1 }));
    // Not a new one.
    expect(manager.spawn(deaf, { id: "known" }).id).toBe(known.id);
    expect(manager.list()).toHaveLength(2);
    store.failure = undefined;
    await pass(100);
    errandError(await mapped, "STORE_UNAVAILABLE");
    expect(await manager.spawn(() => "again").result()).toBe("again");
  });

  test("everything else goes on: signals abort, tasks end, slots are given, the decided record is read", async () => {
    const { manager, store, pass } = await started({ concurrency: 2 });
    const cancelled = manager.spawn(untilStopped);
    const late = manager.spawn(untilStopped, { timeoutMs: 50 });
    const next = hold(manager);
    await settled();
    store.failure = full;
    const told = cancelled.cancel("enough");
    await pass(50);
    expect([cancelled.status, late.status, next.started]).toEqual(["cancelled", "failed", true]);
    expect((await peek(told)).is).toBe("pending");
    next.finish();
    await settled();
    expect(next.handle.status).toBe("succeeded");
    allFree(manager);
    store.failure = undefined;
    await pass(200);
    expect(await told).toMatchObject({ status: "cancelled", reason: "enough" });
  });

  test("what is given out waits until it recovers; nothing is lost, and the order is that of the facts", async () => {
    const { manager, store, pass } = await started();
    const running = hold<string>(manager, { id: "running" });
    await settled();
    const told = facts(manager);
    store.failure = full;
    const posted = running.ctx.post("one");
    const sent = running.handle.send("two");
    running.ctx.summary("three");
    await settled();
    running.finish("four");
    const result = running.handle.result();
    for (const promise of [posted, sent, result]) expect((await peek<unknown>(promise)).is).toBe("pending");
    expect(told).toEqual([]);
    store.failure = undefined;
    await pass(100);
    expect([(await posted).direction, (await sent).direction, await result]).toEqual(["outbound", "inbound", "four"]);
    const types = ["message.sent", "message.sent", "task.updated", "task.succeeded"];
    expect(told.map(({ type }) => type)).toEqual(types);
    expect(store.kept.map(({ seq }) => seq)).toEqual(store.kept.map((_event, index) => index + 1));
    expect(store.typesOf("running").slice(2)).toEqual(types);
  });

  test("a commit that was under way when it failed is appended again, with what came since", async () => {
    const { manager, store, pass } = await started();
    store.hold();
    const first = hold(manager);
    await settled();
    const second = hold(manager);
    store.fail(full);
    store.isOpen = true;
    await settled();
    expect([first.started, second.started]).toEqual([false, false]);
    await pass(100);
    expect([first.started, second.started]).toEqual([true, true]);
    expect(store.calls.slice(0, 2)).toEqual(["append 1-1", "append 1-2"]);
  });

  test("a spawn that was decided before it failed starts when it recovers", async () => {
    const { manager, store, pass } = await started();
    store.failure = full;
    const task = hold(manager);
    await pass(50);
    expect([task.started, task.handle.status]).toEqual([false, "queued"]);
    store.failure = undefined;
    await pass(50);
    expect(task.started).toBe(true);
  });

  test("a crash while it fails leaves what was stored before", async () => {
    const first = await started();
    const { id } = first.manager.spawn(() => "kept");
    await settled();
    first.store.failure = full;
    first.manager.spawn(deaf, { id: "lost" });
    await settled();
    const next = await first.restart();
    expect(await outcome(next, id)).toMatchObject({ status: "succeeded", value: "kept" });
    expect(next.manager.get("lost")).toBeUndefined();
  });

  test("C5 raises no unhandledRejection, whatever it fails with", async () => {
    const rejections = await unhandled(async () => {
      for (const failure of [full, undefined, "words", null]) {
        const { manager, store, pass } = await started();
        store.append = () => Promise.reject(failure);
        const failures: Failed[] = [];
        manager.on("store.failed", (event) => failures.push(event));
        manager.spawn(() => 1);
        await settled();
        errandError(failures[0]?.error, "STORE_UNAVAILABLE");
        await Promise.all([manager.close({ graceMs: 10 }), pass(50)]);
      }
    });
    expect(rejections).toEqual([]);
  });

  test("a store that throws instead of rejecting is one that fails", async () => {
    const { manager, store, pass } = await started();
    const append = store.append.bind(store);
    store.append = () => {
      throw full;
    };
    const task = hold(manager);
    await settled();
    refused(() => manager.spawn(deaf), "STORE_UNAVAILABLE");
    store.append = append;
    await pass(100);
    expect(task.started).toBe(true);
  });

  test("a listener of `store.failed` that throws changes nothing else", async () => {
    const { manager, store, pass } = await started();
    const heard: unknown[] = [];
    manager.on("store.failed", () => {
      throw new Error("no");
    });
    manager.on("listener.failed", ({ event }) => heard.push(event));
    store.failure = full;
    const task = hold(manager);
    await settled();
    store.failure = undefined;
    await pass(100);
    expect([heard, task.started]).toEqual([["store.failed"], true]);
  });

  test('durability: "relaxed": nothing waits for it, and spawns are refused all the same', async () => {
    const { manager, store, pass } = await started({ durability: "relaxed" });
    store.failure = full;
    const task = manager.spawn(() => "value");
    expect(await task.result()).toBe("value");
    await settled();
    refused(() => manager.spawn(() => 1), "STORE_UNAVAILABLE");
    expect((await peek(task.stored())).is).toBe("pending");
    store.failure = undefined;
    await pass(100);
    await task.stored();
    expect(store.typesOf(task.id)).toEqual(["task.created", "task.started", "task.succeeded"]);
  });
});

describe("D5 a store that needs a snapshot", () => {
  const gone = new StoreUnavailableError("it was emptied", { needsSnapshot: true });
  const long = "x".repeat(70_000);

  test("is given one before the events, and then all of them, and every long output again", async () => {
    const first = await started({ kinds: [durable(() => 1)] });
    const { manager, store, pass } = first;
    await manager.spawn(() => long, { id: "long" }).result();
    await manager.spawn(() => "short", { id: "short" }).result();
    const running = hold(manager, { id: "running" });
    await settled();
    store.wipe();
    store.failure = gone;
    running.ctx.summary("half-way");
    await settled();
    const before = store.calls.length;
    store.failure = undefined;
    await pass(100);
    const calls = store.calls.slice(before).map((call) => call.split(" ")[0]);
    expect([new Set(calls.slice(0, 2)), calls[2]]).toEqual([new Set(["compact", "put"]), "append"]);
    expect(store.outputIds).toEqual(["long"]);
    running.ctx.progress({ current: 1 });
    await settled();
    const next = await first.restart();
    expect(await task(next, "long").result()).toBe(long);
    expect(await task(next, "short").result()).toBe("short");
    expect(task(next, "running").record).toMatchObject({ summary: "half-way", progress: { current: 1 } });
  });

  test("what was decided while it was away is in the snapshot and reported once it is there", async () => {
    const first = await started();
    const { manager, store, pass } = first;
    const running = hold<string>(manager, { id: "running" });
    await settled();
    store.wipe();
    store.failure = gone;
    running.ctx.emit("one");
    await settled();
    running.finish("done");
    const result = running.handle.result();
    expect((await peek(result)).is).toBe("pending");
    store.failure = undefined;
    await pass(100);
    expect(await result).toBe("done");
    expect(await outcome(await first.restart(), "running")).toMatchObject({ status: "succeeded", value: "done" });
  });

  test("a snapshot that fails too is tried again, and `append` is not asked before it is there", async () => {
    const first = await started();
    const { manager, store, pass } = first;
    store.failure = gone;
    const running = hold(manager);
    await settled();
    await pass(100);
    expect(store.calls).toEqual(["append 1-1", "compact 1"]);
    store.failure = undefined;
    await pass(200);
    expect([running.started, store.compactions]).toEqual([true, 2]);
  });

  test("seq goes on, and is gapless behind the snapshot", async () => {
    const first = await started();
    for (let n = 0; n < 3; n++) await first.manager.spawn(() => n).result();
    await settled();
    first.store.wipe();
    await compacted(first);
    await first.manager.spawn(() => 4).result();
    await settled();
    const seqs = first.store.kept.map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_seq, index) => (seqs[0] ?? 0) + index));
    expect(seqs.at(-1)).toBe(15);
  });
});

describe("D5 open on a store that fails", () => {
  test("rejects when its `open` or `read` fails, with that error as the cause, and gives the writer's place back", async () => {
    for (const method of ["open", "read"] as const) {
      const left = await started();
      await left.manager.spawn(() => 1).result();
      const store = left.store.crash();
      Object.assign(store, {
        [method]: () => {
          throw full;
        },
      });
      const refusal = await refusalOf(() => TaskManager.open({ store, clock: manualClock() }));
      expect(errandError(refusal, "STORE_UNAVAILABLE").cause).toBe(full);
      expect(store.closes).toBe(method === "open" ? 0 : 1);
    }
  });

  test("a snapshot of another version is StoreUnavailableError, and touches nothing", async () => {
    const store = new HeldStore();
    await store.compact({ version: 999 }, 3);
    const before = store.calls.length;
    errandError(await refusalOf(() => TaskManager.open({ store })), "STORE_UNAVAILABLE");
    expect(store.calls.slice(before)).toEqual(["close"]);
  });

  test("that takes nothing of what it decided rejects with StoreUnavailableError: nothing starts, and the next one decides", async () => {
    let runs = 0;
    const kind = durable((ctx) => {
      if (ctx.attempt > 1) runs++;
      return deaf();
    });
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind);
    await settled();
    const store = first.store.crash();
    store.failure = full;
    const clock = manualClock();
    const error = await refusalOf(() => TaskManager.open({ store, clock, kinds: [kind] }));
    expect(errandError(error, "STORE_UNAVAILABLE").cause).toBe(full);
    await settled();
    expect([runs, store.closes, clock.nextAt]).toEqual([0, 1, undefined]);
    store.failure = undefined;
    await TaskManager.open({ store, clock, kinds: [kind] });
    await settled();
    expect(runs).toBe(1);
  });
});

describe("§12 what a store rejects with reaches a user as StoreUnavailableError, with its cause and the next step", () => {
  const refusedAtBoth = () => new AggregateError([new Error("connect ECONNREFUSED ::1:5432")], "");

  /** A store of the user's own, of which one method fails from `fail()` on. */
  function failing(method: "open" | "peek" | "read" | "close" | "compact") {
    const store = memoryStore();
    const cause = refusedAtBoth();
    let isFailing = false;
    const real: (...given: never[]) => unknown = store[method].bind(store);
    Object.assign(store, {
      [method]: (...given: never[]) => {
        if (!isFailing) return real(...given);
        if (method === "read") throw cause;
        return Promise.reject(cause);
      },
    });
    return { store, cause, fail: () => (isFailing = true) };
  }

  async function expectTyped(call: () => unknown, cause: unknown): Promise<void> {
    const error = errandError(await refusalOf(call), "STORE_UNAVAILABLE");
    expect(error.cause).toBe(cause);
    expect(error.message).toMatch(/ECONNREFUSED.*Mend what the store reports/);
  }

  test("from open, whose store is closed then, also when closing fails too", async () => {
    const { store, cause, fail } = failing("open");
    fail();
    await expectTyped(() => TaskManager.open({ store }), cause);
    const reading = failing("read");
    const first = await TaskManager.open({ store: reading.store });
    await first.spawn(() => 1).result();
    await first.close();
    reading.fail();
    const close = reading.store.close.bind(reading.store);
    Object.assign(reading.store, { close: () => close().then(() => Promise.reject(new Error("not closed"))) });
    await expectTyped(() => TaskManager.open({ store: reading.store }), reading.cause);
  });

  test("from history(), events() and viewStore", async () => {
    const { store, cause, fail } = failing("read");
    const manager = await TaskManager.open({ store });
    const handle = manager.spawn(() => 1);
    await handle.result();
    fail();
    await expectTyped(() => handle.history(), cause);
    await expectTyped(async () => {
      for await (const event of manager.events()) expect.unreachable(event.type);
    }, cause);
    await expectTyped(() => viewStore(store), cause);
    const peeking = failing("peek");
    peeking.fail();
    await expectTyped(() => viewStore(peeking.store), peeking.cause);
    await manager.close();
  });

  test("from close, and in the event store.failed", async () => {
    const { store, cause, fail } = failing("close");
    const manager = await TaskManager.open({ store });
    fail();
    await expectTyped(() => manager.close(), cause);
    const { manager: compacting, store: held } = await started();
    const failed: Failed[] = [];
    compacting.on("store.failed", (event) => failed.push(event));
    held.failure = refusedAtBoth();
    compacting.spawn(deaf);
    await settled();
    expect(failed).toMatchObject([{ error: { code: "STORE_UNAVAILABLE", cause: held.failure } }]);
  });
});
