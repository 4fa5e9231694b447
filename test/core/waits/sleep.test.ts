// Sleep: a wait for a duration or for an instant, which holds no slot (C7, L3).

import { describe, expect, test } from "vitest";
import { allFree, peek, settled, slots } from "../../support/basics.js";
import { refusalOf, world } from "../../support/program.js";
import { clocks, HOUR, settable } from "../../support/set-clock.js";

describe("C7 ctx.sleepUntil", () => {
  test("ends at the instant, not before it, and holds no slot meanwhile", async () => {
    const { manager, clock, pass } = world({ concurrency: 1 });
    const task = manager.spawn((ctx) => ctx.sleepUntil(5_000).then(() => clock.now()));
    await settled();
    expect(task.record).toMatchObject({ status: "blocked", blockedOn: [{ on: "time", untilAt: 5_000 }] });
    expect(slots(manager).held).toBe(0);
    await pass(4_999);
    expect(task.status).toBe("blocked");
    await pass(1);
    expect(await task.result()).toBe(5_000);
    allFree(manager);
  });

  test.each([-1, 0])("of an instant in the past (%i) ends at once", async (at) => {
    const { manager, clock, pass } = world();
    const task = manager.spawn((ctx) => ctx.sleepUntil(at).then(() => clock.now()));
    await pass(0);
    expect(await peek(task.result())).toEqual({ is: "fulfilled", value: 0 });
  });

  test("of Infinity never ends, and its record is JSON", async () => {
    const { manager, pass } = world();
    const task = manager.spawn((ctx) => ctx.sleepUntil(Number.POSITIVE_INFINITY));
    await pass(30 * 24 * HOUR);
    expect(JSON.parse(JSON.stringify(task.record.blockedOn))).toEqual([
      { on: "time", untilAt: Number.MAX_SAFE_INTEGER },
    ]);
    await task.cancel();
    expect(task.status).toBe("cancelled");
  });

  test.each(clocks)(
    "follows a wall clock that is set forward and $which, and waits for one set back",
    async (setting) => {
      const { manager, clock, pass, set } = settable(setting.of);
      const at = clock.now() + 3 * HOUR;
      const task = manager.spawn((ctx) => ctx.sleepUntil(at).then(() => clock.now()));
      await settled();
      await set(-HOUR);
      await pass(3 * HOUR);
      expect(task.status).toBe("blocked");
      await set(2 * HOUR);
      await pass(setting.lateMs);
      const endedAt = await task.result();
      expect(endedAt).toBeGreaterThanOrEqual(at);
    },
  );

  test("rejects with the reason of its signal, and with the stop of the task", async () => {
    const { manager } = world();
    const reasons: unknown[] = [];
    const early = new AbortController();
    const task = manager.spawn(async (ctx) => {
      await ctx.sleepUntil(1_000, { signal: early.signal }).catch((error: unknown) => reasons.push(error));
      await ctx.sleepUntil(1_000);
    });
    await settled();
    early.abort("early");
    await settled();
    expect(reasons).toEqual(["early"]);
    expect(await task.cancel("enough")).toMatchObject({ status: "cancelled", reason: "enough" });
  });

  test("§12 refuses what is no instant and unknown options", async () => {
    const { manager } = world();
    const messages: string[] = [];
    const task = manager.spawn(async (ctx) => {
      const untyped = ctx as unknown as { sleepUntil(at: unknown, options?: unknown): Promise<void> };
      for (const given of [[new Date(5)], [Number.NaN], ["5"], [5, { timeoutMs: 1 }]] as const)
        messages.push(String(await refusalOf(() => untyped.sleepUntil(given[0], given[1]))));
    });
    await task.result();
    expect(messages).toEqual([
      "TypeError: at must be a number, got an object",
      "RangeError: at must be an instant in epoch milliseconds, got NaN",
      'TypeError: at must be a number, got "5"',
      expect.stringContaining('has no option "timeoutMs"'),
    ]);
  });
});

describe("a sleep that ends early", () => {
  test.each(["sleep", "sleepUntil"] as const)("C7 leaves no timer behind: %s", async (verb) => {
    const { manager, clock } = world();
    const controller = new AbortController();
    const task = manager.spawn((ctx) => ctx[verb](10_000, { signal: controller.signal }).catch(() => "woken"));
    await settled();
    expect(clock.nextAt).toBe(10_000);
    controller.abort();
    expect(await task.result()).toBe("woken");
    expect(clock.nextAt).not.toBe(10_000);
  });
});
