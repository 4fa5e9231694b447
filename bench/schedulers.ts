// Schedulers: what running so many jobs, so many at a time, costs with each library and nothing around it.
//
// No record, no event, no token: the least that a limit can cost. errand stands below them for scale, with all its parts but
// ambient lineage, which would make the promises of everybody else dearer (see spawn.ts).
import { TaskManager } from "errand";
import { bare, schedulerNames } from "./bare-schedulers.js";
import { chosen, readFlags } from "./flags.js";
import { type Case, check, interleave } from "./interleave.js";
import { writeResults } from "./results.js";
import { quartiles, ratio } from "./statistics.js";
import { print, short, spread, table } from "./table.js";

const concurrency = 8;

function errand(n: number): Case {
  return {
    name: "errand, for scale",
    units: n,
    prepare: () => {
      const manager = new TaskManager({ concurrency, ambient: false, limits: { maxQueued: n } });
      let sum = 0;
      return {
        work: async () => {
          const handles = Array.from({ length: n }, () => manager.spawn(async () => 1));
          const { ended } = await manager.awaitTasks(handles);
          for (const outcome of ended) if (outcome.status === "succeeded") sum += outcome.value;
        },
        finish: async () => {
          check("errand", sum, n);
          await manager.close();
        },
      };
    },
  };
}

/** effection takes some fifty times as long as the floor: it gets a tenth. */
function jobsFor(name: string, n: number): number {
  return name.startsWith("effection") ? Math.ceil(n / 10) : n;
}

const flags = readFlags({
  name: "schedulers",
  about: "Schedulers: so many jobs, 8 at a time, with each library and nothing around it.",
  full: { sizes: [10_000, 100_000], repeats: 9, warmups: 3 },
  quick: { sizes: [5_000], repeats: 3, warmups: 1 },
});
const passes = [];
for (const n of flags.sizes) {
  const cases = [...schedulerNames.map((name) => bare(name, jobsFor(name, n), concurrency)), errand(n)];
  const measured = await interleave(chosen(cases, flags), flags);
  const floor = measured.find(({ name }) => name === "floor")?.cpuUs;
  const summary = measured.map(({ name, units, cpuUs }) => ({
    name,
    jobs: units,
    cpuUs: quartiles(cpuUs),
    timesFloor: ratio(cpuUs, floor),
  }));
  print(`schedulers, ${n} jobs: CPU per job, median [quartiles] of ${flags.repeats} rounds`);
  print(
    table(
      ["case", "jobs", "µs/job", "× floor"],
      summary.map((row) => [row.name, String(row.jobs), spread(row.cpuUs), short(row.timesFloor?.median)]),
    ),
  );
  passes.push({ jobs: n, summary, cases: measured });
}
const { repeats, warmups } = flags;
await writeResults(flags.json, { bench: "schedulers", concurrency, repeats, warmups, targets: [], passes });
