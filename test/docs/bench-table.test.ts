// The figures of README.md and bench/README.md are those of the results files: nobody writes one by hand.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { documents, withTable } from "../../bench/document-tables.js";
import { headlineTable } from "../../bench/headline-table.js";
import { lines } from "../../bench/line-targets.js";
import { targetsTable } from "../../bench/targets-table.js";
import { worlds } from "../../bench/world.js";

const results = fileURLToPath(new URL("../../bench/results", import.meta.url));
const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

describe.each(documents)("%s", (document) => {
  test("has the table that the results files give; `npm run bench:tables` writes it", () => {
    const markdown = read(document);
    expect(markdown).toBe(withTable(document, markdown, results));
  });
});

test("the table of README.md names errand beside each kind of peer", () => {
  const table = headlineTable(results);
  for (const peer of ["p-queue", "by hand", "Effect", "effection", "AbortController", "Promise.all"]) {
    expect(table).toContain(peer);
  }
});

test("the table of README.md shows every line of Node, cold and steady, with and without AsyncLocalStorage", () => {
  const [head = "", , ...rows] = headlineTable(results).split("\n");
  for (const line of lines) expect(head).toMatch(new RegExp(`\\| Node ${line}\\.\\d+ \\|`, "u"));
  for (const what of ["p-queue alone, 10 000", "by hand on p-queue ÷ errand, 10 000"]) {
    for (const world of worlds) {
      const row = rows.find((one) => one.includes(what) && one.includes(world)) ?? "";
      expect(row.match(/ [\d.]+ \/ [\d.]+ × /gu)).toHaveLength(lines.length);
    }
  }
});

test("the table of bench/README.md has every target, and its verdict", () => {
  const rows = targetsTable(results).split("\n").slice(2);
  expect(rows.length).toBeGreaterThan(20);
  for (const row of rows) expect(row).toMatch(/\| (met|stretch met|\*\*missed\*\*) \|$/u);
});

// A law that cannot be broken holds nothing: each is broken here once.
describe("this test", () => {
  const markdown = read("README.md");

  test("sees a figure that was changed by hand", () => {
    const embellished = markdown.replace(/\d(?=[\d.]* µs \|)/u, (digit) => String((Number(digit) + 1) % 10));
    expect(embellished).not.toBe(markdown);
    expect(withTable("README.md", embellished, results)).not.toBe(embellished);
  });

  test("sees that the place of the table is gone", () => {
    expect(() => withTable("README.md", markdown.replace("<!-- bench: headline -->", ""), results)).toThrow(/headline/);
  });
});
