// The default ids: unique, in order of creation, and of a form that a model can copy.

import { afterEach, expect, test, vi } from "vitest";
import { instanceIds } from "../../../lib/core/values/ids.js";

afterEach(() => {
  vi.restoreAllMocks();
});

test("an id names the instance, in eight letters or digits, and counts", () => {
  const ids = instanceIds();
  const instance = ids.next("instance");
  expect(instance).toMatch(/^[0-9a-z]{8}$/);
  expect([ids.next("task"), ids.next("task"), ids.next("request"), ids.next("instance")]).toEqual([
    `task_${instance}_1`,
    `task_${instance}_2`,
    `request_${instance}_1`,
    instance,
  ]);
});

test("instances have different names, also where the program has seeded Math.random", () => {
  const names = (): ReadonlySet<string> => new Set(Array.from({ length: 1_000 }, () => instanceIds().next("instance")));
  expect(names().size).toBe(1_000);
  vi.spyOn(Math, "random").mockReturnValue(0.999_999_999);
  expect(names().size).toBe(1_000);
});

test("the smallest number is a name of eight digits too", () => {
  vi.spyOn(Math, "random").mockReturnValue(0);
  vi.spyOn(process.hrtime, "bigint").mockReturnValue(0n);
  expect(instanceIds().next("instance")).toBe("00000000");
});
