// A window over a restart: it is filled from the starts that the store has, and a weight survives (L7, D2, D9).

import path from "node:path";
import { defineKind, TaskManager, type TaskManagerOptions, type TaskStore } from "errand";
import { fileStore } from "errand/stores/file";
import { sqlite, sqlStore } from "errand/stores/sql";
import { manualClock, memoryStore } from "errand/testing";
import Database from "libsql";
import { describe, expect, onTestFinished, test } from "vitest";
import { settled } from "../../support/basics.js";
import { place } from "../../support/place.js";
import { deaf } from "../../support/program.js";
import { compacted, durable, type Process, started } from "../../support/restarts.js";

const PERIOD_MS = 60_000;
const lanes = (limit: number, unit?: string) => ({
  api: { concurrency: 99, rate: { limit, periodMs: PERIOD_MS, ...(unit === undefined ? {} : { unit }) } },
});
const forever = { ttlMs: Number.POSITIVE_INFINITY };

/** How many of these tasks have started. */
async function put({ manager }: Process, count: number, options = {}): Promise<() => number> {
  let ran = 0;
  for (let n = 0; n < count; n++) manager.spawn(() => void ran++, { lane: "api", ...options });
  await settled();
  return () => ran;
}

describe.each([
  ["the journal alone", async () => undefined],
  ["a snapshot", compacted],
] as const)("from %s", (_, prepare) => {
  test("L7 the starts of the process before count until they leave the window, and no longer", async () => {
    const options = { lanes: lanes(3), retention: forever };
    const first = await started(options);
    await put(first, 2);
    await first.pass(10_000);
    await prepare(first);
    const next = await first.restart(options, 20_000);
    const ran = await put(next, 4);
    expect([ran(), next.manager.stats().lanes["api"]?.rate?.windows[0]?.used]).toEqual([1, 3]);
    const early = 60_000 - (next.clock.now() - 1_000);
    await next.pass(early - 1);
    expect(ran()).toBe(1);
    await next.pass(1);
    expect(ran()).toBe(3);
    await next.pass(PERIOD_MS);
    expect(ran()).toBe(4);
  });

  test("L6 L7 so do those of each key", async () => {
    const web = { concurrency: 99, perKey: { rate: { limit: 1, periodMs: PERIOD_MS } } };
    const options = { lanes: { api: web }, retention: forever };
    const first = await started(options);
    await put(first, 1, { laneKey: "a" });
    await prepare(first);
    const next = await first.restart(options, 20_000);
    const [a, b] = [await put(next, 1, { laneKey: "a" }), await put(next, 1, { laneKey: "b" })];
    expect([a(), b()]).toEqual([0, 1]);
    await next.pass(PERIOD_MS);
    expect([a(), b()]).toEqual([1, 1]);
  });

  test("L7 what was reported counts in place of what was expected, also of a task that still ran", async () => {
    const options = { lanes: lanes(1_000, "tokens"), retention: forever };
    const first = await started(options);
    const running = first.manager.spawn(
      async (ctx) => {
        ctx.reportUsage({ inputTokens: 100 });
        await ctx.receive();
        ctx.reportUsage({ inputTokens: 200 });
        await ctx.cancelled();
      },
      { lane: "api", weight: { tokens: 900 } },
    );
    await settled();
    await prepare(first);
    await running.send("go on");
    await settled();
    const next = await first.restart(options, 1_000);
    expect(next.manager.stats().lanes["api"]?.rate?.windows[0]?.used).toBe(300);
  });

  test("D4 L7 an attempt that goes on is a start too, and weighs what its spawn said", async () => {
    const kind = durable((ctx) => ctx.cancelled());
    const options: TaskManagerOptions = { kinds: [kind], lanes: lanes(1_000, "tokens"), retention: forever };
    const first = await started(options);
    const task = first.manager.spawn(kind, { input: undefined, lane: "api", weight: { tokens: 600 } });
    await settled();
    await prepare(first);
    const next = await first.restart(options, 10_000);
    await settled();
    const again = next.manager.get(task.id);
    expect(again?.record).toMatchObject({ status: "queued", attempt: 2, weight: { tokens: 600 } });
    expect(again?.record.blockedOn).toEqual([{ on: "rate", untilAt: 1_000 + PERIOD_MS }]);
    await next.pass(PERIOD_MS);
    expect(again?.status).toBe("running");
  });

  test("L7 a record in the store says nothing of a wait that only time ends", async () => {
    const kind = durable(() => "done");
    const options = { kinds: [kind], lanes: lanes(1), retention: forever };
    const first = await started(options);
    const tasks = [1, 2].map(() => first.manager.spawn(kind, { input: undefined, lane: "api" }));
    await settled();
    expect(tasks[1]?.record.blockedOn).toHaveLength(1);
    await prepare(first);
    const next = await first.restart({ ...options, lanes: { api: { concurrency: 9 } } }, 1_000);
    await settled();
    expect(await next.manager.get(tasks[1]?.id ?? "")?.result()).toBe("done");
  });
});

describe("what a restart cannot know", () => {
  test("C7 L7 a wall clock that is behind the last start makes the window wait for a period, and not for longer", async () => {
    const options = { lanes: lanes(1), retention: forever };
    const first = await started(options, undefined, 5_000_000);
    await put(first, 1);
    const next = await first.restart(options, -3_600_000);
    const ran = await put(next, 1);
    await next.pass(PERIOD_MS - 1);
    expect(ran()).toBe(0);
    await next.pass(1);
    expect(ran()).toBe(1);
  });

  test("L7 a lane that has no rate any more, or is gone, is no hindrance", async () => {
    const first = await started({ lanes: lanes(1), retention: forever });
    await put(first, 1);
    await compacted(first);
    const next = await first.restart({ lanes: { api: { concurrency: 1 } }, retention: forever });
    expect((await put(next, 5))()).toBe(5);
    await next.restart({ retention: forever });
  });

  test("L7 starts that the retention has evicted count all the same", async () => {
    const options = { lanes: lanes(3), retention: { maxFinished: 0 } };
    const first = await started(options);
    await put(first, 3);
    await compacted(first);
    const next = await first.restart(options);
    expect((await put(next, 1))()).toBe(0);
  });
});

test("L7 D4 a start counts when its function is called, also where it is stored before", async () => {
  const calls: number[] = [];
  let process: Process;
  const kind = durable(() => {
    calls.push(process.clock.now());
    return deaf();
  });
  const options = { kinds: [kind], lanes: { api: { concurrency: 9, rate: { limit: 1, periodMs: 300 } } } };
  process = await started(options);
  for (const id of ["a", "b"]) process.manager.spawn(kind, { id, lane: "api" });
  await process.pass(300);
  process = await process.restart(options, 10_000);
  process.store.hold();
  calls.length = 0;
  const openedAt = process.clock.now();
  await settled();
  await process.pass(250);
  expect(calls).toEqual([]);
  process.store.release();
  process.store.isOpen = true;
  await process.pass(0);
  expect(calls).toEqual([openedAt + 250]);
  await process.pass(299);
  expect(calls).toHaveLength(1);
  await process.pass(1);
  expect(calls).toEqual([openedAt + 250, openedAt + 550]);
});

describe("every store", () => {
  async function threeLives(open: () => TaskStore): Promise<number[]> {
    const clock = manualClock(1_000_000);
    const starts: number[] = [];
    for (let life = 0; life < 3; life++) {
      const manager = await TaskManager.open({ store: open(), clock, lanes: lanes(3), retention: forever });
      for (let n = 0; n < 2; n++) manager.spawn(() => void starts.push(clock.monotonic()), { lane: "api" });
      while (manager.stats().starting > 0) await settled();
      // Within its grace the store takes the starts, however slow the disk is.
      await manager.close();
      await clock.advance(1_000);
    }
    return starts;
  }

  test("L7 a process that is closed and opened again makes no more starts: memoryStore", async () => {
    const store = memoryStore();
    expect(await threeLives(() => store)).toHaveLength(3);
  });

  test("L7 a process that is closed and opened again makes no more starts: fileStore", async () => {
    const directory = await place();
    expect(await threeLives(() => fileStore(directory))).toHaveLength(3);
  });

  test("D9 L7 a process that takes over a journal of a SQL store counts the starts in it", async () => {
    const file = path.join(await place(), "errand.db");
    const open = () => {
      const database = new Database(file);
      database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
      onTestFinished(() => void database.close());
      return sqlStore({ connection: sqlite(database), leaseMs: 300 });
    };
    const kind = defineKind({ name: "call", run: () => "called" });
    const first = await TaskManager.open({ store: open(), kinds: [kind], lanes: lanes(2) });
    await Promise.all([first.spawn(kind, { lane: "api" }).result(), first.spawn(kind, { lane: "api" }).result()]);
    await first.close();
    const next = await TaskManager.open({ store: open(), kinds: [kind], lanes: lanes(2) });
    const task = next.spawn(kind, { lane: "api" });
    await settled();
    expect(task.record).toMatchObject({ status: "queued", blockedOn: [{ on: "rate" }] });
    await next.close({ graceMs: 0 });
  });
});
