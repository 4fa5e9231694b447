// Cold-steady pass: one condition of cold-steady.ts, in the process that this is. Prints what it measured as JSON.
//
// Not a program to run by hand: node --expose-gc build/bench/cold-steady-pass.js full "with AsyncLocalStorage" 10000 5 2
import { AsyncLocalStorage } from "node:async_hooks";
import { bare } from "./bare-schedulers.js";
import { interleave } from "./interleave.js";
import { concurrency, onErrand, onPeer, peers, settings } from "./spawn-cases.js";
import { usualWorld } from "./world.js";

const [collect, world, tasks, repeats, warmups] = process.argv.slice(2);
if ((collect !== "full" && collect !== "young") || globalThis.gc === undefined) {
  throw new Error("cold-steady.js runs this, with --expose-gc");
}
const usesStorage = world === usualWorld;
// Before anything is measured, so that the first round of the peers pays for it like all others.
if (usesStorage) new AsyncLocalStorage<object>().enterWith({});

const n = Number(tasks);
const given = Number(warmups);
// Steady, the compiler has to have seen a hundred thousand tasks. Cold, it begins anew with each round.
const enough = collect === "full" || given < 2 ? 0 : Math.ceil(100_000 / n);
const measured = await interleave(
  [
    bare("p-queue", n, concurrency),
    onPeer(peers.onPQueue, "ignores", n),
    onErrand(usesStorage ? settings.errand : settings.ambientOff, "ignores", n),
  ],
  { repeats: Number(repeats), warmups: Math.max(given, enough), collect },
);
process.stdout.write(JSON.stringify(measured));
