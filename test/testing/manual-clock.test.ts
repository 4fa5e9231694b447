// The manual clock after its wall clock was set: its time, and the timers that are due (C7).

import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";

describe("a manual clock that is set", () => {
  test.each([-500, 0, 500])("by %d ms shows that time, and lets none pass", async (byMs) => {
    const clock = manualClock(1_000);
    const fired: number[] = [];
    clock.setTimeout(() => fired.push(clock.now()), 100);
    await clock.advance(40);
    await clock.setNow(1_040 + byMs);
    expect([clock.now(), clock.monotonic(), clock.nextAt, fired]).toEqual([1_040 + byMs, 40, 1_100 + byMs, []]);
    await clock.advance(60);
    expect([clock.monotonic(), fired]).toEqual([100, [1_100 + byMs]]);
  });

  test("reports it to those who asked, until they do not", async () => {
    const clock = manualClock();
    const heard: number[] = [];
    const off = clock.onSet?.(() => heard.push(clock.now()));
    await clock.setNow(5);
    off?.();
    await clock.setNow(6);
    expect(heard).toEqual([5]);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("§12 to %d is refused", async (at) => {
    await expect(manualClock().setNow(at)).rejects.toThrow(RangeError);
  });
});
