// What the documents name exists: identifiers in lib/ or package.json, paths in the project.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { linksOf, namesOf, pathsOf, spansOf } from "./markdown.js";

const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

const documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "RULES.md"];

/** Names that are somebody else's, each with whose it is. */
const foreign: Readonly<Record<string, string>> = {
  unhandledRejection: "Node's process",
};

// ── what there is ──────────────────────────────────────────────────────────

const words = (text: string): readonly string[] => text.match(/[\w$]+/gu) ?? [];
const withoutComments = (code: string): string =>
  code.replace(/\/\*[\s\S]*?\*\//gu, "").replace(/(^|\s)\/\/.*$/gmu, "$1");

/** A comment proves nothing: a name in lib/ is one that the code has. */
const ours: ReadonlySet<string> = new Set([
  ...filesIn("lib")
    .filter((file) => file.endsWith(".ts"))
    .flatMap((file) => words(withoutComments(read(file)))),
  ...words(read("package.json")),
]);

function filesIn(folder: string): readonly string[] {
  return readdirSync(fileURLToPath(new URL(folder, root)), { recursive: true, encoding: "utf8" }).map(
    (file) => `${folder}/${file.replaceAll("\\", "/")}`,
  );
}

function exists(path: string): boolean {
  const [folder = ""] = path.split("/");
  if (!path.includes("*")) return existsSync(new URL(path, root));
  const pattern = path
    .replace(/[.$+?^()[\]|\\]/gu, "\\$&")
    .replace(/\*\*\/|\*\*|\*/gu, (star) => (star === "*" ? "[^/]*" : "(?:.*/)?"));
  return (
    existsSync(new URL(folder, root)) && filesIn(folder).some((file) => new RegExp(`^${pattern}$`, "u").test(file))
  );
}

// ── what is said ───────────────────────────────────────────────────────────

function unknownNamesIn(markdown: string): readonly string[] {
  return spansOf(markdown).flatMap((span) =>
    namesOf(span)
      .filter((name) => !ours.has(name) && !Object.hasOwn(foreign, name))
      .map((name) => `line ${span.line}: ${name} in \`${span.code}\``),
  );
}

function lostPathsIn(markdown: string): readonly string[] {
  return spansOf(markdown).flatMap((span) =>
    pathsOf(span)
      .filter((path) => !exists(path))
      .map((path) => `line ${span.line}: ${path}`),
  );
}

describe.each(documents)("%s", (document) => {
  const markdown = read(document);

  test("names only what exists in lib/, or what is known to be foreign", () => {
    expect(unknownNamesIn(markdown)).toEqual([]);
  });

  test("mentions only paths that exist", () => {
    expect(lostPathsIn(markdown)).toEqual([]);
  });

  test("links only to what exists", () => {
    expect(linksOf(markdown).filter((path) => !exists(path))).toEqual([]);
  });
});

test("the list of foreign names holds only what the documents say and errand does not have", () => {
  const said = documents.flatMap((document) => spansOf(read(document)).flatMap(namesOf));
  expect(Object.keys(foreign).filter((name) => ours.has(name) || !said.includes(name))).toEqual([]);
});

// A law that cannot be broken holds nothing: each is broken here once.
describe("this test", () => {
  test("knows a name of lib/, and no other", () => {
    expect(unknownNamesIn("`TaskManager`, `ctx.spawn(fn)`,\n`awaitTaks(tasks)` and `manager.spwan()`")).toEqual([
      "line 2: awaitTaks in `awaitTaks(tasks)`",
      "line 2: spwan in `manager.spwan()`",
    ]);
  });

  test("knows a path of the project, and no other", () => {
    expect(lostPathsIn("`lib/index.ts` `lib/` `lib/core/*.ts` `test/**/*.test.ts` `package.json`")).toEqual([]);
    expect(lostPathsIn("`lib/core/lop.ts`\n`lib/core/{loop,lop}.ts` `bench/*.rs` `LICENCE.md`")).toEqual([
      "line 1: lib/core/lop.ts",
      "line 2: lib/core/lop.ts",
      "line 2: bench/*.rs",
      "line 2: LICENCE.md",
    ]);
  });
});
