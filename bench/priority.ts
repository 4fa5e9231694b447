// Priority: what the order of the line costs, when tasks of every priority stand in it.
//
// All tasks stand in line before the first starts, and each run is spawn to done. "Ascending" is the worst order for a queue
// that inserts by priority: each new task goes before all others.
import { TaskManager } from "errand";
import PQueue from "p-queue";
import { dice } from "./dice.js";
import { chosen, readFlags } from "./flags.js";
import { type Case, check, interleave } from "./interleave.js";
import { writeResults } from "./results.js";
import { quartiles, ratio } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { judge, told } from "./target.js";

const concurrency = 8;
const orders = ["same", "ascending", "descending", "random", "five levels"] as const;
type Order = (typeof orders)[number];

function prioritiesIn(order: Order, n: number): readonly number[] {
  const roll = dice(1);
  return Array.from({ length: n }, (_, place) => {
    switch (order) {
      case "same":
        return 1;
      case "ascending":
        return place;
      case "descending":
        return n - place;
      case "random":
        return roll(n);
      case "five levels":
        return roll(5);
    }
  });
}

const job = async (): Promise<number> => 1;

function onErrand(order: Order, n: number): Case {
  return {
    name: `errand, ${order}`,
    units: n,
    prepare: () => {
      const priorities = prioritiesIn(order, n);
      const manager = new TaskManager({ concurrency, limits: { maxQueued: n } });
      let ended = 0;
      return {
        work: async () => {
          manager.pause();
          const handles = priorities.map((priority) => manager.spawn(job, { priority }));
          manager.resume();
          ended = (await manager.awaitTasks(handles)).ended.length;
        },
        finish: async () => {
          check("errand", ended, n);
          await manager.close();
        },
      };
    },
  };
}
function onPQueue(order: Order, n: number): Case {
  return {
    name: `p-queue, ${order}`,
    units: n,
    prepare: () => {
      const priorities = prioritiesIn(order, n);
      const queue = new PQueue({ concurrency, autoStart: false });
      let sum = 0;
      return {
        work: async () => {
          const results = priorities.map((priority) => queue.add(job, { priority }));
          queue.start();
          for (const value of await Promise.all(results)) sum += value;
        },
        finish: () => check("p-queue", sum, n),
      };
    },
  };
}

const flags = readFlags({
  name: "priority",
  about: "Priority: N tasks in line with priorities in several orders, spawn to done; p-queue with a tenth of them.",
  full: { sizes: [100_000], repeats: 7, warmups: 2 },
  quick: { sizes: [10_000], repeats: 2, warmups: 1 },
});
const n = flags.sizes[0] ?? 100_000;
/** What p-queue needs for the worst order grows with the square. */
const fewer = Math.ceil(n / 10);
const measured = await interleave(
  chosen([...orders.map((order) => onErrand(order, n)), ...orders.map((order) => onPQueue(order, fewer))], flags),
  flags,
);
const judgedOrders: readonly string[] = ["ascending", "descending", "random"].map((order) => `errand, ${order}`);
const summary = measured.map(({ name, units, cpuUs }) => {
  const [kind = ""] = name.split(",");
  const timesSame = ratio(cpuUs, measured.find((other) => other.name === `${kind}, same`)?.cpuUs);
  const target = judgedOrders.includes(name) ? { most: 1.5, unit: "× the same priority" } : undefined;
  const what = `${name} priorities, ${units} tasks`;
  return { name, tasks: units, cpuUs: quartiles(cpuUs), timesSame, target: judge(what, timesSame?.median, target) };
});
print(`priority: CPU per task, median [quartiles] of ${flags.repeats} rounds`);
print(
  table(
    ["case", "tasks", "µs/task", "× same", "target"],
    summary.map((row) => [
      row.name,
      String(row.tasks),
      spread(row.cpuUs),
      short(row.timesSame?.median),
      told(row.target),
    ]),
  ),
);
const { repeats, warmups } = flags;
const targets = summary.flatMap(({ target }) => target ?? []);
await writeResults(flags.json, { bench: "priority", concurrency, repeats, warmups, targets, summary, cases: measured });
