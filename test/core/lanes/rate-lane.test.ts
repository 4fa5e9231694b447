// The rate of a lane: how many starts a period may see, and that waiting for the rate holds nothing (L7).

import { type SpawnOptions, type TaskHandle, TaskManager, type TaskManagerOptions } from "errand";
import { countedIds, type ManualClock, manualClock } from "errand/testing";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { allFree, deferred, settled, slots } from "../../support/basics.js";

/** The lane `model`, with a rate. */
const gated = (concurrency: number, limit: number, periodMs: number) => ({
  model: { concurrency, rate: { limit, periodMs } },
});

function world(options: Omit<TaskManagerOptions, "clock" | "ids">) {
  const clock = manualClock(1_000_000);
  const retention = { ttlMs: Number.POSITIVE_INFINITY };
  const manager = new TaskManager({ ids: countedIds(), clock, retention, ...options });
  const startedAt = new Map<string, number>();
  const begunAt = clock.now();
  const put = (name: string, spawn: SpawnOptions = {}): TaskHandle<void> =>
    manager.spawn(() => void startedAt.set(name, clock.now() - begunAt), { lane: "model", ...spawn });
  const advance = (ms: number): Promise<void> => clock.advance(ms);
  return {
    manager,
    clock,
    advance,
    startedAt,
    put,
    times: () => [...startedAt.values()],
    order: () => [...startedAt.keys()],
  };
}

const timers = (clock: ManualClock): number => (clock.nextAt === undefined ? 0 : 1);

/** The most starts that any half-open window of `periodMs` saw. */
function densest(times: readonly number[], periodMs: number): number {
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + periodMs).length));
}

describe("how many start", () => {
  test("L7 at most `limit` tasks start in a period, and all of them in the end", async () => {
    const { manager, put, times, advance } = world({ lanes: gated(10, 2, 1_000) });
    for (let index = 0; index < 7; index += 1) put(`t${index}`);
    await settled();
    expect(times()).toEqual([0, 0]);
    await advance(999);
    expect(times()).toHaveLength(2);
    await advance(3_000);
    expect(times()).toEqual([0, 0, 1_000, 1_000, 2_000, 2_000, 3_000]);
    allFree(manager);
  });

  test("L7 the period slides: no window of that length sees more, wherever it begins", async () => {
    const { manager, put, times, advance } = world({ lanes: gated(10, 3, 1_000) });
    let count = 0;
    for (const pause of [0, 900, 50, 30, 400, 100, 700, 5, 990, 10, 0, 1_500, 999]) {
      await advance(pause);
      for (let index = 0; index < 2; index += 1) put(`t${(count += 1)}`);
    }
    await advance(30_000);
    expect(times()).toHaveLength(count);
    expect(densest(times(), 1_000)).toBe(3);
    allFree(manager);
  });

  test("L7 an idle lane saves up no tokens beyond its limit", async () => {
    const { put, times, advance } = world({ lanes: gated(10, 2, 1_000) });
    put("early");
    await advance(60_000);
    for (let index = 0; index < 5; index += 1) put(`late${index}`);
    await advance(3_000);
    expect(times().slice(1)).toEqual([60_000, 60_000, 61_000, 61_000, 62_000]);
  });

  test("L7 a token is taken only while a slot is free: none is hoarded behind a busy lane", async () => {
    const { manager, put, times, advance } = world({ lanes: gated(1, 2, 1_000) });
    const gate = deferred();
    manager.spawn(() => gate.promise, { lane: "model" });
    for (let index = 0; index < 5; index += 1) put(`t${index}`);
    await advance(10_000);
    expect(times()).toEqual([]);
    gate.resolve();
    await advance(4_000);
    expect(times()).toEqual([10_000, 10_000, 11_000, 11_000, 12_000]);
    allFree(manager);
  });

  test("L7 lanes without a rate are not held up", async () => {
    const { manager, put, times, advance } = world({
      lanes: { model: { concurrency: 9, rate: { limit: 1, periodMs: 1_000 } }, free: { concurrency: 9 } },
    });
    put("gated");
    put("gated too");
    for (let index = 0; index < 5; index += 1) put(`free${index}`, { lane: "free" });
    await settled();
    expect(times()).toEqual([0, 0, 0, 0, 0, 0]);
    await advance(1_000);
    expect(times().at(-1)).toBe(1_000);
    allFree(manager);
  });

  test("L7 two lanes with a rate count apart", async () => {
    const rate = { limit: 1, periodMs: 1_000 };
    const { put, times } = world({ lanes: { model: { concurrency: 9, rate }, other: { concurrency: 9, rate } } });
    put("a");
    put("b", { lane: "other" });
    await settled();
    expect(times()).toEqual([0, 0]);
  });
});

describe("what takes no token", () => {
  test("L7 a resume takes none", async () => {
    const { manager, startedAt, put, clock, advance } = world({ lanes: gated(1, 1, 60_000) });
    const begunAt = clock.now();
    const looper = manager.spawn(
      async (ctx) => {
        for (let index = 0; index < 20; index += 1) await ctx.sleep(10);
        return clock.now() - begunAt;
      },
      { lane: "model" },
    );
    await advance(300);
    await expect(looper.result()).resolves.toBe(200);
    put("next");
    await advance(59_000);
    expect(startedAt.get("next")).toBeUndefined();
    await advance(1_000);
    expect(startedAt.get("next")).toBe(60_000);
    allFree(manager);
  });

  test("L7 a resume passes those who wait for a token", async () => {
    const { manager, put, times, advance } = world({ lanes: gated(1, 1, 60_000) });
    const sleeper = manager.spawn((ctx) => ctx.sleep(500), { lane: "model" });
    await settled();
    put("waits for a token", { priority: 100 });
    await advance(500);
    expect(sleeper.status).toBe("succeeded");
    expect(times()).toEqual([]);
  });
});

describe("what takes one", () => {
  test("L7 each attempt: a retry starts anew, as another request of the provider would", async () => {
    const { manager, clock, advance } = world({ lanes: gated(10, 1, 1_000) });
    const begunAt = clock.now();
    const starts: [number, number][] = [];
    const flaky = manager.spawn(
      (ctx) => {
        starts.push([ctx.attempt, clock.now() - begunAt]);
        if (ctx.attempt < 3) throw new Error("once more");
      },
      { lane: "model", retry: { maxAttempts: 3, backoffMs: 100, factor: 1, jitter: false } },
    );
    await settled();
    expect(starts).toEqual([[1, 0]]);
    // Its pause is over at 100, its token is there at 1 000.
    await advance(999);
    expect([starts.length, flaky.status, slots(manager, "model").held]).toEqual([1, "queued", 0]);
    await advance(1);
    await advance(1_000);
    expect([starts, flaky.status]).toEqual([
      [
        [1, 0],
        [2, 1_000],
        [3, 2_000],
      ],
      "succeeded",
    ]);
  });

  test("L4 L7 a retry and those that stand in line share the tokens: no period sees more starts than its limit", async () => {
    const { manager, put, times, clock, advance } = world({ lanes: gated(10, 2, 1_000) });
    const begunAt = clock.now();
    const retried: number[] = [];
    for (let index = 0; index < 3; index += 1) {
      manager.spawn(
        (ctx) => {
          retried.push(clock.now() - begunAt);
          if (ctx.attempt === 1) throw new Error("once more");
        },
        { lane: "model", retry: { maxAttempts: 2, backoffMs: 10 } },
      );
      put(`t${index}`);
    }
    for (let second = 0; second < 8; second += 1) await advance(1_000);
    expect([times().length, retried.length]).toEqual([3, 6]);
    expect(densest([...times(), ...retried], 1_000)).toBe(2);
    allFree(manager);
  });

  test("L7 a retry that is cancelled in its pause, or while it waits for its token, owes none and leaves no timer", async () => {
    const { manager, put, times, clock, advance } = world({ lanes: gated(10, 1, 1_000) });
    const fail = (): never => {
      throw new Error("once more");
    };
    const retry = { maxAttempts: 2, backoffMs: 300, jitter: false };
    const inPause = manager.spawn(fail, { lane: "model", retry });
    await advance(100);
    await inPause.cancel();
    expect(timers(clock)).toBe(0);
    await advance(900);
    const inLine = manager.spawn(fail, { lane: "model", retry });
    await advance(500);
    expect(inLine.record).toMatchObject({ status: "queued", attempt: 2 });
    await inLine.cancel();
    expect(timers(clock)).toBe(0);
    put("next");
    await advance(500);
    expect(times()).toEqual([2_000]);
  });
});

describe("waiting for a token", () => {
  test("L7 the gate holds no slot: the one slot of the manager is there for others", async () => {
    const { manager, put, order, advance } = world({
      concurrency: 1,
      lanes: gated(1, 1, 1_000),
    });
    put("first");
    await settled();
    put("waits for a token");
    await settled();
    expect(slots(manager, "model")).toMatchObject({ held: 0, free: 1, queued: 1 });
    const other = manager.spawn(() => "ran", {});
    await settled();
    expect(other.status).toBe("succeeded");
    expect(order()).toEqual(["first"]);
    await advance(1_000);
    expect(order()).toEqual(["first", "waits for a token"]);
    allFree(manager);
  });

  test("L7 a token that comes while the slot is gone starts no task then, and not two later", async () => {
    const { manager, put, order, advance } = world({
      concurrency: 1,
      lanes: gated(1, 1, 1_000),
    });
    const gate = deferred();
    put("first");
    await settled();
    put("second");
    put("third");
    manager.spawn(() => gate.promise);
    await advance(5_500);
    expect(order()).toEqual(["first"]);
    gate.resolve();
    await advance(499);
    expect(order()).toEqual(["first", "second"]);
    await advance(1_000);
    expect(order()).toEqual(["first", "second", "third"]);
    allFree(manager);
  });

  test("L4 L7 a lane with a rate is not starved by lanes that keep the manager's slot busy", async () => {
    const { manager, put, startedAt, clock, advance } = world({ concurrency: 1, lanes: gated(1, 1, 1_000) });
    put("first");
    await settled();
    put("second");
    let over = false;
    // Two of them, so that one is always in line; 73 ms, so that the slot changes hands at no multiple of the period.
    const busy = (): void => {
      manager.spawn(
        async () => {
          await new Promise<void>((resolve) => clock.setTimeout(resolve, 73));
          if (!over) busy();
        },
        { root: true },
      );
    };
    busy();
    busy();
    await advance(30_000);
    expect(startedAt.get("second")).toBeLessThan(30_000);
    over = true;
    await advance(1_000);
    allFree(manager);
  });

  test("L7 one token is asked for at a time: a lane that was looked at often has not used up later ones", async () => {
    const { manager, put, startedAt, advance } = world({ concurrency: 2, lanes: gated(1, 1, 1_000) });
    put("first");
    await settled();
    put("second");
    for (let index = 0; index < 20; index += 1) {
      manager.spawn(() => index);
      await settled(2);
    }
    await advance(2_500);
    put("third");
    await settled();
    expect([startedAt.get("second"), startedAt.get("third")]).toEqual([1_000, 2_500]);
  });

  test("L7 the task that is first when the token comes starts with it", async () => {
    const { put, order, advance } = world({ lanes: gated(1, 1, 1_000) });
    put("first");
    await settled();
    put("plain");
    await advance(500);
    put("urgent", { priority: 10 });
    await advance(500);
    expect(order()).toEqual(["first", "urgent"]);
    await advance(1_000);
    expect(order()).toEqual(["first", "urgent", "plain"]);
  });

  test("L7 a task cancelled while it waits for a token leaves the token to the next", async () => {
    const { manager, put, startedAt, advance } = world({ lanes: gated(1, 1, 1_000) });
    put("first");
    await settled();
    const gone = put("gone");
    put("next");
    await advance(500);
    await expect(gone.cancel()).resolves.toMatchObject({ status: "cancelled" });
    await advance(500);
    expect(startedAt).toEqual(
      new Map([
        ["first", 0],
        ["next", 1_000],
      ]),
    );
    allFree(manager);
  });

  test("L7 a token for which no task is left starts none, and the limit still holds", async () => {
    const { manager, put, times, advance } = world({ lanes: gated(5, 1, 1_000) });
    put("first");
    await settled();
    await Promise.all([put("gone").cancel(), put("gone too").cancel()]);
    await advance(5_000);
    expect(times()).toEqual([0]);
    for (let index = 0; index < 3; index += 1) put(`t${index}`);
    await advance(5_000);
    expect(times()).toHaveLength(4);
    expect(densest(times(), 1_000)).toBe(1);
    allFree(manager);
  });

  test("L7 one who is gone while the only one in line does not cost the next a period", async () => {
    const { put, startedAt, advance } = world({ lanes: gated(1, 1, 1_000) });
    put("first");
    await settled();
    const gone = put("gone");
    await advance(500);
    await gone.cancel();
    put("next");
    await advance(500);
    expect(startedAt.get("next")).toBe(1_000);
  });

  test("L7 a paused lane starts no task when the token comes, and starts when it is resumed", async () => {
    const { manager, put, order, advance } = world({ lanes: gated(1, 1, 1_000) });
    put("first");
    await settled();
    put("second");
    put("third");
    manager.pause("model");
    await advance(10_000);
    expect(order()).toEqual(["first"]);
    manager.resume("model");
    await settled();
    await advance(999);
    expect(order()).toEqual(["first", "second"]);
    await advance(1_000);
    expect(order()).toEqual(["first", "second", "third"]);
    allFree(manager);
  });

  test("L7 L4 keys take turns behind the gate too", async () => {
    const { put, order, advance } = world({ lanes: gated(5, 1, 1_000) });
    put("first");
    await settled();
    for (let index = 0; index < 5; index += 1) put(`a${index}`, { laneKey: "a" });
    put("b0", { laneKey: "b" });
    await advance(2_000);
    expect(order()).toContain("b0");
  });

  test("L7 `close` does not wait for a token, and starts no task later", async () => {
    const { manager, put, times, advance } = world({ lanes: gated(5, 1, 60_000) });
    put("first");
    await settled();
    const waiting = put("waiting");
    await manager.close();
    expect(waiting.status).toBe("interrupted");
    await advance(200_000);
    expect(times()).toEqual([0]);
    allFree(manager);
  });

  test("L7 a function that fails has used its token all the same", async () => {
    const { manager, put, times, advance } = world({ lanes: gated(5, 1, 1_000) });
    const bad = manager.spawn(
      () => {
        throw new Error("no");
      },
      { lane: "model" },
    );
    put("next");
    await advance(999);
    expect(bad.status).toBe("failed");
    expect(times()).toEqual([]);
    await advance(1);
    expect(times()).toEqual([1_000]);
    allFree(manager);
  });
});

describe("no task left to start", () => {
  test("L7 D8 no timer stays when the line is emptied, by cancel, by pause or by close", async () => {
    const { manager, put, times, clock } = world({
      lanes: gated(5, 1, 60_000),
    });
    put("first");
    const second = put("second");
    await settled();
    expect(timers(clock)).toBe(1);
    void second.cancel();
    expect(timers(clock)).toBe(0);
    put("third");
    await settled();
    expect(timers(clock)).toBe(1);
    manager.pause("model");
    expect(timers(clock)).toBe(0);
    manager.resume("model");
    expect(timers(clock)).toBe(1);
    await manager.close();
    expect(timers(clock)).toBe(0);
    expect(times()).toEqual([0]);
  });

  test("L7 no token is asked for when no task could start with it: no timer stays behind a task that waits", async () => {
    const { manager, put, clock } = world({ lanes: gated(5, 1, 60_000) });
    put("first");
    const waiter = manager.spawn((ctx) => ctx.receive(), { root: true });
    await settled();
    void waiter.send("go on");
    await settled();
    expect(waiter.status).toBe("succeeded");
    expect(timers(clock)).toBe(0);
  });

  test("L7 a resume leaves the token that is there to the next start", async () => {
    const { manager, startedAt, put, advance } = world({ concurrency: 1, lanes: gated(5, 1, 1_000) });
    const sleeper = manager.spawn((ctx) => ctx.sleep(1_500), { lane: "model" });
    const left = put("left");
    await advance(500);
    const gate = deferred();
    manager.spawn(() => gate.promise);
    // The token comes while the slot is held, and the one that asked for it leaves.
    await advance(600);
    void left.cancel();
    gate.resolve();
    await advance(500);
    expect(sleeper.status).toBe("succeeded");
    put("next");
    await advance(0);
    expect(startedAt.get("next")).toBe(1_600);
    allFree(manager);
  });

  test("L7 D8 `close` leaves no timer of a token that only `room` asked for", async () => {
    const { manager, put, clock } = world({
      lanes: gated(5, 1, 60_000),
      limits: { maxQueued: 0 },
    });
    put("first");
    const room = manager.room({ lane: "model" });
    await settled();
    expect(timers(clock)).toBe(1);
    await manager.close();
    await expect(room).rejects.toMatchObject({ code: "MANAGER_CLOSED" });
    expect(timers(clock)).toBe(0);
  });

  test("L7 a task that comes after an emptied line waits out the period all the same", async () => {
    const { put, times, advance } = world({ lanes: gated(5, 1, 1_000) });
    put("first");
    await advance(400);
    void put("second").cancel();
    put("third");
    await advance(599);
    expect(times()).toEqual([0]);
    await advance(1);
    expect(times()).toEqual([0, 1_000]);
  });

  test("L7 a start that pause took back has used no token", async () => {
    const { manager, put, times, advance } = world({ lanes: gated(5, 1, 1_000) });
    put("first");
    manager.pause("model");
    await advance(400);
    manager.resume("model");
    put("second");
    await settled();
    expect(times()).toEqual([400]);
    await advance(999);
    expect(times()).toEqual([400]);
    await advance(1_000);
    expect(times()).toHaveLength(2);
    allFree(manager);
  });

  test("L6 L7 with no line a lane with a rate takes a task when it has a token, and `room` tells when", async () => {
    const { manager, put, times, advance } = world({ lanes: gated(5, 1, 1_000), limits: { maxQueued: 0 } });
    put("first");
    expect(() => put("second")).toThrow(expect.objectContaining({ code: "QUEUE_FULL" }));
    const producer = manager.room({ lane: "model" }).then(() => put("second"));
    await advance(999);
    expect(times()).toEqual([0]);
    await advance(1);
    await producer;
    await settled();
    expect(times()).toEqual([0, 1_000]);
    allFree(manager);
  });
});

describe("any load", () => {
  const job = fc.record({
    lane: fc.constantFrom("model", undefined),
    afterMs: fc.integer({ min: 0, max: 700 }),
    workMs: fc.integer({ min: 0, max: 600 }),
    priority: fc.integer({ min: -1, max: 1 }),
    isCancelled: fc.nat(7).map((roll) => roll === 0),
  });

  test("L7 whatever else holds the slots, no period sees more starts than its limit, and all start", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(job, { minLength: 5, maxLength: 25, size: "max" }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 3 }),
        async (jobs, limit, concurrency) => {
          const { manager, clock, advance } = world({ concurrency, lanes: gated(concurrency, limit, 1_000) });
          const starts: number[] = [];
          const handles: TaskHandle<void>[] = [];
          for (const { lane, afterMs, workMs, priority, isCancelled } of jobs) {
            await advance(afterMs);
            const handle = manager.spawn(
              () => {
                if (lane === "model") starts.push(clock.now());
                return new Promise<void>((resolve) => clock.setTimeout(resolve, workMs));
              },
              { lane, priority },
            );
            handles.push(handle);
            if (isCancelled) clock.setTimeout(() => void handle.cancel(), workMs);
          }
          await advance(120_000);
          await settled();
          expect(handles.filter((handle) => handle.record.finishedAt === undefined)).toEqual([]);
          expect(densest(starts, 1_000)).toBeLessThanOrEqual(limit);
          allFree(manager);
        },
      ),
      { numRuns: 60 },
    );
  });
});
