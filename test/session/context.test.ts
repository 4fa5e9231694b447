// Context: what a kind needs of its manager is on `ctx`, so a user can write every kind that errand ships (§10).

import { type TaskContext, TaskManager } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { deferred, settled } from "../support/basics.js";
import { world } from "../support/program.js";
import { bare } from "../support/set-clock.js";

describe("C7 ctx.clock", () => {
  test("is the clock of the manager: its time, its timers", async () => {
    const { manager, pass } = world();
    const seen: number[] = [];
    const task = manager.spawn(async ({ clock }) => {
      const began = clock.monotonic();
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 250));
      seen.push(clock.now(), clock.monotonic() - began);
      clock.clearTimeout(clock.setTimeout(() => seen.push(-1), 10));
    });
    await settled();
    await pass(250);
    await task.result();
    await pass(1_000);
    expect(seen).toEqual([250, 250]);
  });

  test("has every method of a clock, also when the clock of the manager has only three", async () => {
    const clock = manualClock(1_000);
    const manager = new TaskManager({ clock: bare(clock) });
    const sets: number[] = [];
    const end = deferred();
    const task = manager.spawn(async (ctx) => {
      const before = ctx.clock.monotonic();
      const unlisten = ctx.clock.onSet(() => sets.push(ctx.clock.now()));
      await end.promise;
      unlisten();
      return ctx.clock.monotonic() - before;
    });
    await settled();
    await clock.advance(500);
    end.resolve();
    expect([await task.result(), sets]).toEqual([500, []]);
  });

  test("reports that the wall clock was set, until the listener leaves", async () => {
    const { manager, clock } = world();
    const sets: number[] = [];
    const end = deferred();
    const task = manager.spawn(async (ctx) => {
      const unlisten = ctx.clock.onSet(() => sets.push(ctx.clock.now()));
      await end.promise;
      unlisten();
    });
    await settled();
    await clock.setNow(9_000);
    await settled();
    end.resolve();
    await task.result();
    await clock.setNow(90_000);
    await settled();
    expect(sets).toEqual([9_000]);
  });
});

describe("C2 ctx.graceMs", () => {
  const graceOf = (ctx: TaskContext) => ctx.graceMs;

  test("is that of the task, else that of the manager", async () => {
    const { manager } = world({ graceMs: 700 });
    expect(await manager.spawn(graceOf).result()).toBe(700);
    expect(await manager.spawn(graceOf, { graceMs: 20 }).result()).toBe(20);
  });

  test("D8 is shorter while the manager closes with a shorter one", async () => {
    const { manager } = world({ graceMs: 5_000 });
    const graces: number[] = [];
    manager.spawn(async (ctx) => {
      graces.push(ctx.graceMs);
      await ctx.cancelled();
      graces.push(ctx.graceMs);
    });
    await settled();
    await manager.close({ graceMs: 300 });
    expect(graces).toEqual([5_000, 300]);
  });
});
