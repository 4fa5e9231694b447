// The waits: which refusal a new wait gets, when it comes, and what ends a wait that is decided, held or nobody's.

import { getEventListeners } from "node:events";
import { type TaskContext, type TaskHandle, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { allFree, deferred, facts, peek, settled, unhandled } from "../../support/basics.js";
import { type Held, hold, holdDeaf, rejected, typesOf, world } from "../../support/program.js";
import { started } from "../../support/restarts.js";

const given = new Error("given up");

/** A wait of every sort, with a signal. */
const sorts: readonly (readonly [
  sort: string,
  wait: (ctx: TaskContext, other: TaskHandle, signal?: AbortSignal) => Promise<unknown>,
])[] = [
  ["sleep", (ctx, _other, signal) => ctx.sleep(10, { signal })],
  ["receive", (ctx, _other, signal) => ctx.receive({ signal })],
  ["ask", (ctx, _other, signal) => ctx.ask({ question: "Which?", signal })],
  ["awaitTasks", (ctx, other, signal) => ctx.awaitTasks([other], { signal })],
];

describe.each(sorts)("C3 a new wait by %s", (_sort, wait) => {
  /** A task that computes, another one to wait for, and a signal that is aborted already. */
  async function stage() {
    const { manager, pass } = world({ graceMs: 50 });
    // The task is of another manager, so that it lives on after a close.
    const other = hold(new TaskManager());
    const task: Held<void> = holdDeaf(manager);
    await settled();
    const told = facts(manager);
    return { manager, pass, other: other.handle, task, told, aborted: AbortSignal.abort(given) };
  }

  test("of a running task whose signal is aborted rejects with its reason, and is no wait", async () => {
    const { task, other, told, aborted } = await stage();
    await expect(wait(task.ctx, other, aborted)).rejects.toBe(given);
    expect([typesOf(told, task.handle.id), task.handle.status]).toEqual([[], "running"]);
  });

  test("of a stopped task rejects with its cancel, whatever its signal says, and in a later macrotask", async () => {
    const { task, other, told, aborted } = await stage();
    void task.handle.cancel("enough");
    for (const signal of [undefined, aborted]) {
      const states: string[] = [];
      const waiting = wait(task.ctx, other, signal).catch((error: { code: string }) => states.push(error.code));
      for (let turn = 0; turn < 50; turn++) await Promise.resolve();
      expect(states).toEqual([]);
      await waiting;
      expect(states).toEqual(["TASK_CANCELLED"]);
    }
    expect(typesOf(told, task.handle.id)).toEqual(["task.cancelRequested"]);
  });

  test("of an abandoned function never settles, and raises nothing", async () => {
    const { manager, task, other, pass, aborted } = await stage();
    void task.handle.cancel("enough");
    await pass(50);
    const rejections = await unhandled(async () => {
      for (const signal of [undefined, aborted]) expect((await peek(wait(task.ctx, other, signal))).is).toBe("pending");
      await manager.close();
      expect((await peek(wait(task.ctx, other))).is).toBe("pending");
    });
    expect([rejections, getEventListeners(aborted, "abort")]).toEqual([[], []]);
  });

  test("of a function that has returned rejects with that reason, also after a close, and raises nothing when no caller reads it", async () => {
    const { manager, task, other, aborted } = await stage();
    task.finish();
    await task.handle.outcome();
    const rejections = await unhandled(async () => {
      void wait(task.ctx, other);
      await rejected(() => wait(task.ctx, other, aborted), "TASK_TERMINATED");
      await manager.close();
      await rejected(() => wait(task.ctx, other), "TASK_TERMINATED");
    });
    expect(rejections).toEqual([]);
  });
});

describe("D8 a wait outside every task", () => {
  test("for a task of another manager ends with the manager that was asked, and leaves that task alone", async () => {
    const [asked, other] = [new TaskManager(), new TaskManager()];
    const work = hold<string>(other);
    const { signal } = new AbortController();
    const waits = [asked.awaitTasks([work.handle]), asked.awaitTasks([work.handle], { signal })];
    const theirs = work.handle.outcome();
    await settled();
    await asked.close();
    for (const wait of waits) await rejected(() => wait, "MANAGER_CLOSED");
    await rejected(() => asked.awaitTasks([work.handle]), "MANAGER_CLOSED");
    expect(getEventListeners(signal, "abort")).toEqual([]);
    expect((await peek(theirs)).is).toBe("pending");
    work.finish("done");
    expect((await theirs).status).toBe("succeeded");
    allFree(other);
  });

  test("that was decided before the close keeps its answer", async () => {
    const [asked, other] = [new TaskManager(), new TaskManager()];
    const work = hold<string>(other);
    await settled();
    const wait = asked.awaitTasks([work.handle]);
    work.finish("done");
    await work.handle.outcome();
    await asked.close();
    expect(await wait).toMatchObject({ reason: "done" });
  });
});

describe("D1 a wait for tasks of two managers", () => {
  /** Two managers with a store each, and a task of each that has ended, and whose end is not stored. */
  async function two() {
    const sides = [await started(), await started()] as const;
    const tasks = sides.map(({ manager }) => hold<string>(manager));
    await settled();
    for (const { store } of sides) store.hold();
    const [one] = sides;
    const controller = new AbortController();
    const handles = tasks.map(({ handle }) => handle);
    const before = one.manager.awaitTasks(handles, { signal: controller.signal });
    for (const task of tasks) task.finish("done");
    await settled();
    const after = one.manager.awaitTasks(handles, { signal: controller.signal });
    const waits = [before, after];
    for (const wait of waits) wait.catch(() => undefined);
    return { sides, controller, waits };
  }

  test.each([
    [0, 1],
    [1, 0],
  ] as const)("is delivered once both have stored what it reports: %i, then %i", async (first, second) => {
    const { sides, waits, controller } = await two();
    sides[first].store.letThrough();
    await settled();
    for (const wait of waits) expect((await peek(wait)).is).toBe("pending");
    sides[second].store.letThrough();
    for (const wait of waits) expect(await wait).toMatchObject({ reason: "done" });
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test("C6 W2 ends by its signal while either of them holds it back", async () => {
    const { sides, waits, controller } = await two();
    sides[0].store.letThrough();
    await settled();
    controller.abort(given);
    for (const wait of waits) expect(await peek(wait)).toEqual({ is: "rejected", error: given });
    sides[1].store.letThrough();
    await settled();
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
  });

  test.each(["already", "only after its own flush"])(
    "D8 rejects when the manager that was asked closes, and the other one holds it back %s",
    async (when) => {
      const { sides, waits } = await two();
      const [own, other] = sides;
      if (when === "already") own.store.letThrough();
      await settled();
      const closing = own.manager.close();
      own.store.letThrough();
      await closing;
      for (const wait of waits)
        expect(await peek(wait)).toMatchObject({ is: "rejected", error: { code: "MANAGER_CLOSED" } });
      other.store.letThrough();
      await settled();
      await other.manager.close();
    },
  );
});

describe("C3 an answer that is known at the call", () => {
  test("and that the store holds back is no wait of its task, and ends with a stop of it in the same turn", async () => {
    const { manager, store } = await started();
    const told = facts(manager);
    const done = manager.spawn(() => "done");
    const gate = deferred();
    const seen: unknown[] = [];
    const task = manager.spawn(async (ctx) => {
      await gate.promise;
      await ctx.awaitTasks([done, late]).catch((error: unknown) => seen.push(error));
    });
    await done.result();
    await settled();
    store.hold();
    const late = manager.spawn(() => "never starts");
    void late.cancel();
    await settled();
    gate.resolve();
    await settled();
    expect([task.status, seen]).toEqual(["running", []]);
    void task.cancel("enough");
    await Promise.resolve();
    await Promise.resolve();
    await settled(0);
    expect(seen).toEqual([expect.objectContaining({ code: "TASK_CANCELLED" })]);
    store.letThrough();
    await settled();
    expect(typesOf(told, task.id)).not.toContain("task.blocked");
    expect((await task.outcome()).status).toBe("succeeded");
  });
});
