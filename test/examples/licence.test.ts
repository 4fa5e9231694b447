// Licences by their text and by their expression, on texts of packages that are really installed here.

import { fileURLToPath } from "node:url";

import { describe, expect, test } from "vitest";

import { classOf, identifyLicence } from "../../examples/audit/licence.js";

const { signal } = new AbortController();
const installed = (name: string) => fileURLToPath(new URL(`../../node_modules/${name}`, import.meta.url));

describe("the text of a real package is recognised", () => {
  test.each([
    ["p-queue", "MIT"],
    ["vite", "MIT"],
    ["typescript", "Apache-2.0"],
    ["minipass", "BlueOak-1.0.0"],
    ["semver", "ISC"],
    ["lightningcss", "MPL-2.0"],
    ["source-map-js", "BSD-3-Clause"],
  ])("%s is %s", async (name, id) => {
    const licence = await identifyLicence(installed(name), id, signal);
    expect(licence).toMatchObject({ name: id, problems: [] });
    expect(licence.texts[0]).toBe(id);
  });
});

describe("declaration and text", () => {
  test("the text counts when nothing is declared", async () => {
    expect(await identifyLicence(installed("p-queue"), undefined, signal)).toMatchObject({
      name: "MIT",
      class: "permissive",
    });
  });

  test("the stricter counts when they disagree, and the disagreement is reported", async () => {
    const licence = await identifyLicence(installed("p-queue"), "GPL-3.0-only", signal);
    expect(licence.class).toBe("strong copyleft");
    expect(licence.problems).toEqual(["declares GPL-3.0-only, ships the text of MIT"]);
  });

  test("words that name no licence leave it unknown, `UNLICENSED` above all", async () => {
    for (const declared of ["UNLICENSED", "SEE LICENSE IN the contract", "MIT AND my rules", undefined]) {
      expect(await identifyLicence(installed("p-queue/dist"), declared, signal)).toMatchObject({ class: "unknown" });
    }
  });

  test("slips are mended", async () => {
    expect(await identifyLicence(installed("typescript"), "Apache 2.0", signal)).toMatchObject({
      name: "Apache-2.0",
      class: "permissive",
    });
  });
});

describe("an expression", () => {
  test.each([
    ["MIT", "permissive"],
    ["(MIT OR CC0-1.0)", "permissive"],
    ["MIT OR GPL-3.0-only", "permissive"],
    ["MIT AND GPL-3.0-or-later", "strong copyleft"],
    ["AGPL-3.0", "strong copyleft"],
    ["LGPL-2.1-only", "weak copyleft"],
    ["MPL-2.0 AND MIT", "weak copyleft"],
    ["MIT AND LicenseRef-mine", "unknown"],
    ["BUSL-1.1", "unknown"],
  ])("%s is %s", (expression, expected) => {
    expect(classOf(expression)).toBe(expected);
  });
});
