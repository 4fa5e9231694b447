// Start: what `import "errand"` costs beside `import "p-queue"`, and how long a process takes from its start to the end of its first task.
//
// Every run is a process of its own (start-process.ts). An import is measured inside the process, around `import()`. The first task is
// measured from the start of the process, so Node's own start is in it, on both sides; "nothing" is that start alone.
import { chosen, readFlags } from "./flags.js";
import { inOwnProcesses, numbersOf, type Part } from "./own-process.js";
import { writeResults } from "./results.js";
import { quartiles, ratio } from "./statistics.js";
import { print, short, spread, table } from "./table.js";
import { judge, type Target, told } from "./target.js";

interface Cost {
  readonly cpuMs: number;
  readonly wallMs: number;
}
const flags = readFlags({
  name: "start",
  about: "Start: the import of errand and of p-queue, and the start of a process until its first task has ended.",
  full: { sizes: [1], repeats: 25, warmups: 2 },
  quick: { sizes: [1], repeats: 3, warmups: 1 },
});

const part = (name: string, ...args: readonly string[]): Part<Cost> => ({
  name,
  program: "start-process",
  args,
  read: (printed) => numbersOf(printed, "cpuMs", "wallMs"),
});
const parts = chosen(
  [
    part("nothing", "nothing"),
    part('import "p-queue"', "import", "p-queue"),
    part('import "errand"', "import", "errand"),
    part("start to first task, p-queue", "task", "p-queue"),
    part("start to first task, errand", "task", "errand"),
  ],
  flags,
);
const ran = await inOwnProcesses(parts, flags.warmups + flags.repeats);
const cases = parts.map(({ name }, index) => {
  // The first rounds read the files into the system's cache.
  const costs = (ran[index] ?? []).slice(flags.warmups).map(({ value }) => value);
  return { name, cpuMs: costs.map(({ cpuMs }) => cpuMs), wallMs: costs.map(({ wallMs }) => wallMs) };
});

const targets: { readonly [name: string]: Target & { readonly against: string } } = {
  'import "errand"': { most: 2.5, unit: '× import "p-queue"', against: 'import "p-queue"' },
  "start to first task, errand": { most: 1.3, unit: "× p-queue", against: "start to first task, p-queue" },
};
const summary = cases.map(({ name, cpuMs, wallMs }) => {
  const target = targets[name];
  const peer = cases.find((one) => one.name === target?.against);
  const timesCpu = ratio(cpuMs, peer?.cpuMs);
  const timesWall = ratio(wallMs, peer?.wallMs);
  // Processor time: a wait for a processor of a busy machine is not in it.
  const judged = judge(name, timesCpu?.median, target);
  return { name, cpuMs: quartiles(cpuMs), wallMs: quartiles(wallMs), timesCpu, timesWall, target: judged };
});
print(`start: milliseconds, median [quartiles] of ${flags.repeats} processes`);
print(
  table(
    ["case", "ms CPU", "ms wall", "× p-queue, CPU", "× p-queue, wall", "target"],
    summary.map((row) => [
      row.name,
      spread(row.cpuMs),
      spread(row.wallMs),
      short(row.timesCpu?.median),
      short(row.timesWall?.median),
      told(row.target),
    ]),
  ),
);
const { repeats, warmups } = flags;
const judged = summary.flatMap(({ target }) => target ?? []);
await writeResults(flags.json, { bench: "start", repeats, warmups, targets: judged, summary, cases });
