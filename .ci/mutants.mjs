// Mutation testing: is there a line of the library that may be wrong without a test of the core, of sessions or of tools noticing?
//
//   npm run mutants -- lib/core/lanes/slots.ts lib/core/lanes/lane-queue.ts
//
// Stryker changes one thing at a time in the given files and runs those tests of test/core, test/session and test/model that reach it. A mutant that
// no test kills is told with its line: it wants a law, or shows code that nobody needs. Ends with an error when fewer than nine in ten are killed.
// Stryker and what it brings are installed beside the project's modules, not with them: only who runs this has them.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const VERSION = "9.6.1"; // 10 needs Node 22.

const root = fileURLToPath(new URL("..", import.meta.url));
const files = process.argv.slice(2);
const unknown = files.filter((file) => !existsSync(join(root, file)));
if (files.length === 0 || unknown.length > 0) {
  console.error(
    unknown.length > 0 ? `no such file: ${unknown.join(", ")}` : "npm run mutants -- lib/core/lanes/slots.ts …",
  );
  process.exit(2);
}

const tools = join(root, "node_modules", ".cache", `errand-mutants-${VERSION}`);
if (!existsSync(join(tools, "node_modules"))) {
  mkdirSync(tools, { recursive: true });
  writeFileSync(join(tools, "package.json"), JSON.stringify({ private: true }));
  // Under `npm run` this names the project's folder, and an npm started here would install into it.
  const { npm_config_local_prefix: _, ...env } = process.env;
  const wanted = ["core", "vitest-runner"].map((name) => `@stryker-mutator/${name}@${VERSION}`);
  // The runner's vitest is the project's.
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--legacy-peer-deps", ...wanted], {
    cwd: tools,
    env,
    stdio: "inherit",
  });
}

// In a copy: a run that is broken off leaves nothing behind in the project.
const copy = mkdtempSync(join(tmpdir(), "errand-mutants-"));
try {
  for (const each of ["lib", "test", "package.json", "tsconfig.json", "tsconfig.build.json", "vitest.config.ts"])
    cpSync(join(root, each), join(copy, each), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));

  writeFileSync(
    join(copy, "vitest.mutants.config.ts"),
    `import { defineConfig } from "vitest/config";
import base from "./vitest.config.js";

export default defineConfig({
  ...base,
  // A tree of 100 000 tasks tells no more mutants apart than a small one, and a process of its own knows of none.
  plugins: [
    {
      name: "small trees",
      enforce: "pre",
      transform: (code, id) =>
        id.endsWith(".test.ts") ? code.replace(/\\b(test|describe)\\((?="[^"]*(100 000|50 000|print no warning|a process that only spawns))/g, "$1.skip(") : undefined,
    },
  ],
  test: {
    ...base.test,
    include: ["test/core/**/*.test.ts", "test/session/**/*.test.ts", "test/model/**/*.test.ts"],
    // The first run measures the coverage, which takes its time.
    testTimeout: 120_000,
    typecheck: { enabled: false },
    // One process for all files: ten times as fast.
    isolate: false,
  },
});
`,
  );
  writeFileSync(
    join(copy, "stryker.config.json"),
    JSON.stringify({
      mutate: files,
      plugins: [join(tools, "node_modules", "@stryker-mutator", "vitest-runner", "dist", "src", "index.js")],
      testRunner: "vitest",
      vitest: { configFile: "vitest.mutants.config.ts", related: false },
      coverageAnalysis: "perTest",
      // Made once while a file loads: no test can be told to run it again.
      ignoreStatic: true,
      // Stryker would read it with the compiler's API, which TypeScript 7 has not.
      tsconfigFile: "none",
      concurrency: 2,
      timeoutMS: 8_000,
      timeoutFactor: 2,
      dryRunTimeoutMinutes: 15,
      reporters: ["clear-text"],
      clearTextReporter: { allowColor: false, allowEmojis: false, logTests: false },
      thresholds: { high: 95, low: 90, break: 90 },
    }),
  );
  const stryker = join(tools, "node_modules", "@stryker-mutator", "core", "bin", "stryker.js");
  const { status } = spawnSync(process.execPath, [stryker, "run"], { cwd: copy, stdio: "inherit" });
  process.exitCode = status ?? 1;
} finally {
  rmSync(copy, { recursive: true, force: true });
}
