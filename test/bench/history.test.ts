// The history of the ratios: one line a version, from the results files.

import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Entry, entriesIn, entryOf, trendOf, withEntry } from "../../bench/history.js";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "errand-history-"));
  await mkdir(join(folder, "node-22"));
  const targets = [
    { what: "errand", measured: 0.51234, bound: "≤ 0.6", unit: "× p-queue", verdict: "met" },
    { what: "errand live chain", measured: 7, bound: "≤ 10", unit: "ms", verdict: "met" },
  ];
  await writeFile(join(folder, "node-22", "cancel.json"), JSON.stringify({ targets }));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const entry = (version: string, measured: number): Entry => ({ version, nodes: { 22: { "spawn: errand": measured } } });

describe("an entry", () => {
  test("has the ratios of each line of Node that was measured, and no figure of the machine", () => {
    expect(entryOf("1.2.3", folder)).toEqual({
      version: "1.2.3",
      nodes: { 22: { "cancel: errand × p-queue": 0.512 } },
    });
  });

  test("is refused where nothing was measured", () => {
    expect(() => entryOf("1.2.3", join(folder, "nothing"))).toThrow(/no results/u);
  });
});

describe("the history", () => {
  test("gets one line for each version, in order of adding", () => {
    const text = withEntry(withEntry("", entry("1.0.0", 2), false), entry("1.1.0", 1), false);
    expect(text.split("\n")).toHaveLength(3);
    expect(entriesIn(text)).toEqual([entry("1.0.0", 2), entry("1.1.0", 1)]);
    expect(trendOf(entriesIn(text), "22", 5)).toEqual([["spawn: errand", "2", "1"]]);
    expect(trendOf(entriesIn(text), "22", 1)).toEqual([["spawn: errand", "1"]]);
    expect(trendOf(entriesIn(text), "20", 5)).toEqual([]);
  });

  test("refuses a second line of one version, unless it takes the place of the first", () => {
    const text = withEntry("", entry("1.0.0", 2), false);
    expect(() => withEntry(text, entry("1.0.0", 1), false)).toThrow(/--replace/u);
    expect(entriesIn(withEntry(text, entry("1.0.0", 1), true))).toEqual([entry("1.0.0", 1)]);
  });

  test("of the project has a line for a version once", () => {
    const file = fileURLToPath(new URL("../../bench/results/history.jsonl", import.meta.url));
    expect(existsSync(file)).toBe(true);
    const versions = entriesIn(readFileSync(file, "utf8")).map(({ version }) => version);
    expect(versions.length).toBeGreaterThan(0);
    expect(new Set(versions).size).toBe(versions.length);
  });
});
