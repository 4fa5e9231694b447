// Growth: what one task costs, spawn to done, when there are a thousand of them, and when there are a million.
//
// All sizes interleaved, so that a ratio between two of them is one between neighbours. Small sizes run again and again
// until as many tasks are done as in the size that a run is at least worth: a few milliseconds cannot be measured.
import { bare } from "./bare-schedulers.js";
import { chosen, readFlags } from "./flags.js";
import { type Case, interleave, type Run } from "./interleave.js";
import { writeResults } from "./results.js";
import { concurrency, onErrand, onPeer, peers, settings } from "./spawn-cases.js";
import { quartiles, ratio } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { judge, told } from "./target.js";

/** By hand and on Effect a task costs several times as much: a million of them in each round would take most of the run. */
const mostOfPeers = 100_000;
/** The growth is told as a multiple of the cost at so many tasks. */
const from = 10_000;

/** One run after another, each with all it needs made anew; that and its end are measured too. */
function again(one: Case, leastPerRun: number): Case {
  const times = Math.ceil(leastPerRun / one.units);
  if (times === 1) return one;
  const inTurn = async (runs: readonly Run[]): Promise<void> => {
    for (const run of runs) await run.work();
  };
  return {
    ...one,
    units: one.units * times,
    prepare: async () => {
      const runs: Run[] = [];
      while (runs.length < times) runs.push(await one.prepare());
      return {
        work: () => inTurn(runs),
        finish: async () => {
          for (const run of runs) await run.finish?.();
        },
      };
    },
  };
}

const kinds: readonly { readonly name: string; readonly most: number; readonly of: (n: number) => Case }[] = [
  { name: "errand", most: Number.POSITIVE_INFINITY, of: (n) => onErrand(settings.errand, "ignores", n) },
  { name: "p-queue", most: Number.POSITIVE_INFINITY, of: (n) => bare("p-queue", n, concurrency) },
  { name: "by hand on p-limit", most: mostOfPeers, of: (n) => onPeer(peers.onPLimit, "ignores", n) },
  { name: "on Effect, forked inside", most: mostOfPeers, of: (n) => onPeer(peers.inEffect, "ignores", n) },
];

const flags = readFlags({
  name: "growth",
  about: `Growth: CPU per task, spawn to done, by the number of tasks. Peers with a record stop at ${mostOfPeers}.`,
  full: { sizes: [1_000, 10_000, 100_000, 1_000_000], repeats: 5, warmups: 2 },
  quick: { sizes: [1_000, 10_000, 20_000], repeats: 2, warmups: 1 },
});
const leastPerRun = Math.min(100_000, Math.max(...flags.sizes));
const plan = kinds.flatMap(({ name, most, of }) =>
  flags.sizes
    .filter((n) => n <= most)
    .map((n) => ({ kind: name, tasks: n, case: { ...again(of(n), leastPerRun), name: `${name}, ${n} tasks` } })),
);
const kept = chosen(
  plan.map((one) => ({ ...one, name: one.case.name })),
  flags,
);
const measured = await interleave(
  kept.map((one) => one.case),
  flags,
);
const largest = Math.max(...flags.sizes);
const samplesOf = (kind: string, tasks: number) =>
  measured[kept.findIndex((one) => one.kind === kind && one.tasks === tasks)]?.cpuUs;
const summary = kept.map(({ kind, tasks }) => {
  const cpuUs = samplesOf(kind, tasks) ?? [];
  const timesFrom = ratio(cpuUs, samplesOf(kind, from));
  const timesPQueue = ratio(cpuUs, samplesOf("p-queue", tasks));
  // Against p-queue at the same size: a multiple of the cost at a small size would be worse the cheaper the small size is.
  const isJudged = kind === "errand" && tasks === largest && tasks > from;
  const target = isJudged ? { most: 0.6, unit: "× p-queue at the same size" } : undefined;
  const judged = judge(`errand, ${tasks} tasks`, timesPQueue?.median, target);
  return { kind, tasks, cpuUs: quartiles(cpuUs), timesFrom, timesPQueue, target: judged };
});
print(`growth: CPU per task by size, median [quartiles] of ${flags.repeats} rounds`);
print(
  table(
    ["case", "tasks", "µs/task", `× at ${from}`, "× p-queue", "target"],
    summary.map((row) => [
      row.kind,
      String(row.tasks),
      spread(row.cpuUs),
      short(row.timesFrom?.median),
      short(row.timesPQueue?.median),
      told(row.target),
    ]),
  ),
);
const { repeats, warmups } = flags;
const targets = summary.flatMap(({ target }) => target ?? []);
await writeResults(flags.json, { bench: "growth", concurrency, repeats, warmups, targets, summary, cases: measured });
