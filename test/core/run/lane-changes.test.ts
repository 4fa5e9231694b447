// Lanes that change while they run: setLane, setConcurrency, a pause with an end (L10).

import { type LaneChange, type SpawnOptions, TaskManager, type TaskManagerOptions } from "errand";
import { countedIds, manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { allFree, settled } from "../../support/basics.js";

function world(options: TaskManagerOptions) {
  const clock = manualClock(1_000_000);
  const retention = { ttlMs: Number.POSITIVE_INFINITY };
  const manager = new TaskManager({ clock, retention, ids: countedIds(), ...options });
  const starts: string[] = [];
  const put = (name: string, ms = 0, spawn: SpawnOptions = {}) =>
    manager.spawn(
      async () => {
        starts.push(`${name} at ${clock.monotonic()}`);
        if (ms > 0) await clock.sleep(ms);
      },
      { lane: "work", ...spawn },
    );
  return { clock, manager, starts, put };
}

describe("setLane", () => {
  test("L10 more slots start more tasks at once; fewer stop nothing, and the next ones wait", async () => {
    const { clock, manager, starts, put } = world({ lanes: { work: { concurrency: 1 } } });
    for (const name of "abcdef") put(name, 100);
    await clock.advance(0);
    manager.setLane("work", { concurrency: 3 });
    await settled();
    expect(starts).toEqual(["a at 0", "b at 0", "c at 0"]);
    manager.setLane("work", { concurrency: 1 });
    expect(manager.stats().lanes["work"]).toMatchObject({ concurrency: 1, held: 3, free: 0, queued: 3 });
    await clock.advance(100);
    expect(starts.slice(3)).toEqual(["d at 100"]);
    await clock.advance(200);
    expect(starts.slice(4)).toEqual(["e at 200", "f at 300"]);
    await clock.advance(100);
    allFree(manager);
  });

  test("L1 L10 a task that was granted its slot and has not started is no started task: fewer slots hold it, in its order", async () => {
    const { clock, manager, starts, put } = world({ lanes: { work: { concurrency: 5 } } });
    for (const name of "abcde") put(name, 100);
    manager.setLane("work", { concurrency: 2 });
    await clock.advance(0);
    expect(starts).toEqual(["a at 0", "b at 0"]);
    await clock.advance(300);
    expect(starts.slice(2)).toEqual(["c at 100", "d at 100", "e at 200"]);
    allFree(manager);
  });

  test("L8 L10 a start that was granted twice keeps its slot when its function pauses the lane", async () => {
    const { clock, manager } = world({ lanes: { work: { concurrency: 1 } } });
    const first = manager.spawn(
      async () => {
        manager.pause("work");
        await clock.sleep(100);
      },
      { lane: "work" },
    );
    // The slot is taken back and granted again before the function starts.
    manager.setLane("work", { concurrency: 2 });
    await settled();
    expect(first.status).toBe("running");
    expect(manager.stats().lanes["work"]).toMatchObject({ held: 1, queued: 0, paused: true });
    manager.resume("work");
    await clock.advance(100);
    expect(first.status).toBe("succeeded");
    allFree(manager);
  });

  test("L7 L10 a rate that is lowered counts what started before, and one that is raised starts more at once", async () => {
    const { clock, manager, starts, put } = world({
      lanes: { work: { concurrency: 99, rate: { limit: 4, periodMs: 1_000 } } },
    });
    for (const name of "abcdefgh") put(name);
    await clock.advance(100);
    manager.setLane("work", { rate: { limit: 2, periodMs: 2_000 } });
    await clock.advance(1_899);
    expect(starts).toHaveLength(4);
    await clock.advance(1);
    expect(starts.slice(4)).toEqual(["e at 2000", "f at 2000"]);
    manager.setLane("work", { rate: { limit: 3, periodMs: 2_000 } });
    await settled();
    expect(starts.slice(6)).toEqual(["g at 2000"]);
    manager.setLane("work", { rate: null });
    await settled();
    expect([starts.slice(7), manager.stats().lanes["work"]?.rate, clock.nextAt]).toEqual([
      ["h at 2000"],
      undefined,
      undefined,
    ]);
  });

  test("L10 what is left out, or undefined, stays as it is; null takes a bound away", async () => {
    const { clock, manager, starts, put } = world({
      lanes: {
        work: {
          concurrency: 9,
          rate: { limit: 3, periodMs: 1_000 },
          perKey: { concurrency: 1, rate: { limit: 2, periodMs: 1_000 } },
        },
      },
    });
    manager.setLane("work", { concurrency: 8, rate: undefined, perKey: { concurrency: undefined } });
    for (const name of "abc") put(name, 10, { laneKey: "k" });
    await clock.advance(100);
    expect(starts).toEqual(["a at 0", "b at 10"]);
    manager.setLane("work", { perKey: { rate: null } });
    await clock.advance(0);
    expect(starts.slice(2)).toEqual(["c at 100"]);
    manager.setLane("work", { rate: [], perKey: null });
    for (const name of "def") put(name, 10, { laneKey: "k" });
    await clock.advance(0);
    expect(starts.slice(3)).toEqual(["d at 100", "e at 100", "f at 100"]);
  });

  test("L7 L10 a rate that is removed and set again counts the starts before, and those between", async () => {
    const rate = { limit: 2, periodMs: 1_000 };
    const { clock, manager, starts, put } = world({ lanes: { work: { concurrency: 99, rate } } });
    put("a");
    await clock.advance(100);
    manager.setLane("work", { rate: null });
    put("b");
    await clock.advance(100);
    manager.setLane("work", { rate });
    put("c");
    put("d");
    await clock.advance(5_000);
    expect(starts).toEqual(["a at 0", "b at 100", "c at 1000", "d at 1100"]);
    // A short window in between makes no start unknown either.
    for (const name of "ef") put(name);
    await clock.advance(100);
    manager.setLane("work", { rate: { limit: 2, periodMs: 10 } });
    await clock.advance(50);
    manager.setLane("work", { rate });
    put("g");
    await clock.advance(2_000);
    expect(starts.slice(4)).toEqual(["e at 5200", "f at 5200", "g at 6200"]);
    allFree(manager);
  });

  test("L6 L7 L10 so does the rate of each key, also of a key that first starts without it", async () => {
    const rate = { limit: 1, periodMs: 1_000 };
    const { clock, manager, starts, put } = world({ lanes: { work: { concurrency: 99, perKey: { rate } } } });
    put("a", 0, { laneKey: "x" });
    await clock.advance(100);
    manager.setLane("work", { perKey: null });
    put("b", 0, { laneKey: "y" });
    await clock.advance(100);
    manager.setLane("work", { perKey: { rate } });
    put("c", 0, { laneKey: "x" });
    put("d", 0, { laneKey: "y" });
    put("e", 0, { laneKey: "z" });
    await clock.advance(2_000);
    expect(starts).toEqual(["a at 0", "b at 100", "e at 200", "c at 1000", "d at 1100"]);
    allFree(manager);
  });

  test("D6 L10 a lane whose rate was removed keeps a bounded number of starts, for a bounded time", async () => {
    const { clock, manager, put } = world({
      lanes: { work: { concurrency: 99, rate: { limit: 9, periodMs: 1_000 } } },
      limits: { maxQueued: 20_000 },
    });
    manager.setLane("work", { rate: null });
    for (let n = 0; n < 12_000; n++) put("a");
    await clock.advance(10);
    manager.setLane("work", { rate: { limit: 20_000, periodMs: 1_000 } });
    expect(manager.stats().lanes["work"]?.rate?.windows).toMatchObject([{ used: 10_000 }]);
    manager.setLane("work", { rate: null });
    await clock.advance(2_000);
    manager.setLane("work", { rate: { limit: 20_000, periodMs: 1_000 } });
    expect(manager.stats().lanes["work"]?.rate?.windows).toMatchObject([{ used: 0 }]);
  });

  test("L6 L10 bounds of a key that come while its tasks run count those", async () => {
    const { clock, manager, starts, put } = world({ lanes: { work: { concurrency: 9 } } });
    put("a", 100, { laneKey: "k" });
    await clock.advance(0);
    manager.setLane("work", { perKey: { concurrency: 1 } });
    put("b", 100, { laneKey: "k" });
    await clock.advance(50);
    expect(starts).toEqual(["a at 0"]);
    await clock.advance(50);
    expect(starts).toEqual(["a at 0", "b at 100"]);
  });

  test("L7 L10 a task in line that weighs more than a new limit starts when nothing else counts", async () => {
    const tokens = (limit: number) => ({ limit, periodMs: 1_000, unit: "tokens" });
    const { clock, manager, starts, put } = world({ lanes: { work: { concurrency: 9, rate: tokens(100) } } });
    put("a", 0, { weight: { tokens: 90 } });
    put("heavy", 0, { weight: { tokens: 80 } });
    put("b", 0, { weight: { tokens: 10 } });
    await clock.advance(0);
    manager.setLane("work", { rate: tokens(50) });
    await clock.advance(2_000);
    expect(starts).toEqual(["a at 0", "heavy at 1000", "b at 2000"]);
  });

  test.each<[change: unknown, type: typeof TypeError | typeof RangeError, says: string]>([
    [{ concurrency: 0 }, RangeError, "concurrency"],
    [{ concurrency: 1.5 }, RangeError, "concurrency"],
    [{ concurrency: "4" }, TypeError, "concurrency"],
    [{ concurrency: 2, rate: { limit: 0, periodMs: 5 } }, RangeError, "rate.limit"],
    [{ concurrency: 2, rate: { limit: 1 } }, TypeError, "rate.periodMs"],
    [
      {
        concurrency: 2,
        rate: [
          { limit: 1, periodMs: 5 },
          { limit: 1, periodMs: 0 },
        ],
      },
      RangeError,
      "rate[1].periodMs",
    ],
    [{ concurrency: 2, rate: { limit: 1, periodMs: 5, unit: "" } }, RangeError, "rate.unit"],
    [{ concurrency: 2, rate: { limit: 1, period: 5 } }, TypeError, "period"],
    [{ concurrency: 2, perKey: { concurrency: 0 } }, RangeError, "perKey.concurrency"],
    [{ concurrency: 2, perKey: { rates: [] } }, TypeError, "rates"],
    [{ concurrency: 2, agingMs: 5 }, TypeError, "agingMs"],
    [null, TypeError, "setLane"],
  ])("§12 L10 %j is refused, and nothing has changed", (change, type, says) => {
    const { manager } = world({ lanes: { work: { concurrency: 1 } } });
    const set = () => manager.setLane("work", change as LaneChange);
    expect(set).toThrow(type);
    expect(set).toThrow(says);
    expect(manager.stats().lanes["work"]).toEqual({ concurrency: 1, held: 0, free: 1, queued: 0, paused: false });
  });

  test("L6 L10 a lane that was not declared is UnknownLaneError", () => {
    const { manager } = world({ lanes: { work: { concurrency: 1 } } });
    expect(() => manager.setLane("wrok", {})).toThrow(expect.objectContaining({ code: "UNKNOWN_LANE" }));
    expect(() => manager.pause("wrok", { untilAt: 5 })).toThrow(expect.objectContaining({ code: "UNKNOWN_LANE" }));
  });
});

describe("setConcurrency", () => {
  test("L10 changes the cap of the manager, and the default lane with it", async () => {
    const { clock, manager, starts, put } = world({ concurrency: 1 });
    for (const name of "abcd") put(name, 100, { lane: undefined });
    await clock.advance(0);
    manager.setConcurrency(2);
    await clock.advance(0);
    expect(starts).toEqual(["a at 0", "b at 0"]);
    manager.setConcurrency(1);
    await clock.advance(100);
    expect(starts.slice(2)).toEqual(["c at 100"]);
    expect(manager.stats().lanes["default"]).toMatchObject({ concurrency: 1 });
    await clock.advance(200);
    allFree(manager);
  });

  test("L10 leaves a lane that has its own, declared or by setLane", () => {
    const declared = world({ concurrency: 4, lanes: { default: { concurrency: 2 } } }).manager;
    const changed = world({ concurrency: 4 }).manager;
    changed.setLane("default", { concurrency: 2 });
    for (const manager of [declared, changed]) {
      manager.setConcurrency(8);
      expect(manager.stats().lanes["default"]?.concurrency).toBe(2);
    }
  });

  test("L6 L10 a lane without a concurrency has no limit of its own, and the default lane that of the manager", () => {
    const rate = { limit: 5, periodMs: 1_000 };
    const { manager } = world({ concurrency: 4, lanes: { default: { rate }, model: { rate } } });
    const { lanes } = manager.stats();
    expect([lanes["default"]?.concurrency, lanes["model"]?.concurrency]).toEqual([4, undefined]);
    manager.setConcurrency(8);
    expect(manager.stats().lanes["default"]?.concurrency).toBe(8);
    manager.setLane("default", { concurrency: 2 });
    manager.setConcurrency(9);
    expect(manager.stats().lanes["default"]?.concurrency).toBe(2);
  });

  test.each([0, -1, 1.5, Number.NaN, "4", undefined])("§12 L10 %j is refused", (concurrency) => {
    const { manager } = world({ concurrency: 3 });
    expect(() => manager.setConcurrency(concurrency as number)).toThrow("concurrency must be");
    expect(manager.stats().lanes["default"]?.concurrency).toBe(3);
  });
});

describe("a pause with an end", () => {
  test("L10 resumes at its instant without another call, and stats() says when", async () => {
    const { clock, manager, starts, put } = world({ lanes: { work: { concurrency: 9 } } });
    manager.pause("work", { untilAt: clock.now() + 500 });
    put("a");
    expect(manager.stats().lanes["work"]).toMatchObject({ paused: true, resumesAt: clock.now() + 500, queued: 1 });
    await clock.advance(499);
    expect(starts).toEqual([]);
    await clock.advance(1);
    expect(starts).toEqual(["a at 500"]);
    expect(manager.stats().lanes["work"]).toEqual({ concurrency: 9, held: 0, free: 9, queued: 0, paused: false });
  });

  test("L10 leaves no timer while no task waits, and ends all the same", async () => {
    const { clock, manager, starts, put } = world({ lanes: { work: { concurrency: 9 } } });
    manager.pause(undefined, { untilAt: clock.now() + 500 });
    expect(clock.nextAt).toBeUndefined();
    await clock.advance(600);
    put("a");
    await clock.advance(0);
    expect(starts).toEqual(["a at 600"]);
  });

  test("L10 the longest of several pauses counts, and resume ends all of them", async () => {
    const { clock, manager, starts, put } = world({ lanes: { work: { concurrency: 9 } } });
    const now = clock.now();
    manager.pause("work", { untilAt: now + 500 });
    manager.pause("work", { untilAt: now + 100 });
    put("a");
    await clock.advance(200);
    expect(starts).toEqual([]);
    manager.pause("work");
    await clock.advance(1_000);
    expect([starts, clock.nextAt]).toEqual([[], undefined]);
    manager.resume("work");
    await settled();
    expect(starts).toEqual(["a at 1200"]);
    manager.pause("work", { untilAt: now });
    put("b");
    await settled();
    expect(starts).toHaveLength(2);
  });

  test("C7 L10 an instant that the wall clock was set beyond has come", async () => {
    const { clock, manager, starts, put } = world({ lanes: { work: { concurrency: 9 } } });
    manager.pause("work", { untilAt: clock.now() + 3_600_000 });
    put("a");
    await clock.setNow(clock.now() + 7_200_000);
    await clock.advance(30_000);
    expect(starts).toHaveLength(1);
  });

  test("L2 L10 stops no way back of a started task", async () => {
    const { clock, manager } = world({ lanes: { work: { concurrency: 1 } } });
    const sleeper = manager.spawn((ctx) => ctx.sleep(10), { lane: "work" });
    await settled();
    manager.pause("work", { untilAt: clock.now() + 1_000 });
    await clock.advance(10);
    expect(sleeper.status).toBe("succeeded");
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, "soon"])(
    "§12 untilAt %j is refused, and nothing is paused",
    (untilAt) => {
      const { manager } = world({ lanes: { work: { concurrency: 1 } } });
      expect(() => manager.pause("work", { untilAt: untilAt as number })).toThrow("untilAt must be a finite number");
      expect(() => manager.pause("work", { until: 5 } as never)).toThrow("until");
      expect(manager.stats().lanes["work"]?.paused).toBe(false);
    },
  );
});
