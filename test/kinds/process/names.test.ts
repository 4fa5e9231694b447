// The names of the kind that runs a program: `command`, and the deprecated alias `process`.

import { process as alias, command } from "errand/kinds";
import { expect, test } from "vitest";

test("`process` is the same function as `command`", () => {
  expect(alias).toBe(command);
});

test("the name of the kind, which records and journals carry, is process by both names", () => {
  expect([command().name, alias().name]).toEqual(["process", "process"]);
});
