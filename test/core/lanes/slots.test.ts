// Slots: who may run, in which order, and that every slot comes back (L1, L2, L4–L6, L8, L9).

import { type SpawnOptions, type TaskContext, type TaskHandle, TaskManager, type TaskManagerOptions } from "errand";
import { countedIds, type ManualClock, manualClock } from "errand/testing";
import { describe, expect, test, vi } from "vitest";
import { allFree, deferred, facts, gauge, peek, settled, slots } from "../../support/basics.js";

function world(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}, startAt = 100_000) {
  const clock = manualClock(startAt);
  return { clock, manager: new TaskManager({ clock, ids: countedIds(), ...options }) };
}

/** A lane whose slots are all held by the test until `open`, so that what is put behind has to stand in line. */
function line(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}) {
  const { clock, manager } = world({ concurrency: 1, ...options });
  const gate = deferred();
  const started: string[] = [];
  const hold = (): TaskHandle<void> => manager.spawn(() => gate.promise, { title: "holder" });
  const put = (name: string, spawn: SpawnOptions = {}): TaskHandle<void> =>
    manager.spawn(() => void started.push(name), { ...spawn, title: name });
  const open = async (): Promise<readonly string[]> => {
    gate.resolve();
    await settled();
    return started;
  };
  return { clock, manager, gate, started, hold, put, open };
}

describe("how many run", () => {
  test("L1 at most `concurrency` started tasks have no pending wait", async () => {
    const { manager } = world({ concurrency: 3 });
    const gates = Array.from({ length: 10 }, () => deferred());
    const running = gauge();
    const handles = gates.map((gate) => manager.spawn(running.around(() => gate.promise)));
    for (const gate of gates) {
      await settled();
      expect(running.now).toBe(Math.min(3, handles.filter((handle) => handle.status !== "succeeded").length));
      gate.resolve();
    }
    await settled();
    expect(running.peak).toBe(3);
    expect(handles.map((handle) => handle.status)).toEqual(handles.map(() => "succeeded"));
    allFree(manager);
  });

  test("L1 without `concurrency` every task starts", async () => {
    const { manager } = world();
    const running = gauge();
    const gate = deferred();
    for (let index = 0; index < 200; index += 1) manager.spawn(running.around(() => gate.promise));
    await settled();
    expect(running.now).toBe(200);
    gate.resolve();
    await settled();
    expect(manager.stats().running).toBe(0);
  });

  test("L1 work that ignores a cancel keeps its slot until it ends", async () => {
    const { manager, put, started } = line();
    const stubborn = deferred();
    const handle = manager.spawn(() => stubborn.promise);
    await settled();
    put("next");
    const cancelled = handle.cancel();
    await settled();
    expect(handle.status).toBe("running");
    expect(slots(manager).held).toBe(1);
    expect(started).toEqual([]);
    stubborn.resolve();
    await settled();
    expect(started).toEqual(["next"]);
    await expect(cancelled).resolves.toMatchObject({ status: "succeeded" });
    allFree(manager);
  });

  test("L1 work that ignores a cancel gives its slot back when it is abandoned", async () => {
    const { clock, manager, put, started } = line({ graceMs: 700 });
    const handle = manager.spawn(() => new Promise<never>(() => undefined));
    await settled();
    put("next");
    void handle.cancel();
    await clock.advance(699);
    expect(started).toEqual([]);
    await clock.advance(1);
    await settled();
    expect(started).toEqual(["next"]);
    expect(handle.status).toBe("cancelled");
    expect(manager.stats().abandoned).toBe(1);
    allFree(manager);
  });

  test("L1 in a `holdAbandoned` lane abandoned work keeps its slot until it really ends", async () => {
    const { clock, manager, put, started } = line({
      concurrency: 4,
      lanes: { gpu: { concurrency: 1, holdAbandoned: true } },
      graceMs: 700,
    });
    const stubborn = deferred();
    const handle = manager.spawn(() => stubborn.promise, { lane: "gpu" });
    await settled();
    put("next", { lane: "gpu" });
    void handle.cancel();
    await clock.advance(10_000);
    await settled();
    expect(handle.status).toBe("cancelled");
    expect(slots(manager, "gpu").held).toBe(1);
    expect(started).toEqual([]);
    stubborn.resolve();
    await settled();
    expect(started).toEqual(["next"]);
    expect(manager.stats().abandoned).toBe(0);
    allFree(manager);
  });
});

interface Stage {
  readonly manager: TaskManager;
  readonly clock: ManualClock;
  /** A task outside the lane under test, which ends when `finish` is called, cancelled or not. */
  readonly other: TaskHandle<string>;
  readonly finish: () => void;
  readonly waiter: () => TaskHandle;
}

interface WaitCase {
  readonly name: string;
  readonly on?: string;
  readonly begin: (ctx: TaskContext, stage: Stage) => Promise<unknown>;
  readonly end: (stage: Stage) => unknown;
}

const answerWith =
  (value: unknown) =>
  async ({ manager }: Stage): Promise<void> => {
    for (const request of manager.inbox.list()) await manager.inbox.answer(request.id, value, { by: "ada" });
  };
const finishOther = (stage: Stage): void => stage.finish();

const waits: readonly WaitCase[] = [
  { name: "sleep", on: "time", begin: (ctx) => ctx.sleep(10), end: ({ clock }) => clock.advance(10) },
  { name: "ask", on: "input", begin: (ctx) => ctx.ask({ question: "Which?" }), end: answerWith("this") },
  { name: "approve", on: "input", begin: (ctx) => ctx.approve("Really?"), end: answerWith(true) },
  { name: "receive", on: "message", begin: (ctx) => ctx.receive(), end: ({ waiter }) => waiter().send("go on") },
  { name: "awaitTasks", on: "tasks", begin: (ctx, { other }) => ctx.awaitTasks([other]), end: finishOther },
  {
    name: "manager.awaitTasks",
    on: "tasks",
    begin: (_ctx, { manager, other }) => manager.awaitTasks([other]),
    end: finishOther,
  },
  {
    name: "a step of outcomes",
    on: "tasks",
    begin: (ctx, { other }) => ctx.outcomes([other])[Symbol.asyncIterator]().next(),
    end: finishOther,
  },
  {
    name: "map",
    begin: (ctx, { other }) => ctx.map([1], (child) => child.awaitTasks([other]), { concurrency: 1 }),
    end: finishOther,
  },
  { name: "handle.result", on: "tasks", begin: (_ctx, { other }) => other.result(), end: finishOther },
  { name: "handle.outcome", on: "tasks", begin: (_ctx, { other }) => other.outcome(), end: finishOther },
  {
    name: "handle.outcome with a timeout",
    on: "tasks",
    begin: (_ctx, { other }) => other.outcome({ timeoutMs: 10 }),
    end: ({ clock }) => clock.advance(10),
  },
  { name: "handle.cancel", on: "tasks", begin: (_ctx, { other }) => other.cancel(), end: finishOther },
  {
    name: "disposing a handle",
    on: "tasks",
    begin: (_ctx, { other }) => other[Symbol.asyncDispose](),
    end: finishOther,
  },
  {
    name: "cancelAll",
    on: "tasks",
    begin: (_ctx, { manager }) => manager.cancelAll({ tags: ["other"] }),
    end: finishOther,
  },
];

describe("a waiting task lends its slot", () => {
  for (const { name, on, begin, end } of waits)
    test(`L2 a task blocked in ${name} lends its slot`, async () => {
      const { clock, manager } = world({ lanes: { one: { concurrency: 1 } } });
      const otherGate = deferred<string>();
      const rivalGate = deferred();
      const other = manager.spawn(() => otherGate.promise, { tags: ["other"] });
      await settled();
      const stage: Stage = { manager, clock, other, finish: () => otherGate.resolve("done"), waiter: () => waiter };
      const waiter = manager.spawn((ctx) => begin(ctx, stage), { lane: "one" });
      const rival = manager.spawn(() => rivalGate.promise, { lane: "one" });
      await settled();
      expect(waiter.status).toBe("blocked");
      if (on !== undefined) expect(waiter.record.blockedOn.map((wait) => wait.on)).toEqual([on]);
      expect(rival.status).toBe("running");
      expect(slots(manager, "one").held).toBe(1);

      // The wait ends while the rival has the slot: the waiter does not go on before it is free.
      await end(stage);
      await settled();
      expect(waiter.status).toBe("blocked");
      expect(waiter.record.blockedOn).toEqual([{ on: "slot" }]);
      expect(slots(manager, "one").held).toBe(1);

      rivalGate.resolve();
      otherGate.resolve("done");
      await settled();
      expect(waiter.status).toBe("succeeded");
      allFree(manager);
    });

  test("L2 a task that waits for room lends its slot, so that the line moves", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 1 } });
    const gate = deferred();
    const waiter = manager.spawn(async () => {
      manager.spawn(() => gate.promise, { root: true });
      expect(() => manager.spawn(() => 1, { root: true })).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
      await manager.room();
      return manager.spawn(() => "fits", { root: true }).result();
    });
    await settled();
    expect(waiter.status).toBe("blocked");
    expect(waiter.record.blockedOn).toEqual([{ on: "slot" }]);
    expect(manager.stats().running).toBe(1);
    gate.resolve();
    await settled();
    await expect(waiter.result()).resolves.toBe("fits");
    allFree(manager);
  });

  test("L2 a task that has to stand in line for its slot says so before it resumes", async () => {
    const { clock, manager, gate, put, hold } = line();
    const told = facts(manager);
    const waiter = manager.spawn((ctx) => ctx.sleep(10));
    hold();
    put("behind");
    await settled();
    await clock.advance(10);
    gate.resolve();
    await settled();
    const own = told
      .filter((event) => event.taskId === waiter.id)
      .map((event) =>
        event.type === "task.blocked" ? `blocked on ${event.blockedOn.map((wait) => wait.on).join()}` : event.type,
      );
    expect(own).toEqual([
      "task.created",
      "task.started",
      "blocked on time",
      "blocked on slot",
      "task.resumed",
      "task.succeeded",
    ]);
  });

  test("L2 `cancelled`, `stored` and `send` are no waits: the task keeps its slot", async () => {
    const { manager, put, started } = line();
    const told = facts(manager);
    const far = manager.spawn((ctx) => ctx.receive(), { title: "far" });
    await settled();
    const handle = manager.spawn(async (ctx) => {
      await far.stored();
      await far.send("for later");
      await ctx.post("on my way");
      await ctx.cancelled();
    });
    put("next");
    await settled();
    expect(handle.status).toBe("running");
    expect(told.filter((event) => event.taskId === handle.id && event.type === "task.blocked")).toEqual([]);
    expect(started).toEqual([]);
    await handle.cancel();
    await settled();
    expect(started).toEqual(["next"]);
    allFree(manager);
  });

  test("L2 a task whose function has returned waits for its children without a slot", async () => {
    const { manager } = world({ concurrency: 1 });
    const gate = deferred();
    const parent = manager.spawn((ctx) => void ctx.spawn(() => gate.promise));
    await settled();
    expect(parent.record).toMatchObject({ status: "blocked", blockedOn: [{ on: "children" }] });
    expect(slots(manager).held).toBe(1);
    gate.resolve();
    await settled();
    expect(parent.status).toBe("succeeded");
    allFree(manager);
  });
});

describe("who goes first", () => {
  test("L4 a line goes first come, first served", async () => {
    const { hold, put, open } = line();
    hold();
    const names = Array.from({ length: 20 }, (_, index) => `t${index}`);
    for (const name of names) put(name);
    expect(await open()).toEqual(names);
  });

  test("L4 one step of priority is worth `agingMs` of waiting, and a tie goes to the first", async () => {
    const { clock, hold, put, open } = line({ agingMs: 1_000 });
    hold();
    put("plain at 0");
    await clock.advance(500);
    put("+1 at 500", { priority: 1 });
    await clock.advance(500);
    put("+1 at 1000", { priority: 1 });
    await clock.advance(500);
    put("+1 at 1500", { priority: 1 });
    put("-1 at 1500", { priority: -1 });
    put("+2 at 1500", { priority: 2 });
    await clock.advance(900);
    put("plain at 2400");
    await clock.advance(200);
    put("plain at 2600");
    expect(await open()).toEqual([
      "+1 at 500",
      "+2 at 1500",
      "plain at 0",
      "+1 at 1000",
      "+1 at 1500",
      "plain at 2400",
      "-1 at 1500",
      "plain at 2600",
    ]);
  });

  test("L4 a lane may say its own `agingMs`", async () => {
    const { clock, manager, gate, put, open } = line({
      concurrency: 2,
      agingMs: 1_000,
      lanes: { slow: { concurrency: 1, agingMs: 10 } },
    });
    manager.spawn(() => gate.promise, { lane: "slow" });
    put("plain", { lane: "slow" });
    await clock.advance(20);
    put("+1", { lane: "slow", priority: 1 });
    put("+3", { lane: "slow", priority: 3 });
    expect(await open()).toEqual(["+3", "plain", "+1"]);
  });

  test("L4 keys with waiters take turns, whatever their priority and number", async () => {
    const { hold, put, open } = line();
    hold();
    for (let index = 0; index < 4; index += 1) put(`a${index}`, { laneKey: "a", priority: 50 });
    for (let index = 0; index < 2; index += 1) put(`b${index}`, { laneKey: "b" });
    put("c0", { laneKey: "c", priority: -50 });
    const order = await open();
    expect(order).toHaveLength(7);
    expect(new Set(order.slice(0, 3).map((name) => name[0]))).toEqual(new Set(["a", "b", "c"]));
    expect(new Set(order.slice(3, 5).map((name) => name[0]))).toEqual(new Set(["a", "b"]));
    for (const key of ["a", "b"]) {
      const own = order.filter((name) => name.startsWith(key));
      expect(own).toEqual([...own].sort());
    }
  });

  test("L4 inside a key the priority decides", async () => {
    const { hold, put, open } = line();
    hold();
    put("low", { laneKey: "a" });
    put("high", { laneKey: "a", priority: 3 });
    put("middle", { laneKey: "a", priority: 2 });
    expect(await open()).toEqual(["high", "middle", "low"]);
  });

  test("L4 a key that comes late to a long line of another key gets the next turn but one at the latest", async () => {
    const { hold, put, open } = line();
    hold();
    for (let index = 0; index < 500; index += 1) put(`greedy${index}`, { laneKey: "greedy" });
    put("modest", { laneKey: "modest" });
    expect((await open()).indexOf("modest")).toBeLessThanOrEqual(1);
  });

  test("L4 a key whose waiters have all gone takes no turn", async () => {
    const { hold, put, open } = line();
    hold();
    put("a0", { laneKey: "a" });
    const gone = put("b0", { laneKey: "b" });
    put("a1", { laneKey: "a" });
    put("c0", { laneKey: "c" });
    await gone.cancel();
    expect([...(await open())].sort()).toEqual(["a0", "a1", "c0"]);
  });

  test("L4 a key whose waiters have gone comes back behind the keys that stand in line", async () => {
    const { hold, put, open } = line();
    hold();
    const gone = put("a0", { laneKey: "a" });
    put("b0", { laneKey: "b" });
    void gone.cancel();
    put("a1", { laneKey: "a" });
    expect(await open()).toEqual(["b0", "a1"]);
  });

  test("L4 those without a key take turns with the keys, as one of them", async () => {
    const { hold, put, open } = line();
    hold();
    for (const name of ["plain0", "plain1", "plain2"]) put(name);
    put("a0", { laneKey: "a" });
    expect(await open()).toEqual(["plain0", "a0", "plain1", "plain2"]);
  });

  for (const { priority, order } of [
    { priority: 0, order: ["at 900", "resumed", "at 1100"] },
    { priority: 2, order: ["resumed", "at 900", "at 1100"] },
  ])
    test(`L4 a resume of priority ${priority} enters one \`agingMs\` earlier`, async () => {
      const { clock, manager, started, hold, put, open } = line({ agingMs: 1_000 });
      manager.spawn(
        async (ctx) => {
          await ctx.sleep(2_000);
          started.push("resumed");
        },
        { priority },
      );
      await settled();
      hold();
      await clock.advance(900);
      put("at 900");
      await clock.advance(200);
      put("at 1100");
      await clock.advance(900);
      expect(await open()).toEqual(order);
    });

  test("L4 a child of a started task enters one `agingMs` earlier", async () => {
    const { clock, manager, gate, started, put, open } = line({ agingMs: 1_000 });
    const now = deferred();
    manager.spawn(async (ctx) => {
      await now.promise;
      ctx.spawn(() => void started.push("child"));
      await gate.promise;
    });
    await clock.advance(900);
    put("at 900");
    await clock.advance(200);
    put("at 1100");
    await clock.advance(900);
    now.resolve();
    await settled();
    expect(await open()).toEqual(["at 900", "child", "at 1100"]);
  });

  test("L4 a child of a queued task enters like any other", async () => {
    const { clock, manager, hold, put, open } = line({
      concurrency: 2,
      agingMs: 1_000,
      lanes: { shut: { concurrency: 1 }, one: { concurrency: 1 } },
    });
    manager.pause("shut");
    hold();
    const blocker = deferred();
    manager.spawn(() => blocker.promise, { lane: "one" });
    const parent = put("parent", { lane: "shut" });
    await clock.advance(500);
    put("at 500", { lane: "one" });
    await clock.advance(500);
    put("child at 1000", { lane: "one", parent });
    blocker.resolve();
    expect(await open()).toEqual(["at 500", "child at 1000"]);
    manager.resume("shut");
    await settled();
    allFree(manager);
  });

  test("L4 tasks that resume for ever do not starve one that waits for its start", async () => {
    const { clock, manager } = world({ concurrency: 1, agingMs: 1_000 }, 0);
    let over = false;
    for (let index = 0; index < 3; index += 1) {
      manager.spawn(async (ctx) => {
        while (!over) {
          await clock.sleep(50);
          await ctx.sleep(1);
        }
      });
    }
    // Each of them has started, so that from here on there is always a resume in line.
    await clock.advance(200);
    const enteredAt = clock.now();
    let startedAt = Infinity;
    manager.spawn(() => {
      startedAt = clock.now();
      over = true;
    });
    await clock.advance(2_000);
    expect(startedAt - enteredAt).toBeLessThanOrEqual(1_300);
    await clock.advance(1_000);
    allFree(manager);
  });

  test("L4 an endless stream of high priority does not starve a low one", async () => {
    const { clock, manager } = world({ concurrency: 1, agingMs: 1_000 }, 0);
    let startedAt = Infinity;
    manager.spawn(() => clock.sleep(10));
    await settled();
    manager.spawn(() => {
      startedAt = clock.now();
    });
    for (let round = 0; round < 60; round += 1) {
      manager.spawn(() => clock.sleep(120), { priority: 3 });
      await clock.advance(100);
    }
    expect(startedAt).toBeGreaterThan(1_000);
    expect(startedAt).toBeLessThanOrEqual(4_500);
  });
});

describe("pause", () => {
  test("L4 a paused manager starts nothing until it is resumed", async () => {
    const { manager } = world({ concurrency: 2 });
    manager.pause();
    const handles = [manager.spawn(() => 1), manager.spawn(() => 2)];
    await settled();
    expect(handles.map((handle) => handle.status)).toEqual(["queued", "queued"]);
    expect(slots(manager)).toMatchObject({ held: 0, queued: 2, paused: true });
    manager.resume();
    await settled();
    expect(handles.map((handle) => handle.status)).toEqual(["succeeded", "succeeded"]);
    expect(slots(manager).paused).toBe(false);
  });

  test("L4 pause stops a start that has its slot already, and it keeps its place in line", async () => {
    const { manager } = world({ concurrency: 1 });
    const order: string[] = [];
    for (const name of ["a", "b", "c"]) manager.spawn(() => void order.push(name));
    manager.pause();
    await settled();
    expect([order, slots(manager).held, slots(manager).queued]).toEqual([[], 0, 3]);
    manager.resume();
    await settled();
    expect(order).toEqual(["a", "b", "c"]);
    allFree(manager);
  });

  test("L8 a start that was granted its slot, then paused and cancelled while a child of it lives, leaks none", async () => {
    const { manager } = world({ lanes: { a: { concurrency: 1 }, b: { concurrency: 1 } } });
    const gate = deferred();
    manager.pause("a");
    const parent = manager.spawn(() => "parent", { lane: "a" });
    const child = manager.spawn(() => gate.promise, { lane: "b", parent });
    await settled();
    manager.resume("a");
    manager.pause("a");
    void parent.cancel();
    await settled();
    expect([slots(manager, "a").held, slots(manager, "a").queued]).toEqual([0, 0]);
    gate.resolve();
    await child.outcome();
    manager.resume("a");
    expect(await manager.spawn(() => "next", { lane: "a" }).result()).toBe("next");
    allFree(manager);
  });

  test("L4 pause stops starts, never resumes", async () => {
    const { clock, manager } = world({ concurrency: 1 });
    const sleeper = manager.spawn((ctx) => ctx.sleep(10));
    await settled();
    manager.pause();
    const waiting = manager.spawn(() => 1);
    await clock.advance(10);
    await settled();
    expect(sleeper.status).toBe("succeeded");
    expect(waiting.status).toBe("queued");
    manager.resume();
    await settled();
    expect(waiting.status).toBe("succeeded");
  });

  test("L4 a resume passes the starts a pause holds back", async () => {
    const { clock, manager } = world({ concurrency: 1 });
    const gate = deferred();
    const sleeper = manager.spawn((ctx) => ctx.sleep(5_000));
    manager.spawn(() => gate.promise);
    await settled();
    const first = manager.spawn(() => 1, { priority: 100 });
    manager.pause();
    await clock.advance(5_000);
    gate.resolve();
    await settled();
    expect(sleeper.status).toBe("succeeded");
    expect(first.status).toBe("queued");
  });

  test("L4 a resume passes the starts a pause holds back, of every other key too", async () => {
    const { clock, manager } = world({ concurrency: 1 });
    const sleeper = manager.spawn((ctx) => ctx.sleep(10), { laneKey: "b" });
    await settled();
    manager.pause();
    const held = manager.spawn(() => 1, { laneKey: "a" });
    await clock.advance(10);
    await settled();
    expect([sleeper.status, held.status]).toEqual(["succeeded", "queued"]);
  });

  test("L4 pausing one lane leaves the others alone", async () => {
    const { manager } = world({ concurrency: 4, lanes: { a: { concurrency: 1 }, b: { concurrency: 1 } } });
    manager.pause("a");
    const [inA, inB, inDefault] = [
      manager.spawn(() => 1, { lane: "a" }),
      manager.spawn(() => 1, { lane: "b" }),
      manager.spawn(() => 1),
    ];
    await settled();
    expect([inA.status, inB.status, inDefault.status]).toEqual(["queued", "succeeded", "succeeded"]);
    expect([slots(manager, "a").paused, slots(manager, "b").paused]).toEqual([true, false]);
    manager.resume("a");
    await settled();
    expect(inA.status).toBe("succeeded");
  });

  test("L4 resuming one lane leaves the others paused, and without a name it resumes them all", async () => {
    const { manager } = world({ concurrency: 4, lanes: { a: { concurrency: 1 }, b: { concurrency: 1 } } });
    manager.pause();
    const [inA, inB] = [manager.spawn(() => 1, { lane: "a" }), manager.spawn(() => 1, { lane: "b" })];
    manager.resume("a");
    await settled();
    expect([inA.status, inB.status]).toEqual(["succeeded", "queued"]);
    expect([slots(manager, "a").paused, slots(manager, "b").paused]).toEqual([false, true]);
    manager.resume();
    await settled();
    expect(inB.status).toBe("succeeded");
  });

  test("L10 D8 a lane that is paused until an instant leaves no timer when the manager closes", async () => {
    const { manager, clock } = world({ lanes: { a: { concurrency: 1 } } });
    manager.pause("a", { untilAt: 60_000 });
    manager.spawn(() => 1, { lane: "a" });
    await settled();
    expect(clock.nextAt).toBeDefined();
    await manager.close();
    expect(clock.nextAt).toBeUndefined();
  });

  test("L5 a task queued in a paused lane can be cancelled", async () => {
    const { manager } = world({ concurrency: 1 });
    manager.pause();
    const handle = manager.spawn(() => 1);
    await expect(handle.cancel()).resolves.toMatchObject({ status: "cancelled" });
    manager.resume();
    await settled();
    allFree(manager);
  });
});

describe("leaving the line", () => {
  test("L5 queued work that is cancelled leaves the line at once and is reported like any other", async () => {
    const { manager, hold, put, open } = line();
    const told = facts(manager);
    hold();
    put("first");
    const gone = put("gone");
    put("last");
    await settled();
    expect(manager.stats().queued).toBe(3);
    const outcome = gone.cancel("not needed");
    expect(gone.status).toBe("cancelled");
    expect(manager.stats().queued).toBe(2);
    expect(slots(manager).queued).toBe(2);
    await expect(outcome).resolves.toEqual({ id: gone.id, status: "cancelled", reason: "not needed" });
    await settled();
    expect(told.filter((event) => event.taskId === gone.id).map((event) => event.type)).toEqual([
      "task.created",
      "task.cancelRequested",
      "task.cancelled",
    ]);
    expect(await open()).toEqual(["first", "last"]);
    allFree(manager);
  });

  test("L5 cancelling any of those in line leaves the order of the rest", async () => {
    const { hold, put, open } = line();
    hold();
    const handles = Array.from({ length: 100 }, (_, index) => put(`t${index}`, { priority: index % 7 }));
    for (const [index, handle] of handles.entries()) if (index % 3 === 0) await handle.cancel();
    const expected = handles
      .map((_, index) => index)
      .filter((index) => index % 3 !== 0)
      .sort((a, b) => (b % 7) - (a % 7) || a - b)
      .map((index) => `t${index}`);
    expect(await open()).toEqual(expected);
  });

  test("L5 leaving a line of 50 000 costs about what leaving a line of 2 000 does", async () => {
    /** Of 50 cancels in the middle of the line: the least of many short samples, which no other load can touch all. */
    const costOf = async (length: number): Promise<number> => {
      const { hold, put } = line({ limits: { maxQueued: length }, retention: { maxFinished: 1 } });
      hold();
      const handles = Array.from({ length }, () => put("waiter"));
      await settled();
      let least = Infinity;
      for (let sample = 0, from = Math.floor(length / 4); sample < 30; sample += 1, from += 50) {
        const startedAt = performance.now();
        for (const handle of handles.slice(from, from + 50)) void handle.cancel();
        least = Math.min(least, performance.now() - startedAt);
        await settled(1);
      }
      expect(handles.filter((handle) => handle.status === "cancelled")).toHaveLength(1_500);
      return least;
    };
    await costOf(2_000);
    const short = await costOf(2_000);
    expect(await costOf(50_000)).toBeLessThan(8 * short);
  });
});

describe("a bounded line", () => {
  test("L6 past `maxQueued` a spawn throws and starts nothing", async () => {
    const { manager } = world({ concurrency: 2, limits: { maxQueued: 2 } });
    const gate = deferred();
    // Two have a slot at once, and do not count.
    for (let index = 0; index < 4; index += 1) manager.spawn(() => gate.promise);
    let ran = false;
    const spawn = (): unknown =>
      manager.spawn(() => {
        ran = true;
      });
    expect(spawn).toThrow(expect.objectContaining({ code: "QUEUE_FULL", maxQueued: 2 }));
    await settled();
    expect(spawn).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
    expect(manager.list()).toHaveLength(4);
    gate.resolve();
    await settled();
    expect(ran).toBe(false);
    expect(spawn).not.toThrow();
    await settled();
    expect(ran).toBe(true);
  });

  test("L6 the line is bounded at 10 000 unless `maxQueued` says otherwise", () => {
    const { manager, hold, put } = line();
    hold();
    for (let index = 0; index < 10_000; index += 1) put("waiter");
    expect(() => put("too many")).toThrow(expect.objectContaining({ code: "QUEUE_FULL", maxQueued: 10_000 }));
    expect(manager.stats().queued).toBeGreaterThanOrEqual(10_000);
  });

  test("L6 one bound goes over all lanes", async () => {
    const { manager } = world({ lanes: { a: { concurrency: 1 }, b: { concurrency: 1 } }, limits: { maxQueued: 2 } });
    const gate = deferred();
    for (const lane of ["a", "b", "a", "b"]) manager.spawn(() => gate.promise, { lane });
    expect(() => manager.spawn(() => 1, { lane: "a" })).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
    expect(() => manager.spawn(() => 1)).not.toThrow();
    gate.resolve();
    await settled();
    allFree(manager);
  });

  test("L6 tasks that come back through the line use up none of its places", async () => {
    const { clock, manager } = world({ concurrency: 1, limits: { maxQueued: 1 } });
    const loops = 50;
    const looper = async (ctx: TaskContext): Promise<void> => {
      for (let index = 0; index < loops; index += 1) {
        await ctx.sleep(1);
        await clock.sleep(1);
      }
    };
    const [a, b] = [manager.spawn(looper), manager.spawn(looper)];
    for (let round = 0; round < 10 * loops && manager.list({ status: "succeeded" }).length < 2; round += 1) {
      await settled(2);
      await clock.advance(1);
    }
    expect([a.status, b.status]).toEqual(["succeeded", "succeeded"]);
    const gate = deferred();
    expect(() => [manager.spawn(() => gate.promise), manager.spawn(() => gate.promise)]).not.toThrow();
    expect(manager.stats().queued).toBeGreaterThan(0);
    gate.resolve();
    await settled();
    allFree(manager);
  });

  test("L6 tasks that come back through the line, or leave it again, add no places to it", async () => {
    const { clock, manager } = world({ concurrency: 1, limits: { maxQueued: 1 } });
    const gates = [deferred(), deferred()];
    const [back, gone] = ["back", "gone"].map((title) => manager.spawn((ctx) => ctx.sleep(10), { title }));
    await settled();
    for (const gate of gates) manager.spawn(() => gate.promise);
    await clock.advance(10);
    expect([back?.record.blockedOn, gone?.record.blockedOn]).toEqual([[{ on: "slot" }], [{ on: "slot" }]]);
    void gone?.cancel();
    gates[0]?.resolve();
    await settled();
    expect([back?.status, gone?.status]).toEqual(["succeeded", "cancelled"]);
    manager.spawn(() => "the one place");
    expect(() => manager.spawn(() => 1)).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
    gates[1]?.resolve();
    await settled();
    allFree(manager);
  });

  test("L6 one that a pause puts back in line has a place in it", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 1 } });
    const first = manager.spawn(() => 1);
    manager.pause();
    await settled();
    expect(first.status).toBe("queued");
    expect(() => manager.spawn(() => 2)).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
    manager.resume();
    await settled();
    expect(() => manager.spawn(() => 2)).not.toThrow();
  });

  test("L6 one that is cancelled in line makes room", async () => {
    const { hold, put } = line({ limits: { maxQueued: 1 } });
    hold();
    const waiter = put("waiter");
    expect(() => put("second")).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
    void waiter.cancel();
    expect(() => put("second")).not.toThrow();
  });

  test("L6 `room` resolves when there is room, and a spawn then fits", async () => {
    const { manager, gate, hold, put } = line({ limits: { maxQueued: 1 } });
    expect(await peek(manager.room())).toEqual({ is: "fulfilled", value: undefined });
    hold();
    put("first");
    const producer = manager.room().then(() => put("second"));
    expect(await peek(producer)).toEqual({ is: "pending" });
    gate.resolve();
    await settled();
    await expect((await producer).result()).resolves.toBeUndefined();
    allFree(manager);
  });

  test("L6 producers that each wait for room never overfill the line", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 2 } });
    let refused = 0;
    let ran = 0;
    const produce = async (): Promise<void> => {
      for (let index = 0; index < 20; index += 1) {
        await manager.room();
        try {
          manager.spawn(async () => {
            await settled(1);
            ran += 1;
          });
        } catch {
          refused += 1;
        }
      }
    };
    await Promise.all([produce(), produce(), produce(), produce()]);
    await manager.idle();
    expect({ refused, ran }).toEqual({ refused: 0, ran: 80 });
  });

  test("L6 the caller that asks for room first gets it first, and a place of its own", async () => {
    const { hold, put, manager } = line({ limits: { maxQueued: 1 } });
    hold();
    const waiter = put("waiter");
    const told: string[] = [];
    for (const name of ["a", "b"]) void manager.room().then(() => told.push(name));
    void waiter.cancel();
    void manager.room().then(() => told.push("late"));
    // One place: whoever is told of it and does not use it leaves it to the next, a turn later.
    for (const after of [["a"], ["a", "b"], ["a", "b", "late"]]) {
      await settled(1);
      expect(told).toEqual(after);
    }
  });

  test("L2 `room` that was there and not used is there again: no wait", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 1 } });
    const gate = deferred();
    const told = facts(manager);
    const task = manager.spawn(async () => {
      await manager.room();
      await gate.promise;
      await manager.room();
    });
    await settled();
    gate.resolve();
    await settled();
    expect(told.filter((event) => event.taskId === task.id).map((event) => event.type)).toEqual([
      "task.created",
      "task.started",
      "task.succeeded",
    ]);
  });

  test("L6 a wait for room that there is not keeps nothing busy", async () => {
    const { manager, hold, put } = line({ limits: { maxQueued: 1 } });
    hold();
    put("waiter");
    void manager.room().catch(() => undefined);
    await settled();
    const turns = vi.spyOn(globalThis, "setImmediate");
    try {
      await settled(5);
      expect(turns).toHaveBeenCalledTimes(5);
    } finally {
      turns.mockRestore();
    }
  });

  test("L6 `room` is there when a slot is, though the line takes no task", async () => {
    const { manager, hold, gate } = line({ limits: { maxQueued: 0 } });
    expect(await peek(manager.room())).toEqual({ is: "fulfilled", value: undefined });
    await settled();
    hold();
    const producer = manager.room().then(() => manager.spawn(() => "fits"));
    expect(await peek(producer)).toEqual({ is: "pending" });
    gate.resolve();
    expect(await (await producer).result()).toBe("fits");
    allFree(manager);
  });

  test("L6 `room` with no line resolves by a slot that a wait gives back, one at a time", async () => {
    const { clock, manager } = world({ concurrency: 1, limits: { maxQueued: 0 } });
    const gate = deferred();
    const waiting = deferred();
    const first = manager.spawn(async (ctx) => {
      await gate.promise;
      const nap = ctx.sleep(10);
      waiting.resolve();
      await nap;
    });
    let ran = 0;
    const produce = async (): Promise<void> => {
      await manager.room();
      manager.spawn(() => void (ran += 1));
    };
    const producers = [produce(), produce(), produce()];
    expect(await peek(Promise.all(producers))).toEqual({ is: "pending" });
    gate.resolve();
    await waiting.promise;
    await settled();
    expect([ran, first.status]).toEqual([3, "blocked"]);
    await clock.advance(10);
    await Promise.all([...producers, first.result()]);
    allFree(manager);
  });

  test("L6 `room` looks at the lane it is asked for", async () => {
    const { manager } = world({
      lanes: { a: { concurrency: 1 }, b: { concurrency: 1 } },
      limits: { maxQueued: 0 },
    });
    const gate = deferred();
    manager.spawn(() => gate.promise, { lane: "a" });
    const inA = manager.room({ lane: "a" });
    expect((await peek(manager.room({ lane: "b" }))).is).toBe("fulfilled");
    expect((await peek(manager.spawn(() => "b", { lane: "b" }).result())).is).toBe("fulfilled");
    expect(await peek(inA)).toEqual({ is: "pending" });
    await expect(manager.room({ lane: "c" })).rejects.toMatchObject({ code: "UNKNOWN_LANE" });
    gate.resolve();
    await inA;
    manager.spawn(() => "a", { lane: "a" });
    await manager.idle();
    allFree(manager);
  });

  test("L6 the slot that a task lends while it waits for room is no room for its own spawn", async () => {
    const { clock, manager } = world({ concurrency: 2, limits: { maxQueued: 0 } });
    const other = manager.spawn((ctx) => ctx.sleep(10).then(() => deferred().promise));
    const producer = manager.spawn(async (ctx) => {
      await manager.room();
      return ctx.spawn(() => "fits").result();
    });
    expect(await producer.result()).toBe("fits");
    await clock.advance(10);
    const late = manager.spawn((ctx) => manager.room().then(() => ctx.spawn(() => "fits").result()));
    await settled();
    expect(late.status).toBe("blocked");
    void other.cancel();
    await clock.advance(5_000);
    expect(await late.result()).toBe("fits");
    allFree(manager);
  });

  test("L6 `room` resolves when a paused lane resumes", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxQueued: 0 } });
    manager.pause();
    const room = manager.room();
    expect(await peek(room)).toEqual({ is: "pending" });
    manager.resume();
    expect((await peek(room)).is).toBe("fulfilled");
  });

  test("L6 `room` is withdrawn by its signal, with the signal's reason", async () => {
    const { manager, hold, put } = line({ limits: { maxQueued: 1 } });
    hold();
    put("first");
    const giveUp = new AbortController();
    const room = manager.room({ signal: giveUp.signal });
    const why = new Error("enough");
    giveUp.abort(why);
    expect(await peek(room)).toEqual({ is: "rejected", error: why });
  });

  test("L6 an undeclared lane is refused, and nothing starts", async () => {
    const { manager } = world({ lanes: { a: { concurrency: 1 } } });
    const unknown = expect.objectContaining({ code: "UNKNOWN_LANE", lane: "b" });
    expect(() => manager.spawn(() => 1, { lane: "b" })).toThrow(unknown);
    expect(() => manager.pause("b")).toThrow(unknown);
    expect(() => manager.resume("b")).toThrow(unknown);
    expect(() => manager.spawn(() => 1, { lane: "b" })).toThrow('declared are "default", "a"');
    // The name of a property every object has is no lane either.
    expect(() => manager.spawn(() => 1, { lane: "constructor" })).toThrow(
      expect.objectContaining({ code: "UNKNOWN_LANE" }),
    );
    expect(manager.list()).toEqual([]);
  });
});

describe("lanes under one manager", () => {
  test("L6 `concurrency` caps the whole manager, and a lane caps below it", async () => {
    const { manager } = world({ concurrency: 3, lanes: { a: { concurrency: 2 }, b: { concurrency: 2 } } });
    const running = { all: gauge(), a: gauge(), b: gauge() };
    const gates = Array.from({ length: 12 }, () => deferred());
    for (const [index, gate] of gates.entries()) {
      const lane = index % 2 === 0 ? "a" : "b";
      manager.spawn(running.all.around(running[lane].around(() => gate.promise)), { lane });
    }
    for (const gate of gates) {
      await settled();
      gate.resolve();
    }
    await settled();
    expect([running.all.peak, running.a.peak, running.b.peak]).toEqual([3, 2, 2]);
    allFree(manager);
  });

  test("L6 a lane wider than the manager is held by the manager's cap", async () => {
    const { manager } = world({ concurrency: 2, lanes: { wide: { concurrency: 50 } } });
    const running = gauge();
    const gate = deferred();
    for (let index = 0; index < 5; index += 1)
      manager.spawn(
        running.around(() => gate.promise),
        { lane: "wide" },
      );
    await settled();
    expect(running.now).toBe(2);
    gate.resolve();
    await settled();
    expect(running.peak).toBe(2);
    allFree(manager);
  });

  test("L6 a full lane does not hold up another", async () => {
    const { manager } = world({ concurrency: 3, lanes: { a: { concurrency: 1 }, b: { concurrency: 1 } } });
    const gate = deferred();
    for (let index = 0; index < 3; index += 1) manager.spawn(() => gate.promise, { lane: "a" });
    const inB = manager.spawn(() => "through", { lane: "b" });
    await settled();
    expect(inB.status).toBe("succeeded");
    gate.resolve();
    await settled();
    allFree(manager);
  });

  test("L6 a slot that the manager gets back goes to whichever lane has someone waiting", async () => {
    const { manager } = world({ concurrency: 1, lanes: { a: { concurrency: 1 }, b: { concurrency: 1 } } });
    const gate = deferred();
    manager.spawn(() => gate.promise, { lane: "a" });
    const inB = manager.spawn(() => "b", { lane: "b" });
    const inDefault = manager.spawn(() => "default");
    await settled();
    expect([inB.status, inDefault.status]).toEqual(["queued", "queued"]);
    gate.resolve();
    await settled();
    expect([inB.status, inDefault.status]).toEqual(["succeeded", "succeeded"]);
    allFree(manager);
  });

  test.each(["a", "b"])("L4 lane %s, which is never empty, does not starve the others", async (greedy) => {
    const { clock, manager } = world({ concurrency: 1, lanes: { a: { concurrency: 1 }, b: { concurrency: 1 } } });
    let rounds = 0;
    let modestAfter: number | undefined;
    const again = (): void => {
      manager.spawn(
        async () => {
          await clock.sleep(100);
          rounds += 1;
          if (modestAfter === undefined && rounds < 300) again();
        },
        { lane: greedy, root: true },
      );
    };
    again();
    again();
    await settled();
    manager.spawn(
      () => {
        modestAfter = rounds;
      },
      { lane: greedy === "a" ? "b" : "a" },
    );
    await clock.advance(40_000);
    expect(modestAfter).toBeLessThan(50);
    allFree(manager);
  });

  test("L2 under the manager's cap a wait lends both the lane's slot and the manager's", async () => {
    const { clock, manager } = world({ concurrency: 1, lanes: { a: { concurrency: 1 }, b: { concurrency: 1 } } });
    const running = gauge();
    const handles = ["a", "b", "a", "b", undefined].map((lane) =>
      manager.spawn(
        running.around((ctx, place) => place.wait(() => ctx.sleep(10))),
        { lane },
      ),
    );
    await settled();
    expect(handles.map((handle) => handle.status)).toEqual(handles.map(() => "blocked"));
    await clock.advance(10);
    await settled();
    expect(handles.map((handle) => handle.status)).toEqual(handles.map(() => "succeeded"));
    expect(running.peak).toBe(1);
    allFree(manager);
  });
});

describe("every slot comes back", () => {
  const never = (): Promise<never> => new Promise<never>(() => undefined);
  const fates: readonly { name: string; run: (manager: TaskManager, clock: ManualClock) => unknown }[] = [
    { name: "returns", run: (manager) => manager.spawn(() => 1) },
    {
      name: "throws at once",
      run: (manager) =>
        manager.spawn(() => {
          throw new Error("no");
        }),
    },
    {
      name: "rejects",
      run: (manager) =>
        manager.spawn(async () => {
          await settled(1);
          throw new Error("no");
        }),
    },
    {
      name: "throws undefined",
      run: (manager) =>
        manager.spawn(() => {
          throw undefined;
        }),
    },
    { name: "returns a thenable that throws", run: (manager) => manager.spawn(() => thenable()) },
    { name: "is cancelled before it starts", run: (manager) => void manager.spawn(() => 1).cancel() },
    {
      name: "is cancelled in line",
      run: (manager) => {
        for (let index = 0; index < 3; index += 1) manager.spawn(() => settled(2));
        void manager.spawn(() => 1).cancel();
      },
    },
    {
      name: "obeys a cancel",
      run: async (manager) => {
        const handle = manager.spawn((ctx) => ctx.cancelled());
        await settled();
        await handle.cancel();
      },
    },
    {
      name: "is cancelled while blocked",
      run: async (manager) => {
        const handle = manager.spawn((ctx) => ctx.sleep(1e6));
        await settled();
        await handle.cancel();
      },
    },
    {
      name: "is cancelled while it stands in line for its slot",
      run: async (manager, clock) => {
        const gate = deferred();
        const handle = manager.spawn((ctx) => ctx.sleep(10));
        await settled();
        const rivals = [manager.spawn(() => gate.promise), manager.spawn(() => gate.promise)];
        await settled();
        await clock.advance(10);
        await handle.cancel();
        gate.resolve();
        await Promise.all(rivals.map((rival) => rival.outcome()));
      },
    },
    {
      name: "is abandoned",
      run: async (manager, clock) => {
        const handle = manager.spawn(never);
        await settled();
        void handle.cancel();
        await clock.advance(1_000);
      },
    },
    {
      name: "is abandoned while blocked",
      run: async (manager, clock) => {
        const handle = manager.spawn(async (ctx) => {
          await ctx.sleep(1e6).catch(() => undefined);
          return never();
        });
        await settled();
        void handle.cancel();
        await clock.advance(1_000);
      },
    },
    {
      name: "times out while it runs",
      run: async (manager, clock) => {
        manager.spawn((ctx) => ctx.cancelled(), { timeoutMs: 10 });
        await settled();
        await clock.advance(10);
      },
    },
    {
      name: "times out in all while blocked",
      run: async (manager, clock) => {
        manager.spawn((ctx) => ctx.sleep(1e6), { totalTimeoutMs: 10 });
        await settled();
        await clock.advance(10);
      },
    },
    {
      name: "is swept with its parent",
      run: async (manager) => {
        const parent = manager.spawn(async (ctx) => {
          for (let index = 0; index < 5; index += 1) ctx.spawn((child) => child.sleep(1e6));
          await ctx.sleep(1e6);
        });
        await settled();
        await parent.cancel();
      },
    },
    {
      name: "fails over living children",
      run: (manager) =>
        manager.spawn((ctx) => {
          for (let index = 0; index < 5; index += 1) ctx.spawn((child) => child.cancelled());
          throw new Error("no");
        }),
    },
  ];

  function thenable(): PromiseLike<number> {
    return {
      then: () => {
        throw new Error("no");
      },
    };
  }

  for (const { name, run } of fates)
    test(`L8 free + held = concurrency after a task ${name}`, async () => {
      const { clock, manager } = world({ concurrency: 2, graceMs: 1_000 });
      await run(manager, clock);
      await settled();
      allFree(manager);
      expect(slots(manager).free).toBe(2);
      // Both slots are good for use again, and no third has appeared.
      const running = gauge();
      const gate = deferred();
      for (let index = 0; index < 4; index += 1) manager.spawn(running.around(() => gate.promise));
      await settled();
      expect(running.now).toBe(2);
    });

  test("L8 a late end of an abandoned function frees nothing twice", async () => {
    const { clock, manager } = world({ concurrency: 1, graceMs: 100 });
    const told = facts(manager);
    const late = deferred();
    const handle = manager.spawn(() => late.promise);
    await settled();
    void handle.cancel();
    await clock.advance(100);
    const gate = deferred();
    const running = gauge();
    for (let index = 0; index < 3; index += 1) manager.spawn(running.around(() => gate.promise));
    await settled();
    late.resolve();
    await settled();
    expect(told.map((event) => event.type)).toContain("task.lateSettled");
    expect(running.now).toBe(1);
    expect(slots(manager)).toMatchObject({ held: 1, free: 0 });
    expect(manager.stats().abandoned).toBe(0);
    gate.resolve();
    await settled();
    expect(running.peak).toBe(1);
    allFree(manager);
  });

  test("L8 a task that ends between its slot and its start, in a lane that is paused then, leaves nothing in line", async () => {
    const { manager } = world({ concurrency: 1 });
    const handle = manager.spawn(() => 1);
    void handle.cancel();
    manager.pause();
    await settled();
    allFree(manager);
    manager.resume();
    await settled();
    allFree(manager);
    await expect(manager.spawn(() => "next").result()).resolves.toBe("next");
  });

  test("L8 `close` gives every slot back", async () => {
    const { clock, manager } = world({ concurrency: 3, graceMs: 100 });
    manager.spawn((ctx) => ctx.sleep(1e6));
    manager.spawn(never);
    manager.spawn((ctx) => ctx.cancelled());
    manager.spawn((ctx) => ctx.ask({ question: "Well?" }));
    for (let index = 0; index < 5; index += 1) manager.spawn(never);
    await settled();
    expect(slots(manager).held).toBe(3);
    const closed = manager.close();
    await clock.advance(100);
    await closed;
    allFree(manager);
  });

  test("L8 stopping a task again and again frees its slot once", async () => {
    const { clock, manager } = world({ concurrency: 1, graceMs: 100 });
    const handle = manager.spawn((ctx) => ctx.sleep(1e6), { timeoutMs: 50, totalTimeoutMs: 60 });
    await settled();
    const outcomes = [handle.cancel(), handle.cancel("again"), handle[Symbol.asyncDispose]()];
    await clock.advance(1_000);
    await Promise.all(outcomes);
    await handle.cancel();
    allFree(manager);
  });
});

describe("the start", () => {
  test("L9 a function never starts inside the `spawn` that made it, and starts in the same turn", async () => {
    const { manager } = world({ concurrency: 1 });
    let started = false;
    const endOfTurn = new Promise<boolean>((resolve) => setImmediate(() => resolve(started)));
    const handle = manager.spawn(() => {
      started = true;
    });
    expect(started).toBe(false);
    expect(handle.status).toBe("queued");
    expect(slots(manager).free).toBe(0);
    expect(await endOfTurn).toBe(true);
  });

  test("L9 a queued task starts in the turn in which its slot is freed", async () => {
    const { gate, hold, put, started } = line();
    hold();
    put("next");
    await settled();
    const endOfTurn = new Promise<readonly string[]>((resolve) => setImmediate(() => resolve([...started])));
    gate.resolve();
    expect(started).toEqual([]);
    expect(await endOfTurn).toEqual(["next"]);
  });

  test("L9 neither a listener's spawn nor a task's starts inside the call", async () => {
    const { manager } = world();
    const inside: boolean[] = [];
    const look = (spawn: (work: () => void) => unknown): void => {
      let ran = false;
      spawn(() => {
        ran = true;
      });
      inside.push(ran);
    };
    manager.on("custom", () => look((work) => manager.spawn(work)));
    manager.spawn((ctx) => {
      look((work) => ctx.spawn(work));
      ctx.emit("now");
    });
    await settled();
    expect(inside).toEqual([false, false]);
  });

  test("L9 a task that is cancelled in the turn of its spawn never runs", async () => {
    const { manager } = world({ concurrency: 1 });
    const told = facts(manager);
    let ran = false;
    const handle = manager.spawn(() => {
      ran = true;
    });
    const outcome = handle.cancel("never mind");
    expect(handle.status).toBe("cancelled");
    await expect(outcome).resolves.toEqual({ id: handle.id, status: "cancelled", reason: "never mind" });
    await settled();
    expect(ran).toBe(false);
    expect(told.map((event) => event.type)).toEqual(["task.created", "task.cancelRequested", "task.cancelled"]);
    allFree(manager);
  });
});
