// Close with a store (D8): what stays active for the next process, what is over, and that the flush ends also when the store does not.

import { setImmediate } from "node:timers/promises";
import type { TaskContext, TaskHandle } from "errand";
import { TaskManager } from "errand";
import { fileStore } from "errand/stores/file";
import { describe, expect, test } from "vitest";
import { allFree, deferred, facts, peek, settled, unhandled } from "../../support/basics.js";
import { place } from "../../support/place.js";
import { deaf, given, hold, holdDeaf, refused, untilStopped } from "../../support/program.js";
import { durable, outcome, type Process, request, started, task } from "../../support/restarts.js";

const kind = durable((ctx) => (ctx.attempt === 1 ? untilStopped(ctx) : ctx.attempt));
const full = new Error("the disk is full");

/** What the next process finds after a close. */
function reopened(process: Process, options?: Parameters<Process["restart"]>[0]): Promise<Process> {
  return process.restart(options);
}

async function closed({ manager, pass }: Process, graceMs = 100): Promise<void> {
  const closing = manager.close({ graceMs });
  await pass(graceMs);
  await closing;
}

describe("D8 a kind that can reattach stays active and goes on in the next process", () => {
  const ends: readonly [string, (ctx: TaskContext) => unknown][] = [
    ["rejects at its signal", untilStopped],
    ["throws something else", (ctx) => untilStopped(ctx).catch(() => Promise.reject(new Error("no")))],
    ["hears nothing", deaf],
    ["waits for an answer", (ctx) => ctx.ask({ question: "Which?" })],
    ["waits for a message", (ctx) => ctx.receive()],
    ["waits for time", (ctx) => ctx.sleep(1_000_000)],
    ["waits for a child", (ctx) => ctx.spawn(untilStopped).result()],
    [
      "swallows its cancel and waits again",
      async (ctx) => {
        for (;;) await ctx.sleep(1_000).catch(() => undefined);
      },
    ],
  ];

  test.each(ends)("when its function %s", async (_what, work) => {
    const kind = durable((ctx) => (ctx.attempt === 1 ? work(ctx) : ctx.attempt));
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind);
    await settled();
    const before = handle.status;
    await closed(first);
    expect([handle.status, handle.record.stopReason]).toEqual([before, "shutdown"]);
    const next = await reopened(first);
    expect(await task(next, handle.id).result()).toBe(2);
    expect(task(next, handle.id).record).toMatchObject({ attempt: 2 });
    expect(task(next, handle.id).record.stopReason).toBeUndefined();
  });

  test("when it is queued", async () => {
    const first = await started({ kinds: [kind], concurrency: 1 });
    hold(first.manager);
    const { id } = first.manager.spawn(kind);
    await settled();
    await closed(first);
    expect(task(first, id).status).toBe("queued");
    expect(await task(await reopened(first), id).result()).toBe(2);
  });

  test("one that returns within the grace has succeeded", async () => {
    const returning = durable(async (ctx) => {
      await ctx.cancelled();
      return "saved";
    });
    const first = await started({ kinds: [returning] });
    const handle = first.manager.spawn(returning);
    await settled();
    await closed(first);
    expect(await handle.outcome()).toMatchObject({ status: "succeeded", value: "saved" });
    expect((await outcome(await reopened(first), handle.id)).status).toBe("succeeded");
  });

  test("it can still write until its function is over: a checkpoint, usage, a message", async () => {
    const saving = durable(async (ctx) => {
      if (ctx.attempt > 1) return ctx.lastCheckpoint;
      await ctx.cancelled();
      await ctx.checkpoint("saved");
      ctx.reportUsage({ inputTokens: 1 });
      await ctx.post("bye");
      throw new Error("stopped");
    });
    const first = await started({ kinds: [saving] });
    const handle = first.manager.spawn(saving);
    await settled();
    await closed(first);
    const next = await reopened(first);
    expect(await task(next, handle.id).result()).toBe("saved");
    expect([task(next, handle.id).usage().inputTokens, task(next, handle.id).messages()]).toEqual([
      1,
      handle.messages(),
    ]);
    expect(handle.messages()).toHaveLength(1);
  });

  test("D4 a shutdown uses up no attempt: also the last one goes on, however often", async () => {
    const once = durable(untilStopped, { retry: { maxAttempts: 1 } });
    let process = await started({ kinds: [once] });
    const { id } = process.manager.spawn(once);
    for (let deploy = 0; deploy < 5; deploy++) {
      await settled();
      expect(task(process, id).status).toBe("running");
      await closed(process);
      process = await reopened(process);
    }
    expect(task(process, id).record.attempt).toBe(6);
  });

  test("whether it goes on is asked by the next process, and not by the one that closes", async () => {
    let asked = 0;
    const asking = durable(untilStopped, { canReattach: () => ++asked === 0 });
    const first = await started({ kinds: [asking] });
    const { id } = first.manager.spawn(asking);
    await settled();
    await closed(first);
    expect(asked).toBe(0);
    expect(await outcome(await reopened(first), id)).toMatchObject({ status: "interrupted", reason: "shutdown" });
  });

  test("D4 a next process that does not know it parks it, and the one after that resumes it", async () => {
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind);
    await settled();
    await closed(first);
    const second = await reopened(first, {});
    expect(task(second, id).record).toMatchObject({ status: "blocked", blockedOn: [{ on: "kind", kind: "durable" }] });
    await closed(second);
    const third = await reopened(second, { kinds: [kind] });
    await settled();
    expect(task(third, id).record).toMatchObject({ status: "succeeded", attempt: 2 });
  });

  const waits: readonly [string, (process: Process, handle: TaskHandle) => Promise<unknown>][] = [
    ["result()", (_process, handle) => handle.result()],
    ["outcome()", (_process, handle) => handle.outcome()],
    ["outcome({ timeoutMs })", (_process, handle) => handle.outcome({ timeoutMs: 1_000_000 })],
  ];
  const grouped: typeof waits = [
    ["awaitTasks()", ({ manager }, handle) => manager.awaitTasks([handle])],
    ["a step of outcomes()", ({ manager }, handle) => manager.outcomes([handle])[Symbol.asyncIterator]().next()],
  ];
  const rejects = async (wait: (process: Process, handle: TaskHandle) => Promise<unknown>) => {
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind);
    await settled();
    const waiting = wait(first, handle);
    waiting.catch(() => undefined);
    await closed(first);
    expect(await peek(waiting)).toMatchObject({ is: "rejected", error: { code: "MANAGER_CLOSED" } });
    expect(first.clock.nextAt).toBeUndefined();
  };

  test.each(grouped)("%s outside tasks rejects with ManagerClosedError", (_what, wait) => rejects(wait));
  for (const [what, wait] of waits) test(`${what} outside tasks rejects with ManagerClosedError`, () => rejects(wait));

  test("no end is reported for it", async () => {
    const first = await started({ kinds: [kind] });
    const told = facts(first.manager);
    first.manager.spawn(kind);
    await settled();
    await closed(first);
    expect(told.map(({ type }) => type)).toEqual(["task.created", "task.started", "task.cancelRequested"]);
  });

  test("an in-memory manager has no process to resume it: it is interrupted", async () => {
    const manager = new TaskManager({ kinds: [kind] });
    const handle = manager.spawn(kind);
    await settled();
    await manager.close();
    expect(await handle.outcome()).toMatchObject({ status: "interrupted", reason: "shutdown" });
  });
});

describe("D8 what cannot go on is over", () => {
  test("a plain function is interrupted by the shutdown, in its own process and in the next", async () => {
    const first = await started();
    const obeying = first.manager.spawn(untilStopped);
    const silent = first.manager.spawn(deaf);
    await settled();
    await closed(first);
    const { instanceId, pid } = given(obeying.record.runtime);
    for (const process of [first, await reopened(first)]) {
      for (const { id } of [obeying, silent])
        expect(await outcome(process, id)).toMatchObject({
          status: "interrupted",
          reason: "shutdown",
          instanceId,
          pid,
        });
    }
  });

  test("S5 one that was stopped before ends as that stop says, also when its kind can reattach", async () => {
    const first = await started({ kinds: [kind] });
    const handle = first.manager.spawn(kind);
    await settled();
    void handle.cancel("enough");
    await closed(first);
    expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: "enough" });
    expect((await outcome(await reopened(first), handle.id)).status).toBe("cancelled");
  });

  test("H7 of a family those stay whom the same spawn finds again below one that stays; the others end", async () => {
    const leaf = durable((ctx) => (ctx.attempt === 1 ? untilStopped(ctx) : "leaf"), { name: "leaf" });
    const parent = durable(
      (ctx) => {
        const kept = ctx.spawn(leaf, { id: "kept" });
        if (ctx.attempt > 1) return kept.result();
        ctx.spawn(leaf, { title: "unkeyed" });
        ctx.spawn(untilStopped, { id: "plain" });
        ctx.spawn(leaf, { id: "loose", detached: true });
        return untilStopped(ctx);
      },
      { name: "parent" },
    );
    const first = await started({ kinds: [parent, leaf] });
    first.manager.spawn(parent, { id: "top" });
    first.manager.spawn(
      (ctx) => {
        ctx.spawn(leaf, { id: "of a function" });
        return untilStopped(ctx);
      },
      { id: "function" },
    );
    await settled();
    const unkeyed = given(first.manager.list().find(({ title }) => title === "unkeyed")).id;
    await closed(first);
    const over = ["plain", unkeyed, "function", "of a function"];
    for (const id of over)
      expect(await outcome(first, id)).toMatchObject({ status: "interrupted", reason: "shutdown" });
    for (const id of ["top", "kept", "loose"]) expect(task(first, id).status).toBe("running");
    const next = await reopened(first);
    expect(await task(next, "top").result()).toBe("leaf");
    expect(await task(next, "loose").result()).toBe("leaf");
    expect(task(next, "kept").record.attempt).toBe(2);
  });

  test("H1 a task that has returned keeps its outcome and ends with its children", async () => {
    const parent = durable(
      (ctx) => {
        ctx.spawn(kind, { id: "child" });
        return "returned";
      },
      { name: "parent" },
    );
    const first = await started({ kinds: [parent, kind] });
    const handle = first.manager.spawn(parent);
    await settled();
    await closed(first);
    expect(await handle.outcome()).toMatchObject({ status: "succeeded", value: "returned" });
    expect(await outcome(first, "child")).toMatchObject({ status: "interrupted", reason: "shutdown" });
    const next = await reopened(first);
    expect(await outcome(next, handle.id)).toMatchObject({ status: "succeeded", value: "returned" });
  });

  test("L8 every slot is back, and nothing is left in line", async () => {
    const first = await started({ kinds: [kind], concurrency: 2 });
    for (let n = 0; n < 5; n++) first.manager.spawn(n % 2 === 0 ? kind : deaf);
    await settled();
    await closed(first);
    allFree(first.manager);
  });
});

describe("D8 A3 questions", () => {
  test("a keyed one of a task that stays remains open, and is answered in the next process", async () => {
    const asker = durable((ctx) => ctx.ask({ question: "Which?", key: "which" }));
    const first = await started({ kinds: [asker] });
    const { id } = first.manager.spawn(asker);
    await settled();
    const asked = request(first);
    await closed(first);
    const next = await reopened(first);
    expect(request(next)).toEqual(asked);
    await next.manager.inbox.answer(asked.id, "this", { by: "ann" });
    expect(await task(next, id).result()).toBe("this");
  });

  test("an unkeyed one, and one of a task that is over, is withdrawn", async () => {
    const asker = durable((ctx) => ctx.ask({ question: "Which?" }));
    const first = await started({ kinds: [asker] });
    first.manager.spawn(asker);
    first.manager.spawn((ctx) => ctx.ask({ question: "Plain?", key: "plain" }));
    await settled();
    await closed(first);
    expect(first.store.kept.filter(({ type }) => type === "request.withdrawn")).toHaveLength(2);
    expect((await reopened(first)).manager.inbox.list()).toEqual([]);
  });

  test("a keyed one with an expiry leaves no timer in the process that closed", async () => {
    const asker = durable((ctx) => ctx.ask({ question: "Which?", key: "which", timeoutMs: 1_000_000 }));
    const first = await started({ kinds: [asker] });
    first.manager.spawn(asker);
    await settled();
    await closed(first);
    expect(first.clock.nextAt).toBeUndefined();
  });

  test("a keyed one with an expiry is not changed by the process that closed", async () => {
    const asker = durable((ctx) => ctx.ask({ question: "Which?", key: "which", timeoutMs: 10_000 }));
    const first = await started({ kinds: [asker] });
    first.manager.spawn(asker);
    await settled();
    const { id } = request(first);
    await closed(first);
    await first.pass(10_000);
    expect(first.manager.inbox.get(id)?.status).toBe("open");
  });
});

describe("D8 the flush", () => {
  test("all is stored before `close` resolves, and the store is closed once, after it", async () => {
    const first = await started();
    const told = facts(first.manager);
    hold(first.manager);
    await settled();
    first.store.hold();
    const closing = first.manager.close();
    expect((await peek(closing)).is).toBe("pending");
    expect(first.store.closes).toBe(0);
    first.store.letThrough();
    await closing;
    expect(first.store.calls.at(-1)).toBe("close");
    expect(first.store.kept.at(-1)?.type).toBe("task.interrupted");
    expect(told.at(-1)?.type).toBe("task.interrupted");
  });

  test("twice is once, at the same time and later", async () => {
    const { manager, store } = await started();
    hold(manager);
    await settled();
    await Promise.all([manager.close(), manager.close(), manager[Symbol.asyncDispose]()]);
    await manager.close();
    expect(store.closes).toBe(1);
  });

  test("a store in its pause is tried at once", async () => {
    const { manager, store, pass } = await started();
    store.failure = full;
    manager.spawn(() => "value", { id: "task" });
    await pass(2_000);
    store.failure = undefined;
    await manager.close();
    expect(store.typesOf("task")).toContain("task.created");
  });

  /** Something runs, or nothing does any more and its end is not stored yet. */
  const setting = async (breakDown: (process: Process) => void, isOver = true) => {
    const process = await started({ graceMs: 50 });
    const { manager } = process;
    const running = holdDeaf<string>(manager, { id: "running" });
    const asking = manager.spawn((ctx) => ctx.ask({ question: "Which?" }), { id: "asking" });
    await settled();
    const question = request(process);
    const asked = manager.inbox.watch()[Symbol.asyncIterator]();
    await asked.next();
    breakDown(process);
    const out = {
      checkpoint: running.ctx.checkpoint(1),
      post: running.ctx.post("hello"),
      send: running.handle.send("hello"),
      answer: manager.inbox.answer(question.id, "this", { by: "ann" }),
      twice: manager.inbox.answer(question.id, "that", { by: "bob" }),
      outcome: running.handle.outcome(),
      result: running.handle.result(),
      awaited: manager.awaitTasks([running.handle]),
      step: manager.outcomes([running.handle])[Symbol.asyncIterator]().next(),
      idle: manager.idle(),
      room: manager.room(),
      asker: asking.result(),
    };
    const stored = manager.spawn(() => 1, { id: "late" }).stored();
    const history = running.handle.history();
    const events = last(manager.events({ from: 1 }));
    if (isOver) {
      running.finish("done");
      void manager.get("late")?.cancel();
    }
    const cancels = { cancel: running.handle.cancel(), cancelAll: manager.cancelAll() };
    for (const promise of [...Object.values(out), ...Object.values(cancels), stored, history, events])
      promise.catch(() => undefined);
    await settled();
    return { ...process, running, out: { ...out, ...cancels }, stored, history, events, watching: asked.next() };
  };

  /** The close, which takes no longer than both of its graces. */
  const bounded = async ({ manager, pass }: Process) => {
    const closing = manager.close();
    closing.catch(() => undefined);
    await pass(50);
    await pass(50);
    const seen = await peek(closing);
    if (seen.is === "pending") throw new Error("expected close to be bounded by its grace");
    return seen;
  };

  const outages: readonly [string, (process: Process) => void][] = [
    ["fails", ({ store }) => void (store.failure = full)],
    ["takes for ever", ({ store }) => store.hold()],
  ];

  describe.each(outages)("of a store that %s", (_what, breakDown) => {
    test("is bounded by the grace, and every promise still out rejects with ManagerClosedError", async () => {
      const rejections = await unhandled(async () => {
        const set = await setting(breakDown);
        for (const [name, promise] of Object.entries(set.out))
          expect((await peek<unknown>(promise)).is, name).toBe("pending");
        await bounded(set);
        expect(set.store.closes).toBe(1);
        for (const [name, promise] of Object.entries(set.out))
          expect(await peek<unknown>(promise), name).toMatchObject({
            is: "rejected",
            error: { code: "MANAGER_CLOSED" },
          });
      });
      expect(rejections).toEqual([]);
    });

    test("is bounded by the grace also while tasks run: one for them, one for the flush", async () => {
      const set = await setting(breakDown, false);
      await bounded(set);
      expect([set.running.handle.status, set.store.closes]).toEqual(["cancelled", 1]);
      for (const [name, promise] of Object.entries(set.out))
        expect(await peek<unknown>(promise), name).toMatchObject({ is: "rejected", error: { code: "MANAGER_CLOSED" } });
    });

    test("stored() that is still out rejects with ManagerClosedError", async () => {
      const set = await setting(breakDown);
      await bounded(set);
      expect(await peek(set.stored)).toMatchObject({ is: "rejected", error: { code: "MANAGER_CLOSED" } });
    });

    test("history() that is still out gives what is stored, or rejects with ManagerClosedError", async () => {
      const set = await setting(breakDown);
      await bounded(set);
      const seen = await peek(set.history);
      if (seen.is !== "fulfilled") expect(seen).toMatchObject({ is: "rejected", error: { code: "MANAGER_CLOSED" } });
    });

    test("a loop over events() ends", async () => {
      const set = await setting(breakDown);
      await bounded(set);
      expect((await peek(set.events)).is).not.toBe("pending");
    });

    test("a loop over inbox.watch() ends", async () => {
      const set = await setting(breakDown);
      await bounded(set);
      expect(await peek(set.watching)).toMatchObject({ is: "fulfilled", value: { done: true } });
    });

    test("what is asked for after it rejects, and does not wait for ever", async () => {
      const set = await setting(breakDown);
      await bounded(set);
      for (const asked of [set.running.handle.outcome(), set.manager.idle(), set.running.handle.stored()])
        expect((await peek<unknown>(asked)).is).not.toBe("pending");
    });

    test("leaves no timer", async () => {
      const set = await setting(breakDown);
      await bounded(set);
      expect(set.clock.nextAt).toBeUndefined();
    });

    test("what could not be stored is not there in the next process, and nothing else is lost", async () => {
      const set = await setting(breakDown);
      await bounded(set);
      const next = await set.restart();
      expect(await outcome(next, "running")).toMatchObject({ status: "interrupted", reason: "process_lost" });
      expect(next.manager.get("late")).toBeUndefined();
    });
  });

  test("a commit that fails after the close is not tried again", async () => {
    const set = await setting(({ store }) => store.hold());
    await bounded(set);
    set.store.fail(full);
    await settled();
    expect(set.clock.nextAt).toBeUndefined();
  });

  test("a store whose `close` takes for ever does not keep the close: it has a second, whatever the grace", async () => {
    const set = await setting(() => undefined);
    set.store.close = () => new Promise(() => undefined);
    const closing = set.manager.close();
    await set.pass(50);
    expect((await peek(closing)).is).toBe("pending");
    await set.pass(1_000);
    expect((await peek(closing)).is).toBe("fulfilled");
    expect(set.clock.nextAt).toBeUndefined();
  });

  test("D3 has given the lock back when it resolves, also with no grace at all", async () => {
    const directory = await place();
    for (let life = 0; life < 3; life++) {
      const manager = await TaskManager.open({ store: fileStore(directory) });
      await manager.spawn(() => life).result();
      await manager.close({ graceMs: 0 });
    }
    const last = await TaskManager.open({ store: fileStore(directory) });
    expect(last.list().map(({ output }) => output)).toEqual([0, 1, 2]);
    await last.close();
  });

  test("a commit that is stored after the close tells nothing more", async () => {
    const set = await setting(({ store }) => store.hold());
    const told = facts(set.manager);
    await bounded(set);
    set.store.letThrough();
    await settled();
    expect(told).toEqual([]);
  });

  test("a store whose `close` fails fails the close, and every promise still out settles all the same", async () => {
    const set = await setting(({ store }) => store.hold());
    set.store.closeFailure = full;
    expect(await bounded(set)).toMatchObject({ is: "rejected", error: { code: "STORE_UNAVAILABLE", cause: full } });
    for (const [name, promise] of Object.entries(set.out))
      expect((await peek<unknown>(promise)).is, name).toBe("rejected");
  });
});

/** How many there were, when there are no more. */
async function last(stream: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of stream) count++;
  return count;
}

describe("D8 after it", () => {
  test("functions that are left change nothing: no event, no record, no request, no spawn", async () => {
    const gate = deferred();
    const contexts: TaskContext[] = [];
    const stubborn = durable(async (ctx) => {
      contexts.push(ctx);
      await gate.promise;
      ctx.summary("late");
      ctx.emit("late");
      ctx.progress({ current: 1 });
      ctx.reportUsage({ inputTokens: 1 });
      void ctx.post("late");
      void ctx.checkpoint("late");
      void ctx.ask({ question: "Late?" }).catch(() => undefined);
      return "late";
    });
    const first = await started({ kinds: [stubborn] });
    const staying = first.manager.spawn(stubborn);
    const over = first.manager.spawn(async (ctx) => {
      contexts.push(ctx);
      await gate.promise;
      ctx.summary("late");
    });
    await settled();
    await closed(first);
    const records = first.manager.list();
    const { calls } = first.store;
    const before = calls.length;
    gate.resolve();
    await settled();
    expect(first.manager.list()).toEqual(records);
    expect(calls.length).toBe(before);
    expect(first.manager.inbox.list()).toEqual([]);
    for (const ctx of contexts) refused(() => ctx.spawn(deaf), "SCOPE_CANCELLED");
    expect(first.manager.stats().droppedWrites).toBe(7);
    expect([staying.status, over.status]).toEqual(["running", "interrupted"]);
  });

  test("a process that closes in the turn in which it opened leaves everything for the next", async () => {
    const first = await started({ kinds: [kind] });
    const { id } = first.manager.spawn(kind);
    await settled();
    const second = await first.restart();
    await second.manager.close();
    await setImmediate();
    await settled();
    expect(task(second, id).record).toMatchObject({ status: "queued", attempt: 2 });
    allFree(second.manager);
    const third = await second.restart();
    expect(await task(third, id).result()).toBe(3);
  });

  test("timers of a task that stays are gone", async () => {
    const first = await started({ kinds: [kind] });
    first.manager.spawn(kind, { timeoutMs: 1_000, totalTimeoutMs: 2_000, stallTimeoutMs: 500 });
    await settled();
    await closed(first);
    expect(first.clock.nextAt).toBeUndefined();
  });
});
