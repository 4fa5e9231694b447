// Bounds: the size of an install, the time of `import "errand"`, and the time from the start of a process to the end of its first task, each with its
// limit, and as a ratio to p-queue and to effect.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Bytes of all files in the `node_modules` of a user who installs errand and nothing else. */
const MOST_BYTES = 1_500_000;
/** So many times the processor time of `import "p-queue"`, in which waiting for a processor is not. Node 24 imports p-queue faster than Node 20. */
const MOST_P_QUEUES = 2.5;
/** The import takes no longer on a machine that is idle. It is reported, and no limit: another machine may be slower or busy. */
const USUAL_MS = 20;
/** So many times the processor time of a process whose one task runs on p-queue: 1.2 on Node 20, 1.5 on Node 24, which itself starts in less than half the time. */
const MOST_FIRST_TASKS = 1.6;
/** Odd, so that one value is in the middle. */
const ROUNDS = 25;

const PEERS = ["p-queue", "effect"];

/** Weighs the `node_modules` of `consumer`. The peers are weighed in the project, each with its dependencies. */
export function checkSize(consumer, project) {
  const bytes = bytesIn(join(consumer, "node_modules"));
  const ratios = ratiosOf(
    bytes,
    PEERS.map((peer) => sumOf(installOf(peer, project).map(bytesIn))),
  );
  console.log(`size: ${bytes} bytes are installed, of at most ${MOST_BYTES}: ${ratios}`);
  if (bytes > MOST_BYTES) throw new Error(`${bytes} bytes are installed, more than ${MOST_BYTES}`);
}

/**
 * Measures imports in fresh processes, in turn. The clocks run inside the process around the `import()`, so the start of Node is not in them.
 * Other work of the machine makes a time longer and never shorter, so the shortest is what counts.
 */
export function checkStartTime(consumer, project) {
  const imports = [["errand", consumer], ...PEERS.map((peer) => [peer, project])];
  const costs = imports.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, [name, folder]] of imports.entries()) costs[index].push(importCost(name, folder));
  }
  const report = (what, rank, of) => {
    const [own, ...peers] = costs.map((each) => each.map(of).sort((a, b) => a - b)[rank]);
    console.log(`import: ${own.toFixed(1)} ms, ${ratiosOf(own, peers)} (${what})`);
    return { own, times: own / peers[0] };
  };
  const middle = (ROUNDS - 1) / 2;
  report(`shortest of ${ROUNDS}, ${USUAL_MS} ms or less where no other process runs`, 0, ({ ms }) => ms);
  report("median", middle, ({ ms }) => ms);
  const { times } = report(
    `median of processor time, at most ${MOST_P_QUEUES} × p-queue`,
    middle,
    ({ cpuMs }) => cpuMs,
  );
  if (times > MOST_P_QUEUES) throw new Error(`import "errand" takes ${times.toFixed(2)} times as long as p-queue`);
  checkFirstTask(consumer, project);
}

/** Measures whole processes, in turn: each runs one task and ends. */
function checkFirstTask(consumer, project) {
  const programs = [
    [`import { TaskManager } from "errand"; await new TaskManager().spawn(async () => 42).result();`, consumer],
    [`import PQueue from "p-queue"; await new PQueue().add(async () => 42);`, project],
  ];
  const costs = programs.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, [program, folder]] of programs.entries()) costs[index].push(processCost(program, folder));
  }
  const [own, peer] = costs.map((each) => each.sort((a, b) => a - b)[(ROUNDS - 1) / 2]);
  const times = own / peer;
  const ratio = `${times.toFixed(2)} × p-queue`;
  console.log(
    `first task: ${own.toFixed(1)} ms, ${ratio} (median of processor time, at most ${MOST_FIRST_TASKS} × p-queue)`,
  );
  if (times > MOST_FIRST_TASKS)
    throw new Error(`the first task ends after ${times.toFixed(2)} times as long as one of p-queue`);
}

/** Milliseconds of processor time that a process has used when its program is done. */
function processCost(program, folder) {
  const script = `${program}\nconst { user, system } = process.cpuUsage(); console.log((user + system) / 1_000);`;
  const options = { cwd: folder, encoding: "utf8" };
  return Number(execFileSync(process.execPath, ["--input-type=module", "--eval", script], options));
}

function importCost(name, folder) {
  const script = `
    const cpu = process.cpuUsage();
    const begun = performance.now();
    await import("${name}");
    const ms = performance.now() - begun;
    const { user, system } = process.cpuUsage(cpu);
    console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1_000 }));`;
  const options = { cwd: folder, encoding: "utf8" };
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "--eval", script], options));
}

/** The folders of a package and of all its dependencies. npm has put each of them at the top. */
function installOf(name, project, found = new Set()) {
  const folder = join(project, "node_modules", name);
  if (found.has(folder)) return [...found];
  found.add(folder);
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  for (const each of Object.keys(dependencies)) installOf(each, project, found);
  return [...found];
}

function bytesIn(folder) {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return sumOf(entries.map((entry) => statSync(join(entry.parentPath, entry.name)).size));
}

const sumOf = (values) => values.reduce((sum, value) => sum + value, 0);
const ratiosOf = (own, peers) => PEERS.map((peer, index) => `${(own / peers[index]).toFixed(2)} × ${peer}`).join(", ");
