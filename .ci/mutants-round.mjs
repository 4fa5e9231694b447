// One round of mutation testing: plays given tests against the mutants of given places, in a copy of the project.
//
// Called by `mutants.mjs`, which chooses the tests of each round. Knows how Stryker is configured and what it reports.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const COPIED = ["lib", "test", "package.json", "tsconfig.json", "tsconfig.build.json", "vitest.config.ts"];

/**
 * Whether a test failed with the mutant. `RuntimeError`: no test failed, but an error outside of the tests, such as an
 * unhandled rejection, made the run of the tests fail. A `Timeout` is no kill: the test run was ended from outside.
 */
export const isKilled = ({ status }) => status === "Killed" || status === "RuntimeError";

/** The identity of a mutant over several rounds: its place and its change. */
export function keyOf({ file, location: { start, end }, mutatorName, replacement }) {
  return [file, start.line, start.column, end.line, end.column, mutatorName, replacement].join("|");
}

/**
 * Plays one round and returns its mutants. `places`: files, or lines of files. `among`: plays only these mutants.
 * `playsStatic`: also those of what is made once while a file loads. `mostRuns`: the cases of a law with random data.
 * `testMs`: a test that a mutant makes hang fails after so many milliseconds.
 */
export function playRound({ root, tools, tests, places, among, playsStatic, mostRuns, testMs }) {
  // The round plays in a copy: a run that is broken off leaves nothing behind in the project.
  const copy = mkdtempSync(join(tmpdir(), "errand-mutants-"));
  try {
    for (const each of COPIED) cpSync(join(root, each), join(copy, each), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
    writeFileSync(join(copy, "vitest.mutants.config.ts"), vitestConfig(tests, mostRuns, testMs));
    const mutate = among === undefined ? places : [...new Set(among.map(rangeOf))];
    writeFileSync(join(copy, "stryker.config.json"), JSON.stringify(strykerConfig(tools, mutate, playsStatic, testMs)));
    const stryker = join(tools, "node_modules", "@stryker-mutator", "core", "bin", "stryker.js");
    spawnSync(process.execPath, [stryker, "run"], { cwd: copy, stdio: "inherit" });
    const report = join(copy, "reports", "mutation", "mutation.json");
    if (!existsSync(report)) throw new Error("Stryker made no report: its own lines above say why");
    const mutants = mutantsOf(JSON.parse(readFileSync(report, "utf8")));
    if (among === undefined) return mutants;
    // A range of the text also holds the mutants of its parts, which an earlier round may have killed.
    const wanted = new Set(among.map(keyOf));
    return mutants.filter((mutant) => wanted.has(keyOf(mutant)));
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
}

/** The place of a mutant as Stryker's option `mutate` takes it: its columns begin at 0, those of the report at 1. */
function rangeOf({ file, location: { start, end } }) {
  return `${file}:${start.line}:${start.column - 1}-${end.line}:${end.column - 1}`;
}

function mutantsOf(report) {
  return Object.entries(report.files).flatMap(([file, { source, mutants }]) => {
    const lines = source.split("\n");
    // `Ignored`: outside of the wanted places, or static.
    return mutants
      .filter(({ status }) => status !== "Ignored")
      .map(({ mutatorName, replacement, location, status, statusReason = "" }) => {
        const isLate = status === "Killed" && statusReason.includes("Test timed out in");
        return { file, mutatorName, replacement, location, status, isLate, source: textAt(lines, location) };
      });
  });
}

function textAt(lines, { start, end }) {
  const text = lines.slice(start.line - 1, end.line);
  text[text.length - 1] = text.at(-1).slice(0, end.column - 1);
  text[0] = text[0].slice(start.column - 1);
  return text.join("\n");
}

function strykerConfig(tools, mutate, playsStatic, testMs) {
  return {
    mutate,
    plugins: [join(tools, "node_modules", "@stryker-mutator", "vitest-runner", "dist", "src", "index.js")],
    testRunner: "vitest",
    vitest: { configFile: "vitest.mutants.config.ts", related: false },
    // Each mutant meets only the tests that reach its place.
    coverageAnalysis: "perTest",
    ignoreStatic: !playsStatic,
    // Stryker would read it with the compiler's API, which TypeScript 7 does not have.
    tsconfigFile: "none",
    concurrency: 2,
    // For a loop that never yields, which no limit of a test ends.
    timeoutMS: 1.5 * testMs,
    timeoutFactor: 2,
    dryRunTimeoutMinutes: 15,
    reporters: ["json", "progress-append-only"],
  };
}

/**
 * What differs from the project's own tests:
 * - Tests of huge trees and of processes of their own are skipped: they kill no mutant that others let live.
 * - Laws with random data play at most `mostRuns` cases, from one seed, and do not shorten a failure.
 * - All files share one process, which is ten times as fast.
 */
function vitestConfig(tests, mostRuns, testMs) {
  const random = JSON.stringify({ seed: 1, numRuns: mostRuns, endOnFailure: true });
  const configured = ` import { configureGlobal } from "fast-check"; configureGlobal(${random});`;
  return `import { defineConfig } from "vitest/config";
import base from "./vitest.config.js";

const SKIPPED = /\\b(test|describe)\\((?="[^"]*(\\d 000|ten thousand|of thousands|print no warning|a process that only spawns))/g;
const CONFIGURED = ${JSON.stringify(configured)};

function quickened(code: string): string {
  return code
    .replace(SKIPPED, "$1.skip(")
    .replace(/\\bnumRuns: ([\\d_]+)/g, (_, runs: string) => \`numRuns: \${Math.min(${mostRuns}, Number(runs.replaceAll("_", "")))}\`)
    .replace(/^import .* from "fast-check";/m, (line) => line + CONFIGURED);
}

export default defineConfig({
  ...base,
  plugins: [
    {
      name: "quicker tests",
      enforce: "pre",
      transform: (code, id) => (id.endsWith(".test.ts") ? quickened(code) : undefined),
    },
  ],
  test: {
    ...base.test,
    include: ${JSON.stringify(tests)},
    testTimeout: ${testMs},
    typecheck: { enabled: false },
    isolate: false,
  },
});
`;
}
