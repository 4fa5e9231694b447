// What a part of the bench measures in processes of its own.

import { expect, test } from "vitest";
import { numbersOf } from "../../bench/own-process.js";

test("numbers that a process did not print are no figures", () => {
  expect(numbersOf({ cpuMs: 2, wallMs: 3 }, "cpuMs", "wallMs")).toEqual({ cpuMs: 2, wallMs: 3 });
  expect(() => numbersOf({ cpuMs: 2 }, "cpuMs", "wallMs")).toThrow("the process printed no wallMs");
  expect(() => numbersOf({ cpuMs: null }, "cpuMs")).toThrow("the process printed no cpuMs");
  expect(() => numbersOf(undefined, "cpuMs")).toThrow("the process printed no cpuMs");
});
