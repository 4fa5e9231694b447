// Optional peers: `errand/kinds` needs neither `execa` nor `croner` before something is asked of it that they do.

import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compiled, compiled } from "./compiled.js";

let without: Compiled;
beforeAll(async () => {
  without = await compiled([]);
});
afterAll(() => without.remove());

describe("without execa and croner", () => {
  test("the kinds are there, and an interval ticks", async () => {
    const said = await without.evaluate(`
      import { TaskManager } from "errand";
      import { monitor, process as program } from "errand/kinds";
      console.log(program().name);
      await new TaskManager().spawn(monitor({ every: { ms: 1 }, maxTicks: 2, run: (_ctx, { count }) => console.log(count) })).result();
    `);
    expect(said).toBe("process\n1\n2\n");
  });

  test("a process fails its task, and says what to install", async () => {
    const said = await without.evaluate(`
      import { TaskManager } from "errand";
      import { process as program } from "errand/kinds";
      const outcome = await new TaskManager().spawn(program(), { input: { command: "ls" } }).outcome();
      console.log(outcome.status, outcome.error.code, outcome.error.message);
    `);
    expect(said).toMatch(/^failed error .*execa.*: npm install execa\n$/);
  });

  test("a cron pattern is refused where it is written, and says what to install", async () => {
    const said = await without.evaluate(`
      import { monitor } from "errand/kinds";
      try { monitor({ every: { cron: "* * * * *" }, run: () => {} }); } catch (error) { console.log(error.message, error.cause.code); }
    `);
    expect(said).toMatch(/croner.*: npm install croner MODULE_NOT_FOUND\n$/);
  });
});
