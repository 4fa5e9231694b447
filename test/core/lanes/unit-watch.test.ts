// A window whose unit is nearly a well-known one counts nothing: the logger is warned (L7, §12).

import { defineKind, TaskManager, type TaskManagerOptions } from "errand";
import { describe, expect, test } from "vitest";
import { settled } from "../../support/basics.js";

async function warningsOf(
  unit: string,
  options: TaskManagerOptions = {},
  use: (manager: TaskManager) => unknown = (manager) => [1, 2, 3].map((each) => manager.spawn(() => each)),
): Promise<readonly string[]> {
  const warnings: string[] = [];
  const logger = { warn: (words: string) => void warnings.push(words), error: () => undefined };
  const lanes = { default: { rate: { limit: 100, periodMs: 60_000, unit } } };
  const manager = new TaskManager({ ...options, logger, lanes });
  use(manager);
  await settled();
  await manager.close();
  return warnings;
}

describe("L7 a unit that no weight has", () => {
  test.each([
    ["start", "starts"],
    ["Starts", "starts"],
    ["request", "starts"],
    ["requests", "starts"],
    ["call", "starts"],
    ["token", "tokens"],
    ["tokns", "tokens"],
  ])("and that is nearly a known one is warned of once: %s is %s", async (unit, meant) => {
    const warnings = await warningsOf(unit);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain(`A window of lane "default" counts "${unit}"`);
    expect(warnings[0]).toContain(`Did you mean "${meant}"?`);
  });

  test.each(["starts", "tokens", "images"])("and that is %s is right", async (unit) => {
    expect(await warningsOf(unit)).toEqual([]);
  });

  test("but that the first spawn, or a kind, weighs is a unit of the user's own", async () => {
    const spawn = (manager: TaskManager) => manager.spawn(() => 1, { weight: { requests: 2 } });
    expect(await warningsOf("requests", {}, spawn)).toEqual([]);
    const kinds = [defineKind({ name: "batch", run: () => 1, weight: { requests: 10 } })];
    expect(await warningsOf("requests", { kinds })).toEqual([]);
  });
});
