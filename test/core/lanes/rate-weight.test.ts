// Weights: what a start takes from windows that count something else than starts (L7).

import { defineKind, type TaskContext, type TaskHandle, TaskManager, type TaskManagerOptions } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { deferred, settled } from "../../support/basics.js";

const MODEL = [
  { limit: 100, periodMs: 60_000 },
  { limit: 1_000, periodMs: 60_000, unit: "tokens" },
];

function world(rate: NonNullable<TaskManagerOptions["lanes"]>[string]["rate"] = MODEL) {
  const clock = manualClock();
  const retention = { ttlMs: Number.POSITIVE_INFINITY };
  const manager = new TaskManager({ clock, retention, lanes: { model: { concurrency: 100, rate } } });
  const starts: string[] = [];
  const put = (name: string, tokens?: number): TaskHandle<void> =>
    manager.spawn(() => void starts.push(`${name} at ${clock.now()}`), {
      lane: "model",
      ...(tokens === undefined ? {} : { weight: { tokens } }),
    });
  /** A task that reports what it uses when the test says so. */
  const run = async (tokens: number): Promise<TaskContext> => {
    const begun = deferred<TaskContext>();
    const work = (ctx: TaskContext) => {
      begun.resolve(ctx);
      return ctx.cancelled();
    };
    manager.spawn(work, { lane: "model", weight: { tokens } });
    await settled();
    return begun.promise;
  };
  const used = () => manager.stats().lanes["model"]?.rate?.windows.find(({ unit }) => unit === "tokens")?.used;
  return { clock, manager, starts, put, run, used };
}

describe("the weight of a start", () => {
  test("L7 counts in the window of its unit; a start that says none counts 1 start and nothing else", async () => {
    const { clock, starts, put, used } = world();
    put("a", 600);
    put("b");
    put("c", 400);
    put("d", 1);
    await clock.advance(0);
    expect([starts, used()]).toEqual([["a at 0", "b at 0", "c at 0"], 1_000]);
    await clock.advance(60_000);
    expect(starts).toEqual(["a at 0", "b at 0", "c at 0", "d at 60000"]);
  });

  test.each([
    [1, 0.01, 100],
    [3, 0.3, 10],
    [7, 0.07, 100],
  ])(
    "L7 may be a fraction: a limit of %d lets as many starts of %d go as fit, whatever their binary sum is",
    async (limit, usd, count) => {
      const clock = manualClock();
      const lanes = { model: { concurrency: 1_000, rate: { limit, periodMs: 1_000, unit: "usd" } } };
      const manager = new TaskManager({ clock, lanes });
      const starts: number[] = [];
      for (let index = 0; index < 3 * count; index++)
        manager.spawn(() => void starts.push(clock.now()), { lane: "model", weight: { usd } });
      for (const round of [1, 2, 3]) {
        await clock.advance(round === 1 ? 0 : 1_000);
        expect(starts).toHaveLength(round * count);
      }
    },
  );

  test("L4 L7 a light start does not pass a heavy one that is before it, and goes at once when that leaves the line", async () => {
    const { clock, manager, starts, put } = world();
    put("a", 900);
    const heavy = put("heavy", 500);
    put("light", 50);
    await clock.advance(10);
    expect([starts, manager.stats().queued]).toEqual([["a at 0"], 2]);
    void heavy.cancel();
    await clock.advance(0);
    expect(starts).toEqual(["a at 0", "light at 10"]);
  });

  test("L7 may be of any unit, and a fraction", async () => {
    const { clock, manager, starts } = world([{ limit: 1, periodMs: 1_000, unit: "dollars" }]);
    for (let n = 0; n < 11; n++)
      manager.spawn(() => void starts.push(`${clock.now()}`), { lane: "model", weight: { dollars: 0.1 } });
    await clock.advance(0);
    expect(starts.length).toBeGreaterThanOrEqual(9);
    await clock.advance(1_000);
    expect(starts).toHaveLength(11);
  });

  test("L7 §12 more than a limit is a RangeError that names option, value and limit, and starts nothing", () => {
    const { manager, put } = world();
    expect(() => put("too much", 1_001)).toThrow(
      new RangeError(
        'weight.tokens must be at most 1000, which lane "model" allows in 60000 ms, got 1001: it would never start',
      ),
    );
    expect(manager.list()).toEqual([]);
  });

  test.each([
    [{ tokens: -1 }, RangeError, "weight.tokens must be a finite number ≥ 0, got -1"],
    [{ tokens: Number.NaN }, RangeError, "weight.tokens"],
    [{ tokens: Number.POSITIVE_INFINITY }, RangeError, "weight.tokens"],
    [{ tokens: "5" }, TypeError, "weight.tokens"],
    [
      { token: 5 },
      TypeError,
      'weight has no unit "token" (did you mean tokens?): the windows of this manager count starts, tokens',
    ],
    [5, TypeError, "weight must be an object"],
    [[5], TypeError, "weight must be an object"],
  ] as const)("§12 %j is refused", (weight, type, message) => {
    const { manager } = world();
    const spawn = () => manager.spawn(() => undefined, { lane: "model", weight: weight as never });
    expect(spawn).toThrow(type);
    expect(spawn).toThrow(message);
    expect(manager.list()).toEqual([]);
  });

  test("L7 a lane without a window takes any weight: a kind may be started in every lane", async () => {
    const clock = manualClock();
    const kind = defineKind({ name: "call", weight: { pictures: 3 }, run: () => "done" });
    const manager = new TaskManager({ clock, kinds: [kind] });
    await expect(manager.spawn(kind).result()).resolves.toBe("done");
  });

  test("L7 §10 a kind says the weight that its spawns do not say, and the record shows it", async () => {
    const clock = manualClock();
    const kind = defineKind({ name: "call", lane: "model", weight: { tokens: 700 }, run: () => clock.now() });
    const manager = new TaskManager({ clock, kinds: [kind], lanes: { model: { concurrency: 9, rate: MODEL } } });
    const [first, light, second] = [{}, { weight: { tokens: 300 } }, {}].map((options) => manager.spawn(kind, options));
    await clock.advance(60_000);
    expect([await first?.result(), await light?.result(), await second?.result()]).toEqual([0, 0, 60_000]);
    expect([first?.record.weight, light?.record.weight]).toEqual([{ tokens: 700 }, { tokens: 300 }]);
  });
});

describe("what was really used", () => {
  test("L7 a report replaces the tokens that were expected; fewer let the next one start at once", async () => {
    const { clock, starts, put, run, used } = world();
    const ctx = await run(900);
    put("next", 500);
    await clock.advance(10);
    expect(starts).toEqual([]);
    ctx.reportUsage({ inputTokens: 200, outputTokens: 100 });
    await settled();
    expect([starts, used()]).toEqual([["next at 10"], 800]);
  });

  test("L7 reports of one attempt add up", async () => {
    const { put, run, starts, used } = world();
    const ctx = await run(900);
    ctx.reportUsage({ inputTokens: 400 });
    ctx.reportUsage({ outputTokens: 300 });
    expect(used()).toBe(700);
    put("next", 301);
    put("light", 300);
    await settled();
    expect(starts).toEqual([]);
  });

  test("L7 more than was expected, also more than the limit, makes the next one wait until it has left the window", async () => {
    const { clock, starts, put, run, used } = world();
    const ctx = await run(100);
    await clock.advance(1_000);
    put("before", 100);
    await settled();
    ctx.reportUsage({ inputTokens: 5_000 });
    put("after", 100);
    put("weightless");
    await clock.advance(58_999);
    expect([starts, used()]).toEqual([["before at 1000"], 5_100]);
    await clock.advance(1);
    expect(starts).toEqual(["before at 1000", "after at 60000", "weightless at 60000"]);
  });

  test("L7 what a start used after it left the window counts no more", async () => {
    const { clock, run, used } = world();
    const ctx = await run(100);
    await clock.advance(60_000);
    expect(used()).toBe(0);
    ctx.reportUsage({ inputTokens: 500 });
    expect(used()).toBe(0);
  });

  test("L7 S2 a superseded attempt corrects nothing", async () => {
    const { clock, manager, used } = world();
    const contexts: TaskContext[] = [];
    const work = (ctx: TaskContext) => {
      contexts.push(ctx);
      if (ctx.attempt === 1) throw new Error("once more");
      return ctx.cancelled();
    };
    const retry = { maxAttempts: 2, backoffMs: 0 };
    manager.spawn(work, { lane: "model", weight: { tokens: 100 }, retry });
    await clock.advance(0);
    expect(used()).toBe(200);
    contexts[0]?.reportUsage({ inputTokens: 900 });
    expect(used()).toBe(200);
    contexts[1]?.reportUsage({ inputTokens: 50 });
    expect(used()).toBe(150);
  });
});
