// A wait that can never end is refused at once, and says why (L3).

import { type TaskContext, type TaskHandle, TaskManager, type TaskManagerOptions } from "errand";
import { countedIds, manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { needsNoSearch } from "../../../lib/core/live/wait-cycles.js";
import { Handle } from "../../../lib/session/handle.js";
import { allFree, deferred, facts, peek, settled, slots } from "../../support/basics.js";
import { given } from "../../support/program.js";

function world(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}) {
  const clock = manualClock();
  const manager = new TaskManager({ clock, ids: countedIds(), ...options });
  return { clock, manager, told: facts(manager) };
}

function isFields(value: unknown): value is { readonly [field: string]: unknown } {
  return typeof value === "object" && value !== null;
}

/** The cycle an `AwaitCycleError` names, turned so that it begins at `from`; or what else came of the wait. */
async function refusal(from: string, wait: () => Promise<unknown>): Promise<unknown> {
  try {
    return { value: await wait() };
  } catch (error) {
    if (!isFields(error) || error["code"] !== "AWAIT_CYCLE" || !Array.isArray(error["cycle"])) return error;
    const ids: readonly unknown[] = error["cycle"];
    expect(ids[0]).toBe(ids.at(-1));
    const ring = ids.slice(1);
    const at = ring.indexOf(from);
    return at < 0 ? ids : [...ring.slice(at), ...ring.slice(0, at), from];
  }
}

/** A task that does what the test tells it, one thing at a time. */
function puppet(spawn: (work: (ctx: TaskContext) => Promise<void>) => TaskHandle<void>) {
  let wake: () => void = () => undefined;
  const todo: ((ctx: TaskContext) => Promise<void>)[] = [];
  let over = false;
  const handle = spawn(async (ctx) => {
    while (!over) {
      const next = todo.shift();
      if (next === undefined) await new Promise<void>((resolve) => (wake = resolve));
      else await next(ctx);
    }
  });
  return {
    handle,
    id: handle.id,
    /** Runs `act` in the task's own code. */
    async run<T>(act: (ctx: TaskContext) => Promise<T>): Promise<T> {
      const done = deferred<T>();
      todo.push((ctx) => act(ctx).then(done.resolve, done.reject));
      wake();
      return done.promise;
    },
    /** Begins what may wait for ever. */
    begin(act: (ctx: TaskContext) => Promise<unknown>): void {
      todo.push((ctx) =>
        act(ctx).then(
          () => undefined,
          () => undefined,
        ),
      );
      wake();
    },
    end(): void {
      over = true;
      wake();
    },
  };
}

const root = (manager: TaskManager) => puppet((work) => manager.spawn(work));
const childOf = (parent: TaskHandle, manager: TaskManager) => puppet((work) => manager.spawn(work, { parent }));

describe("a wait that can never end", () => {
  test("L3 a wait for oneself is refused at once", async () => {
    const { manager } = world();
    const self = root(manager);
    for (const wait of [
      (ctx: TaskContext) => ctx.awaitTasks([ctx.id]),
      (ctx: TaskContext) => manager.awaitTasks([ctx.id]),
      () => self.handle.result(),
      () => self.handle.outcome(),
      () => self.handle.outcome({ timeoutMs: 10 }),
      (ctx: TaskContext) => ctx.outcomes([ctx.id])[Symbol.asyncIterator]().next(),
    ]) {
      expect(await self.run((ctx) => refusal(self.id, () => wait(ctx)))).toEqual([self.id, self.id]);
    }
    self.end();
    await settled();
    expect(self.handle.status).toBe("succeeded");
  });

  test("L3 a wait for an ancestor is refused from the spawn on, also while that one waits for nothing", async () => {
    const { manager } = world();
    const top = root(manager);
    const middle = childOf(top.handle, manager);
    const low = childOf(middle.handle, manager);
    await settled();
    expect(await middle.run((ctx) => refusal(middle.id, () => ctx.awaitTasks([top.id])))).toEqual([
      middle.id,
      top.id,
      middle.id,
    ]);
    expect(await low.run((ctx) => refusal(low.id, () => ctx.awaitTasks([top.id])))).toEqual([
      low.id,
      top.id,
      middle.id,
      low.id,
    ]);
    expect(await low.run(() => refusal(low.id, () => middle.handle.result()))).toEqual([low.id, middle.id, low.id]);
    for (const task of [low, middle, top]) task.end();
    await settled();
    expect(top.handle.status).toBe("succeeded");
  });

  test("L3 two tasks cannot wait for each other: the second is refused, the first goes on", async () => {
    const { manager } = world();
    const [a, b] = [root(manager), root(manager)];
    await settled();
    const first = a.run((ctx) => ctx.awaitTasks([b.id]));
    await settled();
    expect(await b.run((ctx) => refusal(b.id, () => ctx.awaitTasks([a.id])))).toEqual([b.id, a.id, b.id]);
    expect(a.handle.status).toBe("blocked");
    b.end();
    await expect(first).resolves.toMatchObject({ reason: "done" });
    a.end();
    await settled();
    expect(a.handle.status).toBe("succeeded");
  });

  test("L3 a chain of any length is followed and named", async () => {
    const { manager } = world();
    const tasks = Array.from({ length: 6 }, () => root(manager));
    await settled();
    for (const [index, task] of tasks.entries()) {
      const next = tasks[index + 1];
      if (next !== undefined) task.begin(() => next.handle.result());
    }
    await settled();
    const [first, last] = [tasks[0], tasks.at(-1)];
    if (first === undefined || last === undefined) throw new Error("no tasks");
    expect(await last.run((ctx) => refusal(last.id, () => ctx.awaitTasks([first.id])))).toEqual([
      last.id,
      ...tasks.map((task) => task.id),
    ]);
    last.end();
    for (const task of tasks) task.end();
    await settled();
    expect(tasks.map((task) => task.handle.status)).toEqual(tasks.map(() => "succeeded"));
  });

  test("L3 a chain of 8 000 tasks is followed without a deep stack", async () => {
    const { manager } = world();
    const tasks = Array.from({ length: 8_000 }, () => root(manager));
    await settled();
    // From the end, so that each wait joins a chain at its head.
    for (let index = tasks.length - 2; index >= 0; index -= 1) {
      const [task, next] = [tasks[index], tasks[index + 1]];
      if (next !== undefined) task?.begin(() => next.handle.outcome());
    }
    await settled();
    const [first, last] = [tasks[0], tasks.at(-1)];
    if (first === undefined || last === undefined) throw new Error("no tasks");
    expect(await last.run((ctx) => refusal(last.id, () => ctx.awaitTasks([first.id])))).toHaveLength(8_001);
    for (const task of tasks) task.end();
    await settled();
    expect(first.handle.status).toBe("succeeded");
  });

  test("L3 a chain over a child edge is followed: the waiter's child waits for the outside", async () => {
    const { manager } = world();
    const [a, b] = [root(manager), root(manager)];
    const child = childOf(b.handle, manager);
    await settled();
    a.begin(() => b.handle.result());
    await settled();
    // b is not done before its child, so the child cannot wait for a, which waits for b.
    expect(await child.run((ctx) => refusal(child.id, () => ctx.awaitTasks([a.id])))).toEqual([
      child.id,
      a.id,
      b.id,
      child.id,
    ]);
    child.begin((ctx) => ctx.receive());
    await settled();
    await child.handle.send("done");
    for (const task of [child, b, a]) task.end();
    await settled();
    expect(a.handle.status).toBe("succeeded");
  });

  test("L3 the other way round: a task cannot wait for one whose child waits for it", async () => {
    const { manager } = world();
    const [a, b] = [root(manager), root(manager)];
    const child = childOf(b.handle, manager);
    await settled();
    child.begin(() => a.handle.result());
    await settled();
    expect(await a.run((ctx) => refusal(a.id, () => ctx.awaitTasks([b.id])))).toEqual([a.id, b.id, child.id, a.id]);
    a.end();
    child.end();
    b.end();
    await settled();
    expect(b.handle.status).toBe("succeeded");
  });

  for (const { name, options } of [
    { name: "until any", options: { until: "any" } },
    { name: "until one", options: { until: 1 } },
    { name: "until success", options: { until: "success" } },
    { name: "with a timeout", options: { timeoutMs: 10 } },
    { name: "with a signal", options: { signal: new AbortController().signal } },
    { name: "that stops on a request", options: { stopOnRequest: true } },
  ] as const)
    test(`L3 a wait ${name} is refused like any other`, async () => {
      const { manager } = world();
      const [a, b, free] = [root(manager), root(manager), root(manager)];
      await settled();
      a.begin((ctx) => ctx.awaitTasks([free.id, b.id], { ...options, until: "any" }));
      await settled();
      expect(await b.run((ctx) => refusal(b.id, () => ctx.awaitTasks([free.id, a.id], options)))).toEqual([
        b.id,
        a.id,
        b.id,
      ]);
      free.end();
      await settled();
      expect(a.handle.status).toBe("running");
      for (const task of [a, b]) task.end();
      await settled();
      expect(b.handle.status).toBe("succeeded");
    });

  test("L3 a task whose code runs on beside its wait counts as waiting", async () => {
    const { manager } = world();
    const [a, b] = [root(manager), root(manager)];
    await settled();
    let left: Promise<unknown> = Promise.resolve();
    await a.run(async () => {
      left = b.handle.outcome();
    });
    expect(await b.run((ctx) => refusal(b.id, () => ctx.awaitTasks([a.id])))).toEqual([b.id, a.id, b.id]);
    b.end();
    await expect(left).resolves.toMatchObject({ status: "succeeded" });
    a.end();
    await settled();
  });

  test("L3 one of several overlapping waits is enough", async () => {
    const { manager } = world();
    const [a, b, c] = [root(manager), root(manager), root(manager)];
    await settled();
    a.begin(() => Promise.all([c.handle.result(), b.handle.result(), c.handle.outcome()]));
    await settled();
    expect(await b.run((ctx) => refusal(b.id, () => ctx.awaitTasks([a.id])))).toEqual([b.id, a.id, b.id]);
    c.end();
    await settled();
    // c has ended: a's wait for b stands, and so does its edge.
    expect(await b.run((ctx) => refusal(b.id, () => ctx.awaitTasks([a.id])))).toEqual([b.id, a.id, b.id]);
    b.end();
    a.end();
    await settled();
    expect(a.handle.status).toBe("succeeded");
  });

  test("L3 a child the function spawned and forgot is waited for, so it cannot wait for that function", async () => {
    const { manager } = world();
    const seen: unknown[] = [];
    const parent = manager.spawn((ctx) => {
      const own = ctx.id;
      ctx.spawn(async (child) => {
        await settled(2);
        seen.push(await refusal(child.id, () => child.awaitTasks([own])));
      });
    });
    await settled();
    expect(seen).toEqual([[expect.any(String), parent.id, expect.any(String)]]);
    expect(parent.status).toBe("succeeded");
  });

  test("L3 a cycle over two managers is refused too", async () => {
    const [here, there] = [world().manager, world().manager];
    // Counted ids repeat over managers; this one keeps the two tasks apart.
    there.spawn(() => 1);
    const [a, b] = [root(here), root(there)];
    await settled();
    const first = a.run(() => b.handle.outcome());
    await settled();
    expect(await b.run(() => refusal(b.id, () => a.handle.outcome()))).toEqual([b.id, a.id, b.id]);
    b.end();
    await expect(first).resolves.toMatchObject({ status: "succeeded" });
    a.end();
    await settled();
  });

  test("L3 `idle` and `close` inside a task are refused", async () => {
    const { manager } = world();
    const task = root(manager);
    expect(await task.run(() => refusal(task.id, () => manager.idle()))).toEqual([task.id, task.id]);
    expect(await task.run(() => refusal(task.id, () => manager.close()))).toEqual([task.id, task.id]);
    expect(manager.spawn(() => 1).status).toBe("queued");
    task.end();
    await manager.idle();
  });
});

describe("what a refusal leaves", () => {
  test("L3 a refused wait changes no slot and tells nothing", async () => {
    const { manager, told } = world({ concurrency: 1 });
    const task = manager.spawn(async (ctx) => {
      const ring = await refusal(ctx.id, () => ctx.awaitTasks([ctx.id]));
      return [ring, ctx.record.status, ctx.record.blockedOn, slots(manager).held];
    });
    await settled();
    await expect(task.result()).resolves.toEqual([[task.id, task.id], "running", [], 1]);
    expect(told.map((event) => event.type)).toEqual(["task.created", "task.started", "task.succeeded"]);
    allFree(manager);
  });

  test("L3 a refused wait leaves no edge behind", async () => {
    const { manager } = world();
    const [a, b] = [root(manager), root(manager)];
    const child = childOf(a.handle, manager);
    await settled();
    // b is among those the refused wait named, but was never waited for.
    expect(await child.run((ctx) => refusal(child.id, () => ctx.awaitTasks([b.id, a.id])))).toEqual([
      child.id,
      a.id,
      child.id,
    ]);
    const waits = b.run((ctx) => ctx.awaitTasks([child.id]));
    expect(await peek(waits)).toEqual({ is: "pending" });
    child.end();
    await expect(waits).resolves.toMatchObject({ reason: "done" });
    for (const task of [a, b]) task.end();
    await settled();
    expect(a.handle.status).toBe("succeeded");
  });

  test("L3 a refused task that lets the error through fails with it as cause", async () => {
    const { manager } = world();
    const task = manager.spawn((ctx) => ctx.awaitTasks([ctx.id]));
    await settled();
    expect(task.record).toMatchObject({ status: "failed", error: { code: "error", cause: { code: "AWAIT_CYCLE" } } });
  });
});

describe("a wait that can end", () => {
  test("L3 an edge is gone when its wait is over: after a timeout the other may wait", async () => {
    const { clock, manager } = world();
    const [a, b] = [root(manager), root(manager)];
    await settled();
    const first = a.run((ctx) => ctx.awaitTasks([b.id], { timeoutMs: 10 }));
    await settled();
    await clock.advance(10);
    await expect(first).resolves.toMatchObject({ reason: "timeout" });
    const second = b.run((ctx) => ctx.awaitTasks([a.id]));
    expect(await peek(second)).toEqual({ is: "pending" });
    a.end();
    await expect(second).resolves.toMatchObject({ reason: "done" });
    b.end();
    await settled();
  });

  test("L3 an edge is gone when its wait is withdrawn", async () => {
    const { manager } = world();
    const [a, b] = [root(manager), root(manager)];
    const giveUp = new AbortController();
    await settled();
    a.begin(() => b.handle.result({ signal: giveUp.signal }));
    await settled();
    giveUp.abort();
    await settled();
    const second = b.run(() => a.handle.outcome());
    expect(await peek(second)).toEqual({ is: "pending" });
    a.end();
    await expect(second).resolves.toMatchObject({ status: "succeeded" });
    b.end();
  });

  test("L3 an edge is gone when an `outcomes` loop is left", async () => {
    const { manager } = world();
    const [a, b] = [root(manager), root(manager)];
    const quick = manager.spawn(() => 1);
    await settled();
    await a.run(async (ctx) => {
      for await (const _ of ctx.outcomes([b.id, quick])) break;
    });
    const second = b.run(() => a.handle.outcome());
    expect(await peek(second)).toEqual({ is: "pending" });
    a.end();
    await expect(second).resolves.toMatchObject({ status: "succeeded" });
    b.end();
  });

  test("L3 two waits on one task are two: ending the first leaves the edge of the second", async () => {
    const { manager } = world();
    const [a, b] = [root(manager), root(manager)];
    const giveUp = new AbortController();
    await settled();
    a.begin(() => Promise.all([b.handle.result({ signal: giveUp.signal }).catch(() => undefined), b.handle.outcome()]));
    await settled();
    giveUp.abort();
    await settled();
    expect(await b.run((ctx) => refusal(b.id, () => ctx.awaitTasks([a.id])))).toEqual([b.id, a.id, b.id]);
    b.end();
    a.end();
    await settled();
    expect(a.handle.status).toBe("succeeded");
  });

  test("L3 a detached child may wait for the task that spawned it", async () => {
    const { manager } = world();
    const parent = root(manager);
    const child = await parent.run(async (ctx) => ctx.spawn((own) => own.awaitTasks([parent.id]), { detached: true }));
    await settled();
    expect(child.status).toBe("blocked");
    parent.end();
    await settled();
    expect([parent.handle.status, child.status]).toEqual(["succeeded", "succeeded"]);
  });

  test("L3 a task may wait for its descendants, its siblings and its parent's siblings", async () => {
    const { manager } = world();
    const [top, uncle] = [root(manager), root(manager)];
    const [left, right] = [childOf(top.handle, manager), childOf(top.handle, manager)];
    const low = childOf(left.handle, manager);
    await settled();
    const waits: Promise<unknown>[] = [
      top.run((ctx) => ctx.awaitTasks([left.id, low.id])),
      left.run((ctx) => ctx.awaitTasks([low.id, right.id])),
      low.run((ctx) => ctx.awaitTasks([uncle.id, right.id])),
      right.run((ctx) => ctx.awaitTasks([uncle.id])),
    ];
    for (const wait of waits) expect(await peek(wait)).toEqual({ is: "pending" });
    for (const task of [uncle, right, low, left, top]) task.end();
    await expect(Promise.all(waits)).resolves.toHaveLength(4);
    await settled();
    expect(top.handle.status).toBe("succeeded");
  });

  test("L3 a diamond is no cycle", async () => {
    const { manager } = world();
    const [a, b, c, d] = [root(manager), root(manager), root(manager), root(manager)];
    await settled();
    b.begin(() => d.handle.result());
    c.begin(() => d.handle.result());
    await settled();
    const both = a.run((ctx) => ctx.awaitTasks([b.id, c.id, d.id]));
    expect(await peek(both)).toEqual({ is: "pending" });
    for (const task of [d, c, b, a]) task.end();
    await expect(both).resolves.toMatchObject({ reason: "done" });
  });

  test("L3 diamond upon diamond is followed once each, however many ways lead through them", async () => {
    const { manager } = world();
    const outside = root(manager);
    const layers = Array.from({ length: 40 }, () => [root(manager), root(manager)] as const);
    await settled();
    for (const [index, [left, right]] of layers.entries()) {
      const below = layers[index - 1];
      if (below === undefined) continue;
      for (const each of [left, right]) each.begin((ctx) => ctx.awaitTasks([below[0].id, below[1].id]));
    }
    await settled();
    const wait = layers[0]?.[0].run(() => outside.handle.outcome());
    await settled();
    outside.end();
    await expect(wait).resolves.toMatchObject({ status: "succeeded" });
    for (const each of layers.flat()) each.end();
    await manager.idle();
  });

  test("L3 `input`, `message`, `time` and `slot` have no edge", async () => {
    const { clock, manager } = world({ concurrency: 1 });
    const asker = manager.spawn(async (ctx) => {
      await ctx.sleep(10);
      await ctx.receive();
      await ctx.ask({ question: "Now?" });
    });
    const waiter = manager.spawn(() => asker.outcome());
    await settled();
    await clock.advance(10);
    await asker.send("go on");
    await settled();
    for (const request of manager.inbox.list()) await manager.inbox.answer(request.id, "yes", { by: "ada" });
    await settled();
    expect([asker.status, waiter.status]).toEqual(["succeeded", "succeeded"]);
    allFree(manager);
  });

  test("L3 a wait outside every task is never refused", async () => {
    const { manager } = world();
    const gate = deferred();
    const task = manager.spawn(() => gate.promise);
    const outside = [task.result(), manager.awaitTasks([task]), manager.idle()];
    gate.resolve();
    await expect(Promise.all(outside)).resolves.toHaveLength(3);
  });
});

test("L3 the children of a map have an edge from the mapping task, through whatever context they were made", async () => {
  const manager = new TaskManager();
  const outcome = await manager
    .spawn(async (parent) => {
      const mapping: TaskHandle = parent.spawn(() => parent.map([1], () => mapping.outcome(), { concurrency: 1 }));
      return mapping.outcome();
    })
    .result();
  expect(outcome).toMatchObject({ status: "failed" });
});

describe("L3 the search for a cycle", () => {
  const taskOf = (handle: TaskHandle) => given(Handle.heldBy("task", handle)).task;

  test("is needed for no wait for a child, however deep, and for none on a task that waits for nothing", async () => {
    const { manager } = world({ limits: { maxDepth: 100 } });
    const chain: TaskHandle[] = [];
    const below = (ctx: TaskContext): Promise<unknown> => {
      const { length } = chain;
      const child = ctx.spawn((next) => (length < 50 ? below(next) : next.receive()));
      chain.push(child);
      return child.outcome();
    };
    const root = manager.spawn(below);
    const idle = manager.spawn(() => deferred().promise);
    await settled();
    const family = [root, ...chain].map(taskOf);
    for (const [depth, task] of family.entries()) {
      const child = family[depth + 1];
      // Each child waits in its turn, and the edge to it is there since its spawn.
      if (child !== undefined) expect(needsNoSearch(task, child)).toBe(true);
      expect(needsNoSearch(task, taskOf(idle))).toBe(true);
      expect(needsNoSearch(task, task)).toBe(false);
      for (const above of family.slice(0, depth)) expect(needsNoSearch(task, above)).toBe(false);
    }
  });
});
