// Endings: the outcome that a caller gets of what the state keeps.

import { TaskManager } from "errand";
import { expect, test } from "vitest";
import { toOutcome } from "../../../lib/core/task/ending.js";

test("C1 an outcome is the ending with the id of the task, and is frozen", () => {
  const value = { pages: 3 };
  const outcomes = [
    toOutcome("t", { status: "succeeded", value }, undefined),
    toOutcome("t", { status: "cancelled", reason: "enough", cause: value, abandoned: true }, undefined),
    toOutcome("t", { status: "failed", error: { code: "error", message: "no" } }, undefined),
  ];
  expect(outcomes).toEqual([
    { id: "t", status: "succeeded", value },
    { id: "t", status: "cancelled", reason: "enough", cause: value, abandoned: true },
    { id: "t", status: "failed", error: { code: "error", message: "no" } },
  ]);
  for (const outcome of outcomes) expect(Object.isFrozen(outcome)).toBe(true);
  expect(outcomes[0]).toHaveProperty("value", value);
});

test("D2 the value of a lost output throws when it is read, and a copy of the outcome does not read it", () => {
  const outcome = toOutcome("t", { status: "succeeded", value: undefined }, { where: "results/t", why: "gone" });
  expect({ ...outcome }).toEqual({ id: "t", status: "succeeded", outputLost: "it is lost: results/t: gone" });
  expect(() => outcome.status === "succeeded" && outcome.value).toThrow(/gone/);
});

test("C6 each read of an end gives the same object", async () => {
  const manager = new TaskManager();
  const handle = manager.spawn(() => 1);
  const first = await handle.outcome();
  const { outcomes, ended } = await manager.awaitTasks([handle]);
  expect([outcomes[0], ended[0], await handle.outcome()].every((outcome) => outcome === first)).toBe(true);
  await manager.close();
});
