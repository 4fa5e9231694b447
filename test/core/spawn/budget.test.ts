// Budgets (H6): usage adds up along the ancestors, no report slips past a budget, and who overspends it fails with all that is below.

import { type SpawnOptions, type TaskContext, type TaskHandle, TaskManager, type UsageReport } from "errand";
import { countedIds, manualClock } from "errand/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allFree, facts, peek, settled } from "../../support/basics.js";
import {
  deaf,
  errandError,
  given,
  hold,
  isEnd,
  refusalOf,
  refused,
  typesOf,
  untilStopped,
  world,
} from "../../support/program.js";
import { compacted, durable, started, task as taskOf } from "../../support/restarts.js";

const FOREVER = { retention: { ttlMs: Number.POSITIVE_INFINITY } } as const;
const budgeted = (options: ConstructorParameters<typeof TaskManager>[0] = {}) => {
  const made = world({ ...FOREVER, ...options });
  return { ...made, told: facts(made.manager) };
};
/** As an outcome tells it. */
const EXCEEDED = { status: "failed", error: { code: "budget_exceeded" } };
const SWEPT = { status: "cancelled", reason: "budget_exceeded" };

describe("H6 a report that overspends", () => {
  test("stops its task in the very call, and everything attached below, and no other", async () => {
    const { manager, told } = budgeted();
    const outside = hold(manager);
    const carrier = hold(manager, { budget: { tokens: 10 } });
    await settled();
    const child = hold(carrier.ctx);
    const sibling = hold(carrier.ctx);
    await settled();
    const leaf = hold(child.ctx);
    await settled();
    leaf.ctx.reportUsage({ inputTokens: 6, outputTokens: 4 });
    expect(carrier.ctx.isCancelled).toBe(false);
    leaf.ctx.reportUsage({ outputTokens: 1 });
    expect([carrier, child, sibling, leaf, outside].map(({ ctx }) => ctx.isCancelled)).toEqual([
      true,
      true,
      true,
      true,
      false,
    ]);
    await settled();
    expect(await carrier.handle.outcome()).toMatchObject(EXCEEDED);
    for (const { handle } of [child, sibling, leaf]) expect(await handle.outcome()).toMatchObject(SWEPT);
    expect(outside.handle.status).toBe("running");
    expect(
      told
        .filter(isEnd)
        .map(({ taskId }) => taskId)
        .at(-1),
    ).toBe(carrier.handle.id);
    expect(carrier.handle.record).toMatchObject({
      stopReason: "budget_exceeded",
      usage: { inputTokens: 6, outputTokens: 5, tasks: 4 },
    });
  });

  test("says in words that a model can act on what was spent, and of what", async () => {
    const { manager } = budgeted();
    const tokens = hold(manager, { budget: { tokens: 1_000 } });
    const money = hold(manager, { budget: { costUsd: 0.5 } });
    await settled();
    tokens.ctx.reportUsage({ inputTokens: 900, outputTokens: 200 });
    money.ctx.reportUsage({ costUsd: 0.75 });
    await settled();
    const messageOf = async (handle: TaskHandle) => {
      const outcome = await handle.outcome();
      return outcome.status === "failed" ? outcome.error.message : outcome.status;
    };
    expect(await messageOf(tokens.handle)).toMatch(/1100 of 1000 tokens/);
    expect(await messageOf(money.handle)).toMatch(/\$0\.75\d* of \$0\.50\d*/);
  });

  test.each<[string, (ctx: TaskContext) => unknown]>([
    ["returns all the same", (ctx) => ctx.reportUsage({ inputTokens: 9 })],
    [
      "returns later",
      async (ctx) => {
        ctx.reportUsage({ inputTokens: 9 });
        await new Promise(setImmediate);
        return "late";
      },
    ],
    [
      "throws",
      (ctx) => {
        ctx.reportUsage({ inputTokens: 9 });
        throw new Error("no");
      },
    ],
    [
      "waits",
      async (ctx) => {
        ctx.reportUsage({ inputTokens: 9 });
        await ctx.sleep(1e6);
      },
    ],
  ])("fails its task, which %s", async (_how, work) => {
    const { manager, told } = budgeted();
    const task = manager.spawn(work, { budget: { tokens: 5 } });
    expect(await peek(task.outcome())).toMatchObject({ value: EXCEEDED });
    expect(typesOf(told, task.id).filter((type) => type === "task.cancelRequested")).toHaveLength(1);
    allFree(manager);
  });

  test("from a task that ignores it, is a failure with the grace over", async () => {
    const { manager, pass } = budgeted({ graceMs: 10 });
    const task = manager.spawn(
      (ctx) => {
        ctx.reportUsage({ costUsd: 2 });
        return deaf();
      },
      { budget: { costUsd: 1 } },
    );
    await pass(10);
    expect(await peek(task.outcome())).toMatchObject({ value: EXCEEDED });
    expect(manager.stats().abandoned).toBe(1);
  });

  test("is not tried again, and leaves what was stopped before as it was (S5)", async () => {
    const { manager, pass } = budgeted();
    const retried = manager.spawn((ctx) => ctx.reportUsage({ inputTokens: 9 }), {
      budget: { tokens: 5 },
      retry: { maxAttempts: 3, backoffMs: 1 },
    });
    const cancelled = hold(manager, { budget: { tokens: 5 } });
    await settled();
    void cancelled.handle.cancel("enough");
    cancelled.ctx.reportUsage({ inputTokens: 9 });
    await pass(50);
    expect(await peek(retried.outcome())).toMatchObject({ value: EXCEEDED });
    expect(retried.record.attempt).toBe(1);
    expect(await peek(cancelled.handle.outcome())).toMatchObject({ value: { status: "cancelled", reason: "enough" } });
    expect(cancelled.handle.record.usage.inputTokens).toBe(9);
  });

  test("adds up over the attempts of a task, and fails the one that passes it", async () => {
    const { manager, pass } = budgeted();
    const task = manager.spawn(
      (ctx) => {
        ctx.reportUsage({ inputTokens: 4 });
        throw new Error("no");
      },
      { budget: { tokens: 10 }, retry: { maxAttempts: 9, backoffMs: 1, factor: 1 } },
    );
    for (let n = 0; n < 9; n++) await pass(1);
    expect(await peek(task.outcome())).toMatchObject({ value: EXCEEDED });
    expect(task.record).toMatchObject({ attempt: 3, usage: { inputTokens: 12 } });
  });

  test("below a task that has returned and waits for its children cancels those, and its outcome stays (H1)", async () => {
    const { manager } = budgeted();
    const child: { ctx?: TaskContext } = {};
    const task = manager.spawn(
      (ctx) => {
        ctx.spawn(
          (below) => {
            child.ctx = below;
            return untilStopped(below);
          },
          { id: "child" },
        );
        return "returned";
      },
      { budget: { tokens: 5 } },
    );
    await settled();
    given(child.ctx).reportUsage({ inputTokens: 6 });
    await settled();
    expect(await peek(task.outcome())).toMatchObject({ value: { status: "succeeded", value: "returned" } });
    expect(manager.get("child")?.record).toMatchObject(SWEPT);
  });

  test("of a superseded or settled function counts for nothing (S2)", async () => {
    const { manager } = budgeted();
    const carrier = hold(manager, { budget: { tokens: 5 } });
    await settled();
    const child = hold<number>(carrier.ctx);
    await settled();
    child.finish(1);
    await settled();
    child.ctx.reportUsage({ inputTokens: 99 });
    await settled();
    expect(carrier.handle.record).toMatchObject({ status: "running", usage: { inputTokens: 0 } });
  });

  test("no two of one turn slip past: the task that reports next in the same turn was stopped already", async () => {
    const { manager } = budgeted();
    const carrier = hold(manager, { budget: { tokens: 10 } });
    await settled();
    const children = Array.from({ length: 5 }, () => hold(carrier.ctx));
    await settled();
    const stopped = children.map(({ ctx }) => {
      ctx.reportUsage({ inputTokens: 4 });
      return ctx.isCancelled;
    });
    expect(stopped).toEqual([false, false, true, true, true]);
    // What was used is used: it is counted also when it comes too late.
    expect(carrier.handle.usage().inputTokens).toBe(20);
    expect(carrier.handle.record.stopReason).toBe("budget_exceeded");
  });
});

describe("H6 what is detached below", () => {
  test("goes on until its own next report, which fails it too", async () => {
    const { manager } = budgeted();
    const carrier = hold(manager, { budget: { tokens: 10 } });
    await settled();
    const [quiet, reporter] = [hold(carrier.ctx, { detached: true }), hold(carrier.ctx, { detached: true })];
    await settled();
    const attached = hold(reporter.ctx);
    await settled();
    carrier.ctx.reportUsage({ inputTokens: 11 });
    await settled();
    expect([carrier, quiet, reporter, attached].map(({ handle }) => handle.status)).toEqual([
      "failed",
      "running",
      "running",
      "running",
    ]);
    reporter.ctx.reportUsage({});
    await settled();
    expect(await reporter.handle.outcome()).toMatchObject(EXCEEDED);
    expect(await attached.handle.outcome()).toMatchObject(SWEPT);
    expect(quiet.handle.status).toBe("running");
  });

  test("stops the detached one above an attached reporter, with the words of whose budget it is", async () => {
    const { manager } = budgeted();
    const carrier = hold(manager, { budget: { tokens: 10 }, id: "carrier" });
    await settled();
    const apart = hold(carrier.ctx, { detached: true });
    await settled();
    const below = hold(apart.ctx);
    await settled();
    below.ctx.reportUsage({ inputTokens: 11 });
    await settled();
    expect(await carrier.handle.outcome()).toMatchObject(EXCEEDED);
    const outcome = await apart.handle.outcome();
    expect(outcome).toMatchObject(EXCEEDED);
    expect(outcome.status === "failed" && outcome.error.message).toContain("carrier");
    expect(await below.handle.outcome()).toMatchObject(SWEPT);
  });

  test("counts for a budget whose carrier is over, for spawns too", async () => {
    const { manager } = budgeted();
    const carrier = hold<number>(manager, { budget: { tasks: 3, tokens: 10 } });
    await settled();
    const apart = hold(carrier.ctx, { detached: true });
    await settled();
    carrier.finish(1);
    await settled();
    expect(carrier.handle.status).toBe("succeeded");
    apart.ctx.spawn(untilStopped);
    expect(errandError(await refusalOf(() => apart.ctx.spawn(deaf)), "LIMIT_EXCEEDED")).toMatchObject({
      limit: "budget.tasks",
      max: 3,
    });
    apart.ctx.reportUsage({ inputTokens: 11 });
    await settled();
    expect(await apart.handle.outcome()).toMatchObject(EXCEEDED);
    expect(await carrier.handle.outcome()).toMatchObject({ status: "succeeded" });
  });
});

describe("H6 budgets in budgets", () => {
  test("each is its own: the one that is passed fails its carrier, and the outer goes on", async () => {
    const { manager } = budgeted();
    const outer = hold(manager, { budget: { tokens: 100 } });
    await settled();
    const inner = hold(outer.ctx, { budget: { tokens: 10 } });
    await settled();
    inner.ctx.reportUsage({ inputTokens: 11 });
    await settled();
    expect(await inner.handle.outcome()).toMatchObject(EXCEEDED);
    expect(outer.handle.record).toMatchObject({ status: "running", usage: { inputTokens: 11 } });
  });

  test("a report that passes both fails the inner by its own and the outer by its own", async () => {
    const { manager } = budgeted();
    const outer = hold(manager, { budget: { costUsd: 1 } });
    await settled();
    const inner = hold(outer.ctx, { budget: { tokens: 10 } });
    await settled();
    inner.ctx.reportUsage({ inputTokens: 11, costUsd: 2 });
    await settled();
    expect(await outer.handle.outcome()).toMatchObject(EXCEEDED);
    expect(await inner.handle.outcome()).toMatchObject(EXCEEDED);
  });

  test("an inner one that is larger is held by the outer", async () => {
    const { manager } = budgeted();
    const outer = hold(manager, { budget: { tokens: 10 } });
    await settled();
    const inner = hold(outer.ctx, { budget: { tokens: 100 } });
    await settled();
    inner.ctx.reportUsage({ inputTokens: 11 });
    await settled();
    expect(await outer.handle.outcome()).toMatchObject(EXCEEDED);
    expect(await inner.handle.outcome()).toMatchObject(SWEPT);
  });
});

describe("H6 a spawn under a budget", () => {
  const exhausted: readonly [string, SpawnOptions["budget"], UsageReport, number][] = [
    ["budget.tokens", { tokens: 10 }, { inputTokens: 4, outputTokens: 6 }, 10],
    ["budget.costUsd", { costUsd: 1 }, { costUsd: 1 }, 1],
    ["budget.costUsd", { costUsd: 0.3 }, { costUsd: 0.3 }, 0.3],
    ["budget.tokens", { tokens: 0 }, {}, 0],
    ["budget.costUsd", { costUsd: 0 }, {}, 0],
    ["budget.tasks", { tasks: 1 }, {}, 1],
  ];
  test.each(exhausted)(
    "is refused when %s is used up to the last, naming limit and max, and starts nothing: %j",
    async (limit, budget, report, max) => {
      const { manager, told } = budgeted();
      const carrier = hold(manager, { budget });
      await settled();
      carrier.ctx.reportUsage(report);
      expect(carrier.ctx.isCancelled).toBe(false);
      await settled();
      const before = told.length;
      const [tasks, stats] = [manager.list().length, manager.stats()];
      for (const spawn of [
        () => carrier.ctx.spawn(() => 1),
        () => carrier.ctx.spawn(() => 1, { detached: true }),
        () => manager.spawn(() => 1, { parent: carrier.handle }),
      ]) {
        const error = refused(spawn, "LIMIT_EXCEEDED");
        expect([error.limit, error.max]).toEqual([limit, max]);
        expect(error.message).toContain(carrier.handle.id);
      }
      await settled();
      expect([manager.list().length, told.length, carrier.handle.usage().tasks]).toEqual([tasks, before, 1]);
      expect(manager.stats()).toEqual(stats);
      expect(carrier.handle.status).toBe("running");
    },
  );

  test("names the nearest of the ancestors whose budget refuses", async () => {
    const { manager } = budgeted();
    const top = hold(manager, { budget: { tasks: 3 }, id: "top" });
    await settled();
    const middle = hold(top.ctx, { budget: { tasks: 5 } });
    await settled();
    middle.ctx.spawn(deaf);
    const error = refused(() => middle.ctx.spawn(deaf), "LIMIT_EXCEEDED");
    expect([error.limit, error.max, error.message.includes("top")]).toEqual(["budget.tasks", 3, true]);
  });

  test("counts tasks that are over, and evicted, and detached", async () => {
    const { manager } = budgeted({ retention: { maxFinished: 0 } });
    const carrier = hold(manager, { budget: { tasks: 4 } });
    await settled();
    await carrier.ctx.spawn(() => 1).result();
    carrier.ctx.spawn(deaf, { detached: true });
    void carrier.ctx.spawn(deaf).cancel();
    await settled();
    refused(() => carrier.ctx.spawn(() => 1), "LIMIT_EXCEEDED");
    expect(carrier.handle.usage().tasks).toBe(4);
  });

  test("that was there before gives the same task by its id, also when nothing is left", async () => {
    const { manager } = budgeted();
    const carrier = hold(manager, { budget: { tasks: 2, tokens: 5 } });
    await settled();
    const child = carrier.ctx.spawn(deaf, { id: "child" });
    carrier.ctx.reportUsage({ inputTokens: 5 });
    expect(carrier.ctx.spawn(deaf, { id: "child" }).id).toBe(child.id);
    refused(() => carrier.ctx.spawn(deaf, { id: "another" }), "LIMIT_EXCEEDED");
    expect(carrier.handle.usage().tasks).toBe(2);
  });

  test("of map is refused half-way, which fails the map like a child", async () => {
    const { manager } = budgeted();
    const task = manager.spawn((ctx) => ctx.map([1, 2, 3, 4, 5], (_, n) => n, { concurrency: 2 }), {
      budget: { tasks: 4 },
    });
    expect(await peek(task.outcome())).toMatchObject({ value: { status: "failed", error: { code: "error" } } });
    expect(manager.list().length).toBeLessThanOrEqual(4);
    allFree(manager);
  });

  test("as a root is under no budget", async () => {
    const { manager } = budgeted();
    const carrier = hold(manager, { budget: { tasks: 1, tokens: 0 } });
    await settled();
    expect(await peek(carrier.ctx.spawn(() => 1, { root: true }).result())).toMatchObject({ value: 1 });
  });
});

describe("fractions of a cent", () => {
  test("that add up to a budget do not pass it, however they round", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 300 }),
        fc.integer({ min: 1, max: 9_999 }),
        async (count, tenThousandths) => {
          const { manager } = budgeted();
          const each = tenThousandths / 10_000;
          const carrier = hold(manager, { budget: { costUsd: (tenThousandths * count) / 10_000 } });
          await settled(1);
          for (let n = 0; n < count; n++) carrier.ctx.reportUsage({ costUsd: each });
          expect(carrier.ctx.isCancelled).toBe(false);
          refused(() => carrier.ctx.spawn(deaf), "LIMIT_EXCEEDED");
          carrier.ctx.reportUsage({ costUsd: 0.0001 });
          expect(carrier.ctx.isCancelled).toBe(true);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("§12 a budget", () => {
  const wrong: readonly [unknown, string, new () => Error][] = [
    [{ tokens: -1 }, "tokens", RangeError],
    [{ tokens: 1.5 }, "tokens", RangeError],
    [{ tokens: Number.NaN }, "tokens", RangeError],
    [{ tokens: "5" }, "tokens", TypeError],
    [{ costUsd: -0.01 }, "costUsd", RangeError],
    [{ costUsd: Number.NaN }, "costUsd", RangeError],
    [{ costUsd: Number.NEGATIVE_INFINITY }, "costUsd", RangeError],
    [{ costUsd: "1" }, "costUsd", TypeError],
    [{ tasks: 0 }, "tasks", RangeError],
    [{ tasks: 1.5 }, "tasks", RangeError],
    [{ tasks: null }, "tasks", TypeError],
    [{ token: 5 }, "token", TypeError],
    [5, "budget", TypeError],
    [null, "budget", TypeError],
  ];
  test.each(wrong)("%j names %s, and starts nothing", (budget, option, error) => {
    const { manager } = budgeted();
    const call = () => manager.spawn(() => 1, { budget } as SpawnOptions);
    expect(call).toThrow(error);
    expect(call).toThrow(option);
    expect(manager.list()).toEqual([]);
  });

  test("that limits nothing is none, and one that was given is not changed with its object", async () => {
    const { manager } = budgeted();
    const nothing = [{}, { tokens: Number.POSITIVE_INFINITY }, { costUsd: undefined }, undefined];
    for (const budget of nothing) expect(manager.spawn(deaf, { budget }).record).not.toHaveProperty("budget");
    const budget = { tokens: 5, costUsd: Number.POSITIVE_INFINITY };
    const task = hold(manager, { budget });
    await settled();
    budget.tokens = 1e9;
    expect(task.handle.record.budget).toEqual({ tokens: 5 });
    expect(Object.isFrozen(task.handle.record.budget)).toBe(true);
    task.ctx.reportUsage({ inputTokens: 6 });
    expect(task.ctx.isCancelled).toBe(true);
  });
});

describe("a restart", () => {
  test("keeps sums and budgets: what was used counts for what goes on, after a snapshot too", async () => {
    const kind = durable(async (ctx) => {
      ctx.reportUsage({ inputTokens: 4 });
      if (ctx.attempt < 3) return deaf();
      return ctx.record.usage;
    });
    for (const isCompacted of [false, true]) {
      for (const tokens of [11, 12]) {
        const first = await started({ kinds: [kind] });
        const { id } = first.manager.spawn(kind, { budget: { tokens, tasks: 2 } });
        await settled();
        first.manager.spawn(deaf, { parent: id });
        await settled();
        if (isCompacted) await compacted(first);
        const second = await first.restart();
        await settled();
        expect(taskOf(second, id).record).toMatchObject({
          budget: { tokens, tasks: 2 },
          usage: { inputTokens: 8, tasks: 2 },
        });
        refused(() => second.manager.spawn(deaf, { parent: id }), "LIMIT_EXCEEDED");
        if (isCompacted) await compacted(second);
        const third = await second.restart();
        const outcome = await peek(taskOf(third, id).outcome());
        expect(outcome).toMatchObject({ value: tokens === 11 ? EXCEEDED : { status: "succeeded" } });
        expect(taskOf(third, id).record.usage.inputTokens).toBe(12);
      }
    }
  });

  test("in the middle of an overspending carries it out: the carrier failed, and those below were swept", async () => {
    const first = await started({ graceMs: 1e6 });
    first.manager.spawn(
      async (ctx) => {
        ctx.spawn(deaf, { id: "child" });
        await new Promise(setImmediate);
        ctx.reportUsage({ inputTokens: 9 });
        return deaf();
      },
      { id: "carrier", budget: { tokens: 5 } },
    );
    await settled();
    expect(taskOf(first, "carrier").record).toMatchObject({ status: "running", stopReason: "budget_exceeded" });
    const second = await first.restart();
    expect(await taskOf(second, "carrier").outcome()).toMatchObject(EXCEEDED);
    expect(await taskOf(second, "child").outcome()).toMatchObject(SWEPT);
    const failed = await taskOf(second, "carrier").outcome();
    expect(failed.status === "failed" && failed.error.message).toMatch(/9 of 5 tokens/);
  });
});

// ── any tree ───────────────────────────────────────────────────────────────

type Step =
  | {
      readonly do: "spawn";
      readonly under: number;
      readonly isDetached: boolean;
      readonly budget: { readonly tokens?: number; readonly tasks?: number } | undefined;
    }
  | { readonly do: "report"; readonly by: number; readonly tokens: number }
  | { readonly do: "return" | "cancel"; readonly by: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("spawn" as const),
      under: fc.nat(12),
      isDetached: fc.boolean(),
      budget: fc.option(
        fc.oneof(
          fc.record({ tokens: fc.nat(20) }),
          fc.record({ tasks: fc.integer({ min: 1, max: 5 }) }),
          fc.record({ tokens: fc.nat(20), tasks: fc.integer({ min: 1, max: 5 }) }),
        ),
        { nil: undefined },
      ),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant("report" as const), by: fc.nat(12), tokens: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("return" as const, "cancel" as const), by: fc.nat(12) }) },
);

/** What is so of a task: no more than H6, H1 and H2 say. */
interface Node {
  readonly parent: Node | undefined;
  readonly isDetached: boolean;
  readonly budget: { readonly tokens?: number; readonly tasks?: number } | undefined;
  used: number;
  /** `returned`: its children may keep it. */
  how: "lives" | "returned" | "failed" | "cancelled";
}

class Model {
  readonly nodes: Node[] = [];

  above(node: Node): Node[] {
    const found: Node[] = [];
    for (let each: Node | undefined = node; each !== undefined; each = each.parent) found.push(each);
    return found;
  }
  below(node: Node): Node[] {
    return this.nodes.filter((each) => this.above(each).includes(node));
  }
  usedBy(node: Node): number {
    return this.below(node).reduce((sum, each) => sum + each.used, 0);
  }
  isAttachedBelow(node: Node, top: Node): boolean {
    for (let each: Node | undefined = node; each !== undefined && each !== top; each = each.parent) {
      if (each.isDetached) return false;
      if (each.parent === top) return true;
    }
    return false;
  }
  /** H2: those that live, and what is attached below those that have returned. */
  sweep(top: Node): void {
    for (const each of this.nodes) if (each.how === "lives" && this.isAttachedBelow(each, top)) each.how = "cancelled";
  }
  stop(node: Node, how: "failed" | "cancelled"): void {
    if (node.how === "lives") node.how = how;
    // One that was stopped before has been swept.
    this.sweep(node);
  }
  refusal(parent: Node): string | undefined {
    if (parent.how === "failed" || parent.how === "cancelled") return "SCOPE_CANCELLED";
    if (parent.how === "returned") return "TASK_TERMINATED";
    for (const each of this.above(parent)) {
      if (each.budget?.tasks !== undefined && this.below(each).length >= each.budget.tasks) return "budget.tasks";
      if (each.budget?.tokens !== undefined && this.usedBy(each) >= each.budget.tokens) return "budget.tokens";
    }
    return undefined;
  }
  report(by: Node, tokens: number): void {
    by.used += tokens;
    const passed = this.above(by).filter(({ budget }) => budget?.tokens !== undefined);
    const apart: Node[] = [];
    for (const each of this.above(by)) {
      if (passed.includes(each) && this.usedBy(each) > (each.budget?.tokens ?? 0)) {
        this.stop(each, "failed");
        for (const detached of apart) this.stop(detached, "failed");
      }
      if (each.isDetached) apart.push(each);
    }
  }
}

describe("H6 any tree of tasks, detached ones too, with any budgets and any reports", () => {
  test("adds up at each level, lets nothing pass a budget but the report that passes it, and fails its carrier and no other", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.boolean(), async (steps, isQuick) => {
        const clock = manualClock();
        const manager = new TaskManager({ clock, ids: countedIds(), limits: { maxDepth: 20 }, ...FOREVER });
        const told = facts(manager);
        const model = new Model();
        const held: ReturnType<typeof hold<number>>[] = [];
        const make = (owner: Pick<TaskManager, "spawn">, parent: Node | undefined, options: SpawnOptions): void => {
          held.push(hold<number>(owner, options));
          const { detached = false, budget } = options;
          model.nodes.push({ parent, isDetached: detached, budget: budget as Node["budget"], used: 0, how: "lives" });
        };
        make(manager, undefined, { budget: { tokens: 40 } });
        await settled(1);
        for (const each of steps) {
          const index = (each.do === "spawn" ? each.under : each.by) % held.length;
          const [task, node] = [given(held[index]), given(model.nodes[index])];
          if (each.do === "spawn") {
            // Not through its `ctx`, which may not have begun.
            const spawner = {
              spawn: (work: never, options: object) => manager.spawn(work, { ...options, parent: task.handle }),
            } as Pick<TaskManager, "spawn">;
            const refusal = model.refusal(node);
            const options = { detached: each.isDetached, budget: each.budget };
            if (refusal === undefined) make(spawner, node, options);
            else {
              const error = await refusalOf(async () => hold(spawner, options));
              expect(error).toMatchObject(
                refusal.startsWith("budget") ? { code: "LIMIT_EXCEEDED", limit: refusal } : { code: refusal },
              );
            }
          } else if (each.do === "report") {
            if (!task.started || node.how === "returned") continue;
            // A function that was stopped, and has not settled, may still say what it used.
            const isOver =
              task.handle.record.finishedAt !== undefined || task.handle.record.stopReason === undefined
                ? node.how !== "lives"
                : false;
            task.ctx.reportUsage({ inputTokens: each.tokens });
            if (!isOver) model.report(node, each.tokens);
          } else if (each.do === "cancel") {
            void task.handle.cancel();
            model.stop(node, "cancelled");
          } else if (node.how === "lives" && task.started) {
            task.finish(1);
            await settled(2);
            node.how = "returned";
          }
          if (!isQuick) await settled(2);
          for (const [n, { handle }] of held.entries()) {
            const model_ = given(model.nodes[n]);
            const usage = handle.usage();
            expect([n, usage.inputTokens, usage.tasks]).toEqual([n, model.usedBy(model_), model.below(model_).length]);
            expect([n, handle.record.stopReason]).toEqual([
              n,
              model_.how === "failed" ? "budget_exceeded" : model_.how === "cancelled" ? "cancel" : undefined,
            ]);
          }
        }
        await settled(4);
        for (const [n, { handle }] of held.entries()) {
          const { how } = given(model.nodes[n]);
          if (how === "failed") expect([n, await handle.outcome()]).toMatchObject([n, EXCEEDED]);
          if (how === "cancelled") expect([n, (await handle.outcome()).status]).toEqual([n, "cancelled"]);
          expect(told.filter((event) => event.taskId === handle.id && isEnd(event)).length).toBeLessThanOrEqual(1);
        }
        await manager.close();
      }),
      { numRuns: 150 },
    );
  });
});
