// Parents and children: who is whose child, what ends with whom, and what a stopped family still refuses (H0–H6).

import { AsyncLocalStorage } from "node:async_hooks";
import type { ChildrenPolicy, SpawnOptions, TaskContext, TaskHandle, TaskRecord, TaskTree } from "errand";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { deferred, facts, settled } from "../../support/basics.js";
import {
  deaf,
  endsIn,
  errandError,
  given,
  hold,
  holdDeaf,
  isEnd,
  isTerminal,
  refusalOf,
  refused,
  rejected,
  typesOf,
  untilStopped,
  world,
} from "../../support/program.js";

describe("H0 lineage", () => {
  test("H0 manager.spawn inside a task's function makes its child, also after awaits and waits", async () => {
    const { manager, pass } = world();
    const parent = manager.spawn(async (ctx) => {
      const early = manager.spawn(() => "early");
      await settled();
      const late = manager.spawn(() => "late");
      await ctx.sleep(10);
      const last = manager.spawn(() => "last");
      return [early.record, late.record, last.record];
    });
    await settled();
    await pass(10);
    const records = await parent.result();
    expect(records.map((record) => [record.parentId, record.rootId, record.depth])).toEqual([
      [parent.id, parent.id, 1],
      [parent.id, parent.id, 1],
      [parent.id, parent.id, 1],
    ]);
  });

  test("H0 ctx.spawn makes a child of its own task, whatever code calls it", async () => {
    const { manager } = world();
    const outer = hold(manager);
    await settled();
    const outerCtx = outer.ctx;
    const other = manager.spawn(() => outerCtx.spawn(() => 1).record);
    const record = await other.result();
    expect(record.parentId).toBe(outer.handle.id);
  });

  test("H0 outside a task manager.spawn makes a root at depth 0", () => {
    const { manager } = world();
    const { record } = manager.spawn(() => 1);
    expect([record.parentId, record.rootId, record.depth]).toEqual([undefined, record.id, 0]);
  });

  test("H0 tasks that interleave keep each its own children", async () => {
    const { manager } = world();
    const parents = [0, 1, 2].map(() =>
      manager.spawn(async () => {
        const children: TaskRecord[] = [];
        for (let round = 0; round < 3; round += 1) {
          await settled(1);
          children.push(manager.spawn(() => round).record);
        }
        return children.map((child) => child.parentId);
      }),
    );
    for (const parent of parents) expect(await parent.result()).toEqual([parent.id, parent.id, parent.id]);
  });

  test("H0 root: true inside a task makes a task without a parent", async () => {
    const { manager } = world();
    const record = await manager.spawn(() => manager.spawn(() => 1, { root: true }).record).result();
    expect([record.parentId, record.rootId, record.depth]).toEqual([undefined, record.id, 0]);
  });

  test("H0 an explicit parent, by handle or by id, overrides the ambient task", async () => {
    const { manager } = world();
    const parent = hold(manager);
    const records = await manager
      .spawn(() => [
        manager.spawn(() => 1, { parent: parent.handle }).record,
        manager.spawn(() => 1, { parent: parent.handle.id }).record,
      ])
      .result();
    expect(records.map((record) => record.parentId)).toEqual([parent.handle.id, parent.handle.id]);
  });

  test("H0 root together with parent is a TypeError that starts nothing", async () => {
    const { manager } = world();
    const parent = hold(manager);
    const error = await refusalOf(() => manager.spawn(() => 1, { root: true, parent: parent.handle }));
    expect(error).toBeInstanceOf(TypeError);
    expect(manager.list()).toHaveLength(1);
  });

  test("H0 ambient: false makes roots of manager.spawn, while ctx.spawn still makes children", async () => {
    const { manager } = world({ ambient: false });
    const parent = manager.spawn((ctx) => [manager.spawn(() => 1).record, ctx.spawn(() => 1).record]);
    const records = await parent.result();
    expect(records.map((record) => record.parentId)).toEqual([undefined, parent.id]);
  });

  test("H0 a spawn of another manager is a root there", async () => {
    const here = world();
    const there = world();
    const record = await here.manager.spawn(() => there.manager.spawn(() => 1).record).result();
    expect([record.parentId, record.depth]).toEqual([undefined, 0]);
    expect(there.manager.list().map(({ id }) => id)).toEqual([record.id]);
  });

  test("H0 a child is of the run and the session of its parent", async () => {
    const { manager } = world();
    const parent = manager
      .session("chat")
      .spawn(
        (ctx) => [
          ctx.spawn(() => 1).record,
          manager.spawn(() => 1).record,
          ctx.spawn(() => 1, { runId: "run-2" }).record,
        ],
        { runId: "run-1" },
      );
    const records = await parent.result();
    expect(records.map(({ sessionId, runId }) => [sessionId, runId])).toEqual([
      ["chat", "run-1"],
      ["chat", "run-1"],
      ["chat", "run-2"],
    ]);
  });

  test.each([{ agent: "scout" }, { runId: "run-1" }])("H0 a child without options inherits %o alone", async (given) => {
    const { manager } = world();
    const parent = hold(manager, given);
    await settled();
    const child = parent.ctx.spawn(deaf).record;
    expect([child.agent, child.runId]).toEqual([given.agent, given.runId]);
  });

  test("H0 the record keeps runId, callId and agent as they were given", () => {
    const { manager } = world();
    const { record } = manager.spawn(() => 1, { runId: "run-1", callId: "call-1", agent: "scout" });
    expect([record.runId, record.callId, record.agent]).toEqual(["run-1", "call-1", "scout"]);
  });

  test("H0 what a function leaves behind has no ambient task once the function has returned", async () => {
    const { manager } = world();
    const gate = deferred();
    const late = deferred<TaskRecord>();
    const task = manager.spawn(() => {
      void gate.promise.then(() => late.resolve(manager.spawn(() => 1).record));
    });
    await task.result();
    gate.resolve();
    expect((await late.promise).parentId).toBeUndefined();
  });

  test("H0 ambient is over at the return also while the task still waits for its children", async () => {
    const { manager } = world();
    const gate = deferred();
    const late = deferred<TaskRecord>();
    const task = manager.spawn((ctx) => {
      ctx.spawn(untilStopped);
      void gate.promise.then(() => late.resolve(manager.spawn(() => 1).record));
    });
    await settled();
    expect(task.status).toBe("blocked");
    gate.resolve();
    expect((await late.promise).parentId).toBeUndefined();
  });

  /** A task whose leftovers try `manager.spawn` when `gate` opens; gives what that spawn threw. */
  function leftover(work: (ctx: TaskContext) => unknown) {
    const { manager, pass } = world({ graceMs: 100 });
    const gate = deferred();
    const refusal = deferred<unknown>();
    const handle = manager.spawn((ctx) => {
      void gate.promise.then(() => refusal.resolve(refusalOf(() => manager.spawn(() => 1))));
      return work(ctx);
    });
    return {
      handle,
      pass,
      manager,
      attempt: () => {
        gate.resolve();
        return refusal.promise;
      },
    };
  }

  test("H0 after a cancel a spawn from the function is ScopeCancelledError, before and after it settles", async () => {
    const running = leftover(deaf);
    await settled();
    void running.handle.cancel();
    expect(errandError(await running.attempt(), "SCOPE_CANCELLED").scopeId).toBe(running.handle.id);

    const ended = leftover(untilStopped);
    await settled();
    await ended.handle.cancel();
    expect(ended.handle.status).toBe("cancelled");
    errandError(await ended.attempt(), "SCOPE_CANCELLED");
    expect(ended.manager.list()).toHaveLength(1);
  });

  test("H0 after a cancel a spawn from the function is ScopeCancelledError, also when it returned all the same", async () => {
    const { handle, attempt } = leftover((ctx) => ctx.cancelled());
    await settled();
    expect(await handle.cancel()).toMatchObject({ status: "succeeded" });
    errandError(await attempt(), "SCOPE_CANCELLED");
  });

  test("H0 after a failure a spawn from what is left of the function is ScopeCancelledError", async () => {
    const { handle, attempt, manager } = leftover(() => Promise.reject(new Error("broken")));
    await handle.outcome();
    errandError(await attempt(), "SCOPE_CANCELLED");
    expect(manager.list()).toHaveLength(1);
  });

  test("H0 after abandonment a spawn from the function is ScopeCancelledError", async () => {
    const { handle, attempt, manager, pass } = leftover(deaf);
    await settled();
    void handle.cancel();
    await pass(100);
    expect(handle.status).toBe("cancelled");
    errandError(await attempt(), "SCOPE_CANCELLED");
    expect(manager.list()).toHaveLength(1);
  });

  test("H0 a listener runs outside any task, wherever it was added and whatever caused the event", async () => {
    const { manager } = world();
    const heard: (string | undefined)[] = [];
    const parent = manager.spawn(async (ctx) => {
      manager.on("custom", () => heard.push(manager.spawn(() => 1).record.parentId));
      ctx.emit("ping");
      await settled();
      ctx.emit("ping");
      await settled();
    });
    await parent.result();
    expect(heard).toEqual([undefined, undefined]);
  });

  test("H0 a function runs in the async context of its own spawn call, also when it starts later", async () => {
    const { manager } = world({ concurrency: 1 });
    const requests = new AsyncLocalStorage<string>();
    const work = async (): Promise<(string | undefined)[]> => {
      const first = requests.getStore();
      await settled(1);
      return [first, requests.getStore()];
    };
    const first = requests.run("first", () => manager.spawn(work));
    const second = requests.run("second", () => manager.spawn(work));
    const outside = manager.spawn(work);
    expect(await first.result()).toEqual(["first", "first"]);
    expect(await second.result()).toEqual(["second", "second"]);
    expect(await outside.result()).toEqual([undefined, undefined]);
  });

  test("H0 the spawner's async context survives a wait of the task, and reaches its children", async () => {
    const { manager, pass } = world();
    const requests = new AsyncLocalStorage<string>();
    const parent = requests.run("outer", () =>
      manager.spawn(async (ctx) => {
        await ctx.sleep(10);
        const after = requests.getStore();
        const child = ctx.spawn(() => requests.getStore());
        const inner = requests.run("inner", () => ctx.spawn(() => requests.getStore()));
        return [after, await child.result(), await inner.result()];
      }),
    );
    await settled();
    await requests.run("clock", () => pass(10));
    expect(await parent.result()).toEqual(["outer", "outer", "inner"]);
  });
});

describe("H1 a task is not done before its attached children are", () => {
  test("H1 a returned task with a living child is blocked on it, and ends after it with the value it returned", async () => {
    const { manager } = world();
    const told = facts(manager);
    const gate = deferred();
    const parent = manager.spawn((ctx) => {
      ctx.spawn(() => gate.promise, { id: "child" });
      return "value";
    });
    await settled();
    expect(parent.status).toBe("blocked");
    expect(parent.record.blockedOn).toEqual([{ on: "children", taskIds: ["child"] }]);
    expect(told.find((event) => event.type === "task.returned")).toMatchObject({
      taskId: parent.id,
      outcome: { id: parent.id, status: "succeeded", value: "value" },
    });
    expect(endsIn(told)).toEqual([]);
    gate.resolve();
    expect(await parent.outcome()).toEqual({ id: parent.id, status: "succeeded", value: "value" });
    await settled();
    expect(endsIn(told)).toEqual(["child", parent.id]);
    expect(parent.record.blockedOn).toEqual([]);
  });

  test("H1 a task without a living child goes straight to its end", async () => {
    const { manager } = world();
    const told = facts(manager);
    const parent = manager.spawn(async (ctx) => {
      await ctx.spawn(() => 1).result();
    });
    await parent.result();
    await settled();
    expect(told.filter((event) => event.type === "task.returned")).toEqual([]);
  });

  test("H1 a task ends only when the whole tree below it has", async () => {
    const { manager } = world();
    const told = facts(manager);
    const gate = deferred();
    const root = manager.spawn(
      (ctx) => {
        ctx.spawn(
          (middle) => {
            middle.spawn(() => gate.promise, { id: "leaf" });
          },
          { id: "middle" },
        );
      },
      { id: "root" },
    );
    await settled();
    expect([root.status, manager.get("middle")?.status, manager.get("leaf")?.status]).toEqual([
      "blocked",
      "blocked",
      "running",
    ]);
    gate.resolve();
    await root.outcome();
    await settled();
    expect(endsIn(told)).toEqual(["leaf", "middle", "root"]);
  });

  test("H1 a task that waits for its children holds no slot", async () => {
    const { manager } = world({ concurrency: 1 });
    const ran: string[] = [];
    const parent = manager.spawn((ctx) => {
      for (const name of ["a", "b"]) ctx.spawn(() => void ran.push(name));
    });
    expect((await parent.outcome()).status).toBe("succeeded");
    expect(ran).toEqual(["a", "b"]);
    expect(manager.stats().lanes["default"]).toMatchObject({ held: 0, free: 1 });
  });

  test("H1 after the return a cancel only cancels the children: the outcome is final", async () => {
    const { manager } = world();
    const told = facts(manager);
    const child = deferred<TaskHandle>();
    const parent = manager.spawn((ctx) => {
      child.resolve(ctx.spawn(untilStopped));
      return "kept";
    });
    await settled();
    expect(await parent.cancel("enough")).toEqual({ id: parent.id, status: "succeeded", value: "kept" });
    expect(await (await child.promise).outcome()).toMatchObject({ status: "cancelled", reason: "enough" });
    await settled();
    expect(endsIn(told)).toEqual([(await child.promise).id, parent.id]);
  });

  test("H1 after the return the total timeout only cancels the children", async () => {
    const { manager, pass } = world();
    const child = deferred<TaskHandle>();
    const parent = manager.spawn(
      (ctx) => {
        child.resolve(ctx.spawn(untilStopped));
        return "kept";
      },
      { totalTimeoutMs: 100, timeoutMs: 10 },
    );
    await settled();
    await pass(99);
    expect(parent.status).toBe("blocked");
    await pass(1);
    expect(await parent.outcome()).toEqual({ id: parent.id, status: "succeeded", value: "kept" });
    expect(await (await child.promise).outcome()).toMatchObject({ status: "cancelled", reason: "total_timeout" });
  });

  test("H1 a failed child of a returned task changes nothing in the parent's outcome", async () => {
    const { manager } = world();
    const parent = manager.spawn((ctx) => {
      ctx.spawn(() => Promise.reject(new Error("broken")));
      return "kept";
    });
    expect(await parent.outcome()).toEqual({ id: parent.id, status: "succeeded", value: "kept" });
  });

  test("H1 a throw cancels the children first, and then fails the task", async () => {
    const { manager } = world();
    const told = facts(manager);
    const child = deferred<TaskHandle>();
    const parent = manager.spawn((ctx) => {
      child.resolve(ctx.spawn(untilStopped));
      throw new Error("broken");
    });
    const outcome = await parent.outcome();
    expect(outcome).toMatchObject({ status: "failed", error: { code: "error", message: "broken" } });
    const childHandle = await child.promise;
    expect(await childHandle.outcome()).toMatchObject({ status: "cancelled", reason: "error" });
    expect(childHandle.record.stopReason).toBe("cancel");
    await settled();
    expect(endsIn(told)).toEqual([childHandle.id, parent.id]);
  });

  test("H1 a task that threw waits, blocked, for the children it swept", async () => {
    const { manager } = world();
    const parent = manager.spawn(async (ctx) => {
      ctx.spawn(deaf, { id: "child", graceMs: 50 });
      await settled();
      throw new Error("broken");
    });
    await settled(20);
    expect(parent.status).toBe("blocked");
    expect(parent.record.blockedOn).toEqual([{ on: "children", taskIds: ["child"] }]);
  });

  test("H1 after the return the context refuses waits and spawns and drops writes", async () => {
    const { manager } = world();
    const told = facts(manager);
    const parent = hold(manager);
    await settled();
    const { ctx } = parent;
    const child = hold(ctx);
    await settled();
    parent.finish();
    await settled();
    expect(parent.handle.status).toBe("blocked");
    const before = told.length;
    expect(refused(() => ctx.spawn(() => 1), "TASK_TERMINATED").taskId).toBe(parent.handle.id);
    expect(refused(() => manager.spawn(() => 1, { parent: parent.handle }), "TASK_TERMINATED").taskId).toBe(
      parent.handle.id,
    );
    await rejected(() => ctx.sleep(1), "TASK_TERMINATED");
    await rejected(() => ctx.ask({ question: "still there?" }), "TASK_TERMINATED");
    await rejected(() => ctx.receive(), "TASK_TERMINATED");
    await rejected(() => ctx.awaitTasks([child.handle]), "TASK_TERMINATED");
    const dropped = manager.stats().droppedWrites;
    ctx.emit("late");
    ctx.summary("late");
    ctx.progress({ current: 1 });
    ctx.artifact({ name: "late", type: "text/plain", data: "late" });
    await settled();
    expect(told.slice(before)).toEqual([]);
    expect(manager.stats().droppedWrites).toBe(dropped + 4);
    expect([parent.handle.record.summary, parent.handle.record.artifacts]).toEqual([undefined, []]);
  });

  test("H1 a failed function's context refuses waits and spawns with ScopeCancelledError", async () => {
    const { manager } = world();
    const task = hold(manager);
    await settled();
    const { ctx } = task;
    task.fail(new Error("broken"));
    await settled();
    refused(() => ctx.spawn(() => 1), "SCOPE_CANCELLED");
    await rejected(() => ctx.sleep(1), "SCOPE_CANCELLED");
  });

  test("H1 waits still pending when the function settles are withdrawn, read or unread", async () => {
    const { manager } = world();
    const told = facts(manager);
    const read = deferred<unknown>();
    const task = manager.spawn((ctx) => {
      void ctx.sleep(1_000_000);
      void ctx.ask({ question: "unread" });
      read.resolve(refusalOf(() => ctx.sleep(1_000_000)));
      return "done";
    });
    expect(await task.result()).toBe("done");
    errandError(await read.promise, "TASK_TERMINATED");
    await settled();
    expect(typesOf(told, task.id)).toContain("request.withdrawn");
    expect(manager.inbox.list()).toEqual([]);
    expect(endsIn(told)).toEqual([task.id]);
  });

  test('H1 children: "cancel" cancels the living children on return, and ends after them', async () => {
    const { manager, pass } = world();
    const told = facts(manager);
    const parent = manager.spawn(
      async (ctx) => {
        ctx.spawn(untilStopped, { id: "obedient" });
        ctx.spawn(deaf, { id: "deaf", graceMs: 100 });
        await settled(1);
        return "value";
      },
      { children: "cancel" },
    );
    await settled();
    expect(manager.get("obedient")?.record).toMatchObject({
      status: "cancelled",
      reason: "returned",
      stopReason: "cancel",
    });
    expect([parent.status, manager.get("deaf")?.status]).toEqual(["blocked", "running"]);
    await pass(100);
    expect(await parent.outcome()).toEqual({ id: parent.id, status: "succeeded", value: "value" });
    expect(endsIn(told)).toEqual(["obedient", "deaf", parent.id]);
  });

  test('H1 children: "detach" lets the living children go on return, and ends at once', async () => {
    const { manager } = world();
    const told = facts(manager);
    const gate = deferred();
    const parent = manager.spawn(
      (ctx) => {
        ctx.spawn(() => gate.promise, { id: "child" });
        return "value";
      },
      { children: "detach" },
    );
    expect(await parent.result()).toBe("value");
    await settled();
    const child = given(manager.get("child"));
    expect([child.status, child.record.detached, child.record.parentId]).toEqual(["running", true, parent.id]);
    expect(endsIn(told)).toEqual([parent.id]);
    const detached = told.findIndex((event) => event.type === "task.updated" && event.patch.detached === true);
    expect(told[detached]?.taskId).toBe("child");
    expect(detached).toBeLessThan(told.findIndex(isEnd));
    gate.resolve();
    expect((await child.outcome()).status).toBe("succeeded");
  });

  test('H2 children: "detach" detaches no child when the task was stopped, though it returned', async () => {
    const { manager, pass } = world({ graceMs: 100 });
    const parent = manager.spawn(
      async (ctx) => {
        ctx.spawn(deaf, { id: "child" });
        await ctx.cancelled();
        return "value";
      },
      { children: "detach" },
    );
    await settled();
    void parent.cancel();
    await settled();
    expect(manager.get("child")?.record).toMatchObject({ status: "running", detached: false });
    expect(parent.record).toMatchObject({ status: "blocked", blockedOn: [{ on: "children", taskIds: ["child"] }] });
    await pass(100);
    expect([manager.get("child")?.status, parent.status]).toEqual(["cancelled", "succeeded"]);
  });

  test('H1 a throw sweeps the children also under children: "detach"', async () => {
    const { manager } = world();
    const parent = manager.spawn(
      async (ctx) => {
        ctx.spawn(untilStopped, { id: "child" });
        await settled();
        throw new Error("broken");
      },
      { children: "detach" },
    );
    expect((await parent.outcome()).status).toBe("failed");
    expect(manager.get("child")?.record).toMatchObject({ status: "cancelled", reason: "error", detached: false });
  });

  test('H1 children: "cancel" leaves a detached child alone', async () => {
    const { manager } = world();
    const parent = manager.spawn(
      (ctx) => {
        ctx.spawn(untilStopped, { id: "child", detached: true });
      },
      { children: "cancel" },
    );
    await parent.result();
    await settled();
    expect(manager.get("child")?.status).toBe("running");
  });
});

describe("H2 a stop sweeps the attached descendants", () => {
  /** root → middle → leaf, all running and obedient, and a sibling tree beside them. */
  async function family(options: SpawnOptions = {}) {
    const made = world();
    const told = facts(made.manager);
    const root = hold(made.manager, { id: "root", ...options });
    await settled();
    const middle = hold(root.ctx, { id: "middle" });
    await settled();
    const leaf = hold(middle.ctx, { id: "leaf" });
    const other = hold(made.manager, { id: "other" });
    await settled();
    return { ...made, told, root, middle, leaf, other };
  }

  test("H2 the sweep is one command: every descendant has its intent when cancel returns, every abort in that turn", async () => {
    const { root, middle, leaf, other, told } = await family();
    const signals = [root, middle, leaf].map(({ ctx }) => ctx.signal);
    void root.handle.cancel("stop");
    for (const { handle, ctx } of [root, middle, leaf]) {
      expect(handle.record).toMatchObject({ stopReason: "cancel", reason: "stop" });
      expect(ctx.isCancelled).toBe(true);
    }
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, false]);
    await settled(1);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true, true]);
    await settled();
    expect(endsIn(told)).toEqual(["leaf", "middle", "root"]);
    expect([other.handle.status, other.handle.record.stopReason]).toEqual(["running", undefined]);
  });

  test("H2 every swept task carries the words of the cancel, and its signal the id of its own task", async () => {
    const { root, middle, leaf } = await family();
    await root.handle.cancel("no longer needed");
    for (const { handle, ctx } of [root, middle, leaf]) {
      expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: "no longer needed" });
      const reason = errandError(ctx.signal.reason, "TASK_CANCELLED");
      expect([reason.taskId, reason.reason]).toEqual([handle.id, "no longer needed"]);
    }
  });

  test("H2 cancelling a child leaves its parent and its siblings alone", async () => {
    const { root, middle, leaf } = await family();
    const sibling = hold(root.ctx);
    await settled();
    await middle.handle.cancel();
    expect([root.handle.status, sibling.handle.status, middle.handle.status, leaf.handle.status]).toEqual([
      "running",
      "running",
      "cancelled",
      "cancelled",
    ]);
    expect(root.ctx.isCancelled).toBe(false);
  });

  test("H2 a swept queued task ends at once and never starts", async () => {
    const { manager } = world({ concurrency: 1 });
    const told = facts(manager);
    const root = hold(manager);
    await settled();
    const queued = hold(root.ctx);
    const below = hold(manager, { parent: queued.handle });
    void root.handle.cancel("stop");
    expect([queued.handle.status, below.handle.status]).toEqual(["cancelled", "cancelled"]);
    await settled();
    expect([queued.started, below.started]).toEqual([false, false]);
    expect(endsIn(told)).toEqual([below.handle.id, queued.handle.id, root.handle.id]);
    for (const { handle } of [below, queued]) {
      expect(typesOf(told, handle.id)).toEqual(["task.created", "task.cancelRequested", "task.cancelled"]);
    }
  });

  test("H2 a swept task that returns all the same has succeeded (C1)", async () => {
    const { manager } = world();
    const root = hold(manager);
    await settled();
    const child = holdDeaf<string>(root.ctx);
    await settled();
    const cancelled = root.handle.cancel();
    await settled();
    child.finish("finished the page");
    expect(await child.handle.outcome()).toMatchObject({ status: "succeeded", value: "finished the page" });
    expect((await cancelled).status).toBe("cancelled");
  });

  test.each([
    { code: "timeout", options: { timeoutMs: 100 } },
    { code: "total_timeout", options: { totalTimeoutMs: 100 } },
    { code: "stalled", options: { stallTimeoutMs: 100 } },
  ])("H2 tasks swept by a failure carry the ancestor's code as reason: $code", async ({ code, options }) => {
    const { root, middle, leaf, pass, told } = await family(options);
    await pass(100);
    expect(await root.handle.outcome()).toMatchObject({ status: "failed", error: { code } });
    for (const { handle } of [middle, leaf]) {
      expect(await handle.outcome()).toMatchObject({ status: "cancelled", reason: code });
      expect(handle.record.stopReason).toBe("cancel");
    }
    expect(endsIn(told)).toEqual(["leaf", "middle", "root"]);
  });

  test("H2 tasks swept by a rejection their ancestor let through carry `rejected` as reason", async () => {
    const { manager } = world();
    const root = manager.spawn(async (ctx) => {
      ctx.spawn(untilStopped, { id: "child" });
      await ctx.approve("go on?");
    });
    await settled();
    await manager.inbox.reject(given(manager.inbox.list()[0]).id, "not today", { by: "ann" });
    expect(await root.outcome()).toMatchObject({ status: "failed", error: { code: "rejected" } });
    expect(manager.get("child")?.record).toMatchObject({ status: "cancelled", reason: "rejected" });
  });

  test("H2 a detached task and what is attached below it outlive the sweep, and go on spawning", async () => {
    const { manager } = world();
    const root = hold(manager);
    await settled();
    const loose = hold(root.ctx, { detached: true });
    await settled();
    const below = hold(loose.ctx);
    await settled();
    expect((await root.handle.cancel()).status).toBe("cancelled");
    expect([loose.handle.status, below.handle.status]).toEqual(["running", "running"]);
    expect(loose.ctx.spawn(() => 1).record.parentId).toBe(loose.handle.id);
  });

  test("H2 a failure of a task leaves its detached children alone", async () => {
    const { manager } = world();
    const root = hold(manager);
    await settled();
    const loose = hold(root.ctx, { detached: true });
    await settled();
    root.fail(new Error("broken"));
    expect((await root.handle.outcome()).status).toBe("failed");
    await settled();
    expect(loose.handle.status).toBe("running");
  });

  test("H2 the sweep reaches living descendants through finished ones", async () => {
    const { manager } = world();
    const root = hold(manager);
    await settled();
    const middle = hold(root.ctx);
    await settled();
    const leaf = hold(middle.ctx);
    await settled();
    middle.finish();
    await settled();
    expect(middle.handle.status).toBe("blocked");
    await root.handle.cancel("stop");
    expect(await leaf.handle.outcome()).toMatchObject({ status: "cancelled", reason: "stop" });
    expect((await middle.handle.outcome()).status).toBe("succeeded");
  });

  test("H2 parent pointers never change: a detached child stays in the list and the tree of its parent", async () => {
    const { manager } = world();
    const root = hold(manager, { children: "detach" });
    await settled();
    const child = hold(root.ctx);
    await settled();
    root.finish();
    await root.handle.outcome();
    await settled();
    expect([child.handle.record.parentId, child.handle.record.rootId]).toEqual([root.handle.id, root.handle.id]);
    expect(manager.list({ parentId: root.handle.id }).map(({ id }) => id)).toEqual([child.handle.id]);
    expect(manager.tree(root.handle.id)[0]?.children.map(({ record }) => record.id)).toEqual([child.handle.id]);
  });
});

describe("H3 a stopped task refuses late and nested spawns for ever", () => {
  test("H3 the refusal begins with the sweep, in the same call, for the task and for what is below it", async () => {
    const { manager } = world();
    const root = hold(manager);
    await settled();
    const child = hold(root.ctx);
    await settled();
    void root.handle.cancel();
    const spawns = [
      () => root.ctx.spawn(() => 1),
      () => child.ctx.spawn(() => 1),
      () => manager.spawn(() => 1, { parent: root.handle }),
      () => manager.spawn(() => 1, { parent: child.handle }),
      () => root.ctx.spawn(() => 1, { detached: true }),
    ];
    expect(refused(given(spawns[0]), "SCOPE_CANCELLED").scopeId).toBe(root.handle.id);
    for (const spawn of spawns) refused(spawn, "SCOPE_CANCELLED");
    expect(manager.list()).toHaveLength(2);
    await root.handle.outcome();
    for (const spawn of spawns) refused(spawn, "SCOPE_CANCELLED");
    expect(manager.list()).toHaveLength(2);
  });

  test("H3 a function that swallows its cancel and spawns again is refused again", async () => {
    const { manager } = world();
    const refusals: unknown[] = [];
    const task = manager.spawn(async (ctx) => {
      await ctx.sleep(1_000).catch(() => undefined);
      for (let round = 0; round < 3; round += 1) {
        refusals.push(await refusalOf(() => ctx.spawn(() => 1)), await refusalOf(() => manager.spawn(() => 1)));
        await settled(1);
      }
    });
    await settled();
    await task.cancel();
    expect(refusals).toHaveLength(6);
    for (const refusal of refusals) errandError(refusal, "SCOPE_CANCELLED");
    expect(manager.list()).toHaveLength(1);
  });

  test.each([
    { stop: "timeoutMs", options: { timeoutMs: 100 } },
    { stop: "totalTimeoutMs", options: { totalTimeoutMs: 100 } },
    { stop: "stallTimeoutMs", options: { stallTimeoutMs: 100 } },
  ])("H3 a task stopped by $stop refuses spawns while its function goes on", async ({ options }) => {
    const { manager, pass } = world();
    const task = holdDeaf(manager, options);
    await settled();
    await pass(100);
    refused(() => task.ctx.spawn(() => 1), "SCOPE_CANCELLED");
    task.finish();
    await task.handle.outcome();
    refused(() => manager.spawn(() => 1, { parent: task.handle }), "SCOPE_CANCELLED");
  });

  test("H3 a task cancelled while queued refuses children", async () => {
    const { manager } = world({ concurrency: 1 });
    hold(manager);
    const queued = hold(manager);
    void queued.handle.cancel();
    refused(() => manager.spawn(() => 1, { parent: queued.handle }), "SCOPE_CANCELLED");
  });

  test("H3 a parent that is over without a stop refuses children as over", async () => {
    const { manager } = world();
    const parent = manager.spawn(() => 1);
    await parent.result();
    expect(refused(() => manager.spawn(() => 1, { parent }), "TASK_TERMINATED").taskId).toBe(parent.id);
  });

  test("H3 a parent that failed without a stop refuses children as stopped", async () => {
    const { manager } = world();
    const parent = manager.spawn(() => Promise.reject(new Error("broken")));
    await parent.outcome();
    expect(refused(() => manager.spawn(() => 1, { parent }), "SCOPE_CANCELLED").scopeId).toBe(parent.id);
  });
});

describe("H4 limits", () => {
  test("H4 maxDepth is 8 unless set: depth 8 starts, depth 9 is refused in words a model can act on", () => {
    const { manager } = world();
    let parent = manager.spawn(deaf);
    for (let depth = 1; depth <= 8; depth += 1) {
      parent = manager.spawn(deaf, { parent });
      expect(parent.record.depth).toBe(depth);
    }
    const error = refused(() => manager.spawn(deaf, { parent }), "LIMIT_EXCEEDED");
    expect([error.limit, error.max]).toEqual(["maxDepth", 8]);
    expect(error.message).toMatch(/8/);
    expect(manager.list()).toHaveLength(9);
  });

  test("H4 maxDepth counts from the root at 0", async () => {
    const { manager } = world({ limits: { maxDepth: 1 } });
    const parent = manager.spawn(async (ctx) => {
      const child = ctx.spawn(async (inner) => refusalOf(() => inner.spawn(() => 1)));
      return child.result();
    });
    expect(errandError(await parent.result(), "LIMIT_EXCEEDED").max).toBe(1);
  });

  test("H4 a limit says in words what a model can do instead", async () => {
    const { manager } = world({ limits: { maxDepth: 1, maxChildren: 2, maxDescendants: 3 } });
    const parent = hold(manager);
    await settled();
    const child = manager.spawn(deaf, { parent: parent.handle });
    const words = (parent: TaskHandle): string =>
      refused(() => manager.spawn(deaf, { parent }), "LIMIT_EXCEEDED").message;
    expect(words(child)).toContain(`do this work in ${child.id} itself`);
    manager.spawn(deaf, { parent: parent.handle });
    expect(words(parent.handle)).toContain(`${parent.handle.id} has 2 living children: wait for one to end`);

    const wide = world({ limits: { maxDescendants: 1 } }).manager;
    const root = wide.spawn(deaf);
    wide.spawn(deaf, { parent: root });
    const { message } = refused(() => wide.spawn(deaf, { parent: root }), "LIMIT_EXCEEDED");
    expect(message).toContain(`1 tasks live below root ${root.id}: wait for one to end`);
  });

  test("H4 maxChildren counts the living children of one parent, and a refusal starts nothing", async () => {
    const { manager } = world({ limits: { maxChildren: 2 } });
    const told = facts(manager);
    const root = hold(manager);
    await settled();
    const [first] = [hold(root.ctx), hold(root.ctx)];
    const error = refused(() => root.ctx.spawn(() => 1), "LIMIT_EXCEEDED");
    expect([error.limit, error.max]).toEqual(["maxChildren", 2]);
    expect(error.message).toMatch(/2/);
    await settled();
    expect(told.filter((event) => event.type === "task.created")).toHaveLength(3);
    first.finish();
    await first.handle.outcome();
    hold(root.ctx);
    refused(() => root.ctx.spawn(() => 1), "LIMIT_EXCEEDED");
  });

  test("H4 maxChildren is per parent: roots have none, and a grandchild is its own parent's", async () => {
    const { manager } = world({ limits: { maxChildren: 1 } });
    const roots = [hold(manager), hold(manager), hold(manager)];
    await settled();
    const child = hold(given(roots[0]).ctx);
    await settled();
    hold(child.ctx);
    expect(manager.list()).toHaveLength(5);
  });

  test("H4 maxDescendants counts the living tasks below one root, over all depths", async () => {
    const { manager } = world({ limits: { maxDescendants: 3 } });
    const root = hold(manager);
    const other = hold(manager);
    await settled();
    const child = hold(root.ctx);
    await settled();
    const leaf = hold(child.ctx);
    hold(child.ctx);
    for (const spawn of [() => child.ctx.spawn(() => 1), () => root.ctx.spawn(() => 1)]) {
      const error = refused(spawn, "LIMIT_EXCEEDED");
      expect([error.limit, error.max]).toEqual(["maxDescendants", 3]);
    }
    hold(other.ctx);
    await settled();
    leaf.finish();
    await leaf.handle.outcome();
    hold(root.ctx);
    refused(() => root.ctx.spawn(() => 1), "LIMIT_EXCEEDED");
  });

  test("H4 a refused spawn inside a function is an error its code can catch and go on from", async () => {
    const { manager } = world({ limits: { maxChildren: 1 } });
    const task = manager.spawn(async (ctx) => {
      ctx.spawn(() => 1);
      const error = await refusalOf(() => ctx.spawn(() => 2));
      return errandError(error, "LIMIT_EXCEEDED").limit;
    });
    expect(await task.result()).toBe("maxChildren");
  });
});

describe("H5 a failing child", () => {
  test("H5 a failing child never fails its parent by itself: its outcome is a value the parent reads", async () => {
    const { manager } = world();
    const boom = new Error("boom");
    const parent = manager.spawn(async (ctx) => {
      const child = ctx.spawn((): number => {
        throw boom;
      });
      return child.outcome();
    });
    const outcome = await parent.result();
    expect(outcome).toMatchObject({ status: "failed", error: { code: "error", message: "boom" } });
    expect(outcome.status === "failed" && outcome.error.cause).toBe(boom);
    expect(parent.status).toBe("succeeded");
  });

  test("H5 a cancelled child never cancels its parent", async () => {
    const { manager } = world();
    const parent = manager.spawn(async (ctx) => {
      const child = ctx.spawn(untilStopped);
      await settled();
      return (await child.cancel("enough")).status;
    });
    expect(await parent.result()).toBe("cancelled");
    expect(parent.status).toBe("succeeded");
  });

  test("H5 a failing child leaves its siblings running", async () => {
    const { manager } = world();
    const parent = hold(manager);
    await settled();
    const sibling = hold(parent.ctx);
    const failing = hold(parent.ctx);
    await settled();
    failing.fail(new Error("broken"));
    await failing.handle.outcome();
    await settled();
    expect([sibling.handle.status, parent.handle.status]).toEqual(["running", "running"]);
  });
});

describe("H6 usage adds up along the ancestors", () => {
  test("H6 a report counts for the task and every ancestor, and for no sibling", async () => {
    const { manager } = world();
    const root = hold(manager);
    await settled();
    const child = hold(root.ctx);
    const sibling = hold(root.ctx);
    await settled();
    const leaf = hold(child.ctx);
    await settled();
    root.ctx.reportUsage({ inputTokens: 1 });
    child.ctx.reportUsage({ inputTokens: 10, outputTokens: 5 });
    leaf.ctx.reportUsage({ inputTokens: 100, costUsd: 0.5 });
    leaf.ctx.reportUsage({ outputTokens: 7 });
    expect(root.handle.usage()).toEqual({ inputTokens: 111, outputTokens: 12, costUsd: 0.5, tasks: 4 });
    expect(child.handle.usage()).toEqual({ inputTokens: 110, outputTokens: 12, costUsd: 0.5, tasks: 2 });
    expect(leaf.handle.usage()).toEqual({ inputTokens: 100, outputTokens: 7, costUsd: 0.5, tasks: 1 });
    expect(sibling.handle.usage()).toEqual({ inputTokens: 0, outputTokens: 0, costUsd: 0, tasks: 1 });
    expect(root.handle.record.usage).toEqual(root.handle.usage());
  });

  test("H6 usage passes through detached tasks, also after the parent has ended", async () => {
    const { manager } = world();
    const root = hold(manager);
    await settled();
    const loose = hold(root.ctx, { detached: true });
    await settled();
    loose.ctx.reportUsage({ inputTokens: 10 });
    expect(root.handle.usage()).toMatchObject({ inputTokens: 10, tasks: 2 });
    root.finish();
    await root.handle.outcome();
    loose.ctx.reportUsage({ inputTokens: 5 });
    const below = hold(loose.ctx);
    await settled();
    below.ctx.reportUsage({ outputTokens: 3 });
    expect(root.handle.usage()).toMatchObject({ inputTokens: 15, outputTokens: 3, tasks: 3 });
  });

  test("H6 usage passes through children let go by `detach`", async () => {
    const { manager } = world();
    const root = hold(manager, { children: "detach" });
    await settled();
    const child = hold(root.ctx);
    await settled();
    root.finish();
    await root.handle.outcome();
    child.ctx.reportUsage({ costUsd: 1.25 });
    expect(root.handle.usage()).toMatchObject({ costUsd: 1.25, tasks: 2 });
  });

  test("H6 what ended below keeps counting", async () => {
    const { manager } = world();
    const root = hold(manager);
    await settled();
    await root.ctx.spawn((ctx) => ctx.reportUsage({ inputTokens: 4 })).result();
    expect(root.handle.usage()).toMatchObject({ inputTokens: 4, tasks: 2 });
  });
});

describe("tree", () => {
  const shape = (trees: readonly TaskTree[]): unknown[] =>
    trees.map(({ record, children }) => (children.length === 0 ? record.id : [record.id, ...shape(children)]));

  test("§4 tree() gives every root with what is below it, by creation, with usage at every node", async () => {
    const { manager } = world();
    const a = hold(manager, { id: "a" });
    hold(manager, { id: "b" });
    await settled();
    const a1 = hold(a.ctx, { id: "a1" });
    hold(a.ctx, { id: "a2", detached: true });
    await settled();
    hold(a1.ctx, { id: "a11" });
    await settled();
    a1.ctx.reportUsage({ inputTokens: 3 });
    expect(shape(manager.tree())).toEqual([["a", ["a1", "a11"], "a2"], "b"]);
    expect(manager.tree()[0]?.usage).toEqual({ inputTokens: 3, outputTokens: 0, costUsd: 0, tasks: 4 });
    expect(manager.tree()[0]?.children[0]?.usage).toEqual({ inputTokens: 3, outputTokens: 0, costUsd: 0, tasks: 2 });
  });

  test("§4 tree(id) gives the one tree under it, and nothing for an unknown id", async () => {
    const { manager } = world();
    const a = hold(manager, { id: "a" });
    await settled();
    const a1 = hold(a.ctx, { id: "a1" });
    await settled();
    hold(a1.ctx, { id: "a11" });
    expect(shape(manager.tree("a1"))).toEqual([["a1", "a11"]]);
    expect(manager.tree("nobody")).toEqual([]);
  });
});

describe("any family", () => {
  type End = "return" | "throw" | "hang" | "deaf";
  interface Plan {
    readonly ms: number;
    readonly end: End;
    readonly joins: boolean;
    readonly policy: ChildrenPolicy;
    readonly detached: boolean;
    readonly timeoutMs: number | undefined;
    readonly totalTimeoutMs: number | undefined;
    readonly children: readonly Plan[];
  }
  interface Stop {
    readonly at: number;
    readonly whom: number;
  }

  const above = (children: fc.Arbitrary<Plan[]>): fc.Arbitrary<Plan> =>
    fc.record({
      ms: fc.integer({ min: 0, max: 40 }),
      end: fc.constantFrom<End>("return", "return", "throw", "hang", "deaf"),
      joins: fc.boolean(),
      policy: fc.constantFrom<ChildrenPolicy>("await", "cancel", "detach"),
      detached: fc.boolean(),
      timeoutMs: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined, freq: 4 }),
      totalTimeoutMs: fc.option(fc.integer({ min: 1, max: 40 }), { nil: undefined, freq: 4 }),
      children,
    });
  const leaf = above(fc.constant([]));
  const middle = above(fc.array(leaf, { maxLength: 3 }));
  const root = above(fc.array(middle, { maxLength: 3 }));
  const stops = fc.array(fc.record({ at: fc.integer({ min: 0, max: 11 }), whom: fc.nat(30) }), { maxLength: 4 });

  const optionsOf = ({ detached, policy, timeoutMs, totalTimeoutMs }: Plan): SpawnOptions => ({
    detached,
    children: policy,
    timeoutMs,
    totalTimeoutMs,
    graceMs: 20,
  });
  const workOf =
    (plan: Plan) =>
    async (ctx: TaskContext): Promise<string> => {
      const children = plan.children.map((child) => ctx.spawn(workOf(child), optionsOf(child)));
      if (plan.joins) await ctx.awaitTasks(children, { timeoutMs: 30 });
      await ctx.sleep(plan.ms);
      if (plan.end === "hang") await untilStopped(ctx);
      if (plan.end === "deaf") await deaf();
      if (plan.end === "throw") throw new Error("broken");
      return "done";
    };

  async function run(plans: readonly Plan[], concurrency: number, cancels: readonly Stop[]) {
    const { manager, pass } = world({ concurrency });
    const told = facts(manager);
    const breaches: string[] = [];
    const family = new Map<string, { parent: string | undefined; attached: boolean; ended: boolean }>();
    let read = 0;

    /** The law, over what the events say so far and over what the manager says now. */
    const check = (): void => {
      for (; read < told.length; read += 1) {
        const event = given(told[read]);
        if (event.type === "task.created") {
          const { parentId, detached } = event.record;
          family.set(event.taskId, { parent: parentId, attached: !detached, ended: false });
        }
        const member = given(family.get(event.taskId));
        if (event.type === "task.updated" && event.patch.detached === true) member.attached = false;
        if (isEnd(event)) {
          if (member.ended) breaches.push(`${event.taskId} ended twice`);
          member.ended = true;
        }
        for (const [id, { parent, attached, ended }] of family) {
          if (parent !== undefined && attached && !ended && family.get(parent)?.ended === true) {
            breaches.push(`told at ${event.type} of ${event.taskId}: ${parent} is over, its child ${id} is not`);
          }
        }
      }
      const records = new Map(manager.list().map((record) => [record.id, record]));
      for (const { id, parentId, detached, status } of records.values()) {
        const parent = parentId === undefined ? undefined : records.get(parentId);
        if (parent !== undefined && isTerminal(parent.status) && !detached && !isTerminal(status)) {
          breaches.push(`${parent.id} is over, its child ${id} is ${status}`);
        }
      }
    };
    for (const type of [
      "task.created",
      "task.started",
      "task.blocked",
      "task.resumed",
      "task.updated",
      "task.returned",
      "task.cancelRequested",
      "task.abandoned",
      "task.succeeded",
      "task.failed",
      "task.cancelled",
    ] as const) {
      manager.on(type, check);
    }

    for (const plan of plans) manager.spawn(workOf(plan), optionsOf(plan));
    for (let step = 0; step < 12; step += 1) {
      for (const { at, whom } of cancels) {
        const records = manager.list();
        const chosen = records[whom % Math.max(1, records.length)];
        if (at === step && chosen !== undefined) void manager.get(chosen.id)?.cancel();
      }
      await pass(10);
    }
    const rest = manager.cancelAll();
    await pass(20);
    await rest;
    check();
    const living = manager
      .list()
      .filter(({ status }) => !isTerminal(status))
      .map(({ id, status }) => `${id} ${status}`);
    const unheard = [...family].filter(([, { ended }]) => !ended).map(([id]) => id);
    return { breaches, living, unheard, stats: manager.stats() };
  }

  test("H1 at every delivered event a terminal task has no living attached child, and every task ends once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(root, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 4 }),
        stops,
        async (plans, concurrency, cancels) => {
          const { breaches, living, unheard, stats } = await run(plans, concurrency, cancels);
          expect(breaches).toEqual([]);
          expect(living).toEqual([]);
          expect(unheard).toEqual([]);
          expect(stats).toMatchObject({ queued: 0, running: 0, blocked: 0 });
          expect(stats.lanes["default"]).toMatchObject({ held: 0, free: concurrency, queued: 0 });
        },
      ),
      { numRuns: 60 },
    );
  }, 120_000);
});
