// The README's code is true: it compiles, it runs to its end, and its commands exist.

import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { type Block, blocksOf, npmScriptsOf } from "./markdown.js";
import { compiled, type Programs } from "./programs.js";

/** Languages that this test knows what to do with: a block in another one would escape it. */
const languages = ["ts", "sh", "text", "json", "mermaid"];
const maxFragments = 3;

const blocks = blocksOf(readFileSync(new URL("../../README.md", import.meta.url), "utf8"));
const inTs = blocks.filter(({ language }) => language === "ts");
const whole = inTs.filter(({ fragment }) => fragment === undefined);

const atLine = (block: Block) => [block.line, block] as const;

function unknownScripts(block: Block): readonly string[] {
  return npmScriptsOf(block).filter((script) => !Object.hasOwn(manifest.scripts, script));
}

describe("README.md", () => {
  test("has code that runs, in languages that are tested", () => {
    expect(whole.length).toBeGreaterThan(0);
    expect(blocks.filter(({ language }) => !languages.includes(language))).toEqual([]);
  });

  test(`has at most ${maxFragments} fragments`, () => {
    const reasons = inTs.flatMap(({ fragment }) => fragment ?? []);
    expect(reasons.length, reasons.join("; ")).toBeLessThanOrEqual(maxFragments);
  });

  test.each(blocks.filter(({ language }) => language === "sh").map(atLine))(
    "line %i asks npm for scripts that exist",
    (_line, block) => {
      expect(unknownScripts(block)).toEqual([]);
    },
  );
});

describe("the code in README.md", () => {
  let programs: Programs;
  beforeAll(async () => {
    programs = await compiled(whole);
  });
  afterAll(() => programs?.remove());

  test.each(whole.map(atLine))("line %i type-checks", (_line, block) => {
    expect(programs.errorsOf(block)).toEqual([]);
  });

  test.each(whole.map(atLine))("line %i runs and exits with 0", async (_line, block) => {
    const { code, stdout, stderr } = await programs.run(block);
    expect(code, `${stdout}${stderr}`).toBe(0);
  });
});

// A law that cannot be broken holds nothing: each is broken here once.
describe("this test", () => {
  const sample = (line: number, code: string): Block => ({ language: "ts", code, line });
  const right = sample(1, 'import { TaskManager } from "errand";\nawait new TaskManager().spawn(() => 1).result();\n');
  const misspelt = sample(10, 'import { TaskManager } from "errand";\n\nnew TaskManager().spawnn(() => 1);\n');
  const unchecked = sample(20, "const pages: readonly number[] = [1];\npages[0].toFixed();\n");
  const failing = sample(30, 'import assert from "node:assert/strict";\nassert.equal(1, 2);\n');
  const hanging = sample(40, "setInterval(() => {}, 1_000);\n");

  let programs: Programs;
  beforeAll(async () => {
    programs = await compiled([right, misspelt, unchecked, failing, hanging]);
  });
  afterAll(() => programs?.remove());

  test("takes what is right", async () => {
    expect(programs.errorsOf(right)).toEqual([]);
    expect((await programs.run(right)).code).toBe(0);
  });

  test("refuses a name that does not exist, and says on which line", () => {
    expect(programs.errorsOf(misspelt)).toEqual([expect.stringMatching(/^12:19: error .*spawnn/u)]);
  });

  test("refuses what only the project's strictness refuses", () => {
    expect(programs.errorsOf(unchecked)).toEqual([expect.stringContaining("possibly 'undefined'")]);
  });

  test("refuses what throws, and what does not end", async () => {
    expect((await programs.run(failing)).code).not.toBe(0);
    expect((await programs.run(hanging, 1_000)).code).toBeNull();
  });

  test("refuses a script that package.json does not have", () => {
    const block = { language: "sh", code: "npm run biuld && npm test\n", line: 1 };
    expect(unknownScripts(block)).toEqual(["biuld"]);
  });
});
