// What is collected before a run, and what of the run is measured: cold and steady differ in both.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Case, interleave } from "../../bench/interleave.js";

const collector = globalThis.gc;
let steps: string[] = [];
beforeEach(() => {
  steps = [];
  // Vitest's own process has no collector to call, so the steps are what can be seen.
  Object.defineProperty(globalThis, "gc", {
    configurable: true,
    writable: true,
    value: (young?: boolean) => {
      steps.push(young === true ? "young" : "full");
    },
  });
});
afterEach(() => {
  Object.defineProperty(globalThis, "gc", { configurable: true, writable: true, value: collector });
});

function busy(ms: number): void {
  const { user: begun } = process.cpuUsage();
  while (process.cpuUsage().user - begun < ms * 1_000);
}
/** All its work is in the preparation. */
const one: Case = {
  name: "one",
  units: 1,
  prepare: () => {
    steps.push("prepare");
    busy(5);
    return {
      work: () => {
        steps.push("work");
      },
      finish: () => {
        steps.push("finish");
      },
    };
  },
};

describe("cold", () => {
  test("everything is collected twice before a run, and nothing between its preparation and its work", async () => {
    await interleave([one], { repeats: 2, warmups: 0, collect: "full" });
    const round = ["full", "full", "prepare", "work", "finish"];
    expect(steps).toEqual([...round, ...round]);
  });

  test("the preparation is part of what is measured", async () => {
    const [measured] = await interleave([one], { repeats: 1, warmups: 0, collect: "full" });
    expect(measured?.cpuUs[0]).toBeGreaterThanOrEqual(5_000);
    expect(measured?.cpuUs[0]).toBeGreaterThanOrEqual(measured?.prepareCpuUs[0] ?? Number.NaN);
  });
});

describe("steady, which is what a program gets that names nothing", () => {
  test("the young are collected before the preparation and before the work", async () => {
    await interleave([one], { repeats: 1, warmups: 0 });
    expect(steps).toEqual(["young", "young", "prepare", "young", "young", "work", "finish"]);
  });
});

test("warm-ups run and are not counted", async () => {
  const [measured] = await interleave([one], { repeats: 2, warmups: 3 });
  expect(steps.filter((step) => step === "work")).toHaveLength(5);
  expect(measured?.cpuUs).toHaveLength(2);
});

test("a run that did not do its work fails the bench", async () => {
  const idle: Case = {
    ...one,
    prepare: () => ({
      work: () => undefined,
      finish: () => {
        throw new Error("one: 0, not 1");
      },
    }),
  };
  await expect(interleave([idle], { repeats: 1, warmups: 0 })).rejects.toThrow("one: 0, not 1");
});
