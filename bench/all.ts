// All: every program of the bench, one after another, each in a process of its own, so that none warms up for the next.
//
// With `--node` on several lines of Node, one after another; `.ci/node-line.mjs` installs those that are not there. Progress goes to
// stderr. A run that writes to bench/results also renews the tables of README.md and bench/README.md. Fails, with 1, if a program does; a
// missed target is told, and no failure.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { renewTables } from "./document-tables.js";
import { lineOf, lines } from "./line-targets.js";
import { countingPrograms, documented, fileOf } from "./results.js";
import { targetsIn } from "./results-files.js";
import { print } from "./table.js";
import { told } from "./target.js";
import { programs } from "./targets-table.js";

const own = lineOf(process.version);

const { values: given, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: "string", default: own },
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

  --node N[,N]   the lines of Node, of ${lines.join(", ")} (${own}, which runs this)
  --quick        small sizes, few rounds: to see that it works, not to quote a figure
  --repeats N    counted rounds, of all but soak
  --warmups N    rounds before them, of all but soak
  --results DIR  where the raw numbers go, a folder for each line (${documented}, and none with --quick)
  --help         this

Each program has more flags of its own: node --expose-gc build/bench/spawn.js --help
`);
  process.exit(0);
}
refuse("program", positionals, programs);
const asked = programs.filter((name) => positionals.length === 0 || positionals.includes(name));
const askedLines = given.node.split(",");
refuse("line of Node", askedLines, lines);
const results = given.results ?? (given.quick ? undefined : documented);

function refuse(what: string, names: readonly string[], known: readonly string[]): void {
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new RangeError(`there is no ${what} ${unknown.join(", ")}, only ${known.join(", ")}`);
}

/** The path of a Node of this line. npm runs its scripts in the project's folder. */
function nodeOf(line: string): string {
  const output = execFileSync(process.execPath, [join(".ci", "node-line.mjs"), line], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  return output.trim();
}

interface Step {
  readonly line: string;
  readonly node: string;
  readonly program: (typeof programs)[number];
}
/** What only counts runs once: it finds the same on every line. */
const steps: readonly Step[] = askedLines.flatMap((line, index) => {
  const node = nodeOf(line);
  const here = asked.filter((program) => index === 0 || !countingPrograms.includes(program));
  return here.map((program) => ({ line, node, program }));
});

function flagsOf({ program, line }: Step): readonly string[] {
  const rounds = (["repeats", "warmups"] as const).flatMap((name) => {
    const value = given[name];
    return value === undefined || program === "soak" ? [] : [`--${name}`, value];
  });
  const file = results === undefined ? [] : ["--json", join(results, fileOf(program, line))];
  return [...(given.quick ? ["--quick"] : []), ...rounds, ...file];
}
async function run(step: Step): Promise<boolean> {
  const file = fileURLToPath(new URL(`${step.program}.js`, import.meta.url));
  const flags = ["--expose-gc", "--trace-warnings", file, ...flagsOf(step)];
  const child = spawn(step.node, flags, { stdio: "inherit" });
  const [code] = (await once(child, "close")) as [number | null];
  return code === 0;
}

const failed: string[] = [];
const begun = performance.now();
for (const [index, step] of steps.entries()) {
  const before = performance.now();
  const name = `Node ${step.line}, ${step.program}`;
  const place = `[${index + 1}/${steps.length}] ${name}`;
  process.stderr.write(`\n${place} ${flagsOf(step).join(" ")}\n`);
  if (!(await run(step))) failed.push(name);
  process.stderr.write(`${place}: ${((performance.now() - before) / 1_000).toFixed(0)} s\n`);
}
process.stderr.write(`\nall: ${((performance.now() - begun) / 60_000).toFixed(1)} min\n`);

if (results !== undefined) {
  const missed = steps.flatMap(({ program, line }) =>
    targetsIn(results, line, program)
      .filter(({ verdict }) => verdict === "MISSED")
      .map((target) => `Node ${line}, ${target.what}: ${told(target)}`),
  );
  print(missed.length === 0 ? "every target is met" : ["targets missed", ...missed].join("\n  "));
  if (results === documented && failed.length === 0) renewTables(documented);
}
if (failed.length > 0) process.stderr.write(`FAILED: ${failed.join(", ")}\n`);
process.exitCode = failed.length > 0 ? 1 : 0;
