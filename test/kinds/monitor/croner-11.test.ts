// Cron patterns on croner 11: the laws that its differences from croner 10 touch.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compiled, compiled } from "../../support/compiled.js";

let library: Compiled;
beforeAll(async () => {
  library = await compiled([["croner-11", "croner"]]);
});
afterAll(() => library.remove());

/** The ticks of a pattern, from an instant on and for some hours, as JSON a line; a step may make it late. */
async function ticksOf(cron: string, from: string, hours: number, stepMs: number): Promise<unknown[]> {
  const said = await library.evaluate(`
    import { readFileSync } from "node:fs";
    import { TaskManager } from "errand";
    import { monitor } from "errand/kinds";
    import { manualClock } from "errand/testing";
    const { version } = JSON.parse(readFileSync("node_modules/croner/package.json", "utf8"));
    if (!version.startsWith("11.")) throw new Error(version);
    const clock = manualClock(Date.parse(${JSON.stringify(from)}));
    const manager = new TaskManager({ clock, concurrency: 1 });
    const quiet = async () => { for (let n = 0; n < 8; n++) await new Promise((resolve) => setImmediate(resolve)); };
    const run = (_ctx, tick) => console.log(JSON.stringify([new Date(tick.scheduledAt).toISOString(), tick.missed, tick.scheduledAt <= clock.now()]));
    manager.spawn(monitor({ every: { cron: ${JSON.stringify(cron)}, timezone: "Europe/Berlin" }, run }));
    await quiet();
    for (let at = 0; at < ${hours} * 3600_000; at += ${stepMs}) {
      const busy = manager.spawn((ctx) => ctx.cancelled());
      await quiet();
      await clock.advance(${stepMs});
      await busy.cancel();
      await quiet();
    }
    process.exit(0);
  `);
  return said
    .trimEnd()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
}

describe("§10 a cron pattern on croner 11", () => {
  test("ticks at its instants, in its timezone", async () => {
    const ticks = await ticksOf("0 9 * * *", "2026-01-01T00:00:00Z", 48, 3_600_000);
    expect(ticks).toEqual([
      ["2026-01-01T08:00:00.000Z", 0, true],
      ["2026-01-02T08:00:00.000Z", 0, true],
    ]);
  });

  test("ticks late for the newest instant that has come, never for one to come", async () => {
    const ticks = await ticksOf("* * * * * *", "2026-01-01T00:00:00.000Z", 0.5, 3_600_500);
    expect(ticks).toEqual([["2026-01-01T01:00:00.000Z", 1_000, true]]);
  });

  test("ticks once in the hour that comes twice, and when the clock changes if its hour is left out", async () => {
    expect(await ticksOf("30 2 * * *", "2026-03-28T23:00:00Z", 12, 1_800_000)).toEqual([
      ["2026-03-29T01:00:00.000Z", 0, true],
    ]);
    expect(await ticksOf("30 2 * * *", "2026-10-24T22:00:00Z", 12, 1_800_000)).toHaveLength(1);
  });
});
