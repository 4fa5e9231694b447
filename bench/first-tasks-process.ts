// First-tasks process: the first tasks of the process that this is, for first-tasks.ts. Prints their cost as JSON.
//
// Not a program to run by hand: node --expose-gc build/bench/first-tasks-process.js errand 1000 [tasks and idle seconds before]
import { AsyncLocalStorage } from "node:async_hooks";
import { bare } from "./bare-schedulers.js";
import { type Case, clocks, settle, since } from "./interleave.js";
import { concurrency, onErrand, onPeer, peers, settings } from "./spawn-cases.js";

const [who = "", tasks, tasksBefore, idleSeconds] = process.argv.slice(2);
const cases: { readonly [who: string]: (n: number) => Case } = {
  "p-queue": (n) => bare("p-queue", n, concurrency),
  "by hand": (n) => onPeer(peers.onPQueue, "ignores", n),
  errand: (n) => onErrand(settings.errand, "ignores", n),
};
const caseOf = cases[who];
if (caseOf === undefined) throw new RangeError("first-tasks.js runs this");
const n = Number(tasks);

// All three in the world that errand's users have: `AsyncLocalStorage` is in use.
new AsyncLocalStorage<object>().enterWith({});
if (tasksBefore !== undefined) {
  const before = await caseOf(Number(tasksBefore)).prepare();
  await before.work();
  await before.finish?.();
  await new Promise((resolve) => setTimeout(resolve, Number(idleSeconds) * 1_000));
  await settle("full");
}

const begin = clocks();
const run = await caseOf(n).prepare();
await run.work();
const { cpuUs, wallUs } = since(begin);
await run.finish?.();
process.stdout.write(JSON.stringify({ cpuUs: cpuUs / n, wallUs: wallUs / n }));
