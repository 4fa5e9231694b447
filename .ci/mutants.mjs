// Mutation testing: does a law fail when one place of a file is changed?
//
// Stryker makes the mutants. A mutant is the library with one change, such as `<` instead of `<=`. A mutant is killed
// when a test fails with it. Each mutant that survives needs a law, or shows code that can be removed, or is
// equivalent: it behaves as the original does. `usage` below says how to start it; `mutants-round.mjs` plays one round.
//
// Two rounds, because most of the time of a mutant goes into loading its test files:
//   near  every mutant, with the tests in the folder that mirrors the folder of its file, and those of the core whose
//         names begin with the name of that folder. For lib/core/inbox/: test/core/inbox/, and inbox-restart.test.ts in
//         test/core/recovery/
//   wide  each mutant that survived, with all tests of the core, of sessions and of the model
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { isKilled, keyOf, playRound } from "./mutants-round.mjs";

const STRYKER = "9.6.1"; // 10 needs Node 22.
const LEAST_PERCENT = 90;
// Few tests are near, and they are quick; all of them together take a minute.
const NEAR = { mostRuns: 100, testMs: 10_000 };
const WIDE = { mostRuns: 10, testMs: 20_000 };
const ALL = ["test/core/**/*.test.ts", "test/session/**/*.test.ts", "test/model/**/*.test.ts"];

const usage = `npm run mutants -- [options] FILE[:FROM-TO]...

  npm run mutants -- lib/core/lanes/slots.ts
  npm run mutants -- lib/core/task/decide.ts:100-140

FILE is a file of lib/, FROM-TO are lines of it.
The exit code is 1 when fewer than ${LEAST_PERCENT} % of the mutants are killed.

  --near            plays only the tests that are near FILE: for lib/core/inbox/ those of test/core/inbox/, and
                    the files of test/core/ whose names begin with "inbox-"
  --only-tests GLOB plays only these test files, in one round; can be given several times
  --again           plays only the mutants that the last run of FILE did not kill. It takes the others as killed
                    without playing them, so it is for use while you write laws; FILE must not have changed
  --static          plays also the mutants of what is made once while a file loads, such as a table. Each of them
                    meets every test of the round, so they take most of the time. Without it they count nowhere
  --help            prints this text

Columns of the table:
  by time limit     killed, and the test that failed did not end within 10 s (20 s in the wide round)
  hung              not killed: no test failed, and the process had to be ended
  not covered       not killed: no test reaches the mutant

Each law with random data plays at most 100 cases (10 in the wide round), from a fixed seed, so two runs give the same
result. Tests of ten thousand tasks and more are not played.
`;

const { values, positionals: places } = parseArgs({
  allowPositionals: true,
  options: {
    near: { type: "boolean", default: false },
    "only-tests": { type: "string", multiple: true, default: [] },
    static: { type: "boolean", default: false },
    again: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}

const root = fileURLToPath(new URL("..", import.meta.url));
const fileOf = (place) => place.replace(/:[\d:-]+$/, "");
const files = [...new Set(places.map(fileOf))];
const unknown = files.filter((file) => !/^lib\/.*\.ts$/.test(file) || !existsSync(join(root, file)));
if (files.length === 0 || unknown.length > 0) {
  if (unknown.length > 0) process.stderr.write(`no such file of lib/: ${unknown.join(", ")}\n\n`);
  process.stderr.write(usage);
  process.exit(2);
}

const tools = installed();
const only = values["only-tests"];
const found = values.again ? survivorsOfLastRun() : new Map();
let open = values.again ? [...found.values()].filter((mutant) => !isKilled(mutant)) : undefined;

for (const { name, tests, mostRuns, testMs } of roundsOf()) {
  if (open?.length === 0) break;
  console.log(`\n== ${name}: ${tests.join(" ")}`);
  // The first round makes the mutants, a later one those of them that survived.
  const played = playRound({ root, tools, tests, places, among: open, playsStatic: values.static, mostRuns, testMs });
  for (const mutant of played) found.set(keyOf(mutant), { ...mutant, round: name });
  open = played.filter((mutant) => !isKilled(mutant));
}
report([...found.values()]);

function roundsOf() {
  if (only.length > 0) return [{ name: "given", tests: only, ...NEAR }];
  const near = [...new Set(files.map((file) => posix.dirname(file)))].flatMap((folder) => [
    `${folder.replace(/^lib/, "test")}/*.test.ts`,
    `test/core/*/${posix.basename(folder)}-*.test.ts`,
  ]);
  const nearRound = { name: "near", tests: near, ...NEAR };
  return values.near ? [nearRound] : [nearRound, { name: "wide", tests: [...new Set([...ALL, ...near])], ...WIDE }];
}

/** Installs Stryker beside the project's modules, not with them: only a person who runs this program has it. */
function installed() {
  const folder = join(root, "node_modules", ".cache", `errand-mutants-${STRYKER}`);
  if (existsSync(join(folder, "node_modules"))) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true }));
  // Under `npm run` this variable names the project's folder, and the npm that starts here would install there.
  const { npm_config_local_prefix: _, ...env } = process.env;
  const wanted = ["core", "vitest-runner"].map((name) => `@stryker-mutator/${name}@${STRYKER}`);
  // The vitest that Stryker runs is the project's, hence `--legacy-peer-deps`.
  execFileSync("npm", ["install", "--no-audit", "--no-fund", "--legacy-peer-deps", ...wanted], {
    cwd: folder,
    env,
    stdio: "inherit",
  });
  return folder;
}

function lastRunOf(file) {
  return join(tools, `last-${file.replaceAll("/", "-")}.json`);
}

function survivorsOfLastRun() {
  const mutants = files.flatMap((file) => {
    const last = existsSync(lastRunOf(file)) ? JSON.parse(readFileSync(lastRunOf(file), "utf8")) : undefined;
    if (last?.source === readFileSync(join(root, file), "utf8")) return last.mutants;
    process.stderr.write(`--again: ${file} has changed since its last run, or had none\n`);
    process.exit(2);
  });
  return new Map(mutants.map((mutant) => [keyOf(mutant), mutant]));
}

function report(mutants) {
  for (const mutant of mutants.filter((each) => !isKilled(each)).toSorted(byPlace)) {
    const { file, location, status, mutatorName, source, replacement } = mutant;
    const { line, column } = location.start;
    console.log(`\n${file}:${line}:${column} ${status} ${mutatorName}\n- ${source}\n+ ${replacement}`);
  }
  const rows = files.map((file) =>
    rowOf(
      file,
      mutants.filter((each) => each.file === file),
    ),
  );
  if (rows.length > 1) rows.push(rowOf("together", mutants));
  console.log("");
  console.table(Object.fromEntries(rows));
  // Only a whole file has a last run: `--again` could not know of the other lines.
  for (const file of files.filter((each) => places.includes(each))) {
    const source = readFileSync(join(root, file), "utf8");
    const of = mutants.filter((each) => each.file === file);
    writeFileSync(lastRunOf(file), JSON.stringify({ source, mutants: of }));
  }
  if (percentOf(mutants) < LEAST_PERCENT) process.exitCode = 1;
}

function rowOf(file, mutants) {
  const count = (is) => mutants.filter(is).length;
  return [
    file,
    {
      mutants: mutants.length,
      "killed near": count((mutant) => isKilled(mutant) && mutant.round !== "wide"),
      "killed wide": count((mutant) => isKilled(mutant) && mutant.round === "wide"),
      "by time limit": count(({ isLate }) => isLate),
      hung: count(({ status }) => status === "Timeout"),
      "not covered": count(({ status }) => status === "NoCoverage"),
      survived: count(({ status }) => status === "Survived"),
      "killed %": Math.floor(percentOf(mutants) * 10) / 10,
    },
  ];
}

function percentOf(mutants) {
  return mutants.length === 0 ? 100 : (100 * mutants.filter(isKilled).length) / mutants.length;
}

function byPlace(one, other) {
  const { start: a } = one.location;
  const { start: b } = other.location;
  return one.file === other.file ? a.line - b.line || a.column - b.column : one.file < other.file ? -1 : 1;
}
