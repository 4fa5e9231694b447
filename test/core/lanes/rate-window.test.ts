// The window of a rate, strictly: it slides over real starts, from start to start (L7).
//
// The situations are those in which a limiter is usually wrong: at the edge of a period, after an idle time, with a busy thread, with tasks that
// never start, with time that is set.

import { TaskManager } from "errand";
import { countedIds, manualClock, simulate } from "errand/testing";
import { describe, expect, test } from "vitest";
import { allFree, settled } from "../../support/basics.js";
import { HeldStore } from "../../support/held-store.js";

function world(limit: number, periodMs: number, concurrency = 1_000) {
  const clock = manualClock(1_000_000);
  const retention = { ttlMs: Number.POSITIVE_INFINITY };
  const lanes = { api: { concurrency, rate: { limit, periodMs } } };
  const manager = new TaskManager({ clock, ids: countedIds(), retention, lanes });
  const starts: number[] = [];
  const put = (count = 1) => {
    for (let n = 0; n < count; n++)
      manager.spawn(() => void starts.push(clock.monotonic()), { lane: "api", root: true });
  };
  return { clock, manager, starts, put };
}

/** How many starts are at each instant. */
function counts(starts: readonly number[]): { readonly [at: number]: number } {
  const found: { [at: number]: number } = {};
  for (const at of starts) found[at] = (found[at] ?? 0) + 1;
  return found;
}

describe("how many start when", () => {
  test("L7 all that the limit allows start together, and a backlog starts by whole limits, none late", async () => {
    const { clock, manager, starts, put } = world(100, 1_000);
    put(350);
    await clock.advance(0);
    expect(counts(starts)).toEqual({ 0: 100 });
    await clock.advance(3_000);
    expect(counts(starts)).toEqual({ 0: 100, 1_000: 100, 2_000: 100, 3_000: 50 });
    allFree(manager);
  });

  test("L7 no burst forms at the edge of a period: what started late in one counts in the next", async () => {
    const { clock, starts, put } = world(3, 1_000);
    put(1);
    await clock.advance(900);
    put(5);
    await clock.advance(99);
    expect(starts).toEqual([0, 900, 900]);
    await clock.advance(1);
    expect(starts).toEqual([0, 900, 900, 1_000]);
    await clock.advance(900);
    expect(starts).toEqual([0, 900, 900, 1_000, 1_900, 1_900]);
  });

  test("L7 an idle time saves up nothing, and costs nothing", async () => {
    const { clock, starts, put } = world(2, 1_000);
    await clock.advance(10_000);
    put(3);
    await clock.advance(1_000);
    expect(starts).toEqual([10_000, 10_000, 11_000]);
  });

  test("L7 a spawn in the middle of a period waits for the start that leaves the window, and no longer", async () => {
    const { clock, starts, put } = world(1, 1_000);
    put(1);
    await clock.advance(700);
    put(1);
    await clock.advance(300);
    expect(starts).toEqual([0, 1_000]);
  });

  test("L7 the period may be longer than a platform timer", async () => {
    const monthMs = 30 * 24 * 60 * 60 * 1_000;
    const { clock, starts, put } = world(1, monthMs);
    put(2);
    await clock.advance(monthMs - 1);
    expect(starts).toEqual([0]);
    await clock.advance(1);
    expect(starts).toEqual([0, monthMs]);
  });

  test("L7 tasks that spawn more tasks while the window is full make no more starts than it allows", async () => {
    const { clock, manager, starts } = world(2, 1_000);
    const chain = (left: number): void => {
      starts.push(clock.monotonic());
      if (left > 0) manager.spawn(() => chain(left - 1), { lane: "api", root: true });
    };
    manager.spawn(() => chain(5), { lane: "api" });
    await clock.advance(2_000);
    expect(starts).toEqual([0, 0, 1_000, 1_000, 2_000, 2_000]);
  });

  test("L7 a lane with fewer slots than its limit starts what the slots allow, and no period sees more than the limit", async () => {
    const { clock, manager } = world(3, 1_000, 1);
    const starts: number[] = [];
    for (let n = 0; n < 6; n++)
      manager.spawn(
        async () => {
          starts.push(clock.monotonic());
          await clock.sleep(200);
        },
        { lane: "api" },
      );
    await clock.advance(2_000);
    expect(starts).toEqual([0, 200, 400, 1_000, 1_200, 1_400]);
  });
});

describe("what counts", () => {
  test("L7 the start of the function counts, not the grant: a commit that is late moves the window", async () => {
    const clock = manualClock();
    const store = new HeldStore();
    const lanes = { api: { concurrency: 9, rate: { limit: 1, periodMs: 1_000 } } };
    const manager = await TaskManager.open({ clock, store, lanes, retention: { ttlMs: Number.POSITIVE_INFINITY } });
    const starts: number[] = [];
    const put = () => manager.spawn(() => void starts.push(clock.monotonic()), { lane: "api" });
    store.hold();
    put();
    put();
    await clock.advance(700);
    expect(starts).toEqual([]);
    store.isOpen = true;
    store.release();
    await settled();
    expect(starts).toEqual([700]);
    await clock.advance(999);
    expect(starts).toEqual([700]);
    await clock.advance(1);
    expect(starts).toEqual([700, 1_700]);
    await manager.close();
  });

  test("L7 any number of tasks that are cancelled before their start take nothing", async () => {
    const { clock, manager, starts, put } = world(5, 2_000);
    for (let n = 0; n < 20; n++) {
      void manager.spawn(() => void starts.push(-1), { lane: "api" }).cancel();
      await clock.advance(1);
    }
    put(6);
    await clock.advance(0);
    expect(starts).toEqual([20, 20, 20, 20, 20]);
  });

  test("L7 C7 a wall clock that is set back, or forward, moves no window", async () => {
    const { clock, starts, put } = world(1, 1_000);
    put(3);
    await clock.advance(0);
    await clock.setNow(clock.now() - 3_600_000);
    await clock.advance(1_000);
    expect(starts).toEqual([0, 1_000]);
    await clock.setNow(clock.now() + 7_200_000);
    await clock.advance(999);
    expect(starts).toEqual([0, 1_000]);
    await clock.advance(1);
    expect(starts).toEqual([0, 1_000, 2_000]);
  });

  test("L7 pausing and resuming in the middle of a period forgets no start, and loses none", async () => {
    const { clock, manager, starts, put } = world(2, 1_000);
    put(5);
    await clock.advance(400);
    manager.pause("api");
    await clock.advance(1_100);
    expect(starts).toEqual([0, 0]);
    manager.resume("api");
    await clock.advance(0);
    expect(starts).toEqual([0, 0, 1_500, 1_500]);
    await clock.advance(999);
    expect(starts).toHaveLength(4);
    await clock.advance(1);
    expect(starts).toEqual([0, 0, 1_500, 1_500, 2_500]);
  });

  test("L7 many pauses, cancels and spawns leave one timer, and no warning of listeners (C5)", async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error) => void warnings.push(warning);
    process.on("warning", hear);
    const { clock, manager } = world(1, 60_000);
    manager.spawn(() => undefined, { lane: "api" });
    for (let n = 0; n < 50; n++) {
      const task = manager.spawn(() => undefined, { lane: "api" });
      manager.pause();
      await clock.advance(1);
      void task.cancel();
      manager.resume();
    }
    await settled();
    process.off("warning", hear);
    expect([warnings, clock.nextAt]).toEqual([[], undefined]);
  });
});

describe("several windows", () => {
  test("L7 every window must have room", async () => {
    const clock = manualClock();
    const rate = [
      { limit: 2, periodMs: 100 },
      { limit: 3, periodMs: 1_000 },
    ];
    const retention = { ttlMs: Number.POSITIVE_INFINITY };
    const manager = new TaskManager({ clock, retention, lanes: { api: { concurrency: 9, rate } } });
    const starts: number[] = [];
    for (let n = 0; n < 7; n++) manager.spawn(() => void starts.push(clock.now()), { lane: "api" });
    await clock.advance(3_000);
    expect(starts).toEqual([0, 0, 100, 1_000, 1_000, 1_100, 2_000]);
  });
});

describe("virtual time", () => {
  test("L7 a simulation has the rate too, and a stuck one says that a task waits for it", async () => {
    const lanes = { api: { concurrency: 5, rate: { limit: 1, periodMs: 1_000 } } };
    const starts = await simulate(
      async ({ manager, clock }) => {
        const at: number[] = [];
        await manager.awaitTasks([1, 2, 3].map(() => manager.spawn(() => void at.push(clock.now()), { lane: "api" })));
        return at;
      },
      { lanes },
    );
    expect(starts).toEqual([0, 1_000, 2_000]);
    const late = simulate(
      ({ manager }) => manager.awaitTasks([1, 2, 3].map(() => manager.spawn(() => undefined, { lane: "api" }))),
      { lanes, maxMs: 500 },
    );
    await expect(late).rejects.toThrow("is in line in the lane api and waits for its rate, until 1000");
  });
});

test("L7 no start is forgotten when time passes between two readings of the clock", async () => {
  for (const step of [0.3, 0.7, 1, 3, 6.5, 9.9]) {
    let time = 0;
    const timers: { readonly at: number; readonly fn: () => void }[] = [];
    const clock = {
      now: () => Math.floor(time),
      // Each reading is later than the one before, so the rate may allow a start that it has just refused.
      monotonic: () => (time += step),
      setTimeout: (fn: () => void, ms: number) => {
        const timer = { at: time + ms, fn };
        timers.push(timer);
        return timer;
      },
      clearTimeout: (timer: unknown) => {
        const index = timers.findIndex((each) => each === timer);
        if (index >= 0) timers.splice(index, 1);
      },
    };
    const manager = new TaskManager({ clock, lanes: { slow: { rate: { limit: 1, periodMs: 20 } } } });
    const tasks = Array.from({ length: 8 }, () => manager.spawn(() => 1, { lane: "slow" }));
    for (let rings = 0; rings < 200 && manager.stats().queued > 0; rings++) {
      await settled();
      timers.sort((a, b) => a.at - b.at);
      // The far timers are those of retention.
      const [next] = timers;
      if (next === undefined || next.at > time + 1_000) break;
      timers.shift();
      time = Math.max(time, next.at);
      next.fn();
    }
    await settled();
    expect([step, tasks.map(({ status }) => status)]).toEqual([step, tasks.map(() => "succeeded")]);
    await manager.close();
  }
});
