// The long crash test: npm run crash -- --kills 1000
//
// Kills working processes with SIGKILL, at random instants and at every named point of the file store's work, and checks after each
// what the directory has. The harness is in test/crash/; what is broken prints how to play it again, and the directory is kept.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const usage = `npm run crash -- [--kills N] [--seed N] [--directory N]

  --kills N       how many processes are to be killed at least; default 1000, which takes some minutes
  --seed N        of the plan: where each dies and what it works at; default a fresh one, printed
  --directory N   only this directory of the plan
`;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "1000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    directory: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const kills = Number(values.kills);
const seed = Number(values.seed);
const directory = values.directory === undefined ? undefined : Number(values.directory);
if (!(kills >= 1) || ![kills, seed, directory ?? 0].every(Number.isSafeInteger)) {
  process.stderr.write(`--kills must be a whole number from 1 on, --seed and --directory whole numbers\n\n${usage}`);
  process.exit(2);
}

const project = fileURLToPath(new URL("..", import.meta.url));
const cache = path.join(project, "node_modules", ".cache");
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(path.join(cache, "errand-crash-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
process.on("SIGINT", () => process.exit(130));

console.log(`crash: ${kills} kills, seed ${seed}: npm run crash -- --kills ${kills} --seed ${seed}`);
compile();
const { campaign } = await import(pathToFileURL(path.join(folder, "test/crash/campaign.js")).href);
const { compiledWorker } = await import(pathToFileURL(path.join(folder, "test/crash/child.js")).href);
const compiled = await compiledWorker(project);
const begun = Date.now();
try {
  const report = await campaign({ compiled, kills, seed, directory, onKill: progress });
  endProgress();
  console.log(summary(report));
} catch (error) {
  endProgress();
  console.error(error instanceof Error && error.name === "CrashBreach" ? error.message : error);
  process.exitCode = 1;
} finally {
  await compiled.remove();
}

/** The harness as JavaScript, beside a copy of the library that "errand" names there. */
function compile() {
  const manifest = JSON.parse(readFileSync(path.join(project, "package.json"), "utf8"));
  const { name, type, exports } = manifest;
  writeFileSync(
    path.join(folder, "package.json"),
    JSON.stringify({ name, type, exports }).replaceAll("./dist/", "./lib/"),
  );
  const compilerOptions = { noEmit: false, noCheck: true, declaration: false, rootDir: project, outDir: folder };
  const files = [path.join(project, "test/crash/campaign.ts")];
  const tsconfig = { extends: path.join(project, "tsconfig.json"), compilerOptions, files, include: [] };
  writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(tsconfig));
  const require = createRequire(import.meta.url);
  const tsc = path.join(path.dirname(require.resolve("typescript/package.json")), "bin", "tsc");
  const { status } = spawnSync(process.execPath, [tsc, "-p", folder], { stdio: "inherit" });
  if (status !== 0) process.exit(2);
}

function progress({ kills: killed, torn, compactions }) {
  if (!process.stderr.isTTY) return;
  const seconds = Math.round((Date.now() - begun) / 1000);
  process.stderr.write(`\r${killed} of ${kills} killed, ${torn} torn ends, ${compactions} compactions, ${seconds} s `);
}

function endProgress() {
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
}

function summary(report) {
  const points = [...report.atPoint].map(([point, count]) => `${point}: ${count}`);
  const named = [...report.atPoint.values()].reduce((sum, count) => sum + count, 0);
  return [
    ...points.map((point) => `  ${point}`),
    `crash: ${report.kills} kills (${report.atRandom} at random, ${named} at ${report.atPoint.size} points), ${report.closed} closed first, ` +
      `${report.torn} torn ends, ${report.compactions} compactions, ${report.opened} recoveries here and the others by the next process, ` +
      `${report.events} events, ${report.records} records checked in ${Math.round((Date.now() - begun) / 1000)} s: no law broken`,
  ].join("\n");
}
