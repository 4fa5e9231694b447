// ctx.map: one child for each item, read as there is room, and what a failure, an abort and a stop leave behind (W4, W3, §8).

import { type TaskContext, type TaskHandle, TaskManager } from "errand";
import { describe, expect, test } from "vitest";
import { allFree, deferred, peek, settled, unhandled } from "../support/basics.js";
import { errandError, given, hold, refusalOf, untilStopped, world } from "../support/program.js";

/** A source that says what was asked of it. */
function source(length = Number.POSITIVE_INFINITY) {
  const seen = { read: 0, closed: 0 };
  function* items(): Generator<number> {
    try {
      while (seen.read < length) yield seen.read++;
    } finally {
      seen.closed++;
    }
  }
  async function* later(): AsyncGenerator<number> {
    for (const item of items()) {
      await settled(1);
      yield item;
    }
  }
  return {
    seen,
    sources: [
      ["an iterable", items],
      ["an async iterable", later],
    ] as const,
  };
}

const kinds = ["an iterable", "an async iterable"] as const;
type Source = Iterable<number> | AsyncIterable<number>;

function sourceOf(
  kind: (typeof kinds)[number],
  length?: number,
): { seen: { read: number; closed: number }; items: Source } {
  const { seen, sources } = source(length);
  const [, make] = given(sources.find(([name]) => name === kind));
  return { seen, items: make() };
}

describe.each(kinds)("W4 map over %s", (kind) => {
  test("gives the values in the order of the items, whatever the order of their ends", async () => {
    const { manager, pass } = world();
    const { items, seen } = sourceOf(kind, 5);
    const task = manager.spawn((ctx) =>
      ctx.map(
        items,
        async (child, item, index) => {
          await child.sleep(10 - item);
          return `${index}:${item}`;
        },
        { concurrency: 2 },
      ),
    );
    for (let n = 0; n < 40; n++) await pass(1);
    expect(await task.result()).toEqual(["0:0", "1:1", "2:2", "3:3", "4:4"]);
    expect(seen).toEqual({ read: 5, closed: 1 });
  });

  test("reads an item only when there is room for its child", async () => {
    const { manager } = world();
    const { items, seen } = sourceOf(kind);
    const gates = new Map<number, (value: number) => void>();
    const task = manager.spawn((ctx) =>
      ctx.map(items, (_child, item) => new Promise<number>((resolve) => gates.set(item, resolve)), { concurrency: 3 }),
    );
    await settled(20);
    expect([seen.read, gates.size]).toEqual([3, 3]);
    for (const item of [0, 2, 1]) {
      gates.get(item)?.(item);
      await settled(20);
    }
    expect([seen.read, gates.size]).toEqual([6, 6]);
    void task.cancel();
  });

  test("over an endless source ends with its first failure, reads no further and closes the source", async () => {
    const { manager } = world();
    const { items, seen } = sourceOf(kind);
    const task = manager.spawn((ctx) =>
      ctx.map(
        items,
        async (_child, item) => {
          if (item === 5) throw new Error("the sixth fails");
        },
        { concurrency: 2 },
      ),
    );
    expect(await task.outcome()).toMatchObject({ status: "failed" });
    await settled(20);
    expect(seen.closed).toBe(1);
    expect(seen.read).toBeLessThan(10);
  });

  test("that fails rejects when the children that it stopped have ended, within their grace", async () => {
    const { manager, clock, pass } = world({ graceMs: 50 });
    const { items } = sourceOf(kind, 4);
    const children: TaskHandle[] = [];
    let caught: unknown;
    let livingThen: number | undefined;
    const gate = deferred();
    const mapper = manager.spawn(async (ctx) => {
      try {
        await ctx.map(
          items,
          async (child, item) => {
            children.push(given(manager.get(child.id)));
            if (item === 2) {
              await gate.promise;
              throw new Error("out of paper");
            }
            if (item === 1) return new Promise<never>(() => {});
            await child.cancelled();
            await new Promise<void>((resolve) => clock.setTimeout(resolve, 20));
            throw new Error("wound down");
          },
          { concurrency: 4 },
        );
      } catch (error) {
        caught = error;
        livingThen = ctx.list().filter(({ finishedAt }) => finishedAt === undefined).length;
      }
    });
    await settled(20);
    gate.resolve();
    await settled(20);
    expect([caught, mapper.status]).toEqual([undefined, "blocked"]);
    await pass(20);
    expect(caught).toBeUndefined();
    await pass(30);
    expect(errandError(caught, "TASK_OUTCOME").message).toContain("out of paper");
    expect(livingThen).toBe(0);
    expect(children.map(({ status }) => status)).toEqual(["cancelled", "cancelled", "failed", "cancelled"]);
  });

  test("whose signal aborts closes the source, and its children continue", async () => {
    const { manager } = world();
    const { items, seen } = sourceOf(kind);
    const controller = new AbortController();
    let caught: unknown;
    const mapper = manager.spawn(async (ctx) => {
      caught = await refusalOf(() => ctx.map(items, untilStopped, { concurrency: 2, signal: controller.signal }));
      await ctx.receive();
    });
    await settled(20);
    controller.abort("enough");
    await settled(20);
    expect([caught, seen.closed, seen.read]).toEqual(["enough", 1, 2]);
    expect(manager.list({ parentId: mapper.id }).map(({ status }) => status)).toEqual(["running", "running"]);
    await mapper.cancel();
  });

  test("of a task that is cancelled closes the source", async () => {
    const { manager } = world();
    const { items, seen } = sourceOf(kind);
    const mapper = manager.spawn((ctx) => ctx.map(items, untilStopped, { concurrency: 2 }));
    await settled(20);
    expect((await mapper.cancel()).status).toBe("cancelled");
    await settled(20);
    expect(seen).toEqual({ read: 2, closed: 1 });
  });

  test("that may not begin reads nothing", async () => {
    const { manager } = world();
    const { items, seen } = sourceOf(kind);
    const { ctx, finish } = await begun(manager);
    const error = await refusalOf(() => ctx.map(items, () => 1, { concurrency: 1, signal: AbortSignal.abort("no") }));
    expect([error, seen.read]).toEqual(["no", 0]);
    finish();
  });

  test("whose spawn is refused half-way fails with that refusal", async () => {
    const { manager } = world({ limits: { maxChildren: 2 } });
    const { items, seen } = sourceOf(kind);
    let caught: unknown;
    const mapper = manager.spawn(async (ctx) => {
      caught = await refusalOf(() => ctx.map(items, untilStopped, { concurrency: 5 }));
    });
    await mapper.outcome();
    await settled(20);
    expect([errandError(caught, "LIMIT_EXCEEDED").limit, seen.closed]).toEqual(["maxChildren", 1]);
  });
});

describe("W4 map", () => {
  test("reads no item after the one whose spawn is refused, however many may live at once", async () => {
    const manager = new TaskManager({ limits: { maxChildren: 3 } });
    let reads = 0;
    function* source() {
      try {
        for (;;) yield reads++;
      } finally {
        reads = -reads;
      }
    }
    const mapping = manager.spawn((ctx) => ctx.map(source(), (each) => each.receive(), { concurrency: Infinity }));
    expect(await mapping.outcome()).toMatchObject({
      status: "failed",
      error: { message: expect.stringContaining("3 living") },
    });
    expect(reads).toBe(-4);
    await manager.close();
  });

  test("L6 in a session with `maxQueued` waits for a place in line, as after room(), and reads no item before", async () => {
    const { manager } = world({ concurrency: 2 });
    const session = manager.session("chat", { limits: { maxQueued: 2 } });
    let reads = 0;
    function* source() {
      for (; reads < 12; ) yield reads++;
    }
    let most = 0;
    const mapping = session.spawn((ctx) =>
      ctx.map(
        source(),
        async (child, item) => {
          most = Math.max(most, manager.stats().queued);
          await settled(2);
          return [item, child.record.sessionId];
        },
        { concurrency: Infinity },
      ),
    );
    await settled(1);
    expect(reads).toBeLessThan(12);
    expect(await mapping.result()).toEqual(Array.from({ length: 12 }, (_, item) => [item, "chat"]));
    expect(most).toBeLessThanOrEqual(2);
    allFree(manager);
  });

  test.each([0, 1, 3])(
    "L2 L6 ends although the line takes %d tasks and maps nest, with one slot",
    async (maxQueued) => {
      const { manager } = world({ concurrency: 1, limits: { maxQueued } });
      const tops = ["a", "b"].map((id) => ({ id, session: manager.session(id, { limits: { maxQueued } }) }));
      const sums = [];
      for (const { session, id } of tops) {
        await manager.room();
        const nested = session.spawn(
          (ctx) =>
            ctx.map([1, 2, 3, 4], (child, n) => child.map([n, n, n], (_, m) => m * 2, { concurrency: 3 }), {
              concurrency: 4,
            }),
          { id },
        );
        sums.push(nested.result());
      }
      const each = [1, 2, 3, 4].map((n) => [n * 2, n * 2, n * 2]);
      expect(await Promise.all(sums)).toEqual([each, each]);
      allFree(manager);
    },
  );

  test("C3 W3 that waits for a place ends with its task, with its signal and with the manager", async () => {
    const lanes = { default: { concurrency: 1 }, top: { concurrency: 2 } };
    const { manager } = world({ lanes, limits: { maxQueued: 1 } });
    const waiting = async (signal?: AbortSignal) => {
      const seen = { closed: 0 };
      function* source() {
        try {
          for (let n = 0; ; n++) yield n;
        } finally {
          seen.closed++;
        }
      }
      const mapping = manager.spawn(
        (ctx) => ctx.map(source(), (child) => child.cancelled(), { concurrency: 9, signal }),
        { lane: "top" },
      );
      await settled();
      return { seen, mapping };
    };
    const giveUp = new AbortController();
    const first = await waiting(giveUp.signal);
    giveUp.abort(new Error("enough"));
    expect(await first.mapping.outcome()).toMatchObject({ status: "failed", error: { message: "enough" } });
    const second = await waiting();
    await manager.close();
    expect((await second.mapping.outcome()).status).toBe("interrupted");
    expect([first.seen.closed, second.seen.closed]).toEqual([1, 1]);
  });

  test("over an endless source with room for every child lets them run, and ends with the first failure", async () => {
    const manager = new TaskManager({ limits: { maxQueued: Infinity } });
    function* endless() {
      for (let item = 0; ; item++) yield item;
    }
    const fails = (ctx: TaskContext, item: number) => {
      if (item === 3) throw new Error("no fourth");
      return ctx.receive();
    };
    const mapping = manager.spawn((ctx) => ctx.map(endless(), fails, { concurrency: Infinity }));
    expect(await mapping.outcome()).toMatchObject({
      status: "failed",
      error: { message: expect.stringContaining("no fourth") },
    });
    await manager.close();
  });

  test("H2 runs no code of the source inside the sweep that stops it: what that code spawns below is refused", async () => {
    const manager = new TaskManager({ graceMs: 0 });
    let refusal: unknown = "return was not called";
    const source = {
      [Symbol.iterator]: () => ({
        next: () => ({ done: false as const, value: 1 }),
        return: () => {
          const [child] = manager.list({ status: "running" }).filter(({ parentId }) => parentId !== undefined);
          refusal = child;
          return { done: true as const, value: undefined };
        },
      }),
    };
    const mapping = manager.spawn((ctx) => ctx.map(source, (each) => each.receive(), { concurrency: 2 }));
    while (mapping.usage().tasks < 3) await new Promise<void>((resolve) => void setImmediate(resolve));
    const cancelled = mapping.cancel();
    expect(refusal).toBe("return was not called");
    await cancelled;
    expect(refusal).toBeUndefined();
    await manager.close();
  });

  test("D6 lists some of its children in its record: the journal of a wide map is not quadratic", async () => {
    const manager = new TaskManager({ concurrency: 1_000 });
    let listed = 0;
    manager.on("task.blocked", ({ blockedOn }) => {
      for (const wait of blockedOn) if (wait.on === "tasks") listed += wait.taskIds.length;
    });
    async function* one() {
      for (let item = 0; item < 400; item++) {
        await new Promise<void>((resolve) => void setImmediate(resolve));
        yield item;
      }
    }
    const mapping = manager.spawn((ctx) =>
      ctx.map(one(), (each) => each.receive().then(() => 1), { concurrency: 400 }),
    );
    while (mapping.usage().tasks < 401) await new Promise<void>((resolve) => void setImmediate(resolve));
    expect(listed).toBeGreaterThan(0);
    expect(listed).toBeLessThan(400 * 50);
    await manager.close({ graceMs: 0 });
  });

  test.each([
    [
      "gives an object without next",
      { [Symbol.iterator]: () => ({}) },
      "items[Symbol(Symbol.iterator)]() must give an iterator, with a method next",
    ],
    [
      "gives nothing",
      { [Symbol.asyncIterator]: () => undefined },
      "must give an iterator, with a method next, got undefined",
    ],
  ])("§12 refuses items whose iterator %s", async (_, items, message) => {
    const manager = new TaskManager();
    const mapping = manager.spawn((ctx) => ctx.map(items as unknown as Iterable<number>, () => 1, { concurrency: 1 }));
    expect(await mapping.outcome()).toMatchObject({
      status: "failed",
      error: { name: "TypeError", message: expect.stringContaining(message) },
    });
    await manager.close();
  });

  test("takes the sync iterator of items whose async one is absent, and the iterator of a function", async () => {
    const manager = new TaskManager();
    const both = {
      [Symbol.asyncIterator]: undefined,
      *[Symbol.iterator]() {
        yield 1;
      },
    };
    const fn = Object.assign(() => 0, {
      async *[Symbol.asyncIterator]() {
        yield 2;
      },
    });
    const map = (items: unknown) =>
      manager.spawn((ctx) => ctx.map(items as Iterable<number>, (_, item) => item, { concurrency: 1 })).result();
    expect([await map(both), await map(fn)]).toEqual([[1], [2]]);
    await manager.close();
  });

  test("of nothing is no wait, and an async source of nothing gives an empty list", async () => {
    const { manager } = world();
    const { items } = sourceOf("an async iterable", 0);
    const task = manager.spawn(async (ctx) => [
      await ctx.map([], () => 1, { concurrency: 1 }),
      await ctx.map(items, () => 1, { concurrency: 1 }),
    ]);
    expect(await task.result()).toEqual([[], []]);
  });

  test("whose source throws fails with that error, and cancels the children", async () => {
    const { manager } = world();
    const sources: readonly (() => Source)[] = [
      function* () {
        yield 1;
        throw new Error("no more pages");
      },
      async function* () {
        yield 1;
        throw new Error("no more pages");
      },
      () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error("no more pages")) }) }),
      () => ({
        [Symbol.iterator]: () => {
          throw new Error("no more pages");
        },
      }),
    ];
    for (const make of sources) {
      let caught: unknown;
      const mapper = manager.spawn(async (ctx) => {
        caught = await refusalOf(() => ctx.map(make(), untilStopped, { concurrency: 2 }));
        return ctx.list().map(({ status }) => status);
      });
      const statuses = await mapper.result();
      expect(caught).toMatchObject({ message: "no more pages" });
      expect(statuses.every((status) => status === "cancelled")).toBe(true);
    }
  });

  test("does not wait for a source that is closed while it reads, and no rejection of it is left unhandled (C5)", async () => {
    const rejections = await unhandled(async () => {
      const { manager } = world();
      let fail: (error: Error) => void = () => {};
      let closed = 0;
      const items: AsyncIterable<number> = {
        [Symbol.asyncIterator]: () => {
          let read = 0;
          return {
            next: () =>
              read++ === 0 ? Promise.resolve({ done: false, value: 1 }) : new Promise((_, reject) => (fail = reject)),
            return: () => {
              closed++;
              return Promise.reject(new Error("cannot close"));
            },
          };
        },
      };
      const gate = deferred();
      const mapper = manager.spawn((ctx) =>
        ctx.map(
          items,
          async () => {
            await gate.promise;
            throw new Error("no");
          },
          { concurrency: 2 },
        ),
      );
      await settled(20);
      gate.resolve();
      expect((await mapper.outcome()).status).toBe("failed");
      expect(closed).toBe(1);
      fail(new Error("too late"));
      await settled();
    });
    expect(rejections).toEqual([]);
  });

  test("asks a source for one item at a time", async () => {
    const { manager } = world();
    let underWay = 0;
    let most = 0;
    const items: AsyncIterable<number> = {
      [Symbol.asyncIterator]: () => {
        let read = 0;
        return {
          next: async () => {
            most = Math.max(most, ++underWay);
            await settled(2);
            underWay--;
            return read < 6 ? { done: false, value: read++ } : { done: true, value: undefined };
          },
        };
      },
    };
    const task = manager.spawn((ctx) => ctx.map(items, (_child, item) => item, { concurrency: 4 }));
    expect([await task.result(), most]).toEqual([[0, 1, 2, 3, 4, 5], 1]);
  });

  test.each([
    ["a number", 5],
    ["undefined", undefined],
    ["null", null],
    ["an object", {}],
  ])("§12 refuses %s in place of items", async (_what, items) => {
    const { manager } = world();
    const { ctx, finish } = await begun(manager);
    const error = await refusalOf(() => ctx.map(items as never, () => 1, { concurrency: 1 }));
    expect(error).toMatchObject({ name: "TypeError", message: expect.stringMatching(/^items must be an iterable/) });
    finish();
  });

  test("H0 a generator is read in the context of its task", async () => {
    const { manager } = world();
    const seen: (string | undefined)[] = [];
    function* items(): Generator<number> {
      for (let n = 0; n < 4; n++) {
        seen.push(manager.current?.id);
        yield n;
      }
    }
    const task = manager.spawn((ctx) => ctx.map(items(), (_child, item) => item, { concurrency: 1 }));
    await task.result();
    expect(seen).toEqual([task.id, task.id, task.id, task.id]);
  });

  test("a wait that is given up for good leaves no pending promise", async () => {
    const { manager } = world();
    const { ctx, finish } = await begun(manager);
    const mapped = ctx.map([1], untilStopped, { concurrency: 1 });
    finish();
    await settled(20);
    expect((await peek(mapped)).is).toBe("rejected");
  });
});

async function begun(manager: Parameters<typeof hold>[0]): Promise<{ ctx: TaskContext; finish: () => void }> {
  const held = hold(manager);
  await settled();
  return { ctx: held.ctx, finish: () => held.finish() };
}
