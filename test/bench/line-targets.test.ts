// The bounds of each line of Node.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { againstPQueue, byHandAgainst, lineOf, lines } from "../../bench/line-targets.js";

test("each line of Node that the tests run on has its bounds, and no other", () => {
  const checks = readFileSync(new URL("../../.ci/run", import.meta.url), "utf8");
  const [, tested = ""] = /^for version in ([\d ]+); do$/mu.exec(checks) ?? [];
  expect(lines).toEqual(tested.split(" "));
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) {
    for (const collect of ["full", "young"] as const) {
      expect(againstPQueue(line, collect, true)?.most).toBeGreaterThan(0);
      expect(byHandAgainst(line, collect, true)?.least).toBeGreaterThan(0);
    }
  }
  expect(againstPQueue("21", "full", true)).toBeUndefined();
});

test("the line of a version is its first number", () => {
  expect(lineOf("v22.23.3")).toBe("22");
});
