// A monitor by a cron pattern (§10): the instants are those of the pattern, in its timezone, on the manager's clock.

import { TaskManager } from "errand";
import { monitor, type Tick } from "errand/kinds";
import { manualClock } from "errand/testing";
import { describe, expect, test, vi } from "vitest";
import { settled } from "../../support/basics.js";
import { refusalOf } from "../../support/program.js";

const HOUR = 3_600_000;

/** Runs a monitor of `cron` from `from` on, for `hours`. */
async function ticksOf(cron: string, timezone: string | undefined, from: string, hours: number, takesMs = 0) {
  const ticks: Tick[] = [];
  const clock = manualClock(Date.parse(from));
  const manager = new TaskManager({ clock });
  const handle = manager.spawn(
    monitor({
      every: timezone === undefined ? { cron } : { cron, timezone },
      run: async (ctx, tick) => {
        ticks.push(tick);
        if (takesMs > 0) await ctx.sleep(takesMs);
      },
    }),
  );
  await clock.advance(hours * HOUR);
  await settled();
  return { ticks, handle, at: ticks.map(({ scheduledAt }) => new Date(scheduledAt).toISOString()) };
}

describe("§10 a cron pattern", () => {
  test("of five fields ticks by the minute, after the start and never at it", async () => {
    const { ticks, at, handle } = await ticksOf("*/20 * * * *", "UTC", "2026-01-01T12:00:00Z", 1);
    expect(at).toEqual(["2026-01-01T12:20:00.000Z", "2026-01-01T12:40:00.000Z", "2026-01-01T13:00:00.000Z"]);
    expect(ticks[1]).toEqual({
      count: 2,
      scheduledAt: Date.parse(at[1] ?? ""),
      lastAt: Date.parse(at[0] ?? ""),
      missed: 0,
    });
    expect(handle.record.blockedOn).toEqual([{ on: "time", untilAt: Date.parse("2026-01-01T13:20:00Z") }]);
  });

  test("of six fields ticks by the second, also from the middle of one", async () => {
    const { at } = await ticksOf("*/30 * * * * *", "UTC", "2026-01-01T12:00:00.500Z", 1 / 60);
    expect(at).toEqual(["2026-01-01T12:00:30.000Z", "2026-01-01T12:01:00.000Z"]);
  });

  test("is read in its timezone, over a change of daylight saving time", async () => {
    const spring = await ticksOf("0 9 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 72);
    expect(spring.at).toEqual(["2026-03-28T08:00:00.000Z", "2026-03-29T07:00:00.000Z", "2026-03-30T07:00:00.000Z"]);
    const autumn = await ticksOf("0 9 * * *", "America/New_York", "2026-10-31T00:00:00Z", 48);
    expect(autumn.at).toEqual(["2026-10-31T13:00:00.000Z", "2026-11-01T14:00:00.000Z"]);
  });

  test("ticks once in an hour that comes twice, and an hour later when its hour is left out", async () => {
    const left = await ticksOf("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 24);
    expect(left.at).toEqual(["2026-03-29T01:30:00.000Z"]);
    const twice = await ticksOf("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 24);
    expect(twice.at).toEqual(["2026-10-25T00:30:00.000Z"]);
    expect([...left.ticks, ...twice.ticks].every(({ missed }) => missed === 0)).toBe(true);
  });

  test("without a timezone is read in that of the process", async () => {
    const { at } = await ticksOf("0 9 * * *", undefined, "2026-01-01T00:00:00Z", 48);
    const hours = at.map((instant) => new Date(instant).getHours());
    expect(hours.length).toBeGreaterThan(0);
    expect(new Set(hours)).toEqual(new Set([9]));
  });

  test("has what was missed counted, and never made up for", async () => {
    const { ticks, at } = await ticksOf("*/10 * * * *", "UTC", "2026-01-01T12:05:00Z", 1.5, 35 * 60_000);
    expect(at).toEqual(["2026-01-01T12:10:00.000Z", "2026-01-01T12:50:00.000Z", "2026-01-01T13:30:00.000Z"]);
    expect(ticks.map(({ missed }) => missed)).toEqual([0, 3, 3]);
  });

  test("counts no more than 1 000 that were missed, and still ticks for the newest instant", async () => {
    const clock = manualClock(0);
    const manager = new TaskManager({ clock, concurrency: 1 });
    const ticks: Tick[] = [];
    manager.spawn(
      monitor({ every: { cron: "* * * * * *", timezone: "UTC" }, run: (_ctx, tick) => void ticks.push(tick) }),
    );
    await settled();
    const busy = manager.spawn((ctx) => ctx.cancelled());
    await settled();
    await clock.advance(2 * HOUR + 500);
    await busy.cancel();
    await settled();
    expect(ticks).toEqual([{ count: 1, scheduledAt: 2 * HOUR, missed: 1_000 }]);
  });

  test("ends its task, succeeded, with the last instant that it names", async () => {
    const { at, handle } = await ticksOf("0 0 0 1 1 * 2027", "UTC", "2026-12-31T00:00:00Z", 25);
    expect([at, handle.status]).toEqual([["2027-01-01T00:00:00.000Z"], "succeeded"]);
  });

  test.each(["0 0 31 2 *", "0 0 30 2 *", "0 0 0 29 2 * 2023", "0 0 0 1 1 * 1960"])(
    "§12 that no date fits (%s) is refused where it is written",
    async (cron) => {
      const refused = await refusalOf(() => monitor({ every: { cron }, run: () => undefined }));
      expect(refused).toBeInstanceOf(RangeError);
      expect((refused as Error).message).toContain(JSON.stringify(cron));
    },
  );

  test.each(["0 0 0 1 1 * 2020", "2020-01-01T00:00:00"])(
    "§12 whose instants (%s) are all before the start of its task fails it",
    async (cron) => {
      const { ticks, handle } = await ticksOf(cron, "UTC", "2026-01-01T00:00:00Z", 0);
      expect([ticks, handle.status]).toEqual([[], "failed"]);
      expect(await handle.outcome()).toMatchObject({
        error: { code: "error", message: expect.stringContaining(cron) },
      });
    },
  );

  test("may be one instant, or a name", async () => {
    const one = await ticksOf("2026-01-01T01:00:00", "UTC", "2026-01-01T00:00:00Z", 2);
    expect([one.at, one.handle.status]).toEqual([["2026-01-01T01:00:00.000Z"], "succeeded"]);
    expect((await ticksOf("@hourly", "UTC", "2026-01-01T00:30:00Z", 2)).at).toHaveLength(2);
  });

  test("sets no timer of its own", async () => {
    const set = vi.spyOn(globalThis, "setTimeout");
    const { handle } = await ticksOf("* * * * * *", "UTC", "2026-01-01T00:00:00Z", 1 / 3600);
    expect(set).not.toHaveBeenCalled();
    set.mockRestore();
    await handle.cancel();
  });
});

describe("§12 a cron pattern is refused where it is written", () => {
  test.each<[cron: unknown, timezone: unknown, said: RegExp]>([
    ["every day", undefined, /every\.cron must be a cron pattern, got "every day"/],
    ["", undefined, /every\.cron/],
    ["61 * * * *", undefined, /every\.cron.*61/],
    ["* * * *", undefined, /every\.cron/],
    [5, undefined, /every\.cron must be a string/],
    ["* * * * *", "Mars/Base", /every\.cron.*"Mars\/Base"/],
    ["* * * * *", 1, /every\.timezone must be a string/],
  ])("%j in %j", (cron, timezone, said) => {
    const every = { cron, timezone } as { cron: string };
    expect(() => monitor({ every, run: () => undefined })).toThrow(
      expect.objectContaining({ name: "TypeError", message: expect.stringMatching(said) }),
    );
  });
});
