// Headline table: the figures of README.md. First what decides, on every line of Node, cold and steady; then errand beside the other peers
// on one line. Made from the results files alone.
import type { Collect } from "./interleave.js";
import { judgedTasks } from "./line-targets.js";
import { markdownTable } from "./markdown-table.js";
import {
  type ColdSteadyResults,
  type Condition,
  found,
  hasRun,
  linesWith,
  named,
  read,
  type SpawnResults,
  type Timed,
  type TimedResults,
} from "./results-files.js";
import { quartiles, ratio } from "./statistics.js";
import { short } from "./table.js";
import { usualWorld, type World, worlds } from "./world.js";

const times = (value: number): string => `${short(value)} ×`;
const counted = (value: number): string => value.toLocaleString("en-US").replaceAll(",", " ");

export function headlineTable(folder: string): string {
  const line = lineOfPeers(folder);
  const spawn = read(folder, line, "spawn");
  const cancel = read(folder, line, "cancel");
  const waits = read(folder, line, "waits");
  const rows = [...spawnRows(spawn), ...cancelRows(cancel), ...waitRows(waits), ...heapRows(spawn)];
  const { node, platform, arch, cpus } = spawn.machine;
  return [
    ...linesTable(folder),
    "",
    `CPU time, medians, cold / steady; ${platform} ${arch}, ${cpus} cores.`,
    "",
    ...markdownTable(["", "errand", "beside it", "", "times errand"], ["l", "r", "l", "r", "r"], rows),
    "",
    `CPU time, medians, steady; Node ${node.slice(1)}, ${platform} ${arch}, ${cpus} cores.`,
  ].join("\n");
}

/** The other peers are shown on one line: a maintained one, if they were all measured there. */
function lineOfPeers(folder: string): string {
  const whole = ["24", "22", "26", "20"].filter((line) =>
    ["spawn", "cancel", "waits"].every((program) => hasRun(folder, line, program)),
  );
  return found("line of Node with spawn, cancel and waits", whole[0]);
}

// ── every line of Node ───────────────────────────────────────────────────

function linesTable(folder: string): readonly string[] {
  const results = linesWith(folder, "cold-steady").map((line) => read(folder, line, "cold-steady"));
  const sizes = [...new Set(results.flatMap(({ passes }) => passes.map(({ tasks }) => tasks)))].sort((a, b) => a - b);
  const cell = (what: (condition: Condition) => number, world: World, tasks: number, unit: string) =>
    results.map(({ passes }) => {
      const figures = (["full", "young"] as const).map((collect) =>
        short(what(condition(passes, collect, world, tasks))),
      );
      return `${figures.join(" / ")} ${unit}`;
    });
  const rows = worlds.toReversed().flatMap((world) =>
    sizes.flatMap((tasks) => [
      [
        `errand ÷ p-queue alone, ${counted(tasks)} tasks, ${world}`,
        ...cell(({ timesPQueue }) => timesPQueue.median, world, tasks, "×"),
      ],
      [
        `the same by hand on p-queue ÷ errand, ${counted(tasks)} tasks, ${world}`,
        ...cell(({ byHandTimes }) => byHandTimes.median, world, tasks, "×"),
      ],
    ]),
  );
  const own = [
    `errand itself, a task of ${counted(judgedTasks)}, ${usualWorld}`,
    ...cell(({ medians }) => medians.errand.median, usualWorld, judgedTasks, "µs"),
  ];
  const nodes = results.map(({ machine }) => `Node ${shortVersion(machine.node)}`);
  return markdownTable(
    ["spawn to done, cold / steady", ...nodes],
    ["l", ...nodes.map(() => "r" as const)],
    [...rows, own],
  );
}
function condition(passes: ColdSteadyResults["passes"], collect: Collect, world: World, tasks: number): Condition {
  return found(
    `${collect}, ${world}, ${tasks} tasks`,
    passes.find((pass) => pass.collect === collect && pass.world === world && pass.tasks === tasks),
  );
}
const shortVersion = (version: string): string => version.slice(1).split(".").slice(0, 2).join(".");

// ── the other peers, on one line ─────────────────────────────────────────

/** What it is, errand's figure, the other one, the other's figure, and how many times errand's that is. */
type Row = readonly [what: string, errand: string, other: string, figure: string, times: string];

function spawnRows({ passes, libraries }: SpawnResults): readonly Row[] {
  const here = passes.filter((pass) => pass.world === usualWorld && pass.collect === "young");
  const pass = found(
    "pass of spawn",
    here.toSorted((a, b) => b.tasks - a.tasks).find(() => true),
  );
  const errand = named(pass.cases, "errand, ignores");
  const major = (library: string): string => found(library, libraries[library]).split(".")[0] ?? "";
  const others: readonly (readonly [name: string, words: string])[] = [
    ["p-queue", `p-queue ${major("p-queue")} alone: no record, no event, no cancel`],
    ["by hand on p-queue, ignores", `the same by hand on p-queue ${major("p-queue")}`],
    ["by hand on p-limit, ignores", `the same by hand on p-limit ${major("p-limit")}`],
    ["on Effect, forked inside, ignores", `the same on Effect ${major("effect")}, forked inside one program`],
    ["on Effect, forked outside, ignores", `the same on Effect ${major("effect")}, each forked from outside`],
    ["on effection, ignores", `the same on effection ${major("effection")}`],
  ];
  return others.map(([name, words], index) => {
    const other = named(pass.cases, name);
    const fewer = other.units === errand.units ? "" : ` (${counted(other.units)} tasks)`;
    return [
      index === 0 ? `a task, spawn to done, of ${counted(errand.units)}` : "",
      index === 0 ? `${short(quartiles(errand.cpuUs).median)} µs` : "",
      `${words}${fewer}`,
      `${short(quartiles(other.cpuUs).median)} µs`,
      times(found("ratio", ratio(other.cpuUs, errand.cpuUs)).median),
    ];
  });
}

function cancelRows({ cases }: TimedResults): readonly Row[] {
  const ms = ({ cpuUs, units }: Timed): string => `${short((quartiles(cpuUs).median * units) / 1_000)} ms`;
  return (["signal unread", "signal listened to"] as const).map((way) => {
    const errand = named(cases, `errand live tree, ${way}`);
    const other = named(cases, `own links, ${way}`);
    return [
      `cancel a running tree of ${counted(errand.units)} until its last end, ${way}`,
      ms(errand),
      "an `AbortController` each, linked by hand: no record, no event",
      ms(other),
      times(found("ratio", ratio(other.cpuUs, errand.cpuUs)).median),
    ];
  });
}

function waitRows({ cases }: TimedResults): readonly Row[] {
  const errand = named(cases, "awaitTasks, running");
  const other = named(cases, "Promise.all of result(), running");
  const us = ({ cpuUs }: Timed): string => `${short(quartiles(cpuUs).median)} µs`;
  const ratioOf = times(found("ratio", ratio(other.cpuUs, errand.cpuUs)).median);
  const what = `end and await ${counted(errand.units)} with \`awaitTasks\`, each`;
  return [[what, us(errand), "`Promise.all` of their results", us(other), ratioOf]];
}

function heapRows({ heap }: SpawnResults): readonly Row[] {
  const { cases } = found(
    "heap",
    heap.find((one) => one.world === usualWorld),
  );
  const states = [
    ["queued", "in line"],
    ["running", "running"],
    ["finished", "finished, its record kept"],
  ] as const;
  return states.map(([state, words]) => {
    const errand = named(cases, `errand, ${state}`).bytesPerTask.median;
    const other = named(cases, `by hand on p-queue, ${state}`).bytesPerTask.median;
    return [
      `heap of a task ${words}`,
      `${short(errand)} B`,
      "by hand on p-queue",
      `${short(other)} B`,
      times(other / errand),
    ];
  });
}
