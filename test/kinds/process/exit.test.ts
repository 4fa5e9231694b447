// The exit of this process ends its programs: also programs that ignore SIGTERM, and the processes below them.

import { execFileSync, spawnSync } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compiled, compiled } from "../../support/compiled.js";
import { DEAF, IDLE, isAlive, script, startsAll, until } from "../../support/programs.js";

let library: Compiled;
beforeAll(async () => {
  library = await compiled(["execa"]);
});
afterAll(() => library.remove());

describe("when this process ends by", () => {
  test.each([
    ["process.exit", `setImmediate(() => process.exit(0))`],
    ["an error that is not caught", `setImmediate(() => { throw new Error("nobody"); })`],
    ["a signal that it handles", `process.on("SIGTERM", () => process.exit(0)); process.kill(process.pid, "SIGTERM")`],
  ])("%s, its programs are killed", async (_what, end) => {
    // The one below it is in a group of its own.
    const input = script(`${IDLE} ${startsAll(DEAF)}`);
    if (spawnSync("bash", ["--version"]).status === 0) {
      const own = script(IDLE + startsAll(DEAF)).args?.[1] ?? "";
      Object.assign(input, { command: "bash", args: ["-c", 'set -m; "$0" -e "$1" & wait', process.execPath, own] });
    }
    const said = await library.evaluate(`
      import { TaskManager } from "errand";
      import { command } from "errand/kinds";
      const manager = new TaskManager();
      const handles = [1, 2].map(() => manager.spawn(command(), { input: ${JSON.stringify(input)} }));
      const said = () => handles.map((handle) => handle.output().text).join("");
      while (said().split("\\n").length < 5) await new Promise((resolve) => setTimeout(resolve, 5));
      process.stdout.write(said());
      ${end};
    `);
    const pids = [...said.matchAll(/\w (\d+)\n/g)].map(([, pid]) => Number(pid));
    try {
      expect(pids).toHaveLength(4);
      await until(
        () => !pids.some(isAlive),
        () => execFileSync("ps", ["-o", "pid,args", "-p", pids.join()]),
      );
    } finally {
      for (const pid of pids.filter(isAlive)) process.kill(pid, "SIGKILL");
    }
  });
});
