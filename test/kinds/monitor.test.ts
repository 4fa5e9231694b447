// The kind `monitor` (§10) on an interval: when it ticks, what it misses, and how it ends.

import { type Clock, type TaskContext, type TaskHandle, TaskManager } from "errand";
import { monitor, type Tick } from "errand/kinds";
import { manualClock, simulate } from "errand/testing";
import { describe, expect, test } from "vitest";
import { deferred } from "../support/basics.js";
import { refusalOf, refused, untilStopped, world } from "../support/program.js";

type Run = Parameters<typeof monitor>[0]["run"];

/** A monitor every 10 ms, and the ticks that it has seen. */
function watched(run: Run = () => undefined, more: Partial<Parameters<typeof monitor>[0]> = {}) {
  const ticks: Tick[] = [];
  const kind = monitor({
    every: { ms: 10 },
    run: (ctx, tick) => {
      ticks.push(tick);
      return run(ctx, tick);
    },
    ...more,
  });
  return { kind, ticks };
}

const instants = (ticks: readonly Tick[]) => ticks.map(({ scheduledAt }) => scheduledAt);

describe("§10 a monitor", () => {
  test("ticks at its start + n × ms, first after one ms, and is blocked on time between", async () => {
    const { kind, ticks } = watched();
    const { manager, pass } = world();
    await pass(5);
    const handle = manager.spawn(kind);
    await pass(9);
    expect([ticks, handle.status, handle.record.blockedOn]).toEqual([[], "blocked", [{ on: "time", untilAt: 15 }]]);
    await pass(1);
    expect(ticks).toEqual([{ count: 1, scheduledAt: 15, missed: 0 }]);
    await pass(20);
    expect(ticks.slice(1)).toEqual([
      { count: 2, scheduledAt: 25, lastAt: 15, missed: 0 },
      { count: 3, scheduledAt: 35, lastAt: 25, missed: 0 },
    ]);
    expect([handle.status, Object.isFrozen(ticks[0]), kind.name]).toEqual(["blocked", true, "monitor"]);
  });

  test("lends its slot between ticks", async () => {
    const { kind, ticks } = watched();
    const { manager, pass } = world({ concurrency: 1 });
    manager.spawn(kind);
    await pass(1);
    expect(await manager.spawn(() => "free").result()).toBe("free");
    await pass(9);
    expect(ticks).toHaveLength(1);
  });

  test("does not drift: a tick that takes a while moves no other", async () => {
    const { kind, ticks } = watched((ctx) => ctx.sleep(7));
    const { manager, pass } = world();
    manager.spawn(kind);
    await pass(1_000);
    expect(instants(ticks)).toEqual(Array.from({ length: 100 }, (_, n) => (n + 1) * 10));
    expect(ticks.every(({ missed }) => missed === 0)).toBe(true);
  });

  test("counts what it missed while a tick took longer, and makes up for none", async () => {
    let running = 0;
    const { kind, ticks } = watched(async (ctx, { count }) => {
      expect(++running).toBe(1);
      if (count === 2) await ctx.sleep(35);
      running--;
    });
    const { manager, pass } = world();
    manager.spawn(kind);
    await pass(70);
    expect(ticks).toEqual([
      { count: 1, scheduledAt: 10, missed: 0 },
      { count: 2, scheduledAt: 20, lastAt: 10, missed: 0 },
      { count: 3, scheduledAt: 60, lastAt: 20, missed: 3 },
      { count: 4, scheduledAt: 70, lastAt: 60, missed: 0 },
    ]);
  });

  test("that ends its tick at an instant of its schedule waits for the next", async () => {
    const { kind, ticks } = watched((ctx, { count }) => (count === 1 ? ctx.sleep(10) : undefined));
    const { manager, pass } = world();
    manager.spawn(kind);
    await pass(30);
    expect(ticks.map(({ scheduledAt, missed }) => [scheduledAt, missed])).toEqual([
      [10, 0],
      [30, 1],
    ]);
  });

  test("that comes late, for want of a slot or of a machine that is awake, ticks once, for the newest instant", async () => {
    const { kind, ticks } = watched();
    const { manager, pass } = world({ concurrency: 1 });
    manager.spawn(kind);
    const busy = deferred();
    await pass(5);
    manager.spawn(() => busy.promise);
    await pass(40);
    expect(ticks).toEqual([]);
    busy.resolve();
    await pass(5);
    expect(ticks).toEqual([
      { count: 1, scheduledAt: 40, missed: 3 },
      { count: 2, scheduledAt: 50, lastAt: 40, missed: 0 },
    ]);
  });

  test("ticks once for each instant, though its timer fires a moment before it", async () => {
    const { kind, ticks } = watched();
    const base = manualClock();
    let earlyMs = 0;
    const clock: Clock = {
      now: () => base.now() - earlyMs,
      setTimeout: (fn, ms) => base.setTimeout(fn, ms),
      clearTimeout: (timer) => base.clearTimeout(timer),
    };
    new TaskManager({ clock }).spawn(kind);
    await base.advance(1);
    earlyMs = 0.4;
    await base.advance(35);
    expect(ticks.map(({ scheduledAt, missed }) => [scheduledAt, missed])).toEqual([
      [10, 0],
      [20, 0],
      [30, 0],
    ]);
  });

  test("may have an interval that is a fraction, or longer than a platform timer takes", async () => {
    const fraction = watched(undefined, { every: { ms: 1.1 } });
    const long = watched(undefined, { every: { ms: 30 * 86_400_000 }, maxTicks: 2 });
    await simulate(
      async ({ manager, clock }) => {
        const handle = manager.spawn(fraction.kind);
        await clock.sleep(1_100);
        await handle.cancel();
        await manager.spawn(long.kind).result();
        expect(clock.now()).toBe(1_100 + 60 * 86_400_000);
      },
      { maxMs: 90 * 86_400_000 },
    );
    expect(fraction.ticks.length).toBeGreaterThanOrEqual(999);
    expect(new Set(instants(fraction.ticks)).size).toBe(fraction.ticks.length);
    expect(fraction.ticks.reduce((sum, { missed }) => sum + missed, fraction.ticks.length)).toBeLessThanOrEqual(1_000);
    expect(long.ticks).toHaveLength(2);
  });
});

describe("§10 a monitor ends", () => {
  test('succeeded, when its function answers "stop", also later', async () => {
    for (const stop of [(): "stop" => "stop", async (): Promise<"stop"> => "stop"]) {
      const { kind, ticks } = watched((_ctx, { count }) => (count === 3 ? stop() : undefined));
      const outcome = await simulate(({ manager }) => manager.spawn(kind).outcome());
      expect([outcome.status, ticks.length]).toEqual(["succeeded", 3]);
      expect(outcome).toMatchObject({ value: undefined });
    }
  });

  test("succeeded, after `maxTicks`, without waiting once more", async () => {
    const { kind, ticks } = watched(undefined, { maxTicks: 3 });
    const at = await simulate(async ({ manager, clock }) => {
      await manager.spawn(kind).result();
      return clock.now();
    });
    expect([at, ticks.length]).toEqual([30, 3]);
  });

  test("failed, when a tick throws", async () => {
    const { kind, ticks } = watched((_ctx, { count }) => {
      if (count === 2) throw new Error("the disk is full");
    });
    const outcome = await simulate(({ manager }) => manager.spawn(kind).outcome());
    expect(outcome).toMatchObject({ status: "failed", error: { code: "error", message: "the disk is full" } });
    expect(ticks).toHaveLength(2);
  });

  test("cancelled, at once, between two ticks", async () => {
    const { kind, ticks } = watched();
    const { manager, clock, pass } = world();
    const handle = manager.spawn(kind);
    await pass(15);
    expect((await handle.cancel("enough")).status).toBe("cancelled");
    await pass(100);
    expect([ticks.length, clock.nextAt === undefined || clock.nextAt > 1_000]).toEqual([1, true]);
  });

  test.each<[how: string, run: Run]>([
    ["that obeys", untilStopped],
    ["that returns", (ctx) => ctx.cancelled()],
  ])("cancelled, when it is in a tick %s", async (_how, run) => {
    const { kind, ticks } = watched(run);
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(10);
    expect(handle.status).toBe("running");
    expect((await handle.cancel()).status).toBe("cancelled");
    await pass(100);
    expect(ticks).toHaveLength(1);
  });

  test('C1 succeeded, when a tick that was cancelled answers "stop", or was the last', async () => {
    const run = async (ctx: TaskContext): Promise<"stop"> => {
      await ctx.cancelled();
      return "stop";
    };
    for (const { kind } of [watched(run), watched((ctx) => ctx.cancelled(), { maxTicks: 1 })]) {
      const { manager, pass } = world();
      const handle = manager.spawn(kind);
      await pass(10);
      expect((await handle.cancel()).status).toBe("succeeded");
    }
  });

  test("with its parent", async () => {
    const { kind, ticks } = watched();
    const { manager, pass } = world();
    let child: TaskHandle<void> | undefined;
    const parent = manager.spawn(
      async (ctx) => {
        child = ctx.spawn(kind);
        await ctx.sleep(25);
      },
      { children: "cancel" },
    );
    await pass(100);
    expect([parent.status, child?.status, ticks.length]).toEqual(["succeeded", "cancelled", 2]);
  });

  test("failed with `timeout`, by the time of its ticks alone", async () => {
    const { kind, ticks } = watched((_ctx, { count }) => (count === 5 ? untilStopped(_ctx) : undefined), {
      timeoutMs: 20,
    });
    const { manager, pass } = world();
    const handle = manager.spawn(kind);
    await pass(69);
    expect([handle.status, ticks.length]).toEqual(["running", 5]);
    await pass(1);
    expect(await handle.outcome()).toMatchObject({ status: "failed", error: { code: "timeout" } });
  });
});

describe("§10 a monitor with `retry`", () => {
  test("goes on with its schedule and its count after a tick that threw; that one is not repeated", async () => {
    const { kind, ticks } = watched(
      (_ctx, { count }) => {
        if (count === 2) throw new Error("for once");
      },
      { retry: { maxAttempts: 2, backoffMs: 15, jitter: false }, maxTicks: 3 },
    );
    const outcome = await simulate(({ manager }) => manager.spawn(kind).outcome());
    expect(outcome.status).toBe("succeeded");
    expect(ticks).toEqual([
      { count: 1, scheduledAt: 10, missed: 0 },
      { count: 2, scheduledAt: 20, lastAt: 10, missed: 0 },
      { count: 3, scheduledAt: 40, lastAt: 20, missed: 1 },
    ]);
  });
});

describe("§10 in a tick", () => {
  test("what is posted reaches the owner, and children are the monitor's", async () => {
    const { kind } = watched(
      async (ctx, { count }) => {
        await ctx.post(`tick ${count}`);
        await ctx.spawn(() => "work").result();
      },
      { maxTicks: 2 },
    );
    await simulate(async ({ manager }) => {
      const handle = manager.session("chat").spawn(kind);
      await handle.result();
      const texts = handle.messages().flatMap(({ content }) => content);
      expect(texts).toEqual([
        { type: "text", text: "tick 1" },
        { type: "text", text: "tick 2" },
      ]);
      expect(manager.list({ parentId: handle.id })).toHaveLength(2);
    });
  });

  test("`ctx.checkpoint` is the monitor's own, and refuses another value", async () => {
    const refusals: unknown[] = [];
    const { kind, ticks } = watched(
      async (ctx) => {
        for (const value of ["mine", null, { count: 1 }, { count: 1, lastAt: 1, page: 2 }])
          refusals.push(await refusalOf(() => ctx.checkpoint(value)));
      },
      { maxTicks: 2 },
    );
    await simulate(({ manager }) => manager.spawn(kind).result());
    expect(refusals).toHaveLength(8);
    for (const refusal of refusals) expect(refusal).toMatchObject({ code: "INVALID_INPUT" });
    expect(ticks).toHaveLength(2);
  });
});

describe("§12 a monitor's task", () => {
  test.each([{ cron: "0 9 * * 1" }, {}, null, "", 0, false, []])(
    "takes no input, and %j starts nothing, from the manager and from a session",
    async (input) => {
      const { kind, ticks } = watched();
      const { manager, pass } = world({ kinds: [kind] });
      const spawns = [
        () => manager.spawn("monitor", { input }),
        () => manager.session("chat").spawn("monitor", { input }),
      ];
      for (const spawn of spawns) {
        const { issues } = refused(spawn, "INVALID_INPUT");
        expect(issues).toEqual([{ message: expect.stringContaining("a monitor takes no input") }]);
      }
      expect(manager.list()).toEqual([]);
      manager.spawn("monitor", { input: undefined });
      await pass(10);
      expect(ticks).toHaveLength(1);
    },
  );
});

describe("§12 monitor refuses", () => {
  const good = { every: { ms: 10 }, run: () => undefined };
  test.each<[what: string, definition: unknown, name: string, said: string]>([
    ["nothing", undefined, "TypeError", "definition"],
    ["no function", { every: { ms: 10 } }, "TypeError", "run"],
    ["no schedule", { run: good.run }, "TypeError", "every"],
    ["a schedule that is a number", { ...good, every: 10 }, "TypeError", "every"],
    ["an empty schedule", { ...good, every: {} }, "TypeError", "every.cron"],
    ["two schedules", { ...good, every: { ms: 10, cron: "* * * * *" } }, "TypeError", "cron"],
    ["a timezone for an interval", { ...good, every: { ms: 10, timezone: "UTC" } }, "TypeError", "timezone"],
    ["an interval of 0", { ...good, every: { ms: 0 } }, "RangeError", "every.ms"],
    ["an interval below 1", { ...good, every: { ms: 0.5 } }, "RangeError", "every.ms"],
    ["a negative interval", { ...good, every: { ms: -1 } }, "RangeError", "every.ms"],
    ["an interval without end", { ...good, every: { ms: Infinity } }, "RangeError", "every.ms"],
    ["an interval of NaN", { ...good, every: { ms: Number.NaN } }, "RangeError", "every.ms"],
    ['an interval of "10"', { ...good, every: { ms: "10" } }, "TypeError", "every.ms"],
    ["maxTicks 0", { ...good, maxTicks: 0 }, "RangeError", "maxTicks"],
    ["maxTicks 1.5", { ...good, maxTicks: 1.5 }, "RangeError", "maxTicks"],
    ['maxTicks "3"', { ...good, maxTicks: "3" }, "TypeError", "maxTicks"],
    ["a misspelt option", { ...good, maxTick: 1 }, "TypeError", "maxTick"],
    ["an empty name", { ...good, name: "" }, "RangeError", "name"],
    ["a negative timeout", { ...good, timeoutMs: -1 }, "RangeError", "timeoutMs"],
  ])("%s", (_what, definition, name, said) => {
    expect(() => monitor(definition as Parameters<typeof monitor>[0])).toThrow(
      expect.objectContaining({ name, message: expect.stringContaining(said) }),
    );
  });
});
