// A task that waits for its rate, as its record, stats(), the view and the tools describe it (L7).

import { type SpawnOptions, TaskManager } from "errand";
import { countedIds, manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";

const BEGIN = Date.UTC(2030, 0, 1);

function world() {
  const clock = manualClock(BEGIN);
  const retention = { ttlMs: Number.POSITIVE_INFINITY };
  const rate = { limit: 1, periodMs: 60_000 };
  const lanes = {
    api: { concurrency: 9, rate },
    web: { concurrency: 9, perKey: { rate } },
    free: { concurrency: 1 },
  };
  const manager = new TaskManager({ clock, ids: countedIds(), retention, lanes });
  const session = manager.session("chat");
  const put = (lane: string, options: SpawnOptions = {}) => session.spawn(() => undefined, { lane, ...options });
  return { clock, manager, session, put };
}

describe("a task that waits for its rate", () => {
  test("L7 says so in its record, and until when; one that waits for a slot does not", async () => {
    const { clock, manager, put } = world();
    put("api");
    const held = put("api");
    manager.spawn((ctx) => ctx.cancelled(), { lane: "free" });
    const inLine = put("free");
    await settled();
    expect(held.record).toMatchObject({ status: "queued", blockedOn: [{ on: "rate", untilAt: BEGIN + 60_000 }] });
    expect(inLine.record).toMatchObject({ status: "queued", blockedOn: [] });
    // The view stays the same until something changes.
    await clock.advance(1_000);
    expect(held.record).toBe(held.record);
    await clock.advance(59_000);
    expect(held.record).toMatchObject({ status: "succeeded", blockedOn: [] });
  });

  test("L6 L7 says it of the key that is held back, and of no other", async () => {
    const { clock, put } = world();
    put("web", { laneKey: "a" });
    await clock.advance(10_000);
    const [a, b] = [put("web", { laneKey: "a" }), put("web", { laneKey: "b" })];
    const b2 = put("web", { laneKey: "b" });
    await settled();
    expect([a.record.blockedOn, b.status, b2.record.blockedOn]).toEqual([
      [{ on: "rate", untilAt: BEGIN + 60_000 }],
      "succeeded",
      [{ on: "rate", untilAt: BEGIN + 70_000 }],
    ]);
  });

  test("L7 stats() says what each window counts, how many wait, and until when", async () => {
    const { manager, put } = world();
    const rate = () => manager.stats().lanes["api"]?.rate;
    expect(rate()).toEqual({ windows: [{ unit: "starts", limit: 1, periodMs: 60_000, used: 0 }], waiting: 0 });
    for (let n = 0; n < 3; n++) put("api");
    await settled();
    expect(rate()).toEqual({
      windows: [{ unit: "starts", limit: 1, periodMs: 60_000, used: 1 }],
      waiting: 2,
      nextAt: BEGIN + 60_000,
    });
    for (const laneKey of ["a", "a", "a", "b", "b"]) put("web", { laneKey });
    await settled();
    expect(manager.stats().lanes["web"]?.rate).toEqual({ windows: [], waiting: 3, nextAt: BEGIN + 60_000 });
    expect(manager.stats().lanes["free"]?.rate).toBeUndefined();
  });

  test("L7 the view says it in words that stay the same, until the lane changes", async () => {
    const { clock, manager, session, put } = world();
    put("api");
    put("api");
    await settled();
    const said = "task_2: queued, waits for the rate of its lane until 2030-01-01T00:01:00.000Z";
    expect(session.view()).toContain(said);
    const before = session.view();
    await clock.advance(30_000);
    expect(session.view()).toBe(before);
    manager.pause("api");
    expect(session.view()).toContain("task_2: queued");
    expect(session.view()).not.toContain("rate");
    manager.resume("api");
    expect(session.view()).toBe(before);
    manager.setLane("api", { rate: { limit: 1, periodMs: 40_000 } });
    expect(session.view()).toContain("until 2030-01-01T00:00:40.000Z");
  });

  test("L7 the tools of a model say it", async () => {
    const { session, put } = world();
    put("api");
    put("api");
    await settled();
    for (const tool of session.tools().filter(({ name }) => name === "list_tasks" || name === "get_task")) {
      const input = tool.name === "get_task" ? { task_id: "task_2" } : {};
      const result = await tool.execute(input, { callId: tool.name });
      expect(JSON.stringify(result)).toContain("waits for the rate of its lane until 2030-01-01T00:01:00.000Z");
    }
  });
});

describe("the numbers of stats()", () => {
  test("L6 `queued` is the sum of the lanes': tasks in line; every living task is in one number", async () => {
    const { clock, manager, put } = world();
    manager.spawn((ctx) => ctx.cancelled(), { lane: "free" });
    manager.spawn((ctx) => ctx.sleep(1_000), { lane: "default" });
    const retry = { maxAttempts: 2, backoffMs: 500, jitter: false };
    manager.spawn(() => Promise.reject(new Error("no")), { retry });
    await settled();
    put("free");
    for (let n = 0; n < 3; n++) put("api");
    const { queued, starting, retrying, running, blocked, lanes } = manager.stats();
    const inLine = Object.values(lanes).reduce((sum, lane) => sum + lane.queued, 0);
    expect([queued, inLine, starting, retrying, running, blocked]).toEqual([3, 3, 1, 1, 1, 1]);
    const living = manager.list({ status: ["queued", "running", "blocked"] }).length;
    expect(queued + starting + retrying + running + blocked).toBe(living);
    await clock.advance(500);
    expect(manager.stats()).toMatchObject({ queued: 3, starting: 0, retrying: 0 });
  });

  test("L6 are whole in JSON, also of a lane without a limit", async () => {
    const lanes = {
      free: { concurrency: Infinity, rate: { limit: Infinity, periodMs: 1_000 } },
      api: { concurrency: 2 },
    };
    for (const options of [{}, { lanes }, { concurrency: 3, lanes }]) {
      const manager = new TaskManager(options);
      const stats = manager.stats();
      expect(JSON.parse(JSON.stringify(stats))).toEqual(stats);
      expect(JSON.stringify(stats)).not.toContain("null");
      await manager.close();
    }
  });
});
