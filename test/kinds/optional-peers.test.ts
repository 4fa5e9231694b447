// Optional peers: `errand/kinds` needs neither `execa` nor `croner` before something is asked of it that they do.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compiled, compiled } from "../support/compiled.js";

let without: Compiled;
beforeAll(async () => {
  without = await compiled([]);
});
afterAll(() => without.remove());

describe("§12 a package that is installed and does not do", () => {
  /** Both packages as `code`, of this version. */
  async function broken(code: string): Promise<Compiled> {
    const library = await compiled([]);
    for (const name of ["execa", "croner"]) {
      const folder = join(library.folder, "node_modules", name);
      await mkdir(folder);
      await writeFile(join(folder, "package.json"), JSON.stringify({ name, version: "1.0.0", main: "index.js" }));
      await writeFile(join(folder, "index.js"), code);
    }
    return library;
  }
  const both = `
    import { TaskManager } from "errand";
    import { command, monitor } from "errand/kinds";
    const outcome = await new TaskManager().spawn(command(), { input: { command: "ls" } }).outcome();
    console.log(outcome.error.message);
    try { monitor({ every: { cron: "* * * * *" }, run: () => {} }); } catch (error) { console.log(error.message, error.cause?.name); }`;

  test.each<[how: string, code: string, said: RegExp]>([
    ["throws", `new Set().unite();`, /installed and could not be loaded: TypeError: .*unite is not a function/],
    [
      "misses a package of its own",
      `require("figures");`,
      /installed and could not be loaded: .*Cannot find module 'figures'/,
    ],
    [
      "is of another version",
      `module.exports = {};`,
      /the version that is installed has no .*errand needs \w+ \d+ or \d+/,
    ],
  ])("says so, and why: one that %s", async (_how, code, said) => {
    const library = await broken(code);
    const [execa = "", croner = ""] = (await library.evaluate(both)).split("\n");
    await library.remove();
    expect([execa, croner]).toEqual([expect.stringMatching(said), expect.stringMatching(said)]);
    expect([execa, croner]).toEqual([expect.stringContaining("execa"), expect.stringContaining("croner")]);
  });
});

describe("without execa and croner", () => {
  test("the kinds are there, and an interval ticks", async () => {
    const said = await without.evaluate(`
      import { TaskManager } from "errand";
      import { command, monitor } from "errand/kinds";
      console.log(command().name);
      await new TaskManager().spawn(monitor({ every: { ms: 1 }, maxTicks: 2, run: (_ctx, { count }) => console.log(count) })).result();
    `);
    expect(said).toBe("process\n1\n2\n");
  });

  test("a process fails its task, and says what to install", async () => {
    const said = await without.evaluate(`
      import { TaskManager } from "errand";
      import { command } from "errand/kinds";
      const outcome = await new TaskManager().spawn(command(), { input: { command: "ls" } }).outcome();
      console.log(outcome.status, outcome.error.code, outcome.error.message);
    `);
    expect(said).toMatch(
      /^failed error .*execa, which is not installed \(.*Cannot find package.*\): npm install execa/,
    );
  });

  test("a cron pattern is refused where it is written, and says what to install", async () => {
    const said = await without.evaluate(`
      import { monitor } from "errand/kinds";
      try { monitor({ every: { cron: "* * * * *" }, run: () => {} }); } catch (error) { console.log(error.message, error.cause.code); }
    `);
    expect(said).toMatch(
      /croner, which is not installed \(.*Cannot find module.*\): npm install croner MODULE_NOT_FOUND\n$/,
    );
  });
});
