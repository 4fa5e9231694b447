// perKey: each key of a lane has its own bounds, and holds up no other (L6, L4).

import { type SpawnOptions, type TaskHandle, TaskManager, type TaskManagerOptions } from "errand";
import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { Lane, type Slotted } from "../../../lib/core/lanes/lane.js";
import type { Start } from "../../../lib/core/lanes/rate-limiter.js";
import { Slots } from "../../../lib/core/lanes/slots.js";
import { Timekeeper } from "../../../lib/core/time/clock.js";
import { allFree, settled } from "../../support/basics.js";

function world(lane: NonNullable<TaskManagerOptions["lanes"]>[string], limits: TaskManagerOptions["limits"] = {}) {
  const clock = manualClock();
  const retention = { ttlMs: Number.POSITIVE_INFINITY };
  const manager = new TaskManager({ clock, retention, limits, lanes: { web: lane } });
  const starts: string[] = [];
  const put = (laneKey: string | undefined, options: SpawnOptions = {}, ms = 0): TaskHandle<void> =>
    manager.spawn(
      async () => {
        starts.push(`${laneKey ?? "none"} at ${clock.now()}`);
        if (ms > 0) await clock.sleep(ms);
      },
      { lane: "web", laneKey, ...options },
    );
  return { clock, manager, starts, put };
}

describe("concurrency of a key", () => {
  test("L6 at most so many of one key run, whatever the lane has, and other keys go past", async () => {
    const { clock, manager, starts, put } = world({ concurrency: 4, perKey: { concurrency: 1 } });
    for (let n = 0; n < 3; n++) put("a", {}, 100);
    put("b", {}, 100);
    put("c", {}, 100);
    await clock.advance(0);
    expect(starts).toEqual(["a at 0", "b at 0", "c at 0"]);
    await clock.advance(300);
    expect(starts.slice(3)).toEqual(["a at 100", "a at 200"]);
    allFree(manager);
  });

  test("L6 tasks without a key are bounded by the lane alone", async () => {
    const { clock, starts, put } = world({ concurrency: 3, perKey: { concurrency: 1 } });
    for (let n = 0; n < 4; n++) put(undefined, {}, 100);
    await clock.advance(0);
    expect(starts).toHaveLength(3);
  });

  test("L2 L6 a waiting task lends the slot of its key, and comes back only when its key has one", async () => {
    const { clock, manager, starts, put } = world({ concurrency: 9, perKey: { concurrency: 1 } });
    const back: number[] = [];
    manager.spawn(
      async (ctx) => {
        await ctx.sleep(50);
        back.push(clock.now());
      },
      { lane: "web", laneKey: "a" },
    );
    put("a", {}, 100);
    await clock.advance(60);
    expect([starts, back]).toEqual([["a at 0"], []]);
    await clock.advance(40);
    expect(back).toEqual([100]);
  });

  test("L8 every way out of a slot gives the key's back too", async () => {
    const { clock, manager, starts, put } = world({ concurrency: 9, perKey: { concurrency: 1 } });
    void put("a").cancel();
    manager.spawn(() => Promise.reject(new Error("no")), { lane: "web", laneKey: "a" });
    manager.spawn(() => new Promise(() => {}), { lane: "web", laneKey: "a", timeoutMs: 10, graceMs: 10 });
    await clock.advance(30);
    put("a");
    await settled();
    expect(starts).toEqual(["a at 30"]);
    allFree(manager);
  });
});

describe("rate of a key", () => {
  test("L6 L7 each key has its own window; the lane's window is over all of them", async () => {
    const { clock, starts, put } = world({
      concurrency: 99,
      rate: { limit: 5, periodMs: 1_000 },
      perKey: { rate: { limit: 1, periodMs: 400 } },
    });
    for (let n = 0; n < 3; n++) for (const key of ["a", "b", "c"]) put(key);
    await clock.advance(2_000);
    expect(starts).toEqual([
      ...["a at 0", "b at 0", "c at 0", "a at 400", "b at 400"],
      ...["c at 1000", "a at 1000", "b at 1000", "c at 1400"],
    ]);
  });

  test("L6 with a full line a start of a key that has room goes at once, and one of a key at its bound is refused", async () => {
    const { clock, starts, put } = world({ concurrency: 9, perKey: { concurrency: 1 } }, { maxQueued: 1 });
    put("a", {}, 100);
    put("a");
    expect(() => put("a")).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
    put("b");
    await clock.advance(0);
    expect(starts).toEqual(["a at 0", "b at 0"]);
  });
});

/** What stands in a line, and counts how often it is looked at. */
class Item implements Slotted {
  readonly account = undefined;
  rank = 0;
  order = 0;
  place = -1;
  holdsSlot = false;
  readonly isResume = false;
  readonly weight = undefined;
  start: Start | undefined;
  readonly #key: string;
  static looks = 0;

  constructor(key: string) {
    this.#key = key;
  }
  get laneKey(): string {
    Item.looks++;
    return this.#key;
  }
}

describe("many keys", () => {
  test("L6 a start costs the same beside any number of keys that are at their bound", () => {
    const looksBeside = (keys: number): number => {
      const clock = new Timekeeper(manualClock());
      const options = { concurrency: 1_000_000, perKey: { concurrency: 1 } };
      const lane = new Lane<Item>("web", options, 0, clock);
      const slots = new Slots<Item>(1_000_000, [lane], { granted: () => undefined, placeFreed: () => undefined });
      for (let n = 0; n < keys; n++) for (const _ of ["runs", "waits"]) slots.enter(lane, new Item(`key ${n}`), 0);
      expect([lane.held, lane.queue.starts]).toEqual([keys, keys]);
      const [runs, waits] = [new Item("other"), new Item("other")];
      Item.looks = 0;
      slots.enter(lane, runs, 0);
      slots.enter(lane, waits, 0);
      slots.release(lane, runs);
      expect(waits.holdsSlot).toBe(true);
      return Item.looks;
    };
    expect(looksBeside(100_000)).toBeLessThanOrEqual(looksBeside(10));
  });

  test("L6 a key is forgotten once it holds nothing and its window is empty, however many there were", async () => {
    const clock = manualClock();
    const lane = new Lane<Item>(
      "web",
      { concurrency: 9, perKey: { rate: { limit: 1, periodMs: 1_000 } } },
      0,
      new Timekeeper(clock),
    );
    const granted = (item: Item) => lane.started(item);
    const slots = new Slots<Item>(9, [lane], { granted, placeFreed: () => undefined });
    const pass = (key: string) => {
      const item = new Item(key);
      slots.enter(lane, item, 0);
      slots.release(lane, item);
    };
    for (let n = 0; n < 1_000; n++) pass(`key ${n}`);
    expect(lane.keys.size).toBe(1_000);
    for (let round = 1; round <= 5; round++) {
      await clock.advance(1_000);
      // Each start forgets more keys than it makes.
      for (let n = 0; n < 500; n++) pass(`key ${n} of round ${round}`);
    }
    expect(lane.keys.size).toBe(500);
  });
});
