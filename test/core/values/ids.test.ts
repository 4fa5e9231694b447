// The default ids: unique, in order of creation, and of a form that a model can copy.

import { afterEach, expect, test, vi } from "vitest";
import { NumberedIds } from "../../../lib/core/values/ids.js";

afterEach(() => {
  vi.restoreAllMocks();
});

test("an id names the instance, in eight letters or digits, and counts", () => {
  const ids = new NumberedIds();
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
  const names = (): ReadonlySet<string> =>
    new Set(Array.from({ length: 1_000 }, () => new NumberedIds().next("instance")));
  expect(names().size).toBe(1_000);
  vi.spyOn(Math, "random").mockReturnValue(0.999_999_999);
  expect(names().size).toBe(1_000);
});

test("an id names the number of its task, and no other text does", () => {
  const ids = new NumberedIds();
  const id = ids.ofTask(7);
  expect(ids.numberIn(id)).toBe(7);
  for (const other of [
    `${id} `,
    id.replace("_7", "_07"),
    id.replace("_7", "_7.0"),
    id.replace("_7", "_"),
    "task_7",
    "",
  ])
    expect(ids.numberIn(other)).toBeUndefined();
});

test("the smallest number is a name of eight digits too", () => {
  vi.spyOn(Math, "random").mockReturnValue(0);
  vi.spyOn(process.hrtime, "bigint").mockReturnValue(0n);
  expect(new NumberedIds().next("instance")).toBe("00000000");
});
