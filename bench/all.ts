// All: every program of the bench, one after another, each in a process of its own, so that none warms up for the next.
//
// Progress goes to stderr. A run that writes to bench/results also renews the tables of README.md and bench/README.md.
// Fails, with 1, if a program does; a missed target is told, and no failure.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { renewTables, targetsIn } from "./document-tables.js";
import { print } from "./table.js";
import { told } from "./target.js";

const programs = [
  "schedulers",
  "spawn",
  "growth",
  "priority",
  "cancel",
  "waits",
  "round-trip",
  "journal",
  "soak",
  "tool-tokens",
] as const;
const documented = "bench/results";

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    repeats: { type: "string" },
    warmups: { type: "string" },
    results: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (given.help) {
  process.stdout.write(`npm run bench -- [options] [program ...]

Runs ${programs.join(", ")}, or those that are named.

  --quick        small sizes, few rounds: to see that it works, not to quote a figure
  --repeats N    counted rounds, of all but soak
  --warmups N    rounds before them, of all but soak
  --results DIR  where the raw numbers go (${documented}, and none with --quick)
  --help         this

Each program has more flags of its own: node --expose-gc build/bench/spawn.js --help
`);
  process.exit(0);
}
const unknown = positionals.filter((name) => !(programs as readonly string[]).includes(name));
if (unknown.length > 0) throw new RangeError(`there is no program ${unknown.join(", ")}, only ${programs.join(", ")}`);
const asked = programs.filter((name) => positionals.length === 0 || positionals.includes(name));
const results = given.results ?? (given.quick ? undefined : documented);

function flagsOf(program: string): readonly string[] {
  const rounds = (["repeats", "warmups"] as const).flatMap((name) => {
    const value = given[name];
    return value === undefined || program === "soak" ? [] : [`--${name}`, value];
  });
  const file = results === undefined ? [] : ["--json", join(results, `${program}.json`)];
  return [...(given.quick ? ["--quick"] : []), ...rounds, ...file];
}
async function run(program: string): Promise<boolean> {
  const file = fileURLToPath(new URL(`${program}.js`, import.meta.url));
  const flags = ["--expose-gc", "--trace-warnings", file, ...flagsOf(program)];
  const child = spawn(process.execPath, flags, { stdio: "inherit" });
  const [code] = (await once(child, "close")) as [number | null];
  return code === 0;
}

const failed: string[] = [];
const begun = performance.now();
for (const [index, program] of asked.entries()) {
  const before = performance.now();
  process.stderr.write(`\n[${index + 1}/${asked.length}] ${program} ${flagsOf(program).join(" ")}\n`);
  if (!(await run(program))) failed.push(program);
  const seconds = (performance.now() - before) / 1_000;
  process.stderr.write(`[${index + 1}/${asked.length}] ${program}: ${seconds.toFixed(0)} s\n`);
}
process.stderr.write(`\nall: ${((performance.now() - begun) / 60_000).toFixed(1)} min\n`);

if (results !== undefined) {
  const missed = asked
    .flatMap((program) => targetsIn(results, program))
    .filter(({ verdict }) => verdict === "MISSED")
    .map((target) => `${target.what}: ${told(target)}`);
  print(missed.length === 0 ? "every target is met" : ["targets missed", ...missed].join("\n  "));
  if (results === documented && failed.length === 0) renewTables(documented);
}
if (failed.length > 0) process.stderr.write(`FAILED: ${failed.join(", ")}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
