// Messages of the compiler: they name the misspelt option or field (§12, §13). The test runs the compiler to read them.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const project = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(import.meta.url);

const START = `import { defineKind, TaskManager, type TaskContext, type TaskKind } from "errand";
declare const ctx: TaskContext;
const manager = new TaskManager();
const session = manager.session("s");
const kind = defineKind({ name: "k", run: (_ctx, input: { url: string; depth?: number | undefined }) => input.url.length });
const plain = defineKind({ name: "p", run: () => 1 });
function wrapped<I, T>(of: TaskKind<I, T>, input: I) { return manager.spawn(of, { input, timeoutMs: 5 }); }
`;

const wrong: readonly [what: string, call: string, said: RegExp][] = [
  ["a field of a kind's input", `manager.spawn(kind, { input: { uri: "x" } })`, /'uri' does not exist/],
  [
    "an optional field of it",
    `manager.spawn(kind, { input: { url: "x", dept: 1 } })`,
    /'dept' does not exist.*'depth'/,
  ],
  [
    "an option, of a kind with input",
    `manager.spawn(kind, { input: { url: "x" }, timeout: 5 })`,
    /'timeout'.*'timeoutMs'/,
  ],
  ["an option, of a kind without", `manager.spawn(plain, { timeout: 5 })`, /'timeout'.*'timeoutMs'/],
  ["an option, of a function", `manager.spawn(() => 1, { timeout: 5 })`, /'timeout'.*'timeoutMs'/],
  [
    "an option, of a function with a context",
    `manager.spawn((ctx) => ctx.id, { timeout: 5 })`,
    /'timeout'.*'timeoutMs'/,
  ],
  ["an option, by name", `manager.spawn("k", { timeout: 5 })`, /'timeout'.*'timeoutMs'/],
  ["an option below an option", `manager.spawn(() => 1, { retry: { maxAttempt: 3 } })`, /'maxAttempt'.*'maxAttempts'/],
  ["an option, in a session", `session.spawn(kind, { input: { url: "x" }, timeout: 5 })`, /'timeout'.*'timeoutMs'/],
  ["an option, in a context", `ctx.spawn(kind, { input: { url: "x" }, timeout: 5 })`, /'timeout'.*'timeoutMs'/],
  ["an option of map", `ctx.map([1], (_ctx, n) => n, { concurency: 5 })`, /'concurency'.*'concurrency'/],
  ["an option of tools", `session.tools({ kind: [] })`, /'kind'.*'kinds'/],
  ["an option of a kind", `defineKind({ name: "n", run: () => 1, timeout: 5 })`, /'timeout'.*'timeoutMs'/],
  ["an option of ask", `ctx.ask({ question: "?", choice: ["a"] })`, /'choice' does not exist.*'choices'/],
  [
    "a default that is no choice",
    `ctx.ask({ question: "?", choices: ["a"], onTimeout: { default: "b" } })`,
    /"b".*"a"/,
  ],
  ["an answer that is no text", `((count: number) => count)(await ctx.ask({ question: "?" }))`, /'string'.*'number'/],
  ["no question", `ctx.ask({ choices: ["a"] })`, /'question' is missing/],
  ["no input where one is needed", `manager.spawn(kind, { timeoutMs: 5 })`, /'input' is missing/],
  [
    "an input of another type",
    `manager.spawn(kind, { input: { url: 5 } })`,
    /'number' is not assignable to type 'string'/,
  ],
  [
    "an option of another type",
    `manager.spawn(() => 1, { timeoutMs: "5" })`,
    /'string' is not assignable to type 'number'/,
  ],
  ["an input of a function", `manager.spawn(() => 1, { input: 1 })`, /'number' is not assignable to type 'undefined'/],
  ["an input of a kind without", `manager.spawn(plain, { input: { a: 1 } })`, /is not assignable to type 'undefined'/],
];

const right = `
export const all: Promise<number>[] = [
  manager.spawn(kind, { input: { url: "x" }, timeoutMs: 5 }).result(),
  manager.spawn(plain).result(),
  manager.spawn((ctx) => ctx.attempt, { title: "t" }).result(),
  wrapped(kind, { url: "x" }).result(),
];
export const named: Promise<unknown> = manager.spawn("k", { input: { any: "thing" } }).result();
`;

let folder: string;
let said: Map<number, string>;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "errand-messages-"));
  const lines = [...START.trimEnd().split("\n"), ...wrong.map(([, call]) => `void ${call};`)];
  await writeFile(path.join(folder, "a.mts"), lines.join("\n") + right);
  const config = {
    extends: path.join(project, "tsconfig.json"),
    compilerOptions: {
      noEmit: true,
      types: ["node"],
      typeRoots: [path.join(project, "node_modules", "@types")],
      paths: { errand: [path.join(project, "lib", "index.ts")] },
    },
    include: [],
    files: ["a.mts"],
  };
  await writeFile(path.join(folder, "tsconfig.json"), JSON.stringify(config));
  const tsc = path.join(path.dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const stdout = await new Promise<string>((resolve) => {
    execFile(process.execPath, [tsc, "-p", folder, "--pretty", "false"], (_error, printed) => resolve(printed));
  });
  said = new Map();
  for (const message of stdout.split(/^(?=\S)/m)) {
    const line = Number(/a\.mts\((\d+),/.exec(message)?.[1]);
    said.set(line, (said.get(line) ?? "") + message);
  }
});
afterAll(() => rm(folder, { recursive: true }));

describe("§13 the compiler names", () => {
  const first = START.trimEnd().split("\n").length + 1;
  test.each(wrong.map(([what, , words], index) => [what, words, first + index] as const))(
    "%s",
    (_what, words, line) => {
      // The last line of a message is the reason.
      expect(said.get(line)?.trimEnd().split("\n").at(-1)).toMatch(words);
    },
  );

  test("nothing where nothing is wrong", () => {
    const expected = new Set(wrong.map((_, index) => first + index));
    expect([...said].filter(([line]) => !expected.has(line))).toEqual([]);
  });
});
