// The numbered examples run: each asserts what it shows, and exits with 0.

import { readdirSync } from "node:fs";

import { describe, expect, test } from "vitest";

import { runExample } from "./program.js";

const names = readdirSync(new URL("../../examples/", import.meta.url)).filter((file) => /^\d\d-.*\.ts$/u.test(file));

describe("every numbered example", () => {
  test("is found", () => {
    expect(names.length).toBeGreaterThanOrEqual(6);
  });

  test.concurrent.each(names)("%s exits with 0 and says what happens", async (file) => {
    const { code, stdout, stderr } = await runExample(file.replace(/\.ts$/u, ""));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).not.toBe("");
  });
});
