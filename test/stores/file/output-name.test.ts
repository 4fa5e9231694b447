// Output names: every id has its own file name, which stays in its directory (D7).
import path from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { outputName } from "../../../lib/stores/file/output-name.js";

const ids = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ unit: fc.constantFrom("%", "0", "4", "1", "A", "a", ".", "/", "\\", "\ud800", "\udc00"), maxLength: 6 }),
  fc.constantFrom(
    "con",
    "CON",
    "con.",
    "nul",
    "com1",
    "",
    ".",
    "..",
    "../x",
    "%",
    "%0041",
    "%sha256-",
    "x".repeat(300),
  ),
  fc.integer({ min: 100, max: 140 }).map((length) => "a".repeat(length)),
);

describe("the name of an output's file", () => {
  test("is of letters, digits and a few signs, and is a name: no way out of its directory", () => {
    fc.assert(
      fc.property(ids, (id) => {
        const name = outputName(id);
        expect(name).toMatch(/^[a-z0-9_%-]+\.json$/);
        expect(name.length).toBeLessThanOrEqual(130);
        expect(path.dirname(path.resolve("/results", name))).toBe(path.resolve("/results"));
      }),
      { numRuns: 2_000 },
    );
  });

  test("is no device of any system", () => {
    for (const id of ["con", "prn", "aux", "nul", "com1", "com9", "lpt1", "CON", "Nul"]) {
      expect(outputName(id)).not.toMatch(/^(?:con|prn|aux|nul|com\d|lpt\d)\./i);
    }
  });

  test("is another for another id, also where A is a", () => {
    fc.assert(
      fc.property(ids, ids, (one, other) => {
        fc.pre(one !== other);
        expect(outputName(one).toLowerCase()).not.toBe(outputName(other).toLowerCase());
      }),
      { numRuns: 5_000 },
    );
    const all = [...Array(0x10000).keys()].map((unit) => outputName(String.fromCharCode(unit)));
    expect(new Set(all).size).toBe(0x10000);
  });

  test("is the id itself when that is plain", () => {
    expect(outputName("task_3k9d0x2a_17")).toBe("task_3k9d0x2a_17.json");
  });
});
