// Spawn to done: what one task costs, from the call that starts it to everything awaited.
//
// errand in several settings, between a floor of bare promises and the same work composed by hand, on Effect and on effection.
// spawn-cases.ts has the cases. Each is measured cold and steady (`Collect`), in two worlds. The worlds come in this order:
// `AsyncLocalStorage` makes every promise of a process dearer from its first use on (Node 20 and 22), so first come the cases that need
// none, then all of them. cold-steady.ts measures three of these cases alone, in processes of their own.
import { bare } from "./bare-schedulers.js";
import { chosen, readFlags } from "./flags.js";
import { heapCases } from "./heap-cases.js";
import { type Case, type Collect, caseOf, interleave, type Measured, weigh } from "./interleave.js";
import { writeResults } from "./results.js";
import { concurrency, type Form, forms, onErrand, onPeer, peers, settings } from "./spawn-cases.js";
import { quartiles, ratio } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { type Judged, judge, type Target, told } from "./target.js";
import { usualWorld, type World, worlds } from "./world.js";

function timedCases(world: World, collect: Collect, n: number): Case[] {
  const here = Object.values(settings).filter(({ ambient }) => !ambient || world === usualWorld);
  const asked: readonly Form[] = collect === "full" ? ["ignores"] : forms;
  return [
    bare("floor", n, concurrency),
    bare("p-queue", n, concurrency),
    ...asked.flatMap((form) => [
      ...Object.values(peers).map((peer) => onPeer(peer, form, n)),
      ...here.map((setting) => onErrand(setting, form, n)),
    ]),
  ];
}

// ── targets ──────────────────────────────────────────────────────────────

const heapTargets: { readonly [name: string]: Target } = {
  "errand, queued": { most: 400, unit: "B" },
  "errand, running": { most: 750, unit: "B" },
  "errand, finished": { most: 250, unit: "B" },
};
/** Those of p-queue and by hand are in cold-steady.ts. */
const targets: { readonly [name: string]: Target & { readonly against: string } } = {
  "errand, reads": { most: 2, against: "p-queue", unit: "× p-queue" },
  "on Effect, forked inside, ignores": { least: 3, against: "errand, ignores", unit: "× errand" },
  "on Effect, forked outside, ignores": { least: 6, against: "errand, ignores", unit: "× errand" },
  "on effection, ignores": { least: 40, against: "errand, ignores", unit: "× errand" },
};

// ── report ───────────────────────────────────────────────────────────────

function summarise(what: string, n: number, collect: Collect, measured: readonly Measured[]) {
  const samples = (name: string) => measured.find((one) => one.name === name)?.cpuUs;
  return measured.map(({ name, units, cpuUs }) => {
    // Cold there is no bound: the peers have none of errand's code to make again.
    const target = collect === "full" ? undefined : targets[name];
    const against = target === undefined ? undefined : ratio(cpuUs, samples(target.against))?.median;
    return {
      name,
      tasks: units,
      cpuUs: quartiles(cpuUs),
      timesFloor: ratio(cpuUs, samples("floor")),
      timesPQueue: ratio(cpuUs, samples("p-queue")),
      target: judge(`${name}, ${n} tasks, ${what}`, against, target),
    };
  });
}

async function time(world: World, n: number, collect: Collect) {
  // A compiler that has seen a hundred thousand tasks has seen enough, whatever they are cut into. Cold, it begins anew with each run.
  const enough = collect === "full" || flags.warmups < 2 ? 0 : Math.ceil(100_000 / n);
  const warmups = Math.max(flags.warmups, enough);
  const cases = chosen(timedCases(world, collect, n), flags);
  const measured = await interleave(cases, { repeats: flags.repeats, warmups, collect });
  const summary = summarise(world, n, collect, measured);
  print(`${n} tasks, ${caseOf[collect]}, ${world}: CPU per task, median [quartiles] of ${flags.repeats} rounds`);
  print(
    table(
      ["case", "tasks", "µs/task", "× floor", "× p-queue", "target"],
      summary.map((row) => [
        row.name,
        String(row.tasks),
        spread(row.cpuUs),
        short(row.timesFloor?.median),
        short(row.timesPQueue?.median),
        told(row.target),
      ]),
    ),
  );
  return { world, tasks: n, collect, warmups, summary, cases: measured };
}
type Pass = Awaited<ReturnType<typeof time>>;

/** What AsyncLocalStorage costs each: medians of two passes that were not interleaved, so read them coarsely. */
function compare(withIt: Pass, without: Pass): void {
  print(`${withIt.tasks} tasks, ${caseOf[withIt.collect]}, with AsyncLocalStorage against without`);
  print(
    table(
      ["case", "without", "with", "×"],
      withIt.summary.flatMap(({ name, cpuUs: { median } }) => {
        const before = without.summary.find((row) => row.name === name)?.cpuUs.median;
        return before === undefined ? [] : [[name, short(before), short(median), short(median / before)]];
      }),
    ),
  );
}

async function weighAll(world: World, n: number) {
  const rounds = { repeats: Math.min(5, flags.repeats), warmups: Math.min(1, flags.warmups) };
  const weighed = await weigh(chosen(heapCases(world, n), flags), rounds);
  const cases = weighed.map((one) => {
    const bytesPerTask = quartiles(one.bytes);
    const target = judge(`heap, ${one.name}, ${world}`, bytesPerTask.median, heapTargets[one.name]);
    return { ...one, bytesPerTask, target };
  });
  if (cases.length > 0) {
    print(`${n} tasks, ${world}: heap per task`);
    print(
      table(
        ["case", "B/task", "target"],
        cases.map(({ name, bytesPerTask, target }) => [name, spread(bytesPerTask), told(target)]),
      ),
    );
  }
  return { world, tasks: n, cases };
}

const flags = readFlags({
  name: "spawn",
  about:
    "Spawn to done: errand between a floor of bare promises, bare p-queue, and the same work composed by hand, on Effect and on effection.",
  full: { sizes: [10_000, 100_000], repeats: 9, warmups: 2 },
  quick: { sizes: [1_000], repeats: 2, warmups: 1 },
  hasCollect: true,
});
if (globalThis.gc === undefined) print("heap is not measured, and cold is steady: both need --expose-gc");
const passes: Pass[] = [];
const heap = [];
for (const world of worlds) {
  for (const n of flags.sizes) {
    for (const collect of flags.collects) {
      process.stderr.write(`${n} tasks, ${caseOf[collect]}, ${world}\n`);
      passes.push(await time(world, n, collect));
    }
  }
  process.stderr.write(`heap, ${world}\n`);
  heap.push(await weighAll(world, flags.sizes[0] ?? 10_000));
}
for (const tasks of flags.sizes) {
  for (const collect of flags.collects) {
    const [without, withIt] = passes.filter((pass) => pass.tasks === tasks && pass.collect === collect);
    if (withIt !== undefined && without !== undefined) compare(withIt, without);
  }
}
const judged: readonly Judged[] = [
  ...passes.flatMap(({ summary }) => summary),
  ...heap.flatMap(({ cases }) => cases),
].flatMap(({ target }) => target ?? []);
await writeResults(flags.json, { bench: "spawn", concurrency, repeats: flags.repeats, targets: judged, passes, heap });
