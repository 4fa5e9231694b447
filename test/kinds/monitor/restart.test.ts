// A monitor after a restart (D4): it continues its schedule and its count.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TaskManager } from "errand";
import { monitor, type Tick } from "errand/kinds";
import { fileStore } from "errand/stores/file";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";
import { until } from "../../support/programs.js";
import { outcome, started, task } from "../../support/restarts.js";

function watched(more: Partial<Parameters<typeof monitor>[0]> = {}) {
  const ticks: (Tick & { attempt: number })[] = [];
  const kind = monitor({
    every: { ms: 100 },
    run: (ctx, tick) => void ticks.push({ ...tick, attempt: ctx.attempt }),
    ...more,
  });
  return { kind, ticks, options: { kinds: [kind] } };
}

describe("D4 a monitor that a crash ended", () => {
  test("goes on counting, on the grid of its first start, and counts what it missed while no process ran it", async () => {
    const { ticks, options } = watched();
    const first = await started(options);
    first.manager.spawn("monitor", { id: "m" });
    await first.pass(250);
    const second = await first.restart(options, 1_000);
    expect(task(second, "m").status).toBe("queued");
    await second.pass(150);
    expect(ticks).toEqual([
      { attempt: 1, count: 1, scheduledAt: 1_100, missed: 0 },
      { attempt: 1, count: 2, scheduledAt: 1_200, lastAt: 1_100, missed: 0 },
      { attempt: 2, count: 3, scheduledAt: 2_300, lastAt: 1_200, missed: 10 },
      { attempt: 2, count: 4, scheduledAt: 2_400, lastAt: 2_300, missed: 0 },
    ]);
  });

  test("before its first tick has its first tick after it", async () => {
    const { ticks, options } = watched();
    const first = await started(options);
    first.manager.spawn("monitor", { id: "m" });
    await first.pass(50);
    const second = await first.restart(options, 500);
    await second.pass(50);
    expect(ticks).toEqual([{ attempt: 2, count: 1, scheduledAt: 1_600, missed: 5 }]);
  });

  test("in a tick does not repeat it", async () => {
    const { ticks, options } = watched({
      run: async (ctx, tick) => {
        ticks.push({ ...tick, attempt: ctx.attempt });
        if (tick.count === 1 && ctx.attempt === 1) await ctx.sleep(Number.POSITIVE_INFINITY);
      },
    });
    const first = await started(options);
    first.manager.spawn("monitor", { id: "m" });
    await first.pass(150);
    const second = await first.restart(options, 10);
    await second.pass(100);
    expect(ticks.map(({ count, scheduledAt }) => [count, scheduledAt])).toEqual([
      [1, 1_100],
      [2, 1_200],
    ]);
  });

  test("counts the ticks of all attempts for `maxTicks`", async () => {
    const { ticks, options } = watched({ maxTicks: 2 });
    const first = await started(options);
    first.manager.spawn("monitor", { id: "m" });
    await first.pass(150);
    const second = await first.restart(options, 10);
    await second.pass(100);
    expect([(await outcome(second, "m")).status, ticks.length]).toEqual(["succeeded", 2]);
  });

  test("in its last tick is over at once", async () => {
    const { options } = watched({
      maxTicks: 1,
      run: (ctx) => ctx.sleep(ctx.attempt === 1 ? Number.POSITIVE_INFINITY : 0),
    });
    const first = await started(options);
    first.manager.spawn("monitor", { id: "m" });
    await first.pass(150);
    const second = await first.restart(options, 10);
    await settled();
    expect((await outcome(second, "m")).status).toBe("succeeded");
  });

  test("goes on by its cron pattern", async () => {
    const { ticks, options } = watched({ every: { cron: "* * * * * *", timezone: "UTC" } });
    const first = await started(options);
    first.manager.spawn("monitor", { id: "m" });
    await first.pass(1_500);
    const second = await first.restart(options, 5_000);
    await second.pass(1_000);
    expect(ticks.map(({ count, scheduledAt, missed }) => [count, scheduledAt, missed])).toEqual([
      [1, 2_000, 0],
      [2, 8_000, 5],
    ]);
  });

  test("is parked where its kind is not registered", async () => {
    const { options } = watched();
    const first = await started(options);
    first.manager.spawn("monitor", { id: "m" });
    await first.pass(150);
    const second = await first.restart({});
    expect(task(second, "m").record.blockedOn).toEqual([{ on: "kind", kind: "monitor" }]);
  });
});

describe("D1 a tick", () => {
  test("begins once its count is stored: the next process counts it", async () => {
    const { ticks, options } = watched();
    const { manager, store, pass, restart } = await started(options);
    manager.on("task.resumed", () => store.hold());
    manager.spawn("monitor", { id: "m" });
    await pass(150);
    expect([ticks, store.held.map(({ type }) => type)]).toEqual([[], ["task.updated"]]);
    store.letThrough();
    await settled();
    expect(ticks).toHaveLength(1);
    const second = await restart();
    await second.pass(100);
    expect(ticks.map(({ count }) => count)).toEqual([1, 2]);
  });

  test("C3 does not begin when its task was cancelled meanwhile", async () => {
    const { ticks, options } = watched();
    const { manager, store, pass } = await started(options);
    manager.on("task.resumed", () => store.hold());
    const handle = manager.spawn("monitor", { id: "m" });
    await pass(150);
    const ended = handle.cancel();
    await settled();
    store.letThrough();
    await pass(0);
    expect([(await ended).status, ticks]).toEqual(["cancelled", []]);
  });
});

test("D8 a monitor whose manager closes goes on when the next opens, from a file", async () => {
  const { ticks, options } = watched();
  const folder = await mkdtemp(join(tmpdir(), "errand-monitor-"));
  const clock = manualClock(0);
  const open = () => TaskManager.open({ ...options, clock, store: fileStore(folder) });
  const pass = async (ms: number) => {
    await clock.advance(ms);
    await settled();
  };
  try {
    const first = await open();
    const handle = first.spawn("monitor", { id: "m" });
    await handle.stored();
    // A disk is no part of the clock: what it does is waited for, and then time moves.
    for (const count of [1, 2]) {
      await until(() => handle.status === "blocked");
      await pass(100);
      await until(() => ticks.length === count);
    }
    await until(() => handle.status === "blocked");
    await first.close();
    await pass(1_000);
    const next = await open();
    const again = next.get("m");
    await until(() => again?.status === "blocked");
    await pass(100);
    await until(() => ticks.length === 3);
    expect(ticks.at(-1)).toEqual({ attempt: 2, count: 3, scheduledAt: 1_300, lastAt: 200, missed: 10 });
    await again?.cancel();
    await next.close();
  } finally {
    await rm(folder, { recursive: true });
  }
});
