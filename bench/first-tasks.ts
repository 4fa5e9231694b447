// First tasks: what the first 10, 1 000 and 10 000 tasks of a process cost, and the first tasks after an idle minute.
//
// Every run is a process of its own (first-tasks-process.ts), so that nothing was compiled before. Beside errand: bare p-queue, and the
// same work by hand. "After idling": the process does 100 000 tasks, closes its manager, waits a minute, collects everything twice, and then
// measures the next tasks. Loading of the libraries is not in these figures; start.ts has it.
import { chosen, readFlags, whole } from "./flags.js";
import { inOwnProcesses, numbersOf, type Part } from "./own-process.js";
import { writeResults } from "./results.js";
import { quartiles, ratio } from "./statistics.js";
import { print, short, spread, table } from "./table.js";

const whos = ["p-queue", "by hand", "errand"] as const;
type Who = (typeof whos)[number];
const whens = ["fresh", "after idling"] as const;
type When = (typeof whens)[number];

interface Plan extends Part<Cost> {
  readonly who: Who;
  readonly when: When;
  readonly tasks: number;
}
interface Cost {
  readonly cpuUs: number;
  readonly wallUs: number;
}

const flags = readFlags({
  name: "first-tasks",
  about:
    "First tasks: CPU per task of the first tasks of a process, and of the first after it was idle and everything was collected.",
  full: { sizes: [10, 1_000, 10_000], repeats: 9, warmups: 0 },
  quick: { sizes: [10, 1_000], repeats: 2, warmups: 0 },
  more: {
    idle: { value: "SECONDS", words: "how long the process is idle", full: "60", quick: "1" },
    before: { value: "N", words: "tasks that warm it up before it is idle", full: "100000", quick: "1000" },
    "idle-repeats": {
      value: "N",
      words: "rounds with an idle process, which take that long each",
      full: "3",
      quick: "1",
    },
  },
});
const idleSeconds = whole("--idle", flags.more.idle, 0);
const tasksBefore = whole("--before", flags.more.before, 1);
const idleRepeats = whole("--idle-repeats", flags.more["idle-repeats"], 1);

const plans = whens.map((when) =>
  chosen(
    flags.sizes.flatMap((tasks) =>
      whos.map((who): Plan => {
        const name = `${who}, first ${tasks} tasks, ${when}`;
        const idle = when === "fresh" ? [] : [String(tasksBefore), String(idleSeconds)];
        return {
          ...{ who, when, tasks, name },
          program: "first-tasks-process",
          args: [who, String(tasks), ...idle],
          read: (printed) => numbersOf(printed, "cpuUs", "wallUs"),
        };
      }),
    ),
    flags,
  ),
);

const rows: (Plan & { readonly costs: readonly Cost[] })[] = [];
for (const [index, parts] of plans.entries()) {
  const when = whens[index];
  const ran = await inOwnProcesses(parts, when === "fresh" ? flags.repeats : idleRepeats);
  rows.push(...parts.map((part, place) => ({ ...part, costs: (ran[place] ?? []).map(({ value }) => value) })));
}
const summary = rows.map(({ name, who, when, tasks, costs }) => {
  const cpuOf = (other: Who) =>
    rows.find((row) => row.who === other && row.when === when && row.tasks === tasks)?.costs.map(({ cpuUs }) => cpuUs);
  const cpuUs = costs.map((cost) => cost.cpuUs);
  const wallUs = costs.map((cost) => cost.wallUs);
  return {
    ...{ name, who, when, tasks },
    cpuUs: quartiles(cpuUs),
    wallUs: quartiles(wallUs),
    timesPQueue: ratio(cpuUs, cpuOf("p-queue")),
    byHandTimes: ratio(cpuOf("by hand"), cpuUs),
  };
});
print(
  `first tasks: CPU per task, median [quartiles] of ${flags.repeats} fresh and ${idleRepeats} processes that idled ${idleSeconds} s`,
);
print(
  table(
    ["case", "µs/task", "µs wall", "× p-queue", "by hand ÷ it"],
    summary.map((row) => [
      row.name,
      spread(row.cpuUs),
      short(row.wallUs.median),
      short(row.timesPQueue?.median),
      short(row.byHandTimes?.median),
    ]),
  ),
);
const { repeats } = flags;
const cases = rows.map(({ name, tasks, costs }) => ({
  name,
  units: tasks,
  cpuUs: costs.map(({ cpuUs }) => cpuUs),
  wallUs: costs.map(({ wallUs }) => wallUs),
}));
await writeResults(flags.json, {
  bench: "first-tasks",
  repeats,
  tasksBefore,
  idleRepeats,
  idleSeconds,
  targets: [],
  summary,
  cases,
});
