// The tests of the documents read Markdown as a reader does.

import { describe, expect, test } from "vitest";
import { blocksOf, linksOf, namesOf, npmScriptsOf, pathsOf, spansOf } from "./markdown.js";

const lines = (...all: readonly string[]): string => `${all.join("\n")}\n`;

describe("blocks", () => {
  test("have a language, their code, and the number of its first line", () => {
    const markdown = lines("# A", "", "```ts", "const a = 1;", "", "a;", "```", "text", "~~~sh title", "npm ci", "~~~");
    expect(blocksOf(markdown)).toEqual([
      { language: "ts", code: "const a = 1;\n\na;\n", line: 4 },
      { language: "sh", code: "npm ci\n", line: 10 },
    ]);
  });

  test("end where their own fence does, and lose the indentation of a list", () => {
    expect(blocksOf(lines("````md", "```ts", "x", "```", "````"))).toEqual([
      { language: "md", code: "```ts\nx\n```\n", line: 2 },
    ]);
    expect(blocksOf(lines("- a", "  ```ts", "  if (a) {", "    b();", "  }", "  ```"))).toEqual([
      { language: "ts", code: "if (a) {\n  b();\n}\n", line: 3 },
    ]);
    expect(() => blocksOf("text\n```ts\nconst a = 1;\n")).toThrow("line 2");
  });

  test("are fragments only by a comment with a reason, directly before", () => {
    const block = ["```ts", "...", "```"];
    const fragment = (...before: readonly string[]) => blocksOf(lines(...before, ...block))[0]?.fragment;
    expect(fragment("<!-- fragment: the middle of a function -->")).toBe("the middle of a function");
    expect(fragment("<!-- fragment: -->")).toBeUndefined();
    expect(fragment("<!-- fragment: why -->", "text")).toBeUndefined();
    expect(fragment("<!-- a remark -->")).toBeUndefined();
  });
});

describe("commands", () => {
  const scripts = (...code: readonly string[]) => npmScriptsOf({ language: "sh", code: lines(...code), line: 1 });

  test("name their scripts, whatever stands around", () => {
    expect(scripts("npm ci && npm start", "$ npm run --silent build -- --watch  # npm run nothing")).toEqual([
      "start",
      "build",
    ]);
    expect(scripts("npm test", "npm start -- --help; npm run bench | tee log")).toEqual(["test", "start", "bench"]);
    expect(scripts("npm install errand", "npm i", "npmx run a", "node build/npm run", "")).toEqual([]);
    expect(scripts("npm run", "npm tset")).toEqual(["", "tset"]);
  });
});

describe("code in a line", () => {
  test("is what backticks hold, with the number of its line", () => {
    const markdown = lines(
      "A `b` and ``c ` d``.",
      "",
      "```ts",
      "`no`;",
      "```",
      "<!-- `no` -->",
      "| `e` | `f g` |",
      "`x",
    );
    expect(spansOf(markdown)).toEqual([
      { code: "b", line: 1 },
      { code: "c ` d", line: 1 },
      { code: "e", line: 7 },
      { code: "f g", line: 7 },
    ]);
  });

  test.each<[code: string, names: readonly string[]]>([
    ["awaitTasks", ["awaitTasks"]],
    ["TaskManager", ["TaskManager"]],
    ["TASK_CANCELLED", ["TASK_CANCELLED"]],
    ["handle.outcome({ timeoutMs: 300 })", ["outcome", "timeoutMs"]],
    ["awaitTasks(tasks, { until })", ["awaitTasks"]],
    ['manager.session("chatRoom").spawn(fn)', ["session", "spawn"]],
    ["stats().droppedWrites", ["stats", "droppedWrites"]],
    ["error?.code", ["code"]],
    [".lateSettled", ["lateSettled"]],
    ["task.started", ["started"]],
    ["{ on: 1 }", ["on"]],
    ["blockedOn: slot", ["blockedOn"]],
    ["queued", []],
    ["T", []],
    ["npm start -- PATH", []],
    ["npm run --silent check:package", []],
    ["lib/core/rankQueue.ts", []],
    ["node build/bench/spawn.js --max-old-space", []],
  ])("%s claims %j", (code, names) => {
    expect(namesOf({ code, line: 1 })).toEqual(names);
  });

  test.each<[code: string, paths: readonly string[]]>([
    ["lib/core/loop.ts", ["lib/core/loop.ts"]],
    ["./examples/", ["examples/"]],
    ["lib/core/task/{decide,evolve}.ts", ["lib/core/task/decide.ts", "lib/core/task/evolve.ts"]],
    ["test/**/*.test.ts:12", ["test/**/*.test.ts"]],
    ["bash .ci/run", [".ci/run"]],
    ["CONTRIBUTING.md", ["CONTRIBUTING.md"]],
    ["dist/lib/a.ts", []],
    ["import(a/lib/b.ts)", []],
    ["library/x", []],
  ])("%s leads to %j", (code, paths) => {
    expect(pathsOf({ code, line: 1 })).toEqual(paths);
  });
});

describe("links", () => {
  test("are those into the project", () => {
    const markdown = lines(
      "[a](lib/a.ts#L3) ![b](<b.png>) [c](https://x.org/c) [d](#d) `[e](e.ts)`",
      "[f]: docs/f.md",
      "```md",
      "[g](g.md)",
      "```",
    );
    expect(linksOf(markdown)).toEqual(["lib/a.ts", "b.png", "docs/f.md"]);
  });
});
