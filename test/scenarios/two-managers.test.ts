// Two managers in one process: a task of one may wait for a task of the other, and neither's slots are the other's.

import { getEventListeners } from "node:events";
import { TaskManager } from "errand";
import { expect, test } from "vitest";
import { allFree, deferred, peek, settled, unhandled } from "../support/basics.js";

test("§3 a question asked through a context of another manager is a wait of the task whose code asks, in its own manager", async () => {
  const [a, b] = [new TaskManager({ concurrency: 1 }), new TaskManager({ concurrency: 1 })];
  const end = deferred();
  let answer: Promise<string> | undefined;
  const asking = deferred();
  const asked = a.spawn(async (ctx) => {
    const asker = b.spawn(() => ctx.ask({ question: "Which?" }));
    answer = asker.result();
    asking.resolve();
    await end.promise;
  });
  await asking.promise;
  await settled();
  // The asker lent b's only slot, and a's task computes on.
  expect(await b.spawn(() => "not held up").result()).toBe("not held up");
  expect(asked.status).toBe("blocked"); // it waits for the asker's result, which it took itself
  const [request] = a.inbox.list();
  await a.inbox.answer(request?.id ?? "", "this", { by: "ada" });
  expect(await answer).toBe("this");
  end.resolve();
  await asked.result();
  for (const manager of [a, b]) allFree(manager);
});

test("H2 a parent of another manager is refused, and nothing is spawned", async () => {
  const [a, b] = [new TaskManager(), new TaskManager()];
  const end = deferred();
  const parent = a.spawn(() => end.promise);
  expect(() => b.spawn(() => 1, { parent })).toThrow(/belongs to another manager/);
  expect(b.list()).toEqual([]);
  end.resolve();
  await Promise.all([a.idle(), b.idle()]);
});

test("W4 cancelRest leaves the tasks of another manager alone", async () => {
  const [a, b] = [new TaskManager({ concurrency: 1 }), new TaskManager({ concurrency: 1 })];
  const end = deferred();
  const first = b.spawn(() => 1);
  const rest = b.spawn(() => end.promise);
  await a.awaitTasks([first, rest], { until: "any", cancelRest: true });
  await settled();
  expect(rest.status).toBe("running");
  end.resolve();
  await rest.result();
  for (const manager of [a, b]) allFree(manager);
});

test("W4 cancelRest of a task stops its own children, whichever manager was asked to wait", async () => {
  const [a, b] = [new TaskManager(), new TaskManager()];
  const parent = a.spawn(async (ctx) => {
    const quick = ctx.spawn(() => 1);
    const slow = ctx.spawn((child) => child.sleep(60_000));
    await b.awaitTasks([quick, slow], { until: "any", cancelRest: true });
    return (await slow.outcome()).status;
  });
  expect(await parent.result()).toBe("cancelled");
  for (const manager of [a, b]) allFree(manager);
});

test("§3 a wait in a task of a manager without ambient lineage is never another task's", async () => {
  const [a, b] = [new TaskManager({ concurrency: 1 }), new TaskManager({ ambient: false })];
  const end = deferred();
  const spawned = deferred();
  let inner: ReturnType<TaskManager["spawn"]> | undefined;
  const outer = a.spawn(async () => {
    inner = b.spawn((ctx) => ctx.sleep(60_000));
    spawned.resolve();
    await end.promise;
  });
  await spawned.promise;
  await settled();
  expect([outer.status, inner?.status]).toEqual(["running", "blocked"]);
  end.resolve();
  await outer.result();
  expect(inner?.status).toBe("blocked");
  await inner?.cancel();
});

test("L3 a task may wait for the idleness of a manager of its own, and close it", async () => {
  const outer = new TaskManager({ concurrency: 1 });
  const task = outer.spawn(async () => {
    const inner = new TaskManager();
    const work = inner.spawn((ctx) => ctx.sleep(5));
    await inner.idle();
    await inner.close();
    return work.status;
  });
  expect(await task.result()).toBe("succeeded");
  allFree(outer);
});

test("L3 a task may not wait for the idleness of a manager one of whose tasks waits for it", async () => {
  const [a, b] = [new TaskManager(), new TaskManager()];
  const go = deferred();
  const task = a.spawn(async () => {
    await go.promise;
    await b.idle();
  });
  const waiting = b.spawn(() => task.outcome());
  await settled();
  go.resolve();
  expect(await task.outcome()).toMatchObject({ status: "failed", error: { name: "AwaitCycleError" } });
  await waiting.result();
});

test("D8 a promise of a closed manager that waits for another's task rejects with ManagerClosedError", async () => {
  const [a, b] = [new TaskManager(), new TaskManager()];
  const end = deferred();
  const task = b.spawn(() => end.promise);
  const controller = new AbortController();
  const waits: Promise<unknown>[] = [
    a.awaitTasks([task], { signal: controller.signal }),
    a.session("chat").awaitTasks([task], { until: "any" }),
    a.outcomes([task])[Symbol.asyncIterator]().next(),
  ];
  await settled();
  await a.close();
  const closed = { is: "rejected", error: { code: "MANAGER_CLOSED" } };
  for (const wait of waits) expect(await peek(wait)).toMatchObject(closed);
  expect(await peek(a.awaitTasks([task]))).toMatchObject(closed);
  expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  // b and its task go on.
  end.resolve();
  expect((await task.outcome()).status).toBe("succeeded");
  expect((await a.awaitTasks([task])).reason).toBe("done");
});

test("D8 a task that waits for room of another manager gets a rejection when that one closes", async () => {
  const [a, b] = [new TaskManager({ limits: { maxQueued: 0 } }), new TaskManager()];
  a.pause();
  const seeking = b.spawn(() => a.room());
  await settled();
  expect(seeking.status).toBe("blocked");
  await a.close();
  expect(await seeking.outcome()).toMatchObject({ status: "failed", error: { name: "ManagerClosedError" } });
  allFree(b);
});

test("D8 W4 a wait that would stop for a request goes on when the manager of one of its tasks closes", async () => {
  const [a, b] = [new TaskManager(), new TaskManager()];
  const end = deferred();
  const [ofA, ofB] = [a.spawn((ctx) => ctx.receive()), b.spawn(() => end.promise)];
  const both = b.awaitTasks([ofA, ofB], { stopOnRequest: true });
  await settled();
  await a.close();
  expect(await peek(both)).toEqual({ is: "pending" });
  end.resolve();
  expect((await both).outcomes.map((outcome) => outcome?.status)).toEqual(["interrupted", "succeeded"]);
});

test("D8 a promise of them without a reader is no unhandled rejection", async () => {
  const [a, b] = [new TaskManager(), new TaskManager()];
  const end = deferred();
  const task = b.spawn(() => end.promise);
  const seen = await unhandled(async () => {
    void a.awaitTasks([task]);
    await a.close();
    await settled();
  });
  expect(seen).toEqual([]);
  end.resolve();
  await b.idle();
});
