// A monitor on a wall clock that is set, or on a machine that slept (§10, C7): an interval is a duration, a cron
// pattern names instants.

import { TaskManager } from "errand";
import { monitor, type Tick } from "errand/kinds";
import { memoryStore } from "errand/testing";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";
import { clocks, HOUR, settable } from "../../support/set-clock.js";

const MINUTE = 60_000;

describe.each(clocks)("C7 on a wall clock that $which", ({ of, lateMs }) => {
  function watched(every: Parameters<typeof monitor>[0]["every"]) {
    const world = settable(of);
    const ticks: (Tick & { readonly cameAt: number })[] = [];
    const run = (_: unknown, tick: Tick) => void ticks.push({ ...tick, cameAt: world.clock.now() });
    const task = world.manager.spawn(monitor({ every, run }));
    return { ...world, ticks, task };
  }

  test.each([-HOUR, HOUR, -30 * 24 * HOUR])(
    "C7 an interval stands still for no clock that is set by %d ms",
    async (byMs) => {
      const { clock, ticks, pass, set } = watched({ ms: MINUTE });
      await pass(3.5 * MINUTE);
      expect(ticks).toHaveLength(3);
      const before = clock.now();
      await set(byMs);
      await pass(3 * MINUTE);
      expect(ticks.slice(3).map(({ cameAt }) => cameAt - byMs - before)).toEqual([
        0.5 * MINUTE,
        1.5 * MINUTE,
        2.5 * MINUTE,
      ]);
      expect(ticks.map(({ missed }) => missed)).toEqual([0, 0, 0, 0, 0, 0]);
      expect(ticks.map(({ scheduledAt, cameAt }) => scheduledAt - cameAt)).toEqual([0, 0, 0, 0, 0, 0]);
    },
  );

  test("C7 an interval keeps its grid when the clock is corrected by less than a second", async () => {
    const { ticks, pass, set } = watched({ ms: MINUTE });
    await pass(MINUTE);
    await set(-400);
    await pass(2 * MINUTE);
    const [first, second, third] = ticks.map(({ scheduledAt }) => scheduledAt);
    expect([second, third]).toEqual([(first ?? 0) + MINUTE, (first ?? 0) + 2 * MINUTE]);
  });

  test("C7 an interval that waits for a slot while the clock is set counts what it really missed", async () => {
    const { ticks, pass, set, manager } = watched({ ms: MINUTE });
    await pass(MINUTE);
    manager.pause();
    await set(-HOUR);
    await pass(MINUTE);
    expect(ticks).toHaveLength(2);
  });

  test("C7 a cron tick that was due while the machine slept comes at most 30 s after it wakes", async () => {
    const { ticks, pass, set } = watched({ cron: "0 * * * *", timezone: "UTC" });
    await pass(MINUTE);
    await set(2.5 * HOUR);
    await pass(lateMs);
    expect(ticks).toHaveLength(1);
    expect(ticks[0]).toMatchObject({ scheduledAt: Date.parse("2026-06-15T14:00:00Z"), missed: 1 });
    await pass(HOUR);
    expect(ticks.map(({ scheduledAt }) => new Date(scheduledAt).getUTCHours())).toEqual([14, 15]);
  });

  test("C7 a cron tick never comes before its instant, and once for an hour that comes twice", async () => {
    const { ticks, pass, set, clock } = watched({ cron: "0 * * * *", timezone: "UTC" });
    await pass(HOUR);
    expect(ticks).toHaveLength(1);
    await pass(30 * MINUTE);
    await set(-HOUR);
    await pass(HOUR + 30 * MINUTE - 1);
    expect(ticks).toHaveLength(1);
    await pass(1 + MINUTE);
    expect(ticks.map(({ scheduledAt }) => new Date(scheduledAt).getUTCHours())).toEqual([13, 14]);
    expect(ticks.every(({ cameAt, scheduledAt }) => cameAt >= scheduledAt)).toBe(true);
    expect(clock.now()).toBeGreaterThan(Date.parse("2026-06-15T14:00:00Z"));
  });

  test("C7 a clock that was days ahead and is corrected does not silence a cron pattern until then", async () => {
    const { ticks, pass, set } = watched({ cron: "0 * * * *", timezone: "UTC" });
    await pass(1.5 * HOUR);
    expect(ticks).toHaveLength(1);
    await set(-40 * 24 * HOUR);
    await pass(HOUR);
    expect(ticks).toHaveLength(2);
    await pass(HOUR);
    expect(ticks.map(({ missed }) => missed)).toEqual([0, 0, 0]);
  });

  test("C7 a far cron instant is asked for anew when the clock is corrected", async () => {
    const { ticks, pass, set } = watched({ cron: "0 0 1 * *", timezone: "UTC" });
    await pass(MINUTE);
    // From June 15th to May 31st, 23:00.
    await set(Date.parse("2026-05-31T23:00:00Z") - Date.parse("2026-06-15T12:01:00Z"));
    await pass(HOUR + lateMs);
    expect(ticks.map(({ scheduledAt }) => new Date(scheduledAt).toISOString())).toEqual(["2026-06-01T00:00:00.000Z"]);
  });
});

test("C7 an interval goes on within one length after a restart with a clock that was set back meanwhile", async () => {
  const { clock } = settable((each) => each);
  const store = memoryStore();
  const ticks: Tick[] = [];
  const kind = monitor({ every: { ms: MINUTE }, run: (_, tick) => void ticks.push(tick) });
  const first = await TaskManager.open({ store, kinds: [kind], clock });
  first.spawn(kind);
  await settled();
  await clock.advance(3.5 * MINUTE);
  expect(ticks).toHaveLength(3);
  await first.close({ graceMs: 0 });
  await clock.setNow(clock.now() - HOUR);
  const second = await TaskManager.open({ store, kinds: [kind], clock });
  await settled();
  await clock.advance(2 * MINUTE);
  expect(ticks.map(({ count, missed }) => [count, missed])).toEqual([
    [1, 0],
    [2, 0],
    [3, 0],
    [4, 0],
    [5, 0],
  ]);
  await second.close({ graceMs: 0 });
});
