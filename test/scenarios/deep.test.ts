// Deep and random trees of tasks: they finish, run no more than they may, and leave nothing behind (L1, L2, L8, W3).

import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type TaskContext, type TaskHandle, TaskManager, type TaskManagerOptions } from "errand";
import { countedIds, manualClock } from "errand/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allFree, deferred, gauge, type Place, settled, slots } from "../support/basics.js";

function world(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}) {
  const clock = manualClock();
  return { clock, manager: new TaskManager({ clock, ids: countedIds(), ...options }) };
}

async function answerAll(manager: TaskManager): Promise<void> {
  for (const request of manager.inbox.list()) {
    await manager.inbox.answer(request.id, request.kind === "approval" ? true : "yes", { by: "ada" });
  }
}

describe("a deep tree", () => {
  test("L2 a tree 50 deep finishes with one slot while one level waits for a human", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxDepth: 60 } });
    const running = gauge();
    const level = (depth: number) =>
      running.around(async (ctx, place): Promise<number> => {
        if (depth === 25) await place.wait(() => ctx.approve("Go deeper?"));
        if (depth === 50) return 1;
        const child = ctx.spawn(level(depth + 1));
        return 1 + (await place.wait(() => child.result()));
      });
    const top = manager.spawn(level(0));
    await settled();
    expect(manager.list()).toHaveLength(26);
    expect(manager.stats()).toMatchObject({ blocked: 26, running: 0, queued: 0 });
    expect(slots(manager).free).toBe(1);
    await answerAll(manager);
    await expect(top.result()).resolves.toBe(51);
    await settled();
    expect(running.peak).toBe(1);
    allFree(manager);
  });

  test("L2 a tree 50 deep finishes with one slot while every level sleeps, talks and waits at once", async () => {
    const { clock, manager } = world({ concurrency: 1, limits: { maxDepth: 60 } });
    const running = gauge();
    const level = (depth: number) =>
      running.around(async (ctx, place): Promise<number> => {
        await place.wait(() => ctx.sleep(1));
        if (depth === 50) return 1;
        const [deep, side] = [ctx.spawn(level(depth + 1)), ctx.spawn((child) => child.sleep(depth))];
        const [result] = await Promise.all([
          place.wait(() => deep.result()),
          place.wait(() => side.outcome()),
          place.wait(() => ctx.sleep(depth % 7)),
        ]);
        await clock.sleep(1);
        return result + 1;
      });
    const top = manager.spawn(level(0));
    for (let round = 0; round < 100 && top.status !== "succeeded"; round += 1) {
      await settled();
      await clock.advance(20);
    }
    await expect(top.result()).resolves.toBe(51);
    expect(running.peak).toBe(1);
    allFree(manager);
  });

  test("L2 a tree 50 deep that only returns, its children waited for by H1, finishes with one slot", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxDepth: 60 } });
    let reached = 0;
    const level =
      (depth: number) =>
      (ctx: TaskContext): void => {
        reached += 1;
        if (depth < 50) ctx.spawn(level(depth + 1));
      };
    const top = manager.spawn(level(0));
    await expect(top.outcome()).resolves.toMatchObject({ status: "succeeded" });
    expect(reached).toBe(51);
    await settled();
    allFree(manager);
  });

  test("H2 cancelling the top of a tree 50 deep ends all of it and frees the slot", async () => {
    const { manager } = world({ concurrency: 1, limits: { maxDepth: 60 } });
    const level =
      (depth: number) =>
      async (ctx: TaskContext): Promise<void> => {
        if (depth === 50) return ctx.sleep(1e6);
        return ctx.spawn(level(depth + 1)).result();
      };
    const top = manager.spawn(level(0));
    await settled();
    expect(manager.list()).toHaveLength(51);
    await expect(top.cancel("stop")).resolves.toMatchObject({ status: "cancelled", reason: "stop" });
    expect(new Set(manager.list().map((record) => record.status))).toEqual(new Set(["cancelled"]));
    allFree(manager);
  });

  test("L2 a wide and deep tree runs as many as it may, and no more", async () => {
    const { clock, manager } = world({ concurrency: 4 });
    const running = gauge();
    const level = (depth: number) =>
      running.around(async (ctx, place): Promise<number> => {
        await clock.sleep(1);
        if (depth === 5) return 1;
        const children = [0, 1, 2].map(() => ctx.spawn(level(depth + 1)));
        const values = await Promise.all(children.map((child) => place.wait(() => child.result())));
        return values.reduce((sum, value) => sum + value, 1);
      });
    const top = manager.spawn(level(0));
    for (let round = 0; round < 100 && top.status !== "succeeded"; round += 1) {
      await settled();
      await clock.advance(5);
    }
    await expect(top.result()).resolves.toBe((3 ** 6 - 1) / 2);
    expect(running.peak).toBe(4);
    allFree(manager);
  });
});

interface Node {
  readonly steps: readonly Step[];
  /** Swallows every error, its own cancel too. */
  readonly stubborn: boolean;
  readonly narrow: boolean;
  readonly detached: boolean;
  readonly children: "await" | "cancel" | "detach";
  readonly timeoutMs: number | undefined;
  readonly totalTimeoutMs: number | undefined;
  readonly priority: number;
  readonly laneKey: string | undefined;
}
type Step =
  | { readonly do: "work"; readonly ms: number }
  | { readonly do: "sleep"; readonly ms: number }
  | { readonly do: "receive"; readonly ms: number }
  | { readonly do: "ask" }
  | { readonly do: "throw" }
  | { readonly do: "collect" }
  | { readonly do: "spawn"; readonly node: Node; readonly then: "result" | "outcome" | "later" | "forget" | "cancel" };
interface Deed {
  readonly round: number;
  readonly do: "cancel" | "pause" | "resume";
  readonly nth: number;
}

const ms = fc.integer({ min: 0, max: 30 });
const leaf: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("work" as const), ms }),
  fc.record({ do: fc.constant("sleep" as const), ms }),
  fc.record({ do: fc.constant("receive" as const), ms }),
  fc.constantFrom({ do: "ask" as const }, { do: "throw" as const }, { do: "collect" as const }),
);
const treeOf: fc.Memo<Node> = fc.memo((depth) => {
  const spawn = (): fc.Arbitrary<Step> =>
    fc.record({
      do: fc.constant("spawn" as const),
      node: treeOf(),
      then: fc.constantFrom<"result" | "outcome" | "later" | "forget" | "cancel">(
        "result",
        "outcome",
        "later",
        "forget",
        "cancel",
      ),
    });
  return fc.record({
    steps: fc.array(depth > 1 ? fc.oneof(leaf, spawn()) : leaf, { maxLength: 6, size: "max" }),
    stubborn: fc.boolean(),
    narrow: fc.boolean(),
    detached: fc.nat(9).map((roll) => roll === 0),
    children: fc.constantFrom("await" as const, "await" as const, "cancel" as const, "detach" as const),
    timeoutMs: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined, freq: 6 }),
    totalTimeoutMs: fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined, freq: 8 }),
    priority: fc.integer({ min: -2, max: 2 }),
    laneKey: fc.constantFrom(undefined, "a", "b"),
  });
});
const tree = treeOf(5);
const deeds = fc.array(
  fc.record({
    round: fc.nat(20),
    do: fc.constantFrom("cancel" as const, "cancel" as const, "pause" as const, "resume" as const),
    nth: fc.nat(50),
  }),
  { maxLength: 8 },
);

const graceMs = 40;
const over: ReadonlySet<string> = new Set(["succeeded", "failed", "cancelled", "interrupted"]);

async function play(roots: readonly Node[], acts: readonly Deed[], concurrency: number): Promise<void> {
  const { clock, manager } = world({
    concurrency,
    lanes: { narrow: { concurrency: 1 } },
    limits: { maxDepth: 50 },
    graceMs,
  });
  // An abandoned function may run on: its slot is rightly gone (C2).
  const kept = ({ record }: TaskContext): boolean =>
    record.stopReason === undefined ||
    (record.cancelRequestedAt !== undefined && clock.now() - record.cancelRequestedAt < graceMs);
  const [all, narrow] = [gauge(kept), gauge(kept)];

  const start = (node: Node, spawner: Pick<TaskManager, "spawn">): TaskHandle<void> => {
    const work = all.around((ctx, place) =>
      node.narrow
        ? narrow.around((_, inner) => run(node, ctx, (begin) => place.wait(() => inner.wait(begin))))(ctx)
        : run(node, ctx, (begin) => place.wait(begin)),
    );
    const { priority, laneKey, detached, children, timeoutMs, totalTimeoutMs } = node;
    const lane = node.narrow ? "narrow" : undefined;
    return spawner.spawn(work, { priority, laneKey, detached, children, timeoutMs, totalTimeoutMs, lane });
  };
  const run = async (node: Node, ctx: TaskContext, wait: Place["wait"]): Promise<void> => {
    const later: TaskHandle<void>[] = [];
    for (const step of node.steps) {
      try {
        if (step.do === "work") await clock.sleep(step.ms);
        else if (step.do === "sleep") await wait(() => ctx.sleep(step.ms));
        else if (step.do === "receive") await wait(() => ctx.receive({ timeoutMs: step.ms }));
        else if (step.do === "ask") await wait(() => ctx.ask({ question: "Well?" }));
        else if (step.do === "throw") throw new Error("thrown by the tree");
        else if (step.do === "collect") await wait(() => ctx.awaitTasks(later.splice(0)));
        else {
          const child = start(step.node, ctx);
          if (step.then === "result") await wait(() => child.result());
          if (step.then === "outcome") await wait(() => child.outcome());
          if (step.then === "cancel") await wait(() => child.cancel());
          if (step.then === "later") later.push(child);
        }
      } catch (error) {
        if (!node.stubborn) throw error;
      }
    }
  };

  for (const root of roots) start(root, manager);
  const living = () => manager.list().filter((record) => !over.has(record.status));
  for (let round = 0; round < 2_000 && living().length > 0; round += 1) {
    for (const act of acts.filter((deed) => deed.round === round)) {
      const records = manager.list();
      const record = records[act.nth % records.length];
      if (act.do === "pause") manager.pause();
      if (act.do === "resume") manager.resume();
      if (act.do === "cancel" && record !== undefined) void manager.get(record.id)?.cancel("by the test");
    }
    if (round === 21) manager.resume();
    await clock.advance(7);
    slots(manager);
    slots(manager, "narrow");
    // H1: a terminal task has no living attached child.
    for (const record of living()) {
      const parent = record.parentId === undefined || record.detached ? undefined : manager.get(record.parentId);
      if (parent !== undefined && over.has(parent.status)) {
        throw new Error(`H1: ${record.id} (${record.status}) outlives its parent ${parent.id} (${parent.status})`);
      }
    }
    await answerAll(manager);
  }
  expect(living().map((record) => ({ id: record.id, status: record.status, on: record.blockedOn }))).toEqual([]);
  expect(all.peak).toBeLessThanOrEqual(concurrency);
  expect(narrow.peak).toBeLessThanOrEqual(1);
  await settled();
  allFree(manager);
  expect(manager.stats()).toMatchObject({ queued: 0, running: 0, blocked: 0 });
}

describe("any tree", () => {
  test("L1 L8 trees that ignore signals, throw, block and resume keep to the limit and give all back", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 1, maxLength: 4 }), deeds, fc.integer({ min: 1, max: 3 }), play),
      { numRuns: 200 },
    );
  }, 120_000);
});

describe("what ended long ago", () => {
  test("D6 a parent and its children are evicted like any other task", async () => {
    const { manager } = world({ retention: { maxFinished: 10 } });
    for (let index = 0; index < 100; index += 1) {
      await manager
        .spawn(async (ctx) => {
          await ctx.spawn((child) => child.spawn(() => 1).result()).result();
        })
        .outcome();
    }
    await settled();
    expect(manager.list().length).toBeLessThanOrEqual(12);
    expect(manager.tree().length).toBeLessThanOrEqual(12);
  });

  test("D6 a long-lived parent keeps no evicted child in its tree", async () => {
    const { manager } = world({ retention: { maxFinished: 10 } });
    const gate = deferred();
    const parent = manager.spawn(async (ctx) => {
      for (let index = 0; index < 100; index += 1) await ctx.spawn(() => index).outcome();
      await gate.promise;
    });
    await settled();
    expect(manager.tree(parent.id)[0]?.children).toHaveLength(10);
    expect(manager.list({ parentId: parent.id })).toHaveLength(10);
    gate.resolve();
    await settled();
    expect(parent.status).toBe("succeeded");
  });
});

function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const gc: unknown = runInNewContext("gc");
  if (typeof gc !== "function") throw new Error("no gc");
  return () => void Reflect.apply(gc, undefined, []);
}

describe("10 000 waits over one long task", () => {
  const gc = collector();
  const heap = async (): Promise<number> => {
    for (let pass = 0; pass < 3; pass += 1) {
      await settled();
      gc();
    }
    return process.memoryUsage().heapUsed;
  };

  type Once = (manager: TaskManager, long: TaskHandle, signal: AbortSignal, ctx?: TaskContext) => Promise<unknown>;
  const quickly: Once = async (manager, long, signal, ctx) =>
    (ctx ?? manager).awaitTasks([long, (ctx ?? manager).spawn(() => 1)], { until: "any", signal });
  const cases: readonly { readonly name: string; readonly inside: boolean; readonly once: Once }[] = [
    { name: "any-waits outside a task", inside: false, once: quickly },
    { name: "any-waits inside a task", inside: true, once: quickly },
    {
      name: "waits that time out never and are given up",
      inside: false,
      once: async (manager, long, signal) => {
        const giveUp = new AbortController();
        const waits = [
          manager.awaitTasks([long], { signal: giveUp.signal, timeoutMs: 1e6 }),
          long.outcome({ signal: giveUp.signal }),
          manager.awaitTasks([long, manager.spawn(() => 1)], { signal, until: 1, timeoutMs: 1e6 }),
        ];
        giveUp.abort();
        return Promise.allSettled(waits);
      },
    },
    {
      name: "`outcomes` loops left early",
      inside: true,
      once: async (manager, long, signal, ctx) => {
        const spawner = ctx ?? manager;
        for await (const outcome of spawner.outcomes([long, spawner.spawn(() => 1)], { signal })) return outcome;
        return undefined;
      },
    },
  ];

  for (const { name, inside, once } of cases)
    test(`W3 ${name} leave nothing behind`, async () => {
      const { manager } = world({ concurrency: 2, retention: { maxFinished: 10 } });
      const gate = deferred();
      const long = manager.spawn((ctx) => Promise.race([gate.promise, ctx.receive()]));
      const { signal } = new AbortController();
      const rounds = async (count: number, ctx?: TaskContext): Promise<void> => {
        for (let round = 0; round < count; round += 1) await once(manager, long, signal, ctx);
      };
      const measure = async (ctx?: TaskContext): Promise<number> => {
        await rounds(3_000, ctx);
        const before = await heap();
        await rounds(10_000, ctx);
        return (await heap()) - before;
      };
      const grown = inside ? await manager.spawn((ctx) => measure(ctx)).result() : await measure();
      // A promise with its closure left behind for each wait would be 2 MB and more.
      expect(grown).toBeLessThan(1_000_000);
      expect(getEventListeners(signal, "abort")).toEqual([]);
      gate.resolve();
      await settled();
      expect(long.status).toBe("succeeded");
      allFree(manager);
    });
});
