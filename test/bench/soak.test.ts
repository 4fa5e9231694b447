// The soak in its short form: a real process whose heap is flat and which leaves nothing behind, and the eye that judges it.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { flatness, type Point } from "../../bench/heap-curve.js";
import { heapPicture, ticks } from "../../bench/heap-picture.js";

const program = fileURLToPath(new URL("../../build/bench/soak.js", import.meta.url));

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "errand-soak-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function soak(flags: readonly string[]): Promise<{ readonly code: number | null; readonly stderr: string }> {
  return new Promise((resolve) => {
    const args = ["--expose-gc", "--trace-warnings", program, ...flags];
    const child = execFile(process.execPath, args, { timeout: 500_000 }, (_, _stdout, stderr) =>
      resolve({ code: child.exitCode, stderr }),
    );
  });
}

interface Soaked {
  readonly tasks: number;
  readonly failures: readonly string[];
  readonly curves: readonly { readonly points: readonly Point[]; readonly flatness: { readonly isFlat: boolean } }[];
}

test("a process that has soaked keeps a flat heap, no listener, no timer and no handle, and heard no warning", async () => {
  const file = join(folder, "soak.json");
  const { code, stderr } = await soak([
    "--quick",
    "--tasks",
    "20000",
    "--trees",
    "300",
    "--passes",
    "20",
    "--json",
    file,
  ]);
  expect(stderr).not.toMatch(/warning|FAILED/iu);
  expect(code, stderr).toBe(0);
  const { tasks, failures, curves } = JSON.parse(await readFile(file, "utf8")) as Soaked;
  expect(tasks).toBeGreaterThanOrEqual(20_000);
  expect(failures).toEqual([]);
  expect(curves.map(({ flatness: { isFlat } }) => isFlat)).toEqual([true, true]);
  const picture = await readFile(join(folder, "soak.svg"), "utf8");
  expect(picture.match(/<polyline/gu)).toHaveLength(2);
}, 600_000);

test("a process that keeps a hundred bytes of each task is found out, on each runtime", async () => {
  const { code, stderr } = await soak(["--quick", "--tasks", "20000", "--trees", "10", "--passes", "8", "--leak"]);
  expect(stderr).toMatch(/FAILED: short tasks, rise of the heap in the second half/u);
  expect(code).toBe(1);
}, 600_000);

describe("flat", () => {
  const curve = (y: (x: number) => number): readonly Point[] =>
    Array.from({ length: 40 }, (_, place) => ({ x: place * 1_000, y: y(place * 1_000) }));
  const megabyte = 1024 ** 2;

  test("is a heap that goes up and down, and one that has stopped to grow in the first half", () => {
    expect(
      flatness(
        curve((x) => 10 * megabyte + (x % 3_000) * 20),
        megabyte / 2,
      ).isFlat,
    ).toBe(true);
    expect(
      flatness(
        curve((x) => Math.min(x, 15_000) * 1_000),
        megabyte / 2,
      ).isFlat,
    ).toBe(true);
  });

  test("is no heap that keeps a hundred bytes of each task", () => {
    const found = flatness(
      curve((x) => 10 * megabyte + x * 100),
      megabyte / 2,
    );
    expect(found.isFlat).toBe(false);
    expect(found.slope).toBeCloseTo(100);
    expect(found.rise).toBeCloseTo(1_900_000);
  });

  test("is nothing that two points could tell", () => {
    expect(() => flatness(curve((x) => x).slice(0, 2), megabyte)).toThrow(RangeError);
  });

  test("or not, the picture says so", () => {
    const points = curve((x) => 10 * megabyte + x * 100);
    const panel = { title: "Tasks", xLabel: "tasks", points, flatness: flatness(points, megabyte / 2) };
    expect(heapPicture([panel])).toContain("NOT FLAT");
    expect(heapPicture([{ ...panel, flatness: flatness(points, 8 * megabyte) }])).toContain(": flat");
  });
});

test("an axis ends at a round number, not below what is shown", () => {
  expect(ticks(10_000_000, 8)).toEqual([0, 2_000_000, 4_000_000, 6_000_000, 8_000_000, 10_000_000]);
  expect(ticks(7.3, 5)).toEqual([0, 2, 4, 6, 8]);
  expect(ticks(0.7, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8]);
});
