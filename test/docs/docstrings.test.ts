// The docstrings that a user of the package reads: each public name and member has one, and their examples are true.

import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { postgresKind } from "../support/sql-place.js";
import { declarationsOfLib } from "./declarations.js";
import { type Declarations, publicNamesOf } from "./docstrings.js";
import { type Example, examplesIn, printedBy } from "./examples.js";
import { membersOf, undocumentedIn } from "./members.js";
import { compiled, type Programs } from "./programs.js";

const { declarations, entries } = declarationsOfLib();
const members = membersOf(publicNamesOf(declarations, entries));
const examples = examplesIn(members);

/** The names that a user meets first. */
const main = [
  "TaskManager",
  "TaskManager.open",
  "TaskManager.spawn",
  "TaskManager.session",
  "TaskManager.on",
  "TaskManager.events",
  "AwaitTasks",
  "TaskHandle.result",
  "TaskHandle.outcome",
  "TaskHandle.cancel",
  "TaskContext.map",
  "TaskReports.checkpoint",
  "TaskManagerOptions",
  "LaneOptions",
  "SpawnOptions",
  "RetryOptions",
  "TaskContext.sleep",
  "TaskContext.ask",
  "TaskContext.approve",
  "Session.nextNotices",
  "Session.view",
  "Session.tools",
  "Inbox.answer",
  "defineKind",
  "RemoteKindDefinition",
  "command",
  "monitor",
  "subagent",
  "fileStore",
  "sqlite",
  "postgres",
  "simulate",
  "manualClock",
  "isErrandError",
];

test("every public name and member has a docstring", () => {
  expect(members.length).toBeGreaterThan(main.length);
  expect(undocumentedIn(members)).toEqual([]);
});

test("every main name has an example", () => {
  const shown = examples.map(({ path }) => path);
  expect(main.filter((name) => !shown.includes(name))).toEqual([]);
});

const database = await (await postgresKind((words) => console.log(words)))?.make();
const server = database === undefined ? undefined : environmentOf(database.words[1]);

const linesOf = ({ block }: Example): readonly string[] => block.code.split("\n").filter((line) => line.trim() !== "");
const titled = examples.map((example) => [example.path, example] as const);

/** Modules that an example needs and does not import itself, by its name. */
const loaded: Readonly<Record<string, readonly string[]>> = { command: ["execa"] };
const { resolve } = createRequire(import.meta.url);

/** A peer that is not installed. */
function missingPeer({ path, block }: Example): string | undefined {
  const imported = [...block.code.matchAll(/from "([^"]+)"/gu)].map(([, name = ""]) => name);
  const peers = imported.filter((name) => !/^(?:errand(?:\/|$)|node:)/u.test(name));
  return [...peers, ...(loaded[path] ?? [])].find((peer) => {
    try {
      resolve(peer);
      return false;
    } catch {
      return true;
    }
  });
}

describe("the example of", () => {
  let programs: Programs;
  beforeAll(async () => {
    programs = await compiled(examples.filter((example) => !missingPeer(example)).map(({ block }) => block));
  });
  afterAll(() => programs?.remove());

  test.each(titled)("%s has 3 to 12 lines, and prints what its comments say", (_name, example) => {
    expect(linesOf(example).length).toBeGreaterThanOrEqual(3);
    expect(linesOf(example).length, linesOf(example).join("\n")).toBeLessThanOrEqual(12);
    expect(printedBy(example).length).toBeGreaterThan(0);
  });

  test.each(titled)(
    "%s type-checks, runs, and prints what it says",
    async (name, example) => {
      const peer = missingPeer(example);
      if (peer !== undefined) return console.log(`skipped: the example of ${name} needs ${peer}; npm install ${peer}`);
      expect(programs.errorsOf(example.block)).toEqual([]);
      const needsServer = example.block.code.includes('from "pg"');
      if (needsServer && server === undefined)
        return console.log(`skipped: the example of ${name} needs PostgreSQL; start one, or set ERRAND_TEST_POSTGRES`);
      const { code, stdout, stderr } = await programs.run(example.block, 10_000, needsServer ? server : {});
      expect(code, `${stdout}${stderr}`).toBe(0);
      expect(stdout.split("\n").slice(0, -1)).toEqual(printedBy(example));
    },
    15_000,
  );
});

/** The variables by which `pg` finds the server of this URL. */
function environmentOf(connection: string): Readonly<Record<string, string>> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(connection);
  return {
    PGHOST: hostname,
    PGPORT: port === "" ? "5432" : port,
    PGUSER: decodeURIComponent(username),
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
    PGOPTIONS: searchParams.get("options") ?? "",
  };
}

// A law that cannot be broken holds nothing: each is broken here once.
describe("this test", () => {
  const broken: Declarations = new Map([
    [
      "index.d.ts",
      `export interface Bare {
    readonly a: { readonly deep: string };
    /** Documented. */
    b(options?: {
        limit?: number | undefined;
    }): Exclude<Kinds, { status: "no member" }>;
    readonly [name: string]: unknown;
    (call: string): void;
    [Symbol.asyncDispose](): Promise<void>;
}
/** Documented. */
export declare class Door {
    #private;
    private readonly hidden: { readonly x: number };
    static open({ a, b }: Options): Door;
    get get(): string;
    /** The first overload is enough. */
    over(a: string): void;
    over(a: number): void;
}
export declare function plain(): void;
`,
    ],
  ]);

  test("finds each name and member without a docstring, and nothing else", () => {
    expect(undocumentedIn(membersOf(publicNamesOf(broken, ["index.d.ts"]))).toSorted()).toEqual([
      "lib/index.ts: Bare has no docstring",
      "lib/index.ts: Bare() has no docstring",
      "lib/index.ts: Bare.[Symbol.asyncDispose] has no docstring",
      "lib/index.ts: Bare.a has no docstring",
      "lib/index.ts: Bare.a.deep has no docstring",
      "lib/index.ts: Bare.b.limit has no docstring",
      "lib/index.ts: Door.get has no docstring",
      "lib/index.ts: Door.open has no docstring",
      "lib/index.ts: plain has no docstring",
    ]);
  });

  test("reads an example, and what it prints", () => {
    const doc =
      '/**\n * Text.\n *\n * @example\n * ```ts\n * console.log(1); // 1\n * console.log("a b"); // a b\n * ```\n */';
    const [example] = examplesIn([{ file: "a.d.ts", path: "A.b", doc }]);
    expect(example).toMatchObject({
      path: "A.b",
      block: { code: 'console.log(1); // 1\nconsole.log("a b"); // a b\n' },
    });
    expect(example === undefined ? [] : printedBy(example)).toEqual(["1", "a b"]);
  });

  test("refuses an example that is not a block of ts", () => {
    const doc = "/**\n * @example new TaskManager()\n */";
    expect(() => examplesIn([{ file: "a.d.ts", path: "A", doc }])).toThrow("the example of A is no block of ts");
  });
});
