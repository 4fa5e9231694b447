// Overlapping waits inside one task: the slot is lent with the first, taken back with the last, once (L1, L2, L8, C3).

import { type TaskContext, type TaskEvent, type TaskHandle, TaskManager, type TaskManagerOptions } from "errand";
import { countedIds, manualClock } from "errand/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allFree, deferred, facts, gauge, type Place, peek, settled, slots, unhandled } from "../../support/basics.js";
import { given } from "../../support/program.js";

function world(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}) {
  const clock = manualClock(1_000_000);
  const manager = new TaskManager({ clock, ids: countedIds(), concurrency: 1, ...options });
  return { clock, manager, told: facts(manager) };
}

/** What a task waited for, one entry for each event. */
function trail(told: readonly TaskEvent[], task: TaskHandle): readonly string[] {
  return told
    .filter((event) => event.taskId === task.id)
    .flatMap((event) => {
      if (event.type === "task.blocked")
        return [
          event.blockedOn
            .map((wait) => wait.on)
            .sort()
            .join("+"),
        ];
      return event.type === "task.resumed" ? ["resumed"] : [];
    });
}

async function microtasks(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await Promise.resolve();
}

/** A task that has the only slot until `end`. */
function rival(manager: TaskManager) {
  const gate = deferred();
  const handle = manager.spawn(() => gate.promise, { root: true, title: "rival" });
  return { handle, end: () => gate.resolve() };
}

describe("several waits at once", () => {
  test("L2 the slot is given back with the first of several waits and taken again with the last", async () => {
    const { clock, manager, told } = world();
    const task = manager.spawn(async (ctx) => {
      await Promise.all([ctx.sleep(10), ctx.sleep(20), ctx.receive()]);
      await clock.sleep(5);
    });
    await settled();
    expect(task.record.blockedOn.map((wait) => wait.on).sort()).toEqual(["message", "time", "time"]);
    expect(slots(manager).held).toBe(0);
    await clock.advance(10);
    await task.send("now");
    await settled();
    expect(task.status).toBe("blocked");
    expect(slots(manager).held).toBe(0);
    await clock.advance(10);
    await settled();
    expect(task.status).toBe("running");
    expect(slots(manager).held).toBe(1);
    await clock.advance(5);
    await settled();
    expect(task.status).toBe("succeeded");
    expect(trail(told, task).filter((step) => step === "resumed")).toEqual(["resumed"]);
    allFree(manager);
  });

  test("L2 a wait that a race left pending keeps the task without a slot while its code goes on", async () => {
    const { clock, manager } = world();
    const beside = deferred();
    const order: string[] = [];
    const task = manager.spawn(async (ctx) => {
      await Promise.race([ctx.sleep(10), ctx.sleep(1_000)]);
      order.push("goes on");
      await beside.promise;
      order.push("ends");
    });
    await settled();
    await clock.advance(10);
    await settled();
    expect(order).toEqual(["goes on"]);
    expect(task.record).toMatchObject({ status: "blocked", blockedOn: [{ on: "time", untilAt: 1_001_000 }] });
    expect(slots(manager).held).toBe(0);
    const other = manager.spawn(() => "ran meanwhile");
    await settled();
    expect(other.status).toBe("succeeded");
    // The wait left behind ends: the task is busy again, and counted.
    await clock.advance(990);
    await settled();
    expect(task.status).toBe("running");
    expect(slots(manager).held).toBe(1);
    beside.resolve();
    await settled();
    expect(task.status).toBe("succeeded");
    allFree(manager);
  });

  test("L1 code that computes beside its own un-awaited ask is outside the limit", async () => {
    const { manager } = world();
    const beside = deferred();
    let inCall: string | undefined;
    const task = manager.spawn(async (ctx) => {
      const answer = ctx.ask({ question: "Left or right?" });
      inCall = ctx.record.status;
      await beside.promise;
      return answer;
    });
    const next = rival(manager);
    await settled();
    expect(inCall).toBe("blocked");
    expect(next.handle.status).toBe("running");
    beside.resolve();
    await settled();
    const [request] = manager.inbox.list();
    if (request === undefined) throw new Error("no request");
    await manager.inbox.answer(request.id, "left", { by: "ada" });
    await settled();
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    next.end();
    await settled();
    await expect(task.result()).resolves.toBe("left");
    allFree(manager);
  });

  test("L2 several waits for one task end together and take one slot", async () => {
    const { manager, told } = world({ concurrency: 2 });
    const gate = deferred<number>();
    const other = manager.spawn(() => gate.promise);
    const task = manager.spawn(async (ctx) => {
      const [value, outcome, awaited, step] = await Promise.all([
        other.result(),
        other.outcome(),
        ctx.awaitTasks([other]),
        ctx.outcomes([other])[Symbol.asyncIterator]().next(),
      ]);
      return [value, outcome.status, awaited.reason, step.done];
    });
    await settled();
    expect(slots(manager).held).toBe(1);
    gate.resolve(7);
    await settled();
    await expect(task.result()).resolves.toEqual([7, "succeeded", "done", false]);
    expect(trail(told, task).filter((step) => step === "resumed")).toEqual(["resumed"]);
    allFree(manager);
  });

  test("L2 `blockedOn` follows every wait that begins and ends beside others", async () => {
    const { clock, manager, told } = world();
    const task = manager.spawn(async (ctx) => {
      const message = ctx.receive();
      await ctx.sleep(10);
      await ctx.sleep(10);
      await message;
    });
    await settled();
    await clock.advance(10);
    await clock.advance(10);
    await settled();
    await task.send("go");
    await settled();
    expect(trail(told, task)).toEqual(["message", "message+time", "message", "message+time", "message", "resumed"]);
    allFree(manager);
  });

  test("L2 a loop that races a standing wait against short ones never holds a slot twice", async () => {
    const { clock, manager } = world();
    const running = gauge();
    const task = manager.spawn(
      running.around(async (ctx, place) => {
        let turns = 0;
        const message = place.wait(() => ctx.receive()).then(() => "message");
        for (;;) {
          turns += 1;
          const first = await Promise.race([message, place.wait(() => ctx.sleep(10)).then(() => "tick")]);
          if (first === "message") return turns;
        }
      }),
    );
    for (let index = 0; index < 20; index += 1) {
      await clock.advance(10);
      expect(slots(manager).held).toBe(0);
      const other = manager.spawn(running.around(async () => settled(1)));
      await other.result();
    }
    await task.send("stop");
    await settled();
    await expect(task.result()).resolves.toBe(21);
    expect(running.peak).toBe(1);
    allFree(manager);
  });
});

describe("a wait begun in line", () => {
  test("L2 a wait begun while the task stands in line gives up the place; the ended one returns at once", async () => {
    const { clock, manager, told } = world();
    const begin = deferred();
    const order: string[] = [];
    const task = manager.spawn(async (ctx) => {
      const first = ctx.sleep(10).then(() => order.push("first returns"));
      await begin.promise;
      const second = ctx.sleep(50);
      await first;
      await second;
      order.push("second returns");
    });
    await settled();
    const other = rival(manager);
    await clock.advance(10);
    await settled();
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    expect(order).toEqual([]);
    begin.resolve();
    await settled();
    expect(order).toEqual(["first returns"]);
    expect(task.record.blockedOn).toEqual([{ on: "time", untilAt: 1_000_060 }]);
    other.end();
    await settled();
    expect(slots(manager).held).toBe(0);
    await clock.advance(50);
    await settled();
    expect(order).toEqual(["first returns", "second returns"]);
    expect(trail(told, task)).toEqual(["time", "slot", "time", "resumed"]);
    allFree(manager);
  });

  test("L2 the place given up goes to the next in line", async () => {
    const { clock, manager } = world();
    const begin = deferred();
    const task = manager.spawn(async (ctx) => {
      const first = ctx.sleep(10);
      await begin.promise;
      await Promise.all([first, ctx.sleep(1_000)]);
    });
    await settled();
    const other = rival(manager);
    await clock.advance(10);
    const next = rival(manager);
    begin.resolve();
    await settled();
    other.end();
    await settled();
    expect(next.handle.status).toBe("running");
    next.end();
    await clock.advance(1_000);
    await settled();
    expect(task.status).toBe("succeeded");
    allFree(manager);
  });

  // The slot comes back and something else happens to the task, each number of microtasks apart, in both orders.
  const offsets = Array.from({ length: 17 }, (_, index) => index - 8);
  const meetings: readonly {
    readonly name: string;
    readonly work: (ctx: TaskContext, place: Place, turn: Promise<void>) => Promise<unknown>;
    readonly act: (task: TaskHandle, turn: () => void) => void;
    readonly ends: readonly string[];
  }[] = [
    {
      name: "a new wait begins",
      work: async (ctx, place, turn) => {
        const first = place.wait(() => ctx.sleep(10));
        await turn;
        await Promise.all([first, place.wait(() => ctx.sleep(50))]);
      },
      act: (_task, turn) => turn(),
      ends: ["succeeded"],
    },
    {
      name: "the function returns",
      work: async (ctx, place, turn) => {
        void place.wait(() => ctx.sleep(10));
        await turn;
      },
      act: (_task, turn) => turn(),
      ends: ["succeeded"],
    },
    {
      name: "the function throws",
      work: async (ctx, place, turn) => {
        void place.wait(() => ctx.sleep(10));
        await turn;
        throw new Error("no");
      },
      act: (_task, turn) => turn(),
      ends: ["failed"],
    },
    {
      name: "the task is cancelled",
      work: (ctx, place) => place.wait(() => ctx.sleep(10)),
      act: (task) => void task.cancel(),
      ends: ["cancelled", "succeeded"],
    },
    {
      name: "the task is cancelled and ignores it",
      work: async (ctx, place) => {
        await place.wait(() => ctx.sleep(10)).catch(() => undefined);
        await settled(2);
        await place.wait(() => ctx.sleep(10)).catch(() => undefined);
      },
      act: (task) => void task.cancel(),
      ends: ["succeeded"],
    },
    {
      name: "a child is spawned and waited for",
      work: async (ctx, place, turn) => {
        const first = place.wait(() => ctx.sleep(10));
        await turn;
        const child = ctx.spawn(() => "child");
        await Promise.all([first, place.wait(() => child.result())]);
      },
      act: (_task, turn) => turn(),
      ends: ["succeeded"],
    },
  ];

  for (const meeting of meetings)
    test(`L8 the slot comes back once when at that time ${meeting.name}`, async () => {
      for (const offset of offsets) {
        const { clock, manager } = world();
        const running = gauge();
        const turn = deferred();
        const task = manager.spawn(running.around((ctx, place) => meeting.work(ctx, place, turn.promise)));
        await settled();
        const gate = deferred();
        manager.spawn(running.around(() => gate.promise));
        await clock.advance(10);
        await settled();
        expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
        if (offset < 0) gate.resolve();
        else meeting.act(task, () => turn.resolve());
        await microtasks(Math.abs(offset));
        if (offset < 0) meeting.act(task, () => turn.resolve());
        else gate.resolve();
        const after = [0, 1].map(() => manager.spawn(running.around(() => settled(1))));
        await settled(12);
        await clock.advance(100);
        await settled(12);
        expect(meeting.ends).toContain(task.status);
        expect(after.map((handle) => handle.status)).toEqual(["succeeded", "succeeded"]);
        expect(running.peak).toBe(1);
        allFree(manager);
      }
    });
});

interface Stage {
  readonly manager: TaskManager;
  readonly ended: TaskHandle<string>;
  readonly failed: TaskHandle<never>;
  readonly live: TaskHandle<void>;
  readonly aborted: AbortSignal;
}

const instant: readonly { name: string; call: (ctx: TaskContext, stage: Stage) => Promise<unknown> }[] = [
  { name: "`result` of an ended task", call: (_ctx, { ended }) => ended.result() },
  { name: "`result` of a failed task", call: (_ctx, { failed }) => failed.result().catch(() => undefined) },
  { name: "`outcome` of an ended task", call: (_ctx, { ended }) => ended.outcome() },
  { name: "`outcome` with a timeout of an ended task", call: (_ctx, { ended }) => ended.outcome({ timeoutMs: 5 }) },
  { name: "`cancel` of an ended task", call: (_ctx, { ended }) => ended.cancel() },
  { name: "disposing the handle of an ended task", call: (_ctx, { ended }) => ended[Symbol.asyncDispose]() },
  { name: "`awaitTasks` of ended tasks", call: (ctx, { ended, failed }) => ctx.awaitTasks([ended, failed]) },
  { name: "`awaitTasks` of nothing", call: (ctx) => ctx.awaitTasks([]) },
  {
    name: "`awaitTasks` any, one ended",
    call: (ctx, { ended, live }) => ctx.awaitTasks([live, ended], { until: "any" }),
  },
  { name: "`awaitTasks` 1, one ended", call: (ctx, { ended, live }) => ctx.awaitTasks([live, ended], { until: 1 }) },
  {
    name: "`awaitTasks` success, one succeeded",
    call: (ctx, { ended, live }) => ctx.awaitTasks([live, ended], { until: "success" }),
  },
  {
    name: "`awaitTasks` failure, one failed",
    call: (ctx, { failed, live }) => ctx.awaitTasks([live, failed], { until: "failure" }),
  },
  {
    name: "`awaitTasks` of an unknown id",
    call: (ctx, { live }) => ctx.awaitTasks([live, "nobody"]).catch(() => undefined),
  },
  {
    name: "a step of `outcomes` to an ended task",
    call: (ctx, { ended, live }) => ctx.outcomes([live, ended])[Symbol.asyncIterator]().next(),
  },
  {
    name: "the step of `outcomes` after the last",
    call: async (ctx, { ended }) => {
      for await (const _ of ctx.outcomes([ended])) {
        /* one step, then the end */
      }
    },
  },
  { name: "`receive` of a message that is there", call: (ctx) => ctx.receive() },
  { name: "`room` with room", call: (_ctx, { manager }) => manager.room() },
  { name: "`cancelAll` of nothing", call: (ctx) => ctx.cancelAll() },
  { name: "`map` of nothing", call: (ctx) => ctx.map([], () => 1, { concurrency: 1 }) },
  {
    name: "`outcome` with a timeout of 0",
    call: (_ctx, { live }) => live.outcome({ timeoutMs: 0 }),
  },
  {
    name: "a wait with an aborted signal",
    call: (ctx, { aborted }) => ctx.sleep(10, { signal: aborted }).catch(() => undefined),
  },
  {
    name: "a wait for oneself, which is refused",
    call: (ctx) => ctx.awaitTasks([ctx.id]).catch(() => undefined),
  },
];

describe("a wait that is none", () => {
  for (const { name, call } of instant)
    test(`L2 ${name} changes no slot and tells nothing`, async () => {
      const { manager, told } = world({ concurrency: 2 });
      const held = deferred();
      const ended = manager.spawn(() => "value");
      const failed = manager.spawn((): never => {
        throw new Error("no");
      });
      await settled();
      const live = manager.spawn(() => held.promise);
      await settled();
      const end = deferred();
      const task = manager.spawn(async (ctx) => {
        await call(ctx, { manager, ended, failed, live, aborted: AbortSignal.abort() });
        await end.promise;
      });
      await task.send("there before the start");
      const next = manager.spawn(() => 1);
      await settled();
      expect(task.status).toBe("running");
      expect(trail(told, task)).toEqual([]);
      expect(next.status).toBe("queued");
      expect(slots(manager).held).toBe(2);
      end.resolve();
      held.resolve();
      await settled();
      expect(task.status).toBe("succeeded");
      allFree(manager);
    });

  test("L2 asking again with the key of an answered request changes no slot", async () => {
    const { manager, told } = world();
    const task = manager.spawn(async (ctx) => {
      const ask = (): Promise<string> => ctx.ask({ question: "Name?", key: "name" });
      const first = await ask();
      return [first, await ask(), await ask()];
    });
    await settled();
    for (const request of manager.inbox.list()) await manager.inbox.answer(request.id, "Grace", { by: "ada" });
    await settled();
    await expect(task.result()).resolves.toEqual(["Grace", "Grace", "Grace"]);
    expect(trail(told, task)).toEqual(["input", "resumed"]);
  });
});

describe("a wait withdrawn by its signal", () => {
  test("C6 it rejects with the signal's reason once the task has a slot again", async () => {
    const { manager } = world();
    const giveUp = new AbortController();
    const why = new Error("too long");
    const task = manager.spawn(async (ctx) => ctx.receive({ signal: giveUp.signal }).catch((error: unknown) => error));
    await settled();
    const other = rival(manager);
    await settled();
    giveUp.abort(why);
    await settled();
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    other.end();
    await settled();
    await expect(task.result()).resolves.toBe(why);
    allFree(manager);
  });

  test("L2 withdrawing one of several waits leaves the others and the slot as they are", async () => {
    const { manager, told } = world();
    const giveUp = new AbortController();
    const order: string[] = [];
    const task = manager.spawn(async (ctx) => {
      const receive = ctx.receive({ signal: giveUp.signal }).catch(() => order.push("withdrawn"));
      await Promise.all([receive, ctx.ask({ question: "And?" })]);
    });
    await settled();
    giveUp.abort();
    await settled();
    expect(order).toEqual(["withdrawn"]);
    expect(slots(manager).held).toBe(0);
    expect(trail(told, task)).toEqual(["message", "input+message", "input"]);
    for (const request of manager.inbox.list()) await manager.inbox.answer(request.id, "so", { by: "ada" });
    await settled();
    expect(task.status).toBe("succeeded");
    allFree(manager);
  });

  test("C6 a wait that has its answer and stands in line keeps it when its signal aborts", async () => {
    const { manager } = world();
    const giveUp = new AbortController();
    const task = manager.spawn((ctx) => ctx.ask({ question: "Which?", signal: giveUp.signal }));
    await settled();
    const other = rival(manager);
    await settled();
    const [request] = manager.inbox.list();
    if (request === undefined) throw new Error("no request");
    await manager.inbox.answer(request.id, "this one", { by: "ada" });
    giveUp.abort();
    await settled();
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    other.end();
    await settled();
    await expect(task.result()).resolves.toBe("this one");
  });

  test("C6 a map that is given up rejects with the signal's reason alone, once its task has a slot again", async () => {
    const { manager } = world();
    const giveUp = new AbortController();
    const why = new Error("enough");
    const task = manager.spawn((ctx) =>
      ctx.map([1, 2, 3], (child) => child.receive(), { concurrency: 1, signal: giveUp.signal }).catch(String),
    );
    await settled();
    const other = rival(manager);
    await settled();
    giveUp.abort(why);
    await settled();
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    for (const child of manager.list({ parentId: task.id })) void manager.get(child.id)?.send("end");
    await settled();
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    other.end();
    await expect(task.result()).resolves.toBe("Error: enough");
    await settled();
    allFree(manager);
  });

  for (const { how, end, status } of [
    { how: "given up", end: (abort: AbortController) => abort.abort(), status: "running" },
    { how: "cancelled", end: (_: AbortController, task: TaskHandle) => void task.cancel(), status: "cancelled" },
  ])
    test(`L2 a map that is ${how} in the turn in which it spawns is over: nothing of it blocks its task`, async () => {
      const { manager } = world({ concurrency: 2 });
      const giveUp = new AbortController();
      const errors: unknown[] = [];
      const note = (error: unknown): void => void errors.push(error);
      process.on("uncaughtException", note);
      const goOn = deferred();
      const task = manager.spawn(async (ctx) => {
        const { signal } = giveUp;
        await ctx.map([1], (child) => child.sleep(10), { concurrency: 1, signal }).catch(() => undefined);
        if (!ctx.isCancelled) await goOn.promise;
        ctx.signal.throwIfAborted();
      });
      manager.on("task.created", ({ taskId }) => {
        if (taskId !== task.id) end(giveUp, task);
      });
      try {
        await settled();
        expect(errors).toEqual([]);
        expect(task.record).toMatchObject({ status, blockedOn: [] });
      } finally {
        process.off("uncaughtException", note);
      }
      goOn.resolve();
      await manager.cancelAll();
    });

  test("L2 a withdrawn ask closes its request, one with a key leaves it open", async () => {
    const { manager } = world();
    const giveUp = new AbortController();
    const task = manager.spawn(async (ctx) => {
      await Promise.allSettled([
        ctx.ask({ question: "Loose?", signal: giveUp.signal }),
        ctx.ask({ question: "Kept?", key: "kept", signal: giveUp.signal }),
      ]);
      await ctx.receive();
    });
    await settled();
    expect(manager.inbox.list()).toHaveLength(2);
    giveUp.abort();
    await settled();
    expect(manager.inbox.list().map((request) => request.question)).toEqual(["Kept?"]);
    expect(manager.inbox.list({ status: "withdrawn" }).map((request) => request.question)).toEqual(["Loose?"]);
    expect(task.record.blockedOn).toEqual([{ on: "message" }]);
  });

  test("C4 a wait that is given the task's own signal rejects with the task's own cancel", async () => {
    const { manager } = world();
    let caught: unknown;
    const task = manager.spawn(async (ctx) => {
      try {
        await ctx.sleep(1_000, { signal: ctx.signal });
      } catch (error) {
        caught = error;
        throw error;
      }
    });
    await settled();
    await task.cancel("enough");
    expect(task.status).toBe("cancelled");
    expect(caught).toMatchObject({ code: "TASK_CANCELLED", reason: "enough", taskId: task.id, name: "AbortError" });
    allFree(manager);
  });

  test("L8 an answer and an abort, any number of microtasks apart, end the wait once", async () => {
    for (let offset = -6; offset <= 6; offset += 1) {
      const { manager, told } = world();
      const giveUp = new AbortController();
      const task = manager.spawn((ctx) =>
        ctx.receive({ signal: giveUp.signal }).then(
          () => "read",
          () => "gave up",
        ),
      );
      await settled();
      if (offset < 0) void task.send("here");
      else giveUp.abort();
      await microtasks(Math.abs(offset));
      if (offset < 0) giveUp.abort();
      else void task.send("here").catch(() => undefined);
      await settled();
      await expect(task.result()).resolves.toBe(offset < 0 ? "read" : "gave up");
      expect(trail(told, task)).toEqual(["message", "resumed"]);
      allFree(manager);
    }
  });
});

describe("a stop while waiting", () => {
  test("C3 a cancel reaches a task that stands in line for its slot, in the turn of the cancel", async () => {
    const { clock, manager } = world();
    const caught: unknown[] = [];
    const task = manager.spawn(async (ctx) => {
      await ctx.sleep(10).catch((error: unknown) => {
        caught.push(error);
        throw error;
      });
    });
    await settled();
    const other = rival(manager);
    const next = rival(manager);
    await clock.advance(10);
    await settled();
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    const endOfTurn = new Promise<number>((resolve) => setImmediate(() => resolve(caught.length)));
    void task.cancel("stop");
    expect(task.record.blockedOn).toEqual([]);
    expect(await endOfTurn).toBe(1);
    expect(caught).toMatchObject([{ code: "TASK_CANCELLED", reason: "stop" }]);
    await settled();
    expect(task.status).toBe("cancelled");
    expect(other.handle.status).toBe("running");
    other.end();
    await settled();
    expect(next.handle.status).toBe("running");
    next.end();
    await settled();
    allFree(manager);
  });

  test("C3 every overlapping wait rejects in the turn of the cancel", async () => {
    const { clock, manager } = world();
    const caught: string[] = [];
    const task = manager.spawn(async (ctx) => {
      const waits = [ctx.sleep(10), ctx.receive(), ctx.ask({ question: "?" }), ctx.sleep(1e6)];
      await Promise.allSettled(
        waits.map((wait, index) =>
          Promise.resolve(wait).then(
            () => caught.push(`${index} returned`),
            (error: unknown) => caught.push(`${index} ${error instanceof Error ? error.name : "?"}`),
          ),
        ),
      );
      return "all the same";
    });
    await settled();
    const other = rival(manager);
    await settled();
    await clock.advance(10);
    await settled();
    expect(caught).toEqual(["0 returned"]);
    const endOfTurn = new Promise<number>((resolve) => setImmediate(() => resolve(caught.length)));
    void task.cancel();
    expect(await endOfTurn).toBe(4);
    expect([...caught].sort()).toEqual(["0 returned", "1 AbortError", "2 AbortError", "3 AbortError"]);
    await settled();
    // C1: it returned normally.
    expect(task.status).toBe("succeeded");
    expect(manager.inbox.list()).toEqual([]);
    other.end();
    await settled();
    allFree(manager);
  });

  test("L1 C3 a task that was stopped while it waited runs on without a slot and takes none", async () => {
    const { manager } = world();
    const beside = deferred();
    const task = manager.spawn(async (ctx) => {
      await ctx.sleep(1e6).catch(() => undefined);
      await beside.promise;
    });
    await settled();
    void task.cancel();
    await settled();
    expect(task.record).toMatchObject({ status: "blocked", blockedOn: [] });
    expect(slots(manager).held).toBe(0);
    const other = manager.spawn(() => "ran");
    await settled();
    expect(other.status).toBe("succeeded");
    beside.resolve();
    await settled();
    expect(task.status).toBe("succeeded");
    allFree(manager);
  });

  test("C3 a loop that swallows its cancel does not freeze the process", async () => {
    const { clock, manager } = world({ graceMs: 100 });
    let turns = 0;
    const task = manager.spawn(async (ctx) => {
      for (;;) {
        turns += 1;
        await ctx.sleep(10).catch(() => undefined);
      }
    });
    await settled();
    void task.cancel();
    await settled();
    expect(turns).toBeGreaterThan(1);
    await clock.advance(100);
    expect(task.status).toBe("cancelled");
    await settled();
    const stoppedAt = turns;
    await settled();
    expect(turns).toBe(stoppedAt);
    allFree(manager);
  });

  test("C6 a timeout does not count while the task is blocked or stands in line", async () => {
    const { clock, manager } = world();
    const task = manager.spawn((ctx) => ctx.sleep(100), { timeoutMs: 20 });
    await settled();
    const other = rival(manager);
    await clock.advance(100);
    await clock.advance(1_000);
    expect(task.record).toMatchObject({ status: "blocked", blockedOn: [{ on: "slot" }] });
    other.end();
    await settled();
    expect(task.status).toBe("succeeded");
  });
});

describe("a function that settles over pending waits", () => {
  const waits = (ctx: TaskContext): readonly Promise<unknown>[] => [
    ctx.sleep(1e6),
    ctx.receive(),
    ctx.ask({ question: "?" }),
    ctx.approve("!"),
  ];

  test("L8 returning withdraws them, tells no unhandled rejection, and the slot stays free", async () => {
    const { manager, told } = world();
    const seen = await unhandled(async () => {
      const task = manager.spawn((ctx) => void waits(ctx));
      await settled();
      expect(task.record).toMatchObject({ status: "succeeded", blockedOn: [] });
    });
    expect(seen).toEqual([]);
    expect(manager.inbox.list()).toEqual([]);
    expect(told.filter((event) => event.type === "request.withdrawn")).toHaveLength(2);
    allFree(manager);
  });

  test("L8 throwing withdraws them, tells no unhandled rejection, and the slot stays free", async () => {
    const { manager } = world();
    const seen = await unhandled(async () => {
      const task = manager.spawn((ctx) => {
        void waits(ctx);
        throw new Error("no");
      });
      await settled();
      expect(task.status).toBe("failed");
    });
    expect(seen).toEqual([]);
    expect(manager.inbox.list()).toEqual([]);
    allFree(manager);
  });

  for (const { how, fail, code } of [
    { how: "returns", fail: false, code: "TASK_TERMINATED" },
    { how: "throws", fail: true, code: "SCOPE_CANCELLED" },
  ])
    test(`H1 a wait left pending by a function that ${how} rejects with ${code}`, async () => {
      const { manager } = world();
      const left: Promise<unknown>[] = [];
      manager.spawn((ctx) => {
        left.push(...waits(ctx));
        if (fail) throw new Error("no");
      });
      await settled();
      expect(await Promise.all(left.map((wait) => peek(wait)))).toMatchObject(
        left.map(() => ({ is: "rejected", error: { code } })),
      );
    });

  test("L8 a function that settles while its slot is on the way leaves the place in line", async () => {
    const { clock, manager } = world();
    const end = deferred();
    const task = manager.spawn(async (ctx) => {
      void ctx.sleep(10);
      await end.promise;
    });
    await settled();
    const other = rival(manager);
    const next = rival(manager);
    await clock.advance(10);
    await settled();
    expect(task.record.blockedOn).toEqual([{ on: "slot" }]);
    end.resolve();
    await settled();
    expect(task.status).toBe("succeeded");
    other.end();
    await settled();
    expect(next.handle.status).toBe("running");
    expect(slots(manager)).toMatchObject({ held: 1, free: 0, queued: 0 });
    next.end();
    await settled();
    allFree(manager);
  });
});

describe("whose wait it is", () => {
  test("L2 a wait for a task of another manager lends the slot of the waiting task's own", async () => {
    const here = world();
    const there = world();
    // Counted ids repeat over managers; this one takes the id of the waiting task.
    there.manager.spawn(() => 1);
    const gate = deferred<string>();
    const far = there.manager.spawn(() => gate.promise);
    const task = here.manager.spawn(() => far.result());
    await settled();
    expect(task.record).toMatchObject({ status: "blocked", blockedOn: [{ on: "tasks", taskIds: [far.id] }] });
    expect(slots(here.manager).held).toBe(0);
    expect(slots(there.manager).held).toBe(1);
    gate.resolve("from afar");
    await settled();
    await expect(task.result()).resolves.toBe("from afar");
    allFree(here.manager);
    allFree(there.manager);
  });

  test("L2 a wait made in a child's code is the child's, not its parent's", async () => {
    const { manager } = world({ concurrency: 3 });
    const gate = deferred();
    const other = manager.spawn(() => gate.promise);
    const beside = deferred();
    let child: TaskHandle<void> | undefined;
    const parent = manager.spawn(async (ctx) => {
      child = ctx.spawn(() => other.result());
      await beside.promise;
    });
    await settled();
    expect(child?.status).toBe("blocked");
    expect(parent.status).toBe("running");
    gate.resolve();
    beside.resolve();
    await settled();
    expect(parent.status).toBe("succeeded");
    allFree(manager);
  });

  test("L2 a wait made outside every task lends nothing", async () => {
    const { manager, told } = world();
    const other = rival(manager);
    const waiting = other.handle.result();
    await settled();
    expect(slots(manager).held).toBe(1);
    other.end();
    await waiting;
    expect(told.filter((event) => event.type === "task.blocked")).toEqual([]);
  });

  test("C3 what a stopped task asks and receives through another's context opens no question and takes no message", async () => {
    const { manager, told } = world({ concurrency: 2 });
    let lent: TaskContext | undefined;
    const end = deferred();
    const owner = manager.spawn(async (ctx) => {
      lent = ctx;
      await end.promise;
      return (await ctx.receive({ timeoutMs: 0 }))?.content;
    });
    await owner.send("for the owner");
    const go = deferred();
    const refusals: unknown[] = [];
    const stopped = manager.spawn(async () => {
      await go.promise;
      const through = given(lent);
      for (const begin of [() => through.ask({ question: "?" }), () => through.receive()])
        await begin().catch((error: unknown) => refusals.push(error));
    });
    await settled();
    void stopped.cancel();
    go.resolve();
    await settled();
    expect(refusals).toMatchObject([
      { code: "TASK_CANCELLED", taskId: stopped.id },
      { code: "TASK_CANCELLED", taskId: stopped.id },
    ]);
    expect(told.filter((event) => event.type === "request.opened")).toEqual([]);
    end.resolve();
    await expect(owner.result()).resolves.toEqual([{ type: "text", text: "for the owner" }]);
    allFree(manager);
  });

  test("H1 nothing is asked and received through a context whose function has settled", async () => {
    const { manager } = world({ concurrency: 2 });
    let lent: TaskContext | undefined;
    const end = deferred();
    const owner = manager.spawn((ctx) => {
      lent = ctx;
      ctx.spawn(() => end.promise);
    });
    await settled();
    expect(owner.record.blockedOn).toMatchObject([{ on: "children" }]);
    const task = manager.spawn(async () => {
      const ctx = given(lent);
      const begun: Promise<unknown>[] = [ctx.ask({ question: "?" }), ctx.receive(), ctx.approve("!")];
      return (await Promise.allSettled(begun)).map((each) => (each.status === "rejected" ? each.reason : each.value));
    });
    const terminated = { code: "TASK_TERMINATED", taskId: owner.id };
    await settled();
    await expect(task.result()).resolves.toMatchObject([terminated, terminated, terminated]);
    expect(manager.inbox.list()).toEqual([]);
    end.resolve();
    await settled();
    allFree(manager);
  });

  test("H1 a context whose function has settled rejects with that, also when it waits for what can never end", async () => {
    const { manager } = world({ concurrency: 2 });
    let lent: TaskContext | undefined;
    const end = deferred();
    const owner = manager.spawn((ctx) => {
      lent = ctx;
      ctx.spawn(() => end.promise);
    });
    await settled();
    expect(await peek(given(lent).awaitTasks([owner]))).toMatchObject({
      is: "rejected",
      error: { code: "TASK_TERMINATED" },
    });
    end.resolve();
    await settled();
    allFree(manager);
  });

  test("C1 H3 a context that was stopped refuses waits as stopped, also when its function has returned", async () => {
    const { manager } = world();
    let lent: TaskContext | undefined;
    const task = manager.spawn(async (ctx) => {
      lent = ctx;
      await ctx.cancelled();
    });
    await settled();
    await expect(task.cancel()).resolves.toMatchObject({ status: "succeeded" });
    expect(await peek(given(lent).sleep(10))).toMatchObject({
      is: "rejected",
      error: { code: "SCOPE_CANCELLED" },
    });
  });

  test("L2 with `ambient: false` only waits of the context lend", async () => {
    const { clock, manager } = world({ ambient: false, concurrency: 2 });
    const other = rival(manager);
    const task = manager.spawn(async (ctx) => {
      await other.handle.result();
      await ctx.sleep(10);
    });
    await settled();
    expect(task.status).toBe("running");
    expect(slots(manager).held).toBe(2);
    other.end();
    await settled();
    expect(task.status).toBe("blocked");
    expect(slots(manager).held).toBe(0);
    await clock.advance(10);
    await settled();
    allFree(manager);
  });

  test("L2 `map` runs its children in the slot of the one who waits, in the order of the items", async () => {
    const { clock, manager } = world();
    const running = gauge();
    const task = manager.spawn(
      running.around((ctx, place) =>
        place.wait(() =>
          ctx.map(
            [30, 10, 20],
            (child, ms, index) =>
              running.around(async () => {
                await clock.sleep(ms);
                return index;
              })(child),
            { concurrency: 2 },
          ),
        ),
      ),
    );
    await settled();
    await clock.advance(100);
    await settled();
    await expect(task.result()).resolves.toEqual([0, 1, 2]);
    expect(running.peak).toBe(1);
    allFree(manager);
  });

  test("L2 the body of an `outcomes` loop holds the slot, its steps lend it", async () => {
    const { clock, manager } = world();
    const seen: string[] = [];
    const task = manager.spawn(async (ctx) => {
      const children = [20, 10].map((ms) =>
        ctx.spawn(async (child) => {
          await child.sleep(ms);
          return ms;
        }),
      );
      for await (const outcome of ctx.outcomes(children)) {
        seen.push(`${outcome.status} with ${slots(manager).held} held`);
        await clock.sleep(100);
      }
    });
    await settled();
    await clock.advance(10);
    await settled();
    const other = manager.spawn(() => "other");
    await settled();
    expect(other.status).toBe("queued");
    await clock.advance(300);
    await settled();
    expect(seen).toEqual(["succeeded with 1 held", "succeeded with 1 held"]);
    expect([task.status, other.status]).toEqual(["succeeded", "succeeded"]);
    allFree(manager);
  });
});

describe("any interleaving", () => {
  type Step =
    | { readonly do: "work"; readonly ms: number }
    | { readonly do: "sleep"; readonly ms: number; readonly then: "await" | "collect" | "drop" }
    | { readonly do: "give up"; readonly afterMs: number }
    | { readonly do: "race"; readonly a: number; readonly b: number }
    | { readonly do: "collected" };
  const ms = fc.integer({ min: 1, max: 40 });
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant("work" as const), ms }),
    fc.record({ do: fc.constant("sleep" as const), ms, then: fc.constantFrom("await", "collect", "drop") }),
    fc.record({ do: fc.constant("give up" as const), afterMs: ms }),
    fc.record({ do: fc.constant("race" as const), a: ms, b: ms }),
    fc.record({ do: fc.constant("collected" as const) }),
  );
  const script = fc.array(step, { maxLength: 8 });

  test("L1 L8 whatever waits overlap, at most `concurrency` tasks run and every slot comes back", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(script, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 3 }),
        async (scripts, concurrency) => {
          const { clock, manager } = world({ concurrency });
          const running = gauge();
          const play = (steps: readonly Step[]) =>
            running.around(async (ctx, place) => {
              const collected: Promise<unknown>[] = [];
              for (const now of steps) {
                if (now.do === "work") await clock.sleep(now.ms);
                else if (now.do === "race") {
                  await Promise.race([place.wait(() => ctx.sleep(now.a)), place.wait(() => ctx.sleep(now.b))]);
                } else if (now.do === "give up") {
                  const giveUp = new AbortController();
                  clock.setTimeout(() => giveUp.abort(), now.afterMs);
                  await place.wait(() => ctx.receive({ signal: giveUp.signal })).catch(() => undefined);
                } else if (now.do === "collected") await Promise.all(collected.splice(0));
                else {
                  const sleep = place.wait(() => ctx.sleep(now.ms));
                  if (now.then === "await") await sleep;
                  if (now.then === "collect") collected.push(sleep);
                }
              }
            });
          const handles = scripts.map((steps) => manager.spawn(play(steps)));
          for (let round = 0; round < 300 && handles.some((handle) => handle.status !== "succeeded"); round += 1) {
            await clock.advance(10);
            slots(manager);
          }
          expect(handles.map((handle) => handle.status)).toEqual(handles.map(() => "succeeded"));
          expect(running.peak).toBeLessThanOrEqual(concurrency);
          allFree(manager);
        },
      ),
      { numRuns: 60 },
    );
  });
});
