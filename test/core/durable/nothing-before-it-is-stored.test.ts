// What adds waits for the store, what stops does not (D1): every call that gives something out, with its commits held.

import { setImmediate } from "node:timers/promises";
import type { InboxRequest, TaskEvent, TaskHandle } from "errand";
import { TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { facts, peek, settled } from "../../support/basics.js";
import {
  deaf,
  errandError,
  given,
  type Held,
  hold,
  holdDeaf,
  refusalOf,
  typesOf,
  untilStopped,
} from "../../support/program.js";
import { type Process, request, started, take } from "../../support/restarts.js";

const ann = { by: "ann" };

interface Stage extends Process {
  /** Runs, and its context can be used from outside. */
  readonly running: Held<string>;
  readonly over: TaskHandle<string>;
  /** Asks `Which?`. */
  readonly asking: TaskHandle;
  readonly question: InboxRequest;
  readonly closed: InboxRequest;
  /** Resolves when the clock has been moved as far as was asked. */
  readonly passed: () => Promise<void>;
}

/** Everything so far is stored; from now on nothing is. */
async function stage(): Promise<Stage> {
  const process = await started();
  const { manager, store } = process;
  const running = hold<string>(manager, { id: "running" });
  const over = manager.spawn(() => "value", { id: "over" });
  const asking = manager.spawn(async (ctx) => {
    await ctx.ask({ question: "First?" });
    return ctx.ask({ question: "Which?" });
  });
  await settled();
  const first = request(process);
  await manager.inbox.answer(first.id, "yes", ann);
  await settled();
  store.hold();
  let passing = Promise.resolve();
  return {
    ...process,
    running,
    over,
    asking,
    question: request(process),
    closed: given(manager.inbox.get(first.id)),
    pass: (ms) => (passing = process.pass(ms)),
    passed: () => passing,
  };
}

/** Something is decided that is not stored. */
function decide({ running }: Stage): void {
  running.ctx.emit("decided");
}

const waits: readonly (readonly [what: string, call: (stage: Stage) => Promise<unknown>])[] = [
  ["the start of a root", ({ manager }) => new Promise((resolve) => manager.spawn(() => resolve("started")))],
  ["the start of a child", ({ running }) => new Promise((resolve) => running.ctx.spawn(() => resolve("started")))],
  ["result()", ({ running }) => (running.finish("value"), running.handle.result())],
  ["outcome()", ({ running }) => (running.finish("value"), running.handle.outcome())],
  ["result() that rejects", ({ running }) => (running.fail(new Error("no")), running.handle.result())],
  ["outcome({ timeoutMs })", ({ running }) => (running.finish("value"), running.handle.outcome({ timeoutMs: 50 }))],
  [
    "result() of a task that is over already",
    async ({ running }) => {
      running.finish("value");
      await settled();
      expect(running.handle.status).toBe("succeeded");
      return running.handle.result();
    },
  ],
  [
    "outcome() of a task that is over already",
    async ({ running }) => {
      running.finish("value");
      await settled();
      return running.handle.outcome();
    },
  ],
  ["awaitTasks: done", ({ manager, running }) => (running.finish("value"), manager.awaitTasks([running.handle]))],
  [
    "awaitTasks: done at once",
    async ({ manager, running }) => {
      running.finish("value");
      await settled();
      return manager.awaitTasks([running.handle]);
    },
  ],
  [
    "awaitTasks: request at once",
    async ({ manager, running }) => {
      void running.ctx.ask({ question: "At once?" }).catch(() => {});
      await settled();
      return manager.awaitTasks([running.handle], { stopOnRequest: true });
    },
  ],
  [
    "awaitTasks: request",
    async ({ manager, running }) => {
      const awaited = manager.awaitTasks([running.handle], { stopOnRequest: true });
      void running.ctx.ask({ question: "Later?" }).catch(() => {});
      return awaited;
    },
  ],
  [
    "a step of outcomes() that waited",
    ({ manager, running }) => {
      const step = manager.outcomes([running.handle])[Symbol.asyncIterator]().next();
      running.finish("value");
      return step;
    },
  ],
  [
    "a step of outcomes() that need not wait",
    async ({ manager, running }) => {
      running.finish("value");
      await settled();
      return manager.outcomes([running.handle])[Symbol.asyncIterator]().next();
    },
  ],
  ["cancel()", ({ running: { handle } }) => handle.cancel("enough")],
  ["cancelAll()", ({ manager }) => manager.cancelAll()],
  ["disposing a handle", ({ running: { handle } }) => handle[Symbol.asyncDispose]()],
  [
    "idle()",
    ({ manager }) => {
      const idle = manager.idle();
      void manager.cancelAll();
      return idle;
    },
  ],
  [
    "idle() at once",
    async ({ manager }) => {
      void manager.cancelAll();
      await settled();
      return manager.idle();
    },
  ],
  ["room() at once", (stage) => (decide(stage), stage.manager.room())],
  ["inbox.answer()", ({ manager, question }) => manager.inbox.answer(question.id, "this", ann)],
  ["inbox.reject()", ({ manager, question }) => manager.inbox.reject(question.id, "no", ann)],
  [
    "AlreadyAnsweredError of answer()",
    async ({ manager, question }) => {
      void manager.inbox.answer(question.id, "this", ann);
      return errandError(await refusalOf(() => manager.inbox.answer(question.id, "that", ann)), "ALREADY_ANSWERED");
    },
  ],
  [
    "AlreadyAnsweredError of reject()",
    async ({ manager, question }) => {
      void manager.inbox.answer(question.id, "this", ann);
      return errandError(await refusalOf(() => manager.inbox.reject(question.id, "no", ann)), "ALREADY_ANSWERED");
    },
  ],
  [
    "AlreadyAnsweredError of a request that was closed long ago",
    async (stage) => {
      decide(stage);
      return errandError(
        await refusalOf(() => stage.manager.inbox.answer(stage.closed.id, "this", ann)),
        "ALREADY_ANSWERED",
      );
    },
  ],
  [
    "inbox.watch() of a request opened just before",
    ({ manager, running }) => {
      void running.ctx.ask({ question: "Just now?" }).catch(() => {});
      return take(manager.inbox.watch({ taskId: "running" }), 1);
    },
  ],
  [
    "inbox.watch() of a request opened just after",
    ({ manager, running }) => {
      const seen = take(manager.inbox.watch({ taskId: "running" }), 1);
      void running.ctx.ask({ question: "Just now?" }).catch(() => {});
      return seen;
    },
  ],
  [
    "the answer that ask gets",
    ({ manager, question, asking }) => {
      void manager.inbox.answer(question.id, "this", ann);
      return asking.result();
    },
  ],
  [
    "the rejection that ask gets",
    async ({ manager, running }) => {
      const asked = refusalOf(() => running.ctx.ask({ question: "Now?" }));
      const [, now] = manager.inbox.list();
      void manager.inbox.reject(given(now).id, "no", ann);
      return asked;
    },
  ],
  [
    "the yes that approve gets",
    async ({ manager, running }) => {
      const approved = running.ctx.approve("Now?");
      const [, now] = manager.inbox.list();
      void manager.inbox.answer(given(now).id, true, ann);
      return approved;
    },
  ],
  [
    "the expiry that ask gets",
    async ({ running, pass }) => {
      const asked = refusalOf(() => running.ctx.ask({ question: "Now?", timeoutMs: 10 }));
      await pass(10);
      return asked;
    },
  ],
  [
    "receive() of a message that is there",
    async ({ running }) => {
      void running.handle.send("hello");
      await settled();
      return running.ctx.receive();
    },
  ],
  [
    "receive() of a message that comes",
    ({ running }) => {
      const received = running.ctx.receive();
      void running.handle.send("hello");
      return received;
    },
  ],
  ["sleep()", async ({ running, pass }) => [await Promise.all([running.ctx.sleep(10), pass(10)])]],
  ["send()", ({ running }) => running.handle.send("hello")],
  ["send() that answers a question", ({ asking, question }) => asking.send("this", { inReplyTo: question.id })],
  ["post()", ({ running }) => running.ctx.post("hello")],
  ["checkpoint()", ({ running }) => running.ctx.checkpoint(1)],
  ["map()", ({ running }) => running.ctx.map([1, 2], (_ctx, item) => item, { concurrency: 2 })],
  [
    "a listener of on()",
    (stage) =>
      new Promise((resolve) => {
        stage.manager.on("custom", resolve);
        decide(stage);
      }),
  ],
  [
    "a step of events()",
    (stage) => {
      const steps = take(stage.manager.events({ from: stage.store.kept.length + 1 }), 1);
      decide(stage);
      return steps;
    },
  ],
  ["stored()", ({ manager }) => manager.spawn(() => 1).stored()],
  ["history()", (stage) => (decide(stage), stage.running.handle.history())],
  [
    "the end of a task of another manager",
    async ({ running }) => {
      const other = await started();
      const awaited = other.manager.spawn(async () => running.handle.result()).result();
      await settled();
      running.finish("value");
      return awaited;
    },
  ],
];

describe("D1 waits for the store:", () => {
  test.each(waits)("%s", async (_what, call) => {
    const set = await stage();
    const given = call(set);
    await set.passed();
    expect(await peek(given.then(() => "given"))).toEqual({ is: "pending" });
    set.store.letThrough();
    expect((await peek(given)).is).not.toBe("pending");
  });

  test("what a function reads after its wait is stored when it reads it", async () => {
    const { manager, store, running, question, asking } = await stage();
    const atAnswer = asking.result().then(() => store.kept.map(({ type }) => type));
    void manager.inbox.answer(question.id, "this", ann);
    running.ctx.emit("after");
    await settled();
    store.letThrough();
    expect(await atAnswer).toContain("request.answered");
  });
});

/** Each tells whether it happened, while nothing is stored. */
const waitsNot: readonly (readonly [what: string, happens: (stage: Stage) => unknown])[] = [
  [
    "a signal aborts in the turn of the cancel",
    async ({ running: { ctx, handle } }) => {
      const { signal } = ctx;
      void handle.cancel();
      await Promise.resolve();
      return signal.aborted;
    },
  ],
  [
    "`cancelled()` resolves",
    async ({ running: { ctx, handle } }) => {
      const cancelled = ctx.cancelled();
      void handle.cancel();
      return (await peek(cancelled)).is === "fulfilled";
    },
  ],
  ...(
    [
      ["ask", ({ ctx }) => ctx.ask({ question: "Now?" })],
      ["receive", ({ ctx }) => ctx.receive()],
      ["sleep", ({ ctx }) => ctx.sleep(1_000)],
      ["awaitTasks", ({ ctx }) => ctx.awaitTasks([ctx.spawn(deaf)])],
    ] satisfies [string, (held: Held<string>) => Promise<unknown>][]
  ).map(
    ([what, wait]) =>
      [
        `a pending ${what} of a stopped task rejects in the turn of the cancel`,
        async ({ running }: Stage) => {
          const rejected = refusalOf(() => wait(running));
          await settled();
          void running.handle.cancel("enough");
          let error: unknown;
          void rejected.then((reason) => (error = reason));
          await setImmediate();
          return errandError(error, "TASK_CANCELLED").reason === "enough";
        },
      ] as const,
  ),
  [
    "a user's signal withdraws a wait outside tasks",
    async ({ running: { handle } }) => {
      const controller = new AbortController();
      const waiting = refusalOf(() => handle.result({ signal: controller.signal }));
      controller.abort("enough");
      const seen = await peek(waiting);
      return seen.is === "fulfilled" && seen.value === "enough";
    },
  ],
  [
    "a user's signal withdraws a wait of a task",
    async ({ running: { ctx } }) => {
      const controller = new AbortController();
      const waiting = refusalOf(() => ctx.receive({ signal: controller.signal }));
      await settled();
      controller.abort("enough");
      const seen = await peek(waiting);
      return seen.is === "fulfilled" && seen.value === "enough";
    },
  ],
  [
    "a timer stops a task",
    async ({ manager, store, pass }) => {
      store.letThrough();
      const late = hold(manager, { timeoutMs: 10 });
      await settled();
      store.hold();
      const { signal } = late.ctx;
      await pass(10);
      return signal.aborted && late.handle.status === "failed";
    },
  ],
  ...(
    [
      ["outcome() of an end that is stored", ({ over }) => over.outcome()],
      ["result() of an end that is stored", ({ over }) => over.result()],
      ["cancel() of an end that is stored", ({ over }) => over.cancel("enough")],
      ["awaitTasks() of ends that are stored", ({ manager, over }) => manager.awaitTasks([over])],
      ["a step of outcomes() of an end that is stored", ({ manager, over }) => take(manager.outcomes([over]), 1)],
      ["cancelAll() that finds nothing", ({ manager }) => manager.cancelAll({ name: "nobody" })],
      ["outcome({ timeoutMs: 0 })", ({ running }) => running.handle.outcome({ timeoutMs: 0 })],
      [
        "awaitTasks() with a limit of 0",
        ({ manager, running }) => manager.awaitTasks([running.handle], { timeoutMs: 0 }),
      ],
      ["receive({ timeoutMs: 0 })", ({ running }) => running.ctx.receive({ timeoutMs: 0 })],
    ] satisfies [string, (stage: Stage) => Promise<unknown>][]
  ).map(
    ([what, call]) =>
      [
        what,
        async (set: Stage) => {
          decide(set);
          const asked: Promise<unknown> = call(set);
          return (await peek(asked)).is === "fulfilled";
        },
      ] as const,
  ),
  [
    "a status is read as decided",
    ({ running: { handle } }) => (void handle.cancel(), handle.record.stopReason === "cancel"),
  ],
  [
    "`list` and `get` know a task that was just spawned",
    ({ manager }) => {
      const { id } = manager.spawn(deaf);
      return manager.get(id)?.status === "queued" && manager.list().some((record) => record.id === id);
    },
  ],
  [
    "`inbox.list` and `inbox.get` know a request that was just opened",
    ({ manager, running }) => {
      void running.ctx.ask({ question: "Now?" }).catch(() => {});
      const [, now] = manager.inbox.list();
      return now?.question === "Now?" && manager.inbox.get(now.id) === now;
    },
  ],
  [
    "`stats` counts a task that was just spawned",
    ({ manager }) => {
      const before = manager.stats().starting;
      manager.spawn(deaf);
      return manager.stats().starting === before + 1;
    },
  ],
  [
    "`messages` has what was just sent",
    ({ running: { handle } }) => {
      void handle.send("hello");
      return handle.messages().length === 1;
    },
  ],
  [
    "`usage` has what was just reported",
    ({ running: { ctx, handle } }) => {
      ctx.reportUsage({ inputTokens: 3 });
      return handle.usage().inputTokens === 3;
    },
  ],
  [
    "`cancelled` work that has not started is over in the call",
    ({ manager }) => {
      const queued = manager.spawn(deaf);
      void queued.cancel();
      return queued.status === "cancelled";
    },
  ],
];

describe("D1 does not wait for the store:", () => {
  test.each(waitsNot)("%s", async (_what, happens) => {
    const set = await stage();
    expect(await happens(set)).toBe(true);
  });

  test("C3 a wait that was answered, and resolves once that is stored, rejects in the turn of a cancel", async () => {
    const { running } = await stage();
    const received = refusalOf(() => running.ctx.receive());
    void running.handle.send("hello");
    await settled();
    void running.handle.cancel();
    expect(await peek(received)).toMatchObject({ is: "fulfilled", value: { code: "TASK_CANCELLED" } });
  });

  test("L8 a slot is freed at an end that is not stored yet, and the next task, stored already, starts", async () => {
    const { manager, store } = await started({ concurrency: 1 });
    const first = hold(manager);
    const second = hold(manager);
    await settled();
    store.hold();
    first.finish();
    await settled();
    expect([first.handle.status, second.started]).toEqual(["succeeded", true]);
    expect(store.typesOf(first.handle.id)).not.toContain("task.succeeded");
  });

  test("L2 a blocked task lends its slot before that is stored", async () => {
    const { manager, store } = await started({ concurrency: 1 });
    const first = hold(manager);
    const second = hold(manager);
    await settled();
    store.hold();
    void first.ctx.receive().catch(() => {});
    await settled();
    expect([first.handle.status, second.started]).toEqual(["blocked", true]);
  });

  test("a cancelled task ends and gives its slot while nothing is stored", async () => {
    const { manager, store } = await started({ concurrency: 1 });
    const first = manager.spawn(untilStopped);
    const second = hold(manager);
    await settled();
    store.hold();
    void first.cancel();
    await settled();
    expect([first.status, second.started]).toEqual(["cancelled", true]);
  });
});

describe("D1", () => {
  test("a function starts once its own spawn is stored, whatever came after it", async () => {
    const { manager, store } = await started();
    store.hold();
    const first = hold(manager);
    await settled();
    // Not part of the commit that is under way.
    const second = hold(manager);
    await settled();
    store.release();
    await settled();
    expect([first.started, second.started]).toEqual([true, false]);
    store.release();
    await settled();
    expect(second.started).toBe(true);
  });

  test("§2 deliveries come in the order of their facts: events, waits and starts", async () => {
    const { manager, store, running } = await stage();
    const told: string[] = [];
    for (const type of ["custom", "message.sent", "task.succeeded", "task.created", "task.started"] as const)
      manager.on(type, () => told.push(type));
    running.ctx.emit("one");
    void running.ctx.post("two").then(() => told.push("posted"));
    manager.spawn(() => told.push("runs"));
    running.finish("done");
    void running.handle.result().then(() => told.push("result"));
    await settled();
    expect(told).toEqual([]);
    store.letThrough();
    await settled();
    expect(told.slice(0, 3)).toEqual(["custom", "message.sent", "task.created"]);
    expect(told.indexOf("message.sent")).toBeLessThan(told.indexOf("posted"));
    expect(told.indexOf("task.created")).toBeLessThan(told.indexOf("runs"));
    expect(told.indexOf("task.succeeded")).toBeLessThan(told.indexOf("result"));
  });

  test("§2 events are delivered by `seq`, however they were committed", async () => {
    const { manager, store, running } = await stage();
    const told = facts(manager);
    for (let turn = 0; turn < 5; turn++) {
      running.ctx.emit(`${turn}a`);
      void running.handle.send(`${turn}b`);
      manager.spawn(() => turn);
      if (turn % 2 === 0) store.release();
      await setImmediate();
    }
    store.letThrough();
    await settled();
    const seqs = told.map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    expect(store.kept.map(({ seq }) => seq)).toEqual(store.kept.map((_event, index) => index + 1));
  });

  test("§2 all that is decided in a turn shares one commit", async () => {
    const { manager, store } = await started();
    const before = store.appends;
    for (let n = 0; n < 1_000; n++) manager.spawn(() => n);
    await setImmediate();
    await setImmediate();
    expect(store.calls.slice(before)[0]).toBe("append 1-1000");
    await manager.idle();
    // Their ends are decided in the turn in which they start, and share the next one.
    expect(store.appends - before).toBe(2);
  });

  test("all that is decided while a commit is under way shares the next one", async () => {
    const { manager, store, running } = await stage();
    const before = store.appends;
    running.ctx.emit("first");
    await settled();
    for (let n = 0; n < 20; n++) {
      running.ctx.emit(`${n}`);
      await setImmediate();
    }
    expect(store.held.map(({ type }) => type)).toEqual(["custom"]);
    store.release();
    await settled();
    expect([store.held.length, store.appends - before]).toEqual([20, 2]);
    store.letThrough();
    await manager.cancelAll();
  });

  test("a listener hears what is decided after it was added, and not what was only still to be stored", async () => {
    const { manager, store, running } = await stage();
    running.ctx.emit("before");
    const heard: TaskEvent[] = [];
    manager.on("custom", (event) => heard.push(event));
    running.ctx.emit("after");
    store.letThrough();
    await settled();
    expect(heard.map((event) => event.type === "custom" && event.name)).toEqual(["after"]);
  });

  test("what stopped a task is reported as stored: its events come in order, after the commit", async () => {
    const { manager, store, running } = await stage();
    const told = facts(manager);
    void running.handle.cancel("enough");
    await settled();
    expect(told).toEqual([]);
    store.letThrough();
    await settled();
    expect(typesOf(told, "running")).toEqual(["task.cancelRequested", "task.cancelled"]);
  });

  test("S2 a write that was dropped rejects, and waits for nothing", async () => {
    const { manager, running, store } = await stage();
    store.letThrough();
    running.finish("done");
    await settled();
    store.hold();
    expect(await peek(running.ctx.checkpoint(1))).toMatchObject({ is: "rejected", error: { code: "TASK_TERMINATED" } });
    expect(manager.stats().droppedWrites).toBe(1);
  });
});

describe('D1 durability: "relaxed"', () => {
  test("nothing waits but stored()", async () => {
    const { manager, store } = await started({ durability: "relaxed" });
    store.hold();
    const told = facts(manager);
    const parent = manager.spawn(async (ctx) => {
      await ctx.checkpoint(1);
      await ctx.post("posted");
      const child = await ctx.spawn(() => "child").result();
      return [child, await ctx.ask({ question: "Which?" })];
    });
    await settled();
    const watched = await take(manager.inbox.watch(), 1);
    await manager.inbox.answer(given(watched[0]).id, "this", ann);
    expect(await parent.result()).toEqual(["child", "this"]);
    await manager.idle();
    expect(typesOf(told, parent.id).at(-1)).toBe("task.succeeded");
    const stored = parent.stored();
    expect([(await peek(stored)).is, store.kept.length]).toEqual(["pending", 0]);
    store.letThrough();
    await stored;
    await settled();
    expect(store.typesOf(parent.id)).toEqual(typesOf(told, parent.id));
  });

  test("what was given out in the last moments is gone after a crash", async () => {
    const process = await started({ durability: "relaxed" });
    const first = process.manager.spawn(() => "kept");
    await first.result();
    await settled();
    process.store.hold();
    const second = process.manager.spawn(() => "lost");
    expect(await second.result()).toBe("lost");
    const next = await process.restart();
    expect([next.manager.get(first.id)?.status, next.manager.get(second.id)]).toEqual(["succeeded", undefined]);
  });

  test("a manager without a store waits for none: stored() resolves at once", async () => {
    const manager = await TaskManager.open({});
    const task = holdDeaf(manager);
    await task.handle.stored();
    expect(task.started).toBe(true);
  });
});
