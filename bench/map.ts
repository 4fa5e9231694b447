// Map: many items, each mapped by an async function, so many at a time: `ctx.map` beside p-map. And many tasks, a hundred at a time,
// beside p-limit.
//
// p-map and p-limit run a function and keep nothing of it. errand makes a task of each item or job, with a record, a cancel and a place in
// the tree. Nobody listens to its events here.
import { TaskManager } from "errand";
import pLimit from "p-limit";
import pMap from "p-map";
import { chosen, readFlags } from "./flags.js";
import { type Case, check, interleave, type Run } from "./interleave.js";
import { writeResults } from "./results.js";
import { quartiles, ratio } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { judge, type Target, told } from "./target.js";

const fewAtATime = 8;
const manyAtATime = 100;

/** `work` gives the sum of what `n` items, each worth 1, came to. */
function summing(name: string, n: number, work: () => Promise<number>, end?: () => Promise<void>): Run {
  let sum = 0;
  return {
    work: async () => {
      sum = await work();
    },
    finish: async () => {
      check(name, sum, n);
      await end?.();
    },
  };
}
function sumOf(values: readonly number[]): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}
const itemsOf = (n: number): readonly number[] => Array.from({ length: n }, () => 1);

function onPMap(n: number): Case {
  const name = "p-map";
  return {
    name,
    units: n,
    prepare: () => {
      const items = itemsOf(n);
      return summing(name, n, async () => sumOf(await pMap(items, async (one) => one, { concurrency: fewAtATime })));
    },
  };
}
function onCtxMap(n: number): Case {
  const name = "ctx.map";
  return {
    name,
    units: n,
    prepare: () => {
      const items = itemsOf(n);
      const manager = new TaskManager({ concurrency: fewAtATime });
      const work = () =>
        manager
          .spawn((ctx) => ctx.map(items, async (_child, one) => one, { concurrency: fewAtATime }))
          .result()
          .then(sumOf);
      return summing(name, n, work, () => manager.close());
    },
  };
}
function onPLimit(n: number): Case {
  const name = `p-limit, ${manyAtATime} at a time`;
  return {
    name,
    units: n,
    prepare: () => {
      const limit = pLimit(manyAtATime);
      return summing(name, n, async () => sumOf(await Promise.all(itemsOf(n).map((one) => limit(async () => one)))));
    },
  };
}
function onManager(n: number): Case {
  const name = `errand, ${manyAtATime} at a time`;
  return {
    name,
    units: n,
    prepare: () => {
      const manager = new TaskManager({ concurrency: manyAtATime, limits: { maxQueued: n } });
      const work = async (): Promise<number> => {
        const handles = itemsOf(n).map((one) => manager.spawn(async () => one));
        const { ended } = await manager.awaitTasks(handles);
        return sumOf(ended.map((outcome) => (outcome.status === "succeeded" ? outcome.value : 0)));
      };
      return summing(name, n, work, () => manager.close());
    },
  };
}

const flags = readFlags({
  name: "map",
  about: `Map: N items with ctx.map and with p-map, ${fewAtATime} at a time; N tasks beside p-limit, ${manyAtATime} at a time.`,
  full: { sizes: [100_000], repeats: 9, warmups: 2 },
  quick: { sizes: [5_000], repeats: 3, warmups: 2 },
});
const n = flags.sizes[0] ?? 100_000;
const measured = await interleave(chosen([onPMap(n), onCtxMap(n), onPLimit(n), onManager(n)], flags), flags);
const targets: { readonly [name: string]: Target & { readonly against: string } } = {
  [onCtxMap(n).name]: { most: 3, unit: "× p-map", against: onPMap(n).name },
  [onManager(n).name]: { most: 0.9, unit: "× p-limit", against: onPLimit(n).name },
};
const summary = measured.map(({ name, units, cpuUs }) => {
  const target = targets[name];
  const times = ratio(cpuUs, measured.find((one) => one.name === target?.against)?.cpuUs);
  return { name, units, cpuUs: quartiles(cpuUs), times, target: judge(`${name}, ${units}`, times?.median, target) };
});
print(`map: CPU per item or task, median [quartiles] of ${flags.repeats} rounds`);
print(
  table(
    ["case", "units", "µs each", "× its peer", "target"],
    summary.map((row) => [row.name, String(row.units), spread(row.cpuUs), short(row.times?.median), told(row.target)]),
  ),
);
const { repeats, warmups } = flags;
const judged = summary.flatMap(({ target }) => target ?? []);
await writeResults(flags.json, { bench: "map", repeats, warmups, targets: judged, summary, cases: measured });
