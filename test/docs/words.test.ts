// Words: the texts that a user or a model reads, and the titles of tests, use no word that hides who does what.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { textsIn } from "./citations.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string => readFileSync(`${root}/${file}`, "utf8");

const unused = /\b(?:told|handed|somebody|nobody|whoever)\b/iu;
const wordIn = (text: string): string | undefined => unused.exec(text)?.[0];

interface Text {
  readonly text: string;
  readonly line: number;
}

function wordsIn(file: string, texts: readonly Text[]): readonly string[] {
  return texts.flatMap(({ text, line }) => {
    const word = wordIn(text);
    return word === undefined ? [] : [`${file}:${line} says ${word}: ${text}`];
  });
}

function codeIn(folder: string): readonly string[] {
  const files = readdirSync(`${root}/${folder}`, { recursive: true, encoding: "utf8" });
  return files.filter((file) => file.endsWith(".ts")).map((file) => `${folder}/${file.replaceAll("\\", "/")}`);
}

const linesOf = (text: string): readonly Text[] => text.split("\n").map((line, at) => ({ text: line, line: at + 1 }));

describe("no word that hides who does what is", () => {
  test("in a text of lib/", () => {
    const files = codeIn("lib");
    expect(files.length).toBeGreaterThan(0);
    expect(files.flatMap((file) => wordsIn(file, textsIn(read(file))))).toEqual([]);
  });

  test("in a text that a model reads", () => {
    const golden = readdirSync(`${root}/test/model/tools/golden`).map((file) => `test/model/tools/golden/${file}`);
    expect(golden.length).toBeGreaterThan(0);
    expect(golden.flatMap((file) => wordsIn(file, linesOf(read(file))))).toEqual([]);
  });

  test("in README.md", () => {
    expect(wordsIn("README.md", linesOf(read("README.md")))).toEqual([]);
  });

  test("in the title of a test", () => {
    const files = codeIn("test").filter((file) => !file.startsWith("test/docs/"));
    const titles = files.map((file) => [file, textsIn(read(file)).filter(({ isTitle }) => isTitle)] as const);
    expect(titles.some(([, found]) => found.length > 0)).toBe(true);
    expect(titles.flatMap(([file, found]) => wordsIn(file, found))).toEqual([]);
  });
});

// A law that cannot be broken holds nothing: each is broken here once.
test("a text with such a word is found, and a comment, a name or another word is not", () => {
  const code = 'const told = "a task";\n// Nobody waits.\ntest("whoever waits", () => `is handed ${told}`);\n';
  expect(wordsIn("a.ts", textsIn(code))).toEqual([
    "a.ts:3 says whoever: whoever waits",
    "a.ts:3 says handed: is handed ",
  ]);
});
