// What the documents name exists: names and members in the code of lib/, names in package.json, paths in the project.
// A member is one of its class (`Loop.apply`), and a function is in the file in which a document places it.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { Declarations } from "./declared.js";
import { linksOf, memberNamesOf, namesOf, pathsOf, placedNamesOf, plainNameOf, spansOf } from "./markdown.js";

const root = new URL("../../", import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), "utf8");

const documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "RULES.md"];

/** Names that are somebody else's, each with whose it is. */
const foreign: Readonly<Record<string, string>> = {
  unhandledRejection: "Node's process",
};

// ── what there is ──────────────────────────────────────────────────────────

/** A comment and the words of a message prove nothing: a name in lib/ is one that the code has. */
const code = new Declarations(
  new Map(
    filesIn("lib")
      .filter((file) => file.endsWith(".ts"))
      .map((file) => [file, read(file)]),
  ),
);

const ours: ReadonlySet<string> = new Set([...code.words, ...(read("package.json").match(/[\w$]+/gu) ?? [])]);

/** The types of the objects that the documents call by these names. */
const objects: Readonly<Record<string, string>> = {
  attempt: "AttemptOf",
  ctx: "TaskContext",
  details: "TaskDetails",
  handle: "TaskHandle",
  manager: "TaskManager",
  session: "Session",
};

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

/** Members that their class or type does not have: `Loop.aply`. Classes of Node and of the platform are not ours. */
function unknownMembersIn(markdown: string): readonly string[] {
  return spansOf(markdown).flatMap((span) =>
    memberNamesOf(span).flatMap(({ of, member }) => {
      const type = objects[of] ?? of;
      if (!code.hasType(type) || code.hasMember(type, member)) return [];
      return [`line ${span.line}: ${type} has no member ${member}, in \`${span.code}\``];
    }),
  );
}

/** Types of events and facts that do not exist: `task.park`. */
function unknownEventsIn(markdown: string): readonly string[] {
  return spansOf(markdown).flatMap(({ code: type, line }) =>
    !/^(?:task|request|message|usage|artifact)\.[a-z]+[A-Za-z]*$/u.test(type) || code.texts.has(type)
      ? []
      : [`line ${line}: ${type}`],
  );
}

/** Names that are not in the file in which the text places them. */
function misplacedNamesIn(markdown: string): readonly string[] {
  return placedNamesOf(markdown).flatMap((placed) => {
    const { file, line } = placed;
    const [first = "", member] = placed.code.replace("()", "").split(".");
    const isThere =
      member === undefined ? code.hasName(file, first) : code.declares(file, first) && code.hasMember(first, member);
    return isThere ? [] : [`line ${line}: ${placed.code} is not in ${file}`];
  });
}

/** Single words in lower case that are no name in the code, and no value of it. */
function unknownWordsIn(markdown: string): readonly string[] {
  return spansOf(markdown).flatMap((span) => {
    const name = plainNameOf(span);
    if (name === undefined || ours.has(name) || Object.hasOwn(foreign, name)) return [];
    return [`line ${span.line}: ${name}`];
  });
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

  test("names only members that their class or type has", () => {
    expect(unknownMembersIn(markdown)).toEqual([]);
  });

  test("names only events that exist", () => {
    expect(unknownEventsIn(markdown)).toEqual([]);
  });

  test("names each function in the file that has it", () => {
    expect(misplacedNamesIn(markdown)).toEqual([]);
  });

  test("has no word in backticks that is no name and no value", () => {
    expect(unknownWordsIn(markdown)).toEqual([]);
  });

  test("mentions only paths that exist", () => {
    expect(lostPathsIn(markdown)).toEqual([]);
  });

  test("links only to what exists", () => {
    expect(linksOf(markdown).filter((path) => !exists(path))).toEqual([]);
  });
});

test("the list of foreign names holds only what the documents say and errand does not have", () => {
  const said = documents.flatMap((document) =>
    spansOf(read(document)).flatMap((span) => [...namesOf(span), plainNameOf(span)]),
  );
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

  test("takes no name out of a comment, or out of the words of a message", () => {
    const declared = new Declarations(
      new Map([
        ["lib/a.ts", '// Calls `adopt`.\nexport function attach(): string {\n  return "a task is adopted";\n}\n'],
      ]),
    );
    expect([...declared.words].filter((word) => /adopt|attach/u.test(word))).toEqual(["attach"]);
  });

  test("knows a member of its class, also a private and an inherited one, and no other", () => {
    const right =
      "`Loop.apply`, `Runner.#handOff`, `TaskManager.spawn(fn)`, `TaskManager.room`, `StoredMark.until`, `ctx.ask`";
    expect(unknownMembersIn(`${right}, \`AbortSignal.any\``)).toEqual([]);
    expect(
      unknownMembersIn("`Runner.#park`, `Spawner.again`\nand `Loop.storedSeq`, `Runner.handOff`, `ctx.aks(request)`"),
    ).toEqual([
      "line 1: Runner has no member #park, in `Runner.#park`",
      "line 1: Spawner has no member again, in `Spawner.again`",
      "line 2: Loop has no member storedSeq, in `Loop.storedSeq`",
      "line 2: Runner has no member handOff, in `Runner.handOff`",
      "line 2: TaskContext has no member aks, in `ctx.aks(request)`",
    ]);
  });

  test("knows the type of an event, and no other", () => {
    expect(unknownEventsIn("`task.parked`, `request.opened` and `usage.reported`")).toEqual([]);
    expect(unknownEventsIn("`task.park`\n`request.asked`")).toEqual(["line 1: task.park", "line 2: request.asked"]);
  });

  test("knows a function in its file, and in no other", () => {
    const right = [
      "`lib/core/loop.ts` `Loop.apply`, `lib/core/time/turn.ts`: `nextTurn` calls it,",
      "`waiterOf` in `lib/core/waits/ambient.ts`, the check (`lib/core/inbox/question.ts` `checkAnswer`),",
      "`goOn` (`lib/core/recovery/asking-kinds.ts`)\n\n| class | file |\n|---|---|\n| `Loop` | `lib/core/loop.ts` |",
    ];
    expect(placedNamesOf(right.join("\n")).length).toBe(6);
    expect(misplacedNamesIn(right.join("\n"))).toEqual([]);
    expect(
      misplacedNamesIn(
        "`lib/core/live/family.ts` `adopt`\n`Loop.apply` (`lib/core/core.ts`)\n`goOn` in `lib/core/loop.ts`\n| `Waits` | `lib/core/loop.ts` |",
      ),
    ).toEqual([
      "line 1: adopt is not in lib/core/live/family.ts",
      "line 2: Loop.apply is not in lib/core/core.ts",
      "line 3: goOn is not in lib/core/loop.ts",
      "line 4: Waits is not in lib/core/loop.ts",
    ]);
  });

  test("knows a bare name of the code, a value of it, and no other", () => {
    expect(unknownWordsIn("`recover`, `blocked`, `nextTurn()`, `errand`")).toEqual([]);
    expect(unknownWordsIn("`adopt` and\n`recoverAll()`")).toEqual(["line 1: adopt", "line 2: recoverAll"]);
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
