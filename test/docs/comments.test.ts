// Comments of lib/: a law for their form, so that a reader finds a subject and a verb in each.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const WIDEST = 120;
/** A doc comment that opens with one of these has its noun elsewhere. */
const OPENINGS = [
  "It",
  "Its",
  "They",
  "Those",
  "That",
  "Whose",
  "What",
  "Who",
  "Of",
  "By",
  "With",
  "As",
  "Until",
  "Beside",
];
/** Words that are not used: each hides who does what. */
const UNUSED = ["somebody", "nobody", "whoever", "told", "handed"];

interface Comment {
  readonly line: number;
  readonly text: string;
  readonly isDoc: boolean;
}

/** The comments of a source: `//` lines and block comments, line by line. */
function commentsOf(source: string): readonly Comment[] {
  const comments: Comment[] = [];
  let isInBlock = false;
  for (const [index, text] of source.split("\n").entries()) {
    const opensDoc = /^\s*\/\*\*/.test(text);
    if (opensDoc || isInBlock || /^\s*\/\//.test(text)) comments.push({ line: index + 1, text, isDoc: opensDoc });
    isInBlock = (opensDoc || isInBlock) && !text.includes("*/");
  }
  return comments;
}

function faultsOf(file: string, source: string): readonly string[] {
  const comments = commentsOf(source);
  return comments.flatMap(({ line, text, isDoc }, index) => {
    const faults: string[] = [];
    const where = `${file}:${line}`;
    if (text.length > WIDEST) faults.push(`${where} has ${text.length} columns, at most ${WIDEST} are read at once`);
    const words = text.replace(/^\s*(?:\/\*\*|\/\/|\*\/?)\s*/, "");
    const first = words === "" ? (comments[index + 1]?.text ?? "").replace(/^\s*\*\s*/, "") : words;
    const [opening = ""] = first.split(/[^\w']/);
    if (isDoc && OPENINGS.includes(opening)) faults.push(`${where} opens with ${opening}: name the subject`);
    const unused = UNUSED.find((word) => new RegExp(`\\b${word}\\b`, "i").test(words));
    if (unused !== undefined) faults.push(`${where} says ${unused}: name who does it`);
    return faults;
  });
}

const lib = fileURLToPath(new URL("../../lib", import.meta.url));

describe("comments of lib/", () => {
  test("are at most 120 columns wide, name their subject, and use no word that hides it", () => {
    const files = readdirSync(lib, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".ts"));
    expect(files.length).toBeGreaterThan(0);
    expect(files.flatMap((file) => faultsOf(`lib/${file}`, readFileSync(join(lib, file), "utf8")))).toEqual([]);
  });

  test.each([
    ["a line that is too wide", `// ${"word ".repeat(30)}`, /has 153 columns/],
    ["a doc comment that opens with a pronoun", "/** Its name. */", /opens with Its/],
    ["one that opens on its second line", "/**\n * Whose it is.\n */", /opens with Whose/],
    ["a word that is not used", "// Nobody waits.", /says nobody/],
  ])("are refused: %s", (_, source, fault) => {
    expect(faultsOf("a.ts", source)).toEqual([expect.stringMatching(fault)]);
  });

  test("are found in code that has none", () => {
    expect(faultsOf("a.ts", 'const it = "// It is a text";\nconst x = 1; // It is short')).toEqual([]);
  });
});
