// Cold and steady: one task, spawn to done, beside bare p-queue and beside the same work by hand, after a full collection and after one of
// the young alone.
//
// This is the bar: so many tasks, 8 at a time, a listener each for start and success, `awaitTasks` of all, a new manager in each round.
// Cold, everything is collected twice before each round, and there are two warm-ups. Each condition (cold or steady, with or without
// `AsyncLocalStorage`, so many tasks) has processes of its own, in which these three cases run and nothing else. cold-steady-pass.ts is
// such a process.
import { readFlags, whole } from "./flags.js";
import { type Collect, caseOf, type Measured } from "./interleave.js";
import { againstPQueue, byHandAgainst, judgedTasks, lineOf } from "./line-targets.js";
import { inOwnProcesses, type Part } from "./own-process.js";
import { writeResults } from "./results.js";
import { concurrency } from "./spawn-cases.js";
import { quartiles, ratio, type Samples } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { type Judged, judge, told } from "./target.js";
import { usualWorld, type World, worlds } from "./world.js";

interface Condition {
  readonly collect: Collect;
  readonly world: World;
  readonly tasks: number;
}
const wordsOf = ({ collect, world, tasks }: Condition): string => `${tasks} tasks, ${caseOf[collect]}, ${world}`;

const flags = readFlags({
  name: "cold-steady",
  about:
    "Cold and steady: a task, spawn to done, beside p-queue and by hand, after a full collection and after one of the young.",
  full: { sizes: [10_000, 100_000], repeats: 5, warmups: 2 },
  quick: { sizes: [1_000], repeats: 2, warmups: 1 },
  hasCollect: true,
  more: {
    processes: { value: "N", words: "processes for each condition", full: "3", quick: "1" },
  },
});
const processes = whole("--processes", flags.more.processes, 1);

const conditions: readonly Condition[] = flags.sizes.flatMap((tasks) =>
  worlds.toReversed().flatMap((world) => flags.collects.map((collect) => ({ collect, world, tasks }))),
);
const parts = conditions.map((condition): Part<readonly Measured[]> => {
  const { collect, world, tasks } = condition;
  return {
    name: wordsOf(condition),
    program: "cold-steady-pass",
    args: [collect, world, String(tasks), String(flags.repeats), String(flags.warmups)],
    read: (printed) => {
      if (Array.isArray(printed) && printed.length === 3) return printed as readonly Measured[];
      throw new Error(`${wordsOf(condition)}: the process printed no three cases`);
    },
  };
});
const ran = await inOwnProcesses(parts, processes);

/** The rounds of all processes of a condition, one after another: a ratio is still one of neighbours. */
function pooled(name: string, runs: readonly (readonly Measured[])[], of: "cpuUs" | "wallUs"): Samples {
  return runs.flatMap((cases) => cases.find((one) => one.name.startsWith(name))?.[of] ?? []);
}

const line = lineOf(process.version);
const passes = conditions.map((condition, index) => {
  const { collect, world, tasks } = condition;
  const runs = ran[index]?.map(({ value }) => value) ?? [];
  const cpuUs = {
    pQueue: pooled("p-queue", runs, "cpuUs"),
    byHand: pooled("by hand", runs, "cpuUs"),
    errand: pooled("errand", runs, "cpuUs"),
  };
  const timesPQueue = ratio(cpuUs.errand, cpuUs.pQueue);
  const byHandTimes = ratio(cpuUs.byHand, cpuUs.errand);
  const usesStorage = world === usualWorld;
  const what = wordsOf(condition);
  const isJudged = tasks === judgedTasks;
  const targets: readonly (Judged | undefined)[] = isJudged
    ? [
        judge(`errand, ${what}`, timesPQueue?.median, againstPQueue(line, collect, usesStorage)),
        judge(`by hand on p-queue, ${what}`, byHandTimes?.median, byHandAgainst(line, collect, usesStorage)),
      ]
    : [];
  const medians = {
    pQueue: quartiles(cpuUs.pQueue),
    byHand: quartiles(cpuUs.byHand),
    errand: quartiles(cpuUs.errand),
  };
  return { ...condition, timesPQueue, byHandTimes, medians, targets: targets.flatMap((judged) => judged ?? []), cpuUs };
});
print(
  `Node ${process.versions.node}: CPU per task, median [quartiles] of ${flags.repeats} rounds in ${processes} processes each`,
);
print(
  table(
    ["condition", "p-queue µs", "by hand µs", "errand µs", "× p-queue", "by hand ÷ errand", "target"],
    passes.map((pass) => [
      wordsOf(pass),
      spread(pass.medians.pQueue),
      spread(pass.medians.byHand),
      spread(pass.medians.errand),
      short(pass.timesPQueue?.median),
      short(pass.byHandTimes?.median),
      pass.targets.map(told).join("; "),
    ]),
  ),
);
const targets = passes.flatMap((pass) => pass.targets);
const { repeats, warmups } = flags;
await writeResults(flags.json, { bench: "cold-steady", concurrency, repeats, warmups, processes, targets, passes });
