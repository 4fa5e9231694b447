// Sessions: one owner's tasks, `ctx` as the session of its children, names, and spawns that happen once (§9, §10, H3).

import type { Session, TaskHandle, TaskManager, TaskRecord } from "errand";
import { describe, expect, test } from "vitest";
import { allFree, deferred, facts, peek, settled, slots } from "../support/basics.js";
import {
  deaf,
  errandError,
  given,
  hold,
  holdDeaf,
  refusalOf,
  refused,
  rejected,
  untilStopped,
  world,
} from "../support/program.js";

const idsOf = (records: readonly TaskRecord[]): string[] => records.map(({ id }) => id);

describe("a named session", () => {
  test("§9 the same id is the same session", async () => {
    const { manager } = world();
    const task = manager.session("chat").spawn(() => 1);
    expect(manager.session("chat").id).toBe("chat");
    expect(task.record.sessionId).toBe("chat");
    expect(idsOf(manager.session("chat").list())).toEqual([task.id]);
    expect(await manager.session("chat").get(task.id)?.result()).toBe(1);
  });

  test("§9 its spawn outside a task makes a root; inside a task of the same session that task's child", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const parent = session.spawn(() => session.spawn(() => 1).record);
    const { record } = parent;
    expect([record.parentId, record.depth]).toEqual([undefined, 0]);
    const child = await parent.result();
    expect([child.parentId, child.sessionId]).toEqual([parent.id, "chat"]);
  });

  test("§9 its spawn inside a task of another session, or of none, makes a root of the named session", async () => {
    const { manager } = world();
    const chat = manager.session("chat");
    for (const owner of [manager, manager.session("other")]) {
      const record = await owner.spawn(() => chat.spawn(() => 1).record).result();
      expect([record.parentId, record.sessionId, record.depth]).toEqual([undefined, "chat", 0]);
    }
  });

  test("§9 list gives its tasks and those below them, by creation, and what the filter asks for", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const first = hold(session, { tags: ["web"] });
    hold(manager);
    hold(manager.session("other"));
    await settled();
    const child = hold(first.ctx, { tags: ["web", "slow"] });
    const second = session.spawn(() => 1, { agent: "scout" });
    await second.result();
    expect(idsOf(session.list())).toEqual([first.handle.id, child.handle.id, second.id]);
    expect(idsOf(session.list({ tags: ["web"] }))).toEqual([first.handle.id, child.handle.id]);
    expect(idsOf(session.list({ tags: ["slow", "web"] }))).toEqual([child.handle.id]);
    expect(idsOf(session.list({ status: "succeeded" }))).toEqual([second.id]);
    expect(idsOf(session.list({ status: ["running", "succeeded"], agent: "scout" }))).toEqual([second.id]);
    expect(idsOf(session.list({ parentId: first.handle.id }))).toEqual([child.handle.id]);
    expect(manager.list({ sessionId: "chat" })).toEqual(session.list());
  });

  test("§9 get knows the tasks of its own list, and no others", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const mine = hold(session);
    const other = hold(manager.session("other"));
    await settled();
    const below = hold(mine.ctx);
    expect(session.get(mine.handle.id)?.id).toBe(mine.handle.id);
    expect(session.get(below.handle.id)?.id).toBe(below.handle.id);
    expect([session.get(other.handle.id), session.get("nobody")]).toEqual([undefined, undefined]);
    expect(manager.get(other.handle.id)?.id).toBe(other.handle.id);
  });

  test("§9 awaitTasks and outcomes of a session give typed outcomes by position and in order of ending", async () => {
    const { manager, pass } = world();
    const session = manager.session("chat");
    const slow = session.spawn(async (ctx) => {
      await ctx.sleep(20);
      return "slow";
    });
    const quick = session.spawn(async (ctx) => {
      await ctx.sleep(10);
      return 7;
    });
    const waiting = session.awaitTasks([slow, quick]);
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const outcome of session.outcomes([slow, quick])) seen.push(outcome);
    })();
    await settled();
    await pass(10);
    await pass(10);
    const { reason, outcomes, ended } = await waiting;
    expect(reason).toBe("done");
    expect(outcomes).toEqual([
      { id: slow.id, status: "succeeded", value: "slow" },
      { id: quick.id, status: "succeeded", value: 7 },
    ]);
    expect(ended.map(({ id }) => id)).toEqual([quick.id, slow.id]);
    await reading;
    expect(seen).toEqual(ended);
  });

  test("H6 usage of a session adds up its tasks and what is below them", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const [a, b, other] = [hold(session), hold(session), hold(manager)];
    await settled();
    const child = hold(a.ctx);
    const loose = hold(a.ctx, { detached: true });
    await settled();
    a.ctx.reportUsage({ inputTokens: 1 });
    b.ctx.reportUsage({ outputTokens: 10 });
    child.ctx.reportUsage({ inputTokens: 100, costUsd: 0.5 });
    loose.ctx.reportUsage({ inputTokens: 1_000 });
    other.ctx.reportUsage({ inputTokens: 10_000 });
    expect(session.usage()).toEqual({ inputTokens: 1_101, outputTokens: 10, costUsd: 0.5, tasks: 4 });
    expect(manager.session("empty").usage()).toEqual({ inputTokens: 0, outputTokens: 0, costUsd: 0, tasks: 0 });
  });
});

describe("cancelAll of a session", () => {
  test("H3 a session refuses spawns from cancelAll() until its promise resolves", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const task = holdDeaf(session);
    const other = hold(manager.session("other"));
    await settled();
    const all = session.cancelAll(undefined, "new topic");
    expect(task.handle.record).toMatchObject({ stopReason: "cancel", reason: "new topic" });
    expect(refused(() => session.spawn(() => 1), "SCOPE_CANCELLED").scopeId).toBe("chat");
    refused(() => manager.session("chat").spawn(() => 1), "SCOPE_CANCELLED");
    await settled();
    refused(() => session.spawn(() => 1), "SCOPE_CANCELLED");
    task.fail(new Error("stopped"));
    expect(await all).toMatchObject([{ id: task.handle.id, status: "cancelled", reason: "new topic" }]);
    expect(await session.spawn(() => "again").result()).toBe("again");
    expect(other.handle.status).toBe("running");
  });

  test("H3 a filter is no scope: spawns go on", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const web = holdDeaf(session, { tags: ["web"] });
    const disk = hold(session, { tags: ["disk"] });
    await settled();
    const all = session.cancelAll({ tags: ["web"] });
    expect(await session.spawn(() => "meanwhile").result()).toBe("meanwhile");
    web.fail(new Error("stopped"));
    expect((await all).map(({ id }) => id)).toEqual([web.handle.id]);
    expect(disk.handle.status).toBe("running");
  });

  test("H3 cancelAll of a session reaches what is below its tasks, detached too", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const root = hold(session);
    await settled();
    const child = hold(root.ctx);
    const loose = hold(root.ctx, { detached: true });
    await settled();
    await session.cancelAll();
    expect([root, child, loose].map(({ handle }) => handle.status)).toEqual(["cancelled", "cancelled", "cancelled"]);
  });

  test("H3 two cancelAll at once: the session opens again when the last has resolved", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const task = holdDeaf(session);
    await settled();
    const both = [session.cancelAll(), session.cancelAll()];
    await settled();
    refused(() => session.spawn(() => 1), "SCOPE_CANCELLED");
    task.fail(new Error("stopped"));
    await Promise.all(both);
    expect(await session.spawn(() => "again").result()).toBe("again");
  });

  test("H3 cancelAll of an idle session opens it again at once", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    expect(await session.cancelAll()).toEqual([]);
    expect(await session.spawn(() => "again").result()).toBe("again");
  });
});

describe("ctx is the session of its children", () => {
  test("§9 ctx lists, gets and sums its children and those below, and no other task", async () => {
    const { manager } = world();
    const parent = hold(manager);
    const other = hold(manager);
    await settled();
    const { ctx } = parent;
    expect(ctx.id).toBe(parent.handle.id);
    const child = hold(ctx);
    await settled();
    const below = hold(child.ctx);
    await settled();
    below.ctx.reportUsage({ inputTokens: 5 });
    ctx.reportUsage({ inputTokens: 100 });
    expect(idsOf(ctx.list())).toEqual([child.handle.id, below.handle.id]);
    expect(idsOf(ctx.list({ parentId: child.handle.id }))).toEqual([below.handle.id]);
    expect(ctx.get(below.handle.id)?.id).toBe(below.handle.id);
    expect([ctx.get(other.handle.id), ctx.get(parent.handle.id)]).toEqual([undefined, undefined]);
    expect(ctx.usage()).toMatchObject({ inputTokens: 5, tasks: 2 });
  });

  test("H3 ctx.cancelAll stops the children and not the task, and refuses spawns until it resolves", async () => {
    const { manager } = world({ concurrency: 2 });
    const parent = hold(manager);
    await settled();
    const { ctx } = parent;
    const child = holdDeaf(ctx);
    await settled();
    const all = ctx.cancelAll(undefined, "start over");
    expect(refused(() => ctx.spawn(() => 1), "SCOPE_CANCELLED").scopeId).toBe(parent.handle.id);
    child.fail(new Error("stopped"));
    expect(await all).toMatchObject([{ id: child.handle.id, status: "cancelled", reason: "start over" }]);
    expect([ctx.isCancelled, parent.handle.status]).toEqual([false, "running"]);
    expect(await ctx.spawn(() => "again").result()).toBe("again");
  });

  test("L2 ctx.cancelAll is a wait: the task lends its slot until the children have ended", async () => {
    const { manager } = world({ concurrency: 2 });
    const parent = hold(manager);
    await settled();
    const { ctx } = parent;
    const child = holdDeaf(ctx);
    const next = hold(manager);
    await settled();
    const all = ctx.cancelAll();
    await settled();
    expect([parent.handle.status, next.started, slots(manager).held]).toEqual(["blocked", true, 2]);
    expect(parent.handle.record.blockedOn).toEqual([{ on: "tasks", taskIds: [child.handle.id] }]);
    child.fail(new Error("stopped"));
    await all;
    expect([parent.handle.status, slots(manager).held]).toEqual(["running", 2]);
  });

  test("§9 map runs each item as a child, at most `concurrency` at a time, and gives the values in order", async () => {
    const { manager, pass } = world();
    let now = 0;
    let peak = 0;
    const parent = manager.spawn((ctx) =>
      ctx.map(
        [30, 10, 20, 5],
        async (inner, ms, index) => {
          now += 1;
          peak = Math.max(peak, now);
          expect(inner.record.parentId).toBe(ctx.id);
          await inner.sleep(ms);
          now -= 1;
          return `${index}:${ms}`;
        },
        { concurrency: 2 },
      ),
    );
    await settled();
    for (let step = 0; step < 10; step += 1) await pass(5);
    expect(await parent.result()).toEqual(["0:30", "1:10", "2:20", "3:5"]);
    expect(peak).toBe(2);
    expect(manager.list({ parentId: parent.id })).toHaveLength(4);
  });

  test("§2 the children map waits for are in the record and in the events, whenever they are read", async () => {
    const { manager } = world();
    const told = facts(manager);
    const ends = [0, 1, 2].map(() => deferred());
    const parent = manager.spawn((ctx) => ctx.map(ends, (_inner, end) => end.promise, { concurrency: 2 }));
    await settled();
    const [first, second] = manager.list({ parentId: parent.id }).map(({ id }) => id);
    expect(parent.record.blockedOn).toEqual([{ on: "tasks", taskIds: [first, second] }]);
    ends[1]?.resolve();
    await settled();
    const third = manager.list({ parentId: parent.id }).at(-1)?.id;
    expect(parent.record.blockedOn).toEqual([{ on: "tasks", taskIds: [first, third] }]);
    const last = told.findLast(({ type, taskId }) => type === "task.blocked" && taskId === parent.id);
    expect(last).toMatchObject({ blockedOn: parent.record.blockedOn });
    for (const end of ends) end.resolve();
    await parent.result();
    allFree(manager);
  });

  test("§2 a map tells of the children that it spawns in one turn together", async () => {
    const { manager } = world();
    const told = facts(manager);
    const parent = manager.spawn((ctx) => ctx.map([1, 2, 3], (inner) => inner.receive(), { concurrency: 3 }));
    await settled();
    const children = manager.list({ parentId: parent.id }).map(({ id }) => id);
    const blocked = told.filter((event) => event.type === "task.blocked" && event.taskId === parent.id);
    expect(blocked).toMatchObject([
      { blockedOn: [{ on: "tasks", taskIds: [] }] },
      { blockedOn: [{ on: "tasks", taskIds: children }] },
    ]);
    await manager.cancelAll();
  });

  test("W3 a map that is given up leaves no link on its children, and starts no more", async () => {
    const { manager, pass } = world();
    const abort = new AbortController();
    const parent = manager.spawn(async (ctx) => {
      const { signal } = abort;
      await ctx.map([1, 2, 3], (inner) => inner.sleep(1_000), { concurrency: 2, signal }).catch(() => 0);
      const children = ctx.list().map(({ id }) => id);
      // Nobody else waits for them: they are the rest.
      await ctx.awaitTasks([ctx.spawn(() => 1).id, ...children], { until: "any", cancelRest: true });
      return (await ctx.awaitTasks(children)).outcomes.map((outcome) => outcome?.status);
    });
    await settled();
    abort.abort();
    await pass(5);
    expect(await parent.result()).toEqual(["cancelled", "cancelled"]);
  });

  test("§8 map starts no item once its signal has aborted, nor after one that failed", async () => {
    for (const isFailure of [false, true]) {
      for (let turns = 0; turns < 12; turns += 1) {
        const { manager } = world();
        const abort = new AbortController();
        let atAbort = Number.POSITIVE_INFINITY;
        const end = deferred();
        const parent = manager.spawn((ctx) =>
          ctx.map([1, 2, 3], () => end.promise, { concurrency: 1, signal: abort.signal }).catch(() => 0),
        );
        await settled();
        if (isFailure) end.reject(new Error("no"));
        else end.resolve();
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve();
        if (!isFailure) abort.abort();
        atAbort = isFailure ? 1 : manager.list({ parentId: parent.id }).length;
        await parent.result();
        expect(manager.list({ parentId: parent.id })).toHaveLength(atAbort);
      }
    }
  });

  test("§9 map of nothing is an empty list, and a lazy iterable is read once", async () => {
    const { manager } = world();
    function* items(): Generator<number> {
      yield 1;
      yield 2;
    }
    const parent = manager.spawn(async (ctx) => [
      await ctx.map([], () => 1, { concurrency: 1 }),
      await ctx.map(items(), (_inner, item) => item * 2, { concurrency: 8 }),
    ]);
    expect(await parent.result()).toEqual([[], [2, 4]]);
  });

  test("§9 the first map item that fails stops new ones, cancels the others and rejects with its TaskOutcomeError", async () => {
    const { manager } = world();
    const started: number[] = [];
    const parent = manager.spawn(async (ctx) => {
      const error = await refusalOf(() =>
        ctx.map(
          [0, 1, 2, 3],
          async (inner, _item, index) => {
            started.push(index);
            if (index === 1) throw new Error("broken");
            await untilStopped(inner);
          },
          { concurrency: 2 },
        ),
      );
      return errandError(error, "TASK_OUTCOME").outcome;
    });
    const outcome = await parent.result();
    expect(outcome).toMatchObject({ status: "failed", error: { message: "broken" } });
    expect(started).toEqual([0, 1]);
    const children = manager.list({ parentId: parent.id });
    expect(children.map(({ status }) => status)).toEqual(["cancelled", "failed"]);
  });
});

describe("names", () => {
  test("§12 a name is unique among the living tasks of one session", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const scout = hold(session, { name: "scout" });
    const error = refused(() => session.spawn(() => 1, { name: "scout" }), "NAME_TAKEN");
    expect([error.taskName, error.taskId]).toEqual(["scout", scout.handle.id]);
    await settled();
    refused(() => scout.ctx.spawn(() => 1, { name: "scout" }), "NAME_TAKEN");
    expect(manager.session("other").spawn(() => 1, { name: "scout" }).record.name).toBe("scout");
    expect(manager.spawn(() => 1, { name: "scout" }).record.name).toBe("scout");
  });

  test("§12 tasks without a session share one scope of names", () => {
    const { manager } = world();
    const first = manager.spawn(untilStopped, { name: "scout" });
    expect(refused(() => manager.spawn(() => 1, { name: "scout" }), "NAME_TAKEN").taskId).toBe(first.id);
  });

  test("§12 a name is free again when its task has ended, and not before", async () => {
    const { manager, pass } = world({ graceMs: 10 });
    const first = holdDeaf(manager, { name: "scout" });
    await settled();
    void first.handle.cancel();
    refused(() => manager.spawn(() => 1, { name: "scout" }), "NAME_TAKEN");
    await pass(10);
    const second = hold(manager, { name: "scout" });
    expect(manager.list({ name: "scout" }).map(({ id }) => id)).toEqual([first.handle.id, second.handle.id]);
    first.finish();
    await settled();
    refused(() => manager.spawn(() => 1, { name: "scout" }), "NAME_TAKEN");
  });

  test.each(["parent", "self", "all", "broadcast"])("§12 `%s` is a reserved name", (name) => {
    const { manager } = world();
    expect(refused(() => manager.spawn(() => 1, { name }), "RESERVED_NAME").taskName).toBe(name);
    refused(() => manager.session("chat").spawn(() => 1, { name }), "RESERVED_NAME");
    expect(manager.list()).toEqual([]);
  });
});

describe("a spawn that happens once", () => {
  /** Counts how often its work ran. */
  function counted<T>(value: T) {
    let runs = 0;
    return {
      work: (): T => {
        runs += 1;
        return value;
      },
      get runs() {
        return runs;
      },
    };
  }

  test("§10 the same id gives the same task, queued, running or ended, and runs nothing again", async () => {
    const { manager } = world({ concurrency: 1 });
    const told = facts(manager);
    const runs = counted("first");
    const blocker = hold(manager);
    const again = (): TaskHandle => manager.spawn(() => "second", { id: "build" });
    const first = manager.spawn(runs.work, { id: "build" });
    expect([first.id, again().id, again().status]).toEqual(["build", "build", "queued"]);
    blocker.finish();
    expect(await again().result()).toBe("first");
    expect(again().status).toBe("succeeded");
    expect(await again().result()).toBe("first");
    await settled();
    expect(runs.runs).toBe(1);
    expect(told.filter(({ type, taskId }) => type === "task.created" && taskId === "build")).toHaveLength(1);
    expect(manager.list()).toHaveLength(2);
    expect(slots(manager)).toMatchObject({ held: 0, queued: 0 });
  });

  test("§10 an id used again counts once in usage and in the list of children", async () => {
    const { manager } = world({ limits: { maxChildren: 1 } });
    const parent = hold(manager);
    await settled();
    const first = hold(parent.ctx, { id: "child" });
    expect(parent.ctx.spawn(() => 1, { id: "child" }).id).toBe(first.handle.id);
    expect(parent.handle.usage().tasks).toBe(2);
    expect(parent.ctx.list()).toHaveLength(1);
  });

  test("§9 a callId is unique per session and run: a replay spawns once", async () => {
    const { manager } = world();
    const session = manager.session("chat");
    const runs = counted("done");
    const spawn = (owner: Session | TaskManager, runId?: string): TaskHandle =>
      owner.spawn(runs.work, { callId: "call-1", runId });
    const first = spawn(session, "run-1");
    expect(spawn(session, "run-1").id).toBe(first.id);
    await first.result();
    expect(spawn(session, "run-1").id).toBe(first.id);
    const others = [spawn(session, "run-2"), spawn(session), spawn(manager.session("other"), "run-1")];
    expect(new Set([first, ...others].map(({ id }) => id)).size).toBe(4);
    await Promise.all(others.map((task) => task.result()));
    expect(runs.runs).toBe(4);
    expect(first.record).toMatchObject({ callId: "call-1", runId: "run-1" });
  });

  test("§9 a callId of a ctx-spawn is unique among the children of that task", async () => {
    const { manager } = world();
    const [a, b] = [hold(manager, { runId: "run-1" }), hold(manager, { runId: "run-1" })];
    await settled();
    const first = a.ctx.spawn(() => 1, { callId: "call-1" });
    expect(a.ctx.spawn(() => 2, { callId: "call-1" }).id).toBe(first.id);
    expect(b.ctx.spawn(() => 2, { callId: "call-1" }).id).not.toBe(first.id);
  });

  test("§10 an id is free again once its record is gone", async () => {
    const { manager } = world({ retention: { maxFinished: 1 } });
    const first = manager.spawn(() => "first", { id: "build" });
    await first.result();
    await manager.spawn(() => 1).result();
    await settled();
    expect(manager.get("build")).toBeUndefined();
    const second = manager.spawn(() => "second", { id: "build" });
    expect(await second.result()).toBe("second");
    expect(await first.result()).toBe("first");
  });

  test("§9 a call is known as long as its record is kept: then it spawns again", async () => {
    const { manager } = world({ retention: { maxFinished: 1 } });
    const first = manager.spawn(() => "first", { callId: "call-1" });
    await first.result();
    await manager.spawn(() => 1).result();
    await settled();
    expect(manager.get(first.id)).toBeUndefined();
    const second = manager.spawn(() => "second", { callId: "call-1" });
    expect(second.id).not.toBe(first.id);
    expect(await second.result()).toBe("second");
  });

  test("§10 ids errand makes never meet an id that was given", async () => {
    const { manager } = world();
    const named = manager.spawn(() => "named", { id: "task_2" });
    const made = [1, 2, 3].map((value) => manager.spawn(() => value));
    expect(new Set([named.id, ...made.map(({ id }) => id)]).size).toBe(4);
    expect(await Promise.all(made.map((task) => task.result()))).toEqual([1, 2, 3]);
    expect(await named.result()).toBe("named");
  });

  test("§10 an id errand makes passes over those given, and goes on as before", () => {
    const { manager } = world();
    for (const id of ["task_1", "task_2"]) manager.spawn(deaf, { id });
    expect([manager.spawn(deaf).id, manager.spawn(deaf).id]).toEqual(["task_3", "task_4"]);
  });
});

describe("handles", () => {
  test("C5 a handle is never thenable: awaiting it gives the handle", async () => {
    const { manager } = world();
    const task = hold(manager);
    const awaited: unknown = await Promise.resolve(task.handle);
    expect(awaited).toBe(task.handle);
    expect("then" in task.handle).toBe(false);
  });

  test("§9 outcome({ timeoutMs }) gives undefined while the same work goes on", async () => {
    const { manager, pass } = world();
    const gate = deferred<string>();
    const task = manager.spawn(() => gate.promise);
    const inline = task.outcome({ timeoutMs: 300 });
    await settled();
    await pass(299);
    expect((await peek(inline)).is).toBe("pending");
    await pass(1);
    expect(await inline).toBeUndefined();
    expect(task.status).toBe("running");
    gate.resolve("late");
    expect(await task.outcome({ timeoutMs: 300 })).toMatchObject({ status: "succeeded", value: "late" });
  });

  test("W2 outcome never rejects for how a task ended; result rejects with TaskOutcomeError and its cause", async () => {
    const { manager } = world();
    const boom = new Error("boom");
    const task = manager.spawn(() => Promise.reject(boom));
    expect(await task.outcome()).toMatchObject({ status: "failed", error: { code: "error" } });
    const error = await rejected(() => task.result(), "TASK_OUTCOME");
    expect([error.taskId, error.cause]).toEqual([task.id, boom]);
    expect(error.message).toContain(task.id);
  });

  test("D1 stored() resolves at once without a store, and is no wait", async () => {
    const { manager } = world({ concurrency: 1 });
    const told = facts(manager);
    const parent = manager.spawn(async (ctx) => {
      await ctx.spawn(() => 1).stored();
      return "kept the slot";
    });
    expect(await parent.result()).toBe("kept the slot");
    await settled();
    const blocks = told.flatMap((event) => (event.type === "task.blocked" ? [given(event.blockedOn[0]).on] : []));
    expect(blocks.filter((on) => on !== "children")).toEqual([]);
  });
});

test("H3 a session stays closed to spawns until the last of two cancelAll() is over", async () => {
  const { manager } = world();
  const session = manager.session("chat");
  const deafOne = holdDeaf(session);
  await settled();
  const first = session.cancelAll();
  await session.cancelAll(undefined, "again", { signal: AbortSignal.abort("no time") }).catch(() => undefined);
  refused(() => session.spawn(() => 1), "SCOPE_CANCELLED");
  deafOne.fail(new Error("stopped"));
  await first;
  expect(await session.spawn(() => 1).result()).toBe(1);
});

test("§9 a call stays known by its later task when an earlier one is evicted", async () => {
  const { manager } = world({ retention: { maxFinished: 1 } });
  const first = manager.spawn(() => 1, { callId: "c" });
  expect(manager.spawn(() => 2, { id: "x", callId: "c" }).id).toBe(first.id);
  await settled();
  expect(manager.spawn(() => 3, { callId: "c" }).id).toBe(first.id);
});
