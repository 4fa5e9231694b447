// Document tables: the figures that README.md and bench/README.md show, made from the results files alone.
//
// Each stands between two comments of Markdown and is never written by hand; test/docs/bench-table.test.ts holds that.
// Its paths are those of the project's folder, where npm runs its scripts.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Quartiles, quartiles, ratio, type Samples } from "./statistics.js";
import { short } from "./table.js";
import type { Judged } from "./target.js";

interface Results {
  readonly machine: { readonly node: string; readonly platform: string; readonly arch: string; readonly cpus: number };
  readonly libraries: { readonly [library: string]: string };
  readonly targets: readonly Judged[];
}
interface Timed {
  readonly name: string;
  readonly units: number;
  readonly cpuUs: Samples;
}
interface Heaped {
  readonly name: string;
  readonly bytesPerTask: Quartiles;
}
interface SpawnResults extends Results {
  readonly passes: readonly { readonly world: string; readonly tasks: number; readonly cases: readonly Timed[] }[];
  readonly heap: readonly { readonly world: string; readonly cases: readonly Heaped[] }[];
}
interface TimedResults extends Results {
  readonly cases: readonly Timed[];
}

/** errand is as a user gets it, with ambient lineage, which needs AsyncLocalStorage. */
const world = "with AsyncLocalStorage";

function read(folder: string, program: string): unknown {
  return JSON.parse(readFileSync(join(folder, `${program}.json`), "utf8"));
}
function found<T>(what: string, value: T | undefined): T {
  if (value === undefined) throw new Error(`the results have no ${what}`);
  return value;
}
function named<T extends { readonly name: string }>(all: readonly T[], name: string): T {
  return found(
    name,
    all.find((one) => one.name === name),
  );
}

/** The judged targets of one program's file; none if it has not run. */
export function targetsIn(folder: string, program: string): readonly Judged[] {
  if (!existsSync(join(folder, `${program}.json`))) return [];
  return (read(folder, program) as Results).targets;
}

// ── README.md ────────────────────────────────────────────────────────────

/** What it is, errand's figure, the other one, the other's figure, and how many times errand's that is. */
type Row = readonly [what: string, errand: string, other: string, figure: string, times: string];

const times = (value: number): string => `${short(value)} ×`;
const counted = (value: number): string => value.toLocaleString("en-US").replaceAll(",", " ");

export function headlineTable(folder: string): string {
  const spawn = read(folder, "spawn") as SpawnResults;
  const cancel = read(folder, "cancel") as TimedResults;
  const waits = read(folder, "waits") as TimedResults;
  const rows = [...spawnRows(spawn), ...cancelRows(cancel), ...waitRows(waits), ...heapRows(spawn)];
  const { node, platform, arch, cpus } = spawn.machine;
  return [
    ...markdownTable(["", "errand", "beside it", "", "times errand"], ["l", "r", "l", "r", "r"], rows),
    "",
    `CPU time, medians; Node ${node.slice(1)}, ${platform} ${arch}, ${cpus} cores.`,
  ].join("\n");
}

function spawnRows({ passes, libraries }: SpawnResults): readonly Row[] {
  const here = passes.filter((pass) => pass.world === world);
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
    ["on Effect, ignores", `the same on Effect ${major("effect")}`],
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
      `cancel a running tree of ${counted(errand.units)}, ${way}`,
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
    heap.find((one) => one.world === world),
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

// ── bench/README.md ──────────────────────────────────────────────────────

const judging = [
  ...(["spawn", "growth", "priority", "cancel", "waits", "round-trip", "journal", "soak"] as const),
  "tool-tokens",
] as const;

/** Of spawn, what holds for errand as a user gets it. */
export function targetsTable(folder: string): string {
  const rows = judging.flatMap((program) =>
    targetsIn(folder, program)
      .filter(({ what }) => program !== "spawn" || what.endsWith(world))
      .map(({ what, measured, bound, unit, verdict }) => [
        `\`${program}\``,
        what.replace(`, ${world}`, ""),
        `${bound} ${unit}`,
        short(measured),
        verdict === "MISSED" ? "**missed**" : verdict,
      ]),
  );
  return markdownTable(["program", "what", "target", "measured", ""], ["l", "l", "l", "r", "l"], rows).join("\n");
}

// ── Markdown ─────────────────────────────────────────────────────────────

function markdownTable(
  head: readonly string[],
  sides: readonly ("l" | "r")[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), `|${sides.map((side) => (side === "r" ? "--:" : "---")).join("|")}|`, ...rows.map(line)];
}

const tables = {
  "README.md": { name: "headline", make: headlineTable },
  "bench/README.md": { name: "targets", make: targetsTable },
} as const;
export type Document = keyof typeof tables;
export const documents = Object.keys(tables) as readonly Document[];

/** The document's text with its table as the results in `folder` have it. */
export function withTable(document: Document, markdown: string, folder: string): string {
  const { name, make } = tables[document];
  const [begin, end] = [`<!-- bench: ${name} -->`, `<!-- end of bench: ${name} -->`];
  const [before, rest] = markdown.split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`${document} has no ${begin} … ${end}`);
  return `${before}${begin}\n\n${make(folder)}\n\n${end}${after}`;
}

export function renewTables(folder: string): void {
  for (const document of documents) {
    writeFileSync(document, withTable(document, readFileSync(document, "utf8"), folder));
  }
}
