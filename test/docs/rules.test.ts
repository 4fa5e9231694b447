// The rules and their citations: RULES.md has every id that the project cites, and each of its rules is held by the tests that it names.

import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { citedIn, citedInMarkdown, idsIn, type Rule, rulesOf } from "./citations.js";
import { declarationsOfLib } from "./declarations.js";
import { type Declarations, docstringsOf } from "./docstrings.js";

type Files = ReadonlyMap<string, string>;
/** The ids that each file of test/ cites in a comment or in a title. What a test only prints holds nothing. */
type Holdings = ReadonlyMap<string, ReadonlySet<string>>;

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (file: string): string => readFileSync(path.join(root, file), "utf8");

// ── what breaks it ─────────────────────────────────────────────────────────

/** Ids that code or a document cites and that no rule has. */
function unknownIdsIn(files: Files, rules: readonly Rule[]): readonly string[] {
  const known = new Set(rules.map(({ id }) => id));
  return [...files].flatMap(([file, text]) =>
    (file.endsWith(".md") ? citedInMarkdown(text) : citedIn(text))
      .filter(({ id }) => !known.has(id))
      .map(({ id, line }) => `${file}:${line} cites ${id}, which is no rule of RULES.md`),
  );
}

/** Rules that are there twice, that name no test, or that no test cites. */
function unheldIn(rules: readonly Rule[], tests: Holdings): readonly string[] {
  const cited = new Set([...tests.values()].flatMap((ids) => [...ids]));
  return rules.flatMap(({ id, line, tests: named }, at) => {
    const breaches: string[] = [];
    if (rules.findIndex((rule) => rule.id === id) !== at) breaches.push(`RULES.md:${line} has ${id} a second time`);
    if (named.length === 0) breaches.push(`RULES.md:${line} names no test that holds ${id}`);
    if (!cited.has(id)) breaches.push(`RULES.md:${line} has ${id}, which no test cites`);
    return breaches;
  });
}

/** Tests that RULES.md names for a rule and that are not there, or do not cite it. */
function wrongTestsIn(rules: readonly Rule[], tests: Holdings): readonly string[] {
  return rules.flatMap(({ id, line, tests: named }) =>
    named.flatMap((file) => {
      const ids = tests.get(file);
      if (ids === undefined) return [`RULES.md:${line} names ${file}, and there is no such file`];
      return ids.has(id) ? [] : [`RULES.md:${line} names ${file}, which does not cite ${id}`];
    }),
  );
}

function holdingsOf(files: Files): Holdings {
  const held = (code: string): readonly string[] =>
    citedIn(code)
      .filter(({ where }) => where !== "text")
      .map(({ id }) => id);
  return new Map([...files].map(([file, code]) => [file, new Set(held(code))]));
}

/** Public docstrings that name a rule where they must state what it means for a caller. */
function lettersIn(declarations: Declarations, entries: readonly string[]): readonly string[] {
  return docstringsOf(declarations, entries).flatMap(({ file, name, text }) =>
    idsIn(text).map((id) => `lib/${file.replace(/\.d\.ts$/u, ".ts")}: a docstring of ${name} cites ${id}`),
  );
}

// ── the project ────────────────────────────────────────────────────────────

const documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "RULES.md"];

function filesIn(...folders: readonly string[]): Files {
  const paths = folders.flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" }).map((file) =>
      path.posix.join(folder, file.replaceAll("\\", "/")),
    ),
  );
  return new Map(paths.filter((file) => /\.(?:ts|mjs|md)$/u.test(file)).map((file) => [file, read(file)]));
}

/** The citations in these files are examples: of a breach, and of a range. */
const made = ["test/docs/rules.test.ts", "test/docs/citations.ts"];
const without = (files: Files): Files => new Map([...files].filter(([file]) => !made.includes(file)));

const tests = without(filesIn("test"));
const holdings = holdingsOf(tests);
const rules = rulesOf(read("RULES.md"));

describe("RULES.md", () => {
  test("has every rule that code, tests and documents cite", () => {
    const cited = new Map([
      ...tests,
      ...filesIn("lib", "bench", "examples"),
      ...documents.map((file) => [file, read(file)] as const),
    ]);
    expect(cited.size).toBeGreaterThan(documents.length);
    expect(unknownIdsIn(cited, rules)).toEqual([]);
  });

  test("has no rule that no test holds", () => {
    expect(rules.length).toBeGreaterThan(0);
    expect(unheldIn(rules, holdings)).toEqual([]);
  });

  test("names for each rule tests that exist and cite it", () => {
    expect(wrongTestsIn(rules, holdings)).toEqual([]);
  });
});

test("no docstring of a public name cites a rule", () => {
  const { declarations, entries } = declarationsOfLib();
  expect(docstringsOf(declarations, entries).length).toBeGreaterThan(0);
  expect(lettersIn(declarations, entries)).toEqual([]);
});

// A law that cannot be broken holds nothing: each is broken here once.
describe("the law of the rules", () => {
  const rule = (id: string, ...named: readonly string[]): Rule => ({ id, line: 1, text: "", tests: named });
  const file = (name: string, text: string): Files => new Map([[name, text]]);

  test("reads the rules of a page, with the tests that each names", () => {
    const page =
      "# Rules\n\n## S: states\n\n### S1 Final\n\nIt holds.\n\nHeld by `test/a.test.ts`,\n`test/b.ts`.\n\n### §2 One way\n\nSo.\n";
    expect(rulesOf(page)).toMatchObject([
      { id: "S1", line: 5, tests: ["test/a.test.ts", "test/b.ts"] },
      { id: "§2", line: 12, tests: [] },
    ]);
  });

  test.each<[what: string, name: string, text: string, cited: readonly string[]]>([
    ["a comment", "lib/a.ts", "// A part (S9).\n/** Final: C8, §20. */\nconst a = 1;", ["S9", "C8", "§20"]],
    ["a range in a comment", "lib/a.ts", "// Keeps S8–S10.", ["S8", "S9", "S10"]],
    ["the title of a test", "test/a.ts", 'test("S9 L3 is final", () => {});', ["S9", "L3"]],
    [
      "a title behind a table",
      "test/a.ts",
      'describe.each<[a: () => Map<string, Set<b>>]>([[f("x")]])("C8 %s", f);',
      ["C8"],
    ],
    ["a title with values", "test/a.ts", "test.skipIf(a > b)(`S9 ${a(`x`)} and (C8)`, f);", ["S9", "C8"]],
    [
      "the words of a program",
      "test/a.ts",
      "breaches.push(`S9: ${id} ended twice`, 'a batch is kept (D11, D12)');",
      ["S9", "D11", "D12"],
    ],
    ["the prose of a document", "A.md", "A task lends (L11).\n\n| table | W9 |\n", ["L11", "W9"]],
  ])("finds an unknown id in %s", (_what, name, text, cited) => {
    expect(unknownIdsIn(file(name, text), []).map((breach) => /cites (\S+),/u.exec(breach)?.[1])).toEqual(cited);
  });

  test.each<[what: string, name: string, text: string]>([
    ["a name in code", "lib/a.ts", "const S1 = D0 + 0xA4; // `D0` of Node, x86, UTF-8, v1, A4x, #A1"],
    ["another text", "lib/a.ts", 'const paper = "an A4 page"; const letter = `%D1%96${S1}`;'],
    ["code in a document", "A.md", "Node's `D0`.\n\n```ts\nconst C1 = 1; // C1\n```\n"],
  ])("takes no id out of %s", (_what, name, text) => {
    expect(unknownIdsIn(file(name, text), [])).toEqual([]);
  });

  test("says in which line an unknown id stands", () => {
    expect(unknownIdsIn(file("lib/a.ts", "// S1.\n\n// A part.\n// S9."), [rule("S1")])).toEqual([
      "lib/a.ts:4 cites S9, which is no rule of RULES.md",
    ]);
  });

  test("refuses a rule that no test cites, one that names no test, and one that is there twice", () => {
    const held = holdingsOf(file("test/a.test.ts", '// Holds S1.\ntest("L2 lends", f);\nfail("C3: printed");'));
    expect(unheldIn([rule("S1", "a"), rule("L2"), rule("C3", "a"), rule("S1", "a")], held)).toEqual([
      "RULES.md:1 names no test that holds L2",
      "RULES.md:1 has C3, which no test cites",
      "RULES.md:1 has S1 a second time",
    ]);
  });

  test("refuses a test that is not there, and one that does not cite its rule", () => {
    const held = holdingsOf(file("test/a.test.ts", "// Holds S1–S3."));
    expect(
      wrongTestsIn([rule("S2", "test/a.test.ts", "test/gone.test.ts"), rule("L1", "test/a.test.ts")], held),
    ).toEqual([
      "RULES.md:1 names test/gone.test.ts, and there is no such file",
      "RULES.md:1 names test/a.test.ts, which does not cite L1",
    ]);
  });
});

describe("the law of docstrings", () => {
  const head = 'import { Inner as Known, Hidden } from "./inner.js";\n';
  const entry = `${head}/** Public (S1). */
export interface Shown extends Known<string> {
    /** A member (C2). */
    readonly a: number;
}
/** Not exported, and not named. A1. */
interface Other {
}
export declare class Door {
    #private;
    /** Private (S2). */
    private readonly core: Hidden;
    /** Made inside (S3). */
    constructor(core: Hidden);
    /** Protected (S4). */
    protected get owner(): Hidden;
    /**
     * Opens.
     * L1 holds.
     */
    open(from: import("./far.js").Far): void;
}
export { type Again as More } from "./again.js";
`;
  const declarations: Declarations = new Map([
    ["index.d.ts", entry],
    [
      "inner.d.ts",
      "/** Named by what is public (H1). */\nexport interface Inner<T> {\n}\n/** D1. */\nexport interface Hidden {\n}\n",
    ],
    ["far.d.ts", "/** W1. */\nexport type Far = 1;\n"],
    ["again.d.ts", "/** N1. */\nexport type Again = 1;\n/** N2. */\nexport type Apart = 1;\n"],
    ["unused.d.ts", "/** A2. */\nexport type Unused = 1;\n"],
  ]);

  test("finds an id on an exported name, on a member, and on what those name, and nowhere else", () => {
    expect(lettersIn(declarations, ["index.d.ts"]).toSorted()).toEqual([
      "lib/again.ts: a docstring of Again cites N1",
      "lib/far.ts: a docstring of Far cites W1",
      "lib/index.ts: a docstring of Door cites L1",
      "lib/index.ts: a docstring of Shown cites C2",
      "lib/index.ts: a docstring of Shown cites S1",
      "lib/inner.ts: a docstring of Inner cites H1",
    ]);
  });
});
