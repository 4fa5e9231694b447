// The ready kinds in a bundle of one file, as a server ships it: run in a folder without `node_modules`.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Format } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Compiled, compiled } from "../support/compiled.js";

let library: Compiled;
let away: string;
beforeAll(async () => {
  library = await compiled(["execa", "croner"]);
  away = await mkdtemp(join(tmpdir(), "errand-bundled-"));
});
afterAll(async () => {
  await library.remove();
  await rm(away, { recursive: true });
});

const PROGRAM = `
  import { TaskManager } from "errand";
  import { command, monitor } from "errand/kinds";
  const manager = new TaskManager();
  const told = (error) => console.log(error.message.split("\\n")[0], "|", error.cause?.code ?? error.cause?.message ?? "");
  async function main() {
    try {
      const cron = monitor({ every: { cron: "* * * * * *" }, maxTicks: 1, run: () => console.log("tick") });
      await manager.spawn(cron).result();
    } catch (error) { told(error); }
    const outcome = await manager.spawn(command(), { input: { command: "echo", args: ["hi"] } }).outcome();
    if (outcome.status === "succeeded") console.log("exit " + outcome.value.exitCode);
    else told(outcome.error);
    await manager.close();
  }
  main();
`;

/** The output of the program, bundled into one file that stands alone. */
async function printed(format: Format, external: readonly string[], banner = ""): Promise<string> {
  const outfile = join(away, `${format}-${external.length}-${banner.length}.${format === "cjs" ? "cjs" : "mjs"}`);
  const result = await build({
    stdin: { contents: PROGRAM, resolveDir: library.folder },
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format,
    external: [...external],
    banner: { js: banner },
    logLevel: "silent",
    // Symbolic links are resolved, so that the packages of the project are found.
    preserveSymlinks: false,
  });
  await writeFile(outfile, result.outputFiles[0]?.text ?? "");
  return new Promise((resolve) => {
    execFile(process.execPath, [outfile], { cwd: away }, (_error, stdout, stderr) => resolve(stdout + stderr));
  });
}

const REQUIRE = `import { createRequire } from "node:module"; const require = createRequire(import.meta.url);`;

describe("§12 a bundle without node_modules", () => {
  test("of CommonJS has croner and execa in it, and both work", async () => {
    expect(await printed("cjs", [])).toBe("tick\nexit 0\n");
  });

  test("of modules, with a `require`, has croner and execa in it, and both work", async () => {
    expect(await printed("esm", [], REQUIRE)).toBe("tick\nexit 0\n");
  });

  test("of modules, without a `require`, says why execa could not be loaded; croner works", async () => {
    const said = await printed("esm", []);
    expect(said).toMatch(
      /^tick\n.*execa, which is installed and could not be loaded: .*require of "child_process" is not supported; keep execa external/,
    );
    // The version is not what is wrong.
    expect(said).not.toContain("npm install");
  });

  test.each<[Format, string]>([
    ["cjs", "MODULE_NOT_FOUND"],
    ["esm", "MODULE_NOT_FOUND"],
  ])("of %s that leaves them out says which are missing, why, and what to install", async (format, code) => {
    const [cron = "", program = ""] = (await printed(format, ["execa", "croner"])).split("\n");
    expect(cron).toContain(code);
    expect(cron).toMatch(/croner, which is not installed \(.*Cannot find module 'croner'.*: npm install croner/);
    expect(program).toContain("ERR_MODULE_NOT_FOUND");
    expect(program).toMatch(/execa, which is not installed \(.*Cannot find package 'execa'.*: npm install execa/);
  });
});
