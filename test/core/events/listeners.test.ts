// Events: who hears what, when, in which order, and how the journal is read (S6, D1, D6 in memory).

import { getEventListeners } from "node:events";
import type { Logger, TaskEvent, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { deferred, facts, peek, settled } from "../../support/basics.js";
import { endsIn, given, hold, holdDeaf, isEnd, rejected, typesOf, untilStopped, world } from "../../support/program.js";

describe("listeners", () => {
  test("§13 on returns its own off, and off takes the listener away too", async () => {
    const { manager } = world();
    const heard: string[] = [];
    const [kept, dropped, off] = ["kept", "dropped", "off"].map((name) => () => void heard.push(name));
    manager.on("task.created", given(kept));
    const leave = manager.on("task.created", given(dropped));
    manager.on("task.created", given(off));
    manager.spawn(() => 1);
    await settled();
    expect(heard).toEqual(["kept", "dropped", "off"]);
    leave();
    leave();
    manager.off("task.created", given(off));
    manager.spawn(() => 1);
    await settled();
    expect(heard).toEqual(["kept", "dropped", "off", "kept"]);
  });

  test("§13 one off takes away one listening, when one function listens twice", async () => {
    const { manager } = world();
    let heard = 0;
    const listener = (): void => void (heard += 1);
    manager.on("task.created", listener);
    const leave = manager.on("task.created", listener);
    leave();
    manager.spawn(() => 1);
    await settled();
    expect(heard).toBe(1);
  });

  test("§2 nothing is delivered inside the call, and everything in the order decided", async () => {
    const { manager } = world();
    const told = facts(manager);
    const first = manager.spawn(() => 1);
    const second = manager.spawn(() => 2);
    expect(told).toEqual([]);
    expect(first.record.status).toBe("queued");
    await settled();
    expect(typesOf(told, first.id)).toEqual(["task.created", "task.started", "task.succeeded"]);
    expect(told.slice(0, 2).map(({ taskId }) => taskId)).toEqual([first.id, second.id]);
  });

  test("§2 a listener hears what was decided after it was added, and nothing from before", async () => {
    const { manager } = world();
    const told = facts(manager);
    const early = manager.spawn(() => 1);
    const heard: string[] = [];
    manager.on("task.created", ({ taskId }) => heard.push(taskId));
    const late = manager.spawn(() => 1);
    await settled();
    expect(heard).toEqual([late.id]);
    expect(told.filter(({ type }) => type === "task.created").map(({ taskId }) => taskId)).toEqual([early.id, late.id]);
    expect(early.status).toBe("succeeded");
  });

  test("§2 a listener finds at least the state its event tells of", async () => {
    const { manager } = world();
    const found: [string, string | undefined][] = [];
    for (const type of ["task.started", "task.succeeded"] as const) {
      manager.on(type, ({ taskId }) => found.push([type, manager.get(taskId)?.status]));
    }
    manager.spawn(() => deferred().promise);
    await manager.spawn(async () => settled(1)).result();
    await settled();
    expect(found).toEqual([
      ["task.started", "running"],
      ["task.started", "running"],
      ["task.succeeded", "succeeded"],
    ]);
  });

  test("§2 decide and evolve happen inside the call a listener makes", async () => {
    const { manager } = world();
    const told = facts(manager);
    const seen: string[] = [];
    manager.on("task.started", ({ taskId }) => {
      const handle = given(manager.get(taskId));
      if (handle.record.name !== "first") return;
      const next = manager.spawn(untilStopped, { name: "second" });
      seen.push(next.status);
      void next.cancel("changed my mind");
      seen.push(next.status);
    });
    manager.spawn(() => 1, { name: "first" });
    await settled();
    expect(seen).toEqual(["queued", "cancelled"]);
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => given(told[0]).seq + index));
  });

  test("§13 every fact has a gapless seq, its instant, its task, its attempt, and its session", async () => {
    const { manager, pass } = world({ concurrency: 2 });
    const told = facts(manager);
    const session = manager.session("chat");
    const asking = session.spawn(async (ctx) => {
      ctx.progress({ current: 1 });
      ctx.emit("custom");
      ctx.artifact({ name: "a", type: "text/plain", data: "a" });
      ctx.reportUsage({ inputTokens: 1 });
      ctx.summary("s");
      await ctx.post("hello");
      await ctx.ask({ question: "Which?", timeoutMs: 10, onTimeout: { default: "x" } });
    });
    const broken = manager.spawn(() => Promise.reject(new Error("broken")));
    const slow = holdDeaf(manager, { timeoutMs: 20, graceMs: 30 });
    await settled();
    await pass(10);
    await pass(40);
    slow.finish();
    await settled();
    const first = given(told[0]).seq;
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, index) => first + index));
    expect(told.every(({ attempt }) => attempt === 1)).toBe(true);
    expect(told.map(({ at }) => at)).toEqual(told.map(({ at }) => at).toSorted((a, b) => a - b));
    const sessions = (id: string): unknown[] => [
      ...new Set(told.filter(({ taskId }) => taskId === id).map(({ sessionId }) => sessionId)),
    ];
    expect([sessions(asking.id), sessions(broken.id)]).toEqual([["chat"], [undefined]]);
    expect(new Set(typesOf(told, asking.id))).toEqual(
      new Set([
        "task.created",
        "task.started",
        "task.progressed",
        "custom",
        "artifact.added",
        "usage.reported",
        "task.updated",
        "message.sent",
        "request.opened",
        "task.blocked",
        "request.expired",
        "task.resumed",
        "task.succeeded",
      ]),
    );
    expect(typesOf(told, slow.handle.id).toSorted()).toEqual(
      [
        "task.created",
        "task.started",
        "task.cancelRequested",
        "task.abandoned",
        "task.failed",
        "task.lateSettled",
      ].toSorted(),
    );
  });

  test("S6 each task has exactly one terminal event, and after it only what enriches", async () => {
    const { manager, pass } = world({ concurrency: 3, graceMs: 20 });
    const told = facts(manager);
    const late = holdDeaf(manager);
    const handles = [
      late.handle,
      manager.spawn(() => 1),
      manager.spawn(() => Promise.reject(new Error("broken"))),
      manager.spawn(untilStopped, { timeoutMs: 10 }),
      manager.spawn((ctx) => ctx.ask({ question: "Which?", timeoutMs: 10 })),
      manager.spawn((ctx) => void ctx.spawn(() => ctx.signal.aborted)),
      manager.spawn(untilStopped, { totalTimeoutMs: 5 }),
      manager.spawn((ctx) => ctx.sleep(1_000)),
    ];
    await settled();
    for (const step of [5, 5, 10]) {
      await pass(step);
      for (const handle of handles) if (handle.status !== "queued") void handle.cancel();
    }
    await pass(100);
    late.finish();
    await settled();
    const ids = manager.list().map(({ id }) => id);
    expect(endsIn(told).toSorted()).toEqual(ids.toSorted());
    for (const id of ids) {
      const mine = told.filter(({ taskId }) => taskId === id);
      const after = mine.slice(mine.findIndex(isEnd) + 1).map(({ type }) => type);
      expect(after.filter((type) => !["task.updated", "artifact.added", "task.lateSettled"].includes(type))).toEqual(
        [],
      );
    }
  });

  test("§13 task.created carries the record as it was at the spawn", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = manager.spawn(() => 1, { title: "Read it", tags: ["web"] });
    const { record } = task;
    await settled();
    const created = told[0]?.type === "task.created" ? told[0].record : undefined;
    expect(created).toEqual(record);
    expect(created?.status).toBe("queued");
  });

  test("§13 task.succeeded carries the output, and task.failed the error", async () => {
    const { manager } = world();
    const told = facts(manager);
    await manager.spawn(() => ({ pages: 3 })).result();
    await manager.spawn(() => Promise.reject(new RangeError("broken"))).outcome();
    await settled();
    expect(told.filter(isEnd)).toMatchObject([
      { type: "task.succeeded", output: { pages: 3 } },
      { type: "task.failed", error: { code: "error", message: "broken", name: "RangeError" } },
    ]);
  });

  test("§13 task.started names the process that runs the task", async () => {
    const { manager } = world();
    const told = facts(manager);
    const task = hold(manager);
    await settled();
    const started = told.find(({ type }) => type === "task.started");
    expect(started).toMatchObject({ runtime: { pid: process.pid, startedAt: 0 } });
    expect(task.handle.record.runtime).toMatchObject({ pid: process.pid });
  });
});

describe("listeners that throw", () => {
  test("§12 a listener that throws changes nothing else and is reported as listener.failed", async () => {
    const { manager } = world();
    const boom = new Error("listener is broken");
    const heard: string[] = [];
    const failures: unknown[] = [];
    const errors: unknown[] = [];
    manager.on("listener.failed", (failure) => {
      failures.push(failure);
      errors.push(failure.error);
    });
    manager.on("task.succeeded", () => {
      throw boom;
    });
    manager.on("task.succeeded", ({ taskId }) => heard.push(taskId));
    const tasks = [manager.spawn(() => 1), manager.spawn(() => 2)];
    expect(await Promise.all(tasks.map((task) => task.result()))).toEqual([1, 2]);
    await settled();
    expect(heard).toEqual(tasks.map(({ id }) => id));
    expect(failures).toMatchObject([
      { type: "listener.failed", event: "task.succeeded", at: 0 },
      { type: "listener.failed", event: "task.succeeded" },
    ]);
    expect(errors).toEqual([boom, boom]);
  });

  test("§12 a listener that rejects changes nothing else and is reported as listener.failed", async () => {
    const { manager } = world();
    const errors: unknown[] = [];
    manager.on("listener.failed", ({ error, event }) => errors.push([event, error]));
    manager.on("task.created", async () => {
      await settled(1);
      throw "not even an Error";
    });
    const task = manager.spawn(() => "fine");
    expect(await task.result()).toBe("fine");
    await settled();
    expect(errors).toEqual([["task.created", "not even an Error"]]);
  });

  test("§12 a listener of listener.failed that throws itself starts no storm", async () => {
    const { manager } = world();
    let heard = 0;
    manager.on("listener.failed", () => {
      heard += 1;
      throw new Error("and me");
    });
    manager.on("task.created", () => {
      throw new Error("broken");
    });
    expect(await manager.spawn(() => "fine").result()).toBe("fine");
    await settled(50);
    expect(heard).toBe(1);
  });

  test("§12 listener.failed is no fact: it takes no seq and no place in the journal", async () => {
    const { manager } = world();
    const told = facts(manager);
    manager.on("task.created", () => {
      throw new Error("broken");
    });
    await manager.spawn(() => 1).result();
    await settled();
    expect(told.map(({ seq }) => seq - given(told[0]).seq)).toEqual([0, 1, 2]);
  });

  test("§12 a logger that throws changes nothing else", async () => {
    const broken = (): never => {
      throw new Error("logger is broken");
    };
    const logger: Logger = { debug: broken, info: broken, warn: broken, error: broken };
    const { manager, pass } = world({ logger, graceMs: 10 });
    manager.on("task.created", broken);
    const task = holdDeaf(manager);
    expect(await manager.spawn(() => "fine").result()).toBe("fine");
    void task.handle.cancel();
    await pass(10);
    task.fail(new Error("late"));
    await settled();
    expect(task.handle.status).toBe("cancelled");
    await manager.close();
  });

  test("§12 a listener that failed is reported to the logger when there is no listener for it", async () => {
    const logged: unknown[] = [];
    const silent = (): void => undefined;
    const error = (message: string, fields?: object): void => void logged.push([message, fields]);
    const { manager } = world({ logger: { debug: silent, info: silent, warn: silent, error } });
    const broken = new Error("broken");
    manager.on("task.created", () => {
      throw broken;
    });
    await manager.spawn(() => 1).result();
    await settled();
    expect(logged).toEqual([["A listener of task.created failed", { error: broken }]]);
  });

  test("§12 a listener may answer what it likes: only a throw and a rejection are failures", async () => {
    const { manager } = world();
    const failed: unknown[] = [];
    manager.on("listener.failed", ({ error }) => failed.push(error));
    for (const answer of [undefined, null, 0, "", {}, [], Promise.resolve()]) manager.on("task.created", () => answer);
    const why = new Error("rejected");
    manager.on("task.created", () => Promise.reject(why));
    await manager.spawn(() => 1).result();
    await settled();
    expect(failed).toEqual([why]);
  });

  test("§13 a listener that removes another listener removes it from this event too, and from no other type", async () => {
    const { manager } = world();
    const heard: string[] = [];
    const second = ({ type }: TaskEvent): void => void heard.push(type);
    manager.on("task.created", () => manager.off("task.created", second));
    manager.on("task.created", second);
    manager.on("task.started", second);
    await manager.spawn(() => 1).result();
    await settled();
    expect(heard).toEqual(["task.started"]);
  });
});

/** Reads until the iterable ends, and keeps what it gave. */
function reading(iterable: AsyncIterable<TaskEvent>): { readonly read: TaskEvent[]; readonly ended: Promise<void> } {
  const read: TaskEvent[] = [];
  const ended = (async () => {
    for await (const event of iterable) read.push(event);
  })();
  return { read, ended };
}

describe("D6 events()", () => {
  test("D6 events() gives every fact from the call on, in order, live", async () => {
    const { manager } = world();
    const told = facts(manager);
    const { read } = reading(manager.events());
    const first = manager.spawn(() => 1);
    await first.result();
    const second = hold(manager);
    await settled();
    second.ctx.emit("live");
    await settled();
    expect(read).toEqual(told);
    expect(read.length).toBeGreaterThan(5);
  });

  test("D6 a reader that comes in the turn of a spawn, beside a listener, begins with the next event", async () => {
    const { manager } = world();
    manager.on("task.created", () => undefined);
    const before = manager.spawn(() => 1);
    const read: string[] = [];
    const reading = (async () => {
      for await (const { seq, type, taskId } of manager.events()) read.push(`${seq} ${type} ${taskId}`);
    })();
    await before.result();
    await settled();
    expect(read).toEqual([`2 task.started ${before.id}`, `3 task.succeeded ${before.id}`]);
    await manager.close();
    await reading;
  });

  test("W3 leaving events() says that it is over", async () => {
    const { manager } = world();
    const events = manager.events()[Symbol.asyncIterator]();
    const over = { done: true, value: undefined };
    expect(await events.return?.()).toEqual(over);
    expect(await events.next()).toEqual(over);
  });

  test("D6 events({ from }) reads what is kept from that seq on, and then goes on live", async () => {
    const { manager } = world();
    const told = facts(manager);
    const all = reading(manager.events());
    for (let index = 0; index < 3; index += 1) await manager.spawn(() => index).result();
    await settled();
    const from = given(told[4]).seq;
    const { read } = reading(manager.events({ from }));
    await settled();
    expect(read).toEqual(told.slice(4));
    await manager.spawn(() => "live").result();
    await settled();
    expect(read).toEqual(told.slice(4));
    expect(all.read).toEqual(told);
  });

  test("D6 events keep to one task, or to one session", async () => {
    const { manager } = world();
    const told = facts(manager);
    const session = manager.session("chat");
    const chat = reading(manager.events({ sessionId: "chat" }));
    const mine = session.spawn((ctx) => void ctx.spawn(() => 1));
    const other = manager.spawn(() => 2);
    const { read } = reading(manager.events({ taskId: other.id }));
    await manager.idle();
    await settled();
    expect(read).toEqual(told.filter(({ taskId }) => taskId === other.id));
    expect(chat.read).toEqual(told.filter(({ sessionId }) => sessionId === "chat"));
    expect(chat.read.some(({ taskId }) => taskId === mine.id)).toBe(true);
    expect(chat.read.every(({ taskId }) => taskId !== other.id)).toBe(true);
  });

  test("D6 events before the first call of events() are not kept: EventsCompactedError names the oldest kept", async () => {
    const { manager } = world();
    const told = facts(manager);
    await manager.spawn(() => 1).result();
    await settled();
    const from = given(told[0]).seq;
    const error = await rejected(() => manager.events({ from })[Symbol.asyncIterator]().next(), "EVENTS_COMPACTED");
    expect(error.oldest).toBeGreaterThan(given(told.at(-1)).seq);
    const { read } = reading(manager.events({ from: error.oldest }));
    await manager.spawn(() => 2).result();
    await settled();
    expect(read).toEqual(told.slice(3));
  });

  test("D6 from 0, as from 1, is the beginning of the journal", async () => {
    for (const from of [0, 1, -0]) {
      const { manager } = world();
      const told = facts(manager);
      const { read } = reading(manager.events({ from }));
      await manager.spawn(() => 1).result();
      await settled();
      expect(given(read[0]).seq).toBe(1);
      expect(read).toEqual(told);
    }
  });

  test('D6 from "now" is the next event', async () => {
    const { manager } = world();
    const told = facts(manager);
    await manager.spawn(() => 1).result();
    const newest = given(told.at(-1)).seq;
    const { read } = reading(manager.events({ from: "now" }));
    await manager.spawn(() => 2).result();
    await settled();
    expect(read).toEqual(told.filter(({ seq }) => seq > newest));
    expect(given(read[0]).seq).toBe(newest + 1);
  });

  test("D6 a reader may ask for the next event, and for none behind it: the error names the newest", async () => {
    const { manager } = world();
    const told = facts(manager);
    await manager.spawn(() => 1).result();
    const newest = given(told.at(-1)).seq;
    for (const from of [newest + 2, 1e9, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY]) {
      const read = () => manager.events({ from });
      expect(read).toThrow(RangeError);
      expect(read).toThrow(`got ${from}: the newest event is ${newest}`);
    }
    const { read } = reading(manager.events({ from: newest + 1 }));
    await manager.spawn(() => 2).result();
    await settled();
    expect(given(read[0]).seq).toBe(newest + 1);
  });

  test("§12 from is a seq: anything else is named", () => {
    const { manager } = world();
    for (const from of [-1, 1.5, Number.NaN, Number.NEGATIVE_INFINITY])
      expect(() => manager.events({ from })).toThrow(RangeError);
    for (const from of ["1", "newest", null, 1n, {}]) {
      const read = () => manager.events({ from: from as unknown as number });
      expect(read).toThrow(TypeError);
      expect(read).toThrow(/from must be/);
    }
  });

  /** Tells `count` facts. */
  async function emitMany(manager: TaskManager, count: number): Promise<void> {
    await manager
      .spawn((ctx) => {
        for (let index = 0; index < count; index += 1) ctx.emit("n", index);
      })
      .result();
    await settled();
  }

  test("D6 behind the newest 10 000 events it is EventsCompactedError, and `oldest` can be read from", async () => {
    const { manager } = world();
    const told = facts(manager);
    const iterator = manager.events()[Symbol.asyncIterator]();
    await emitMany(manager, 12_000);
    const first = given(told[0]).seq;
    const error = await rejected(
      () => manager.events({ from: first })[Symbol.asyncIterator]().next(),
      "EVENTS_COMPACTED",
    );
    const last = given(told.at(-1)).seq;
    expect(error.oldest).toBe(last - 10_000 + 1);
    const step = await manager.events({ from: error.oldest })[Symbol.asyncIterator]().next();
    expect(step.done === true ? undefined : step.value.seq).toBe(error.oldest);
    await iterator.return?.();
  });

  test("D6 a reader that fell behind the oldest kept event gets EventsCompactedError: nothing is buffered for it", async () => {
    const { manager } = world();
    facts(manager);
    const iterator = manager.events()[Symbol.asyncIterator]();
    await manager.spawn(() => 1).result();
    await settled();
    const first = await iterator.next();
    expect(first.done === true ? undefined : first.value.type).toBe("task.created");
    await emitMany(manager, 12_000);
    const error = await rejected(() => iterator.next(), "EVENTS_COMPACTED");
    expect(error.oldest).toBeGreaterThan(1_000);
    expect((await peek(iterator.next())).is).toBe("fulfilled");
  });

  test("D6 a reader that keeps up reads any number of events", async () => {
    const { manager } = world();
    const { read } = reading(manager.events());
    for (let round = 0; round < 30; round += 1) await emitMany(manager, 1_000);
    await settled();
    expect(read.filter(({ type }) => type === "custom")).toHaveLength(30_000);
    expect(read.map(({ seq }) => seq)).toEqual(read.map((_, index) => given(read[0]).seq + index));
  });

  test("D6 events() ends on close, after the last event", async () => {
    const { manager } = world();
    const told = facts(manager);
    const { read, ended } = reading(manager.events());
    hold(manager);
    await settled();
    await manager.close();
    expect((await peek(ended)).is).toBe("fulfilled");
    expect(read).toEqual(told);
    expect(read.at(-1)?.type).toBe("task.interrupted");
  });

  test("D6 events() ends when its signal aborts, without an error, and at once if it had", async () => {
    const { manager } = world();
    const controller = new AbortController();
    const { read, ended } = reading(manager.events({ signal: controller.signal }));
    await manager.spawn(() => 1).result();
    await settled();
    expect(read).toHaveLength(3);
    controller.abort();
    expect((await peek(ended)).is).toBe("fulfilled");
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    expect((await peek(reading(manager.events({ signal: controller.signal })).ended)).is).toBe("fulfilled");
  });

  test("D6 leaving the loop leaves no listener on the signal", async () => {
    const { manager } = world();
    const { signal } = new AbortController();
    const seen: string[] = [];
    const events = manager.events({ signal });
    manager.spawn(() => 1);
    for await (const { type } of events) {
      seen.push(type);
      break;
    }
    await settled();
    expect(seen).toEqual(["task.created"]);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("D6 leaving ends a step that is asked for, and every later one", async () => {
    const { manager } = world();
    const { signal } = new AbortController();
    const events = manager.events({ signal })[Symbol.asyncIterator]();
    const steps = [events.next(), events.next()];
    expect((await peek(Promise.race(steps))).is).toBe("pending");
    await events.return?.();
    const over = { is: "fulfilled", value: { done: true, value: undefined } };
    for (const step of [...steps, events.next()]) expect(await peek(step)).toEqual(over);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  test("D6 steps asked for together are given in order", async () => {
    const { manager } = world();
    const events = manager.events()[Symbol.asyncIterator]();
    const steps = [events.next(), events.next(), events.next()];
    await manager.spawn(() => 1).result();
    const read = await Promise.all(steps);
    expect(read.map((step) => (step.done === true ? undefined : step.value.type))).toEqual([
      "task.created",
      "task.started",
      "task.succeeded",
    ]);
  });

  test("§3 events() inside a task is no wait: the task keeps its slot", async () => {
    const { manager } = world({ concurrency: 1 });
    const controller = new AbortController();
    const task = manager.spawn(async () => {
      for await (const event of manager.events({ signal: controller.signal }))
        if (event.type === "custom") return "heard";
      return "over";
    });
    const next = hold(manager);
    await settled();
    expect([task.status, next.started]).toEqual(["running", false]);
    controller.abort();
    expect(await task.result()).toBe("over");
  });
});
