// Interleave: how every bench here measures, and how it writes down what it found.
//
// Cases run round-robin in one process, each round in another order: a slow minute of the machine, and what one case leaves
// to collect, fall on all.
// What decides is CPU time of the whole process (user and system, with the threads of collector and compiler),
// never the clock on the wall. Warm-up rounds are not counted. Knows no task and no library.
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";

export interface Run {
  /** Measured. */
  readonly work: () => unknown;
  /** Not measured: throws if the work was not done, and lets go of what the run held. */
  readonly finish?: () => unknown;
}
export interface Case {
  readonly name: string;
  /** Times are given per unit: a task, a step, a cancel. */
  readonly units: number;
  /** Not part of the result, but reported beside it: builds all that one run needs. */
  readonly prepare: () => Run | Promise<Run>;
}
/** What stays on the heap, per unit. The value that `build` gives is held while the heap is measured. */
export interface HeapCase {
  readonly name: string;
  readonly units: number;
  readonly build: () => Promise<{ readonly held: unknown; readonly release?: () => unknown }>;
}
/** Microseconds or bytes per unit, in order of rounds. */
export type Samples = readonly number[];
export interface Measured {
  readonly name: string;
  readonly units: number;
  readonly cpuUs: Samples;
  readonly wallUs: Samples;
  readonly prepareCpuUs: Samples;
}
export interface Weighed {
  readonly name: string;
  readonly units: number;
  readonly bytes: Samples;
}
export interface Rounds {
  readonly repeats: number;
  readonly warmups: number;
}
export interface Quartiles {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

export async function interleave(cases: readonly Case[], rounds: Rounds): Promise<Measured[]> {
  const rows = cases.map((one) => ({ case: one, samples: [] as Sample[] }));
  for (let round = 0; round < rounds.warmups + rounds.repeats; round += 1) {
    for (const row of shuffled(rows, round + 1)) {
      const sample = await once(row.case);
      if (round >= rounds.warmups) row.samples.push(sample);
    }
  }
  return rows.map(({ case: { name, units }, samples }) => ({
    name,
    units,
    cpuUs: samples.map((sample) => sample.cpuUs),
    wallUs: samples.map((sample) => sample.wallUs),
    prepareCpuUs: samples.map((sample) => sample.prepareCpuUs),
  }));
}

interface Sample {
  readonly cpuUs: number;
  readonly wallUs: number;
  readonly prepareCpuUs: number;
}
async function once(one: Case): Promise<Sample> {
  await settle("young");
  const beforePrepare = process.cpuUsage();
  const run = await one.prepare();
  const prepare = process.cpuUsage(beforePrepare);
  await settle("young");
  const beforeWall = performance.now();
  const beforeWork = process.cpuUsage();
  await run.work();
  const work = process.cpuUsage(beforeWork);
  const wallMs = performance.now() - beforeWall;
  await run.finish?.();
  return {
    cpuUs: (work.user + work.system) / one.units,
    wallUs: (wallMs * 1_000) / one.units,
    prepareCpuUs: (prepare.user + prepare.system) / one.units,
  };
}

/** Needs `--expose-gc`: without it there is nothing to say, and the answer is empty. */
export async function weigh(cases: readonly HeapCase[], rounds: Rounds): Promise<Weighed[]> {
  if (globalThis.gc === undefined) return [];
  const rows = cases.map((one) => ({ case: one, bytes: [] as number[] }));
  for (let round = 0; round < rounds.warmups + rounds.repeats; round += 1) {
    for (const row of rows) {
      const bytes = await weighOnce(row.case);
      if (round >= rounds.warmups) row.bytes.push(bytes);
    }
  }
  return rows.map(({ case: { name, units }, bytes }) => ({ name, units, bytes }));
}

/** A call of its own: a loop would keep the last round's value in its frame until this round's takes its place. */
async function weighOnce(one: HeapCase): Promise<number> {
  await settle("all");
  const before = process.memoryUsage().heapUsed;
  const built = await one.build();
  await settle("all");
  const bytes = (process.memoryUsage().heapUsed - before) / one.units;
  // Read after the measuring, so that what is weighed cannot be collected before.
  if (built.held === undefined) throw new Error(`${one.name}: nothing was held`);
  await built.release?.();
  return bytes;
}

/** Always the same order for the same seed, an integer from 1 on: a Lehmer generator. */
export function shuffled<T>(items: readonly T[], seed: number): T[] {
  const left = [...items];
  const order: T[] = [];
  let random = seed;
  while (left.length > 0) {
    random = (random * 48_271) % 2_147_483_647;
    const place = random % left.length;
    const last = left.pop();
    const picked = place < left.length ? left[place] : last;
    if (picked === undefined || last === undefined) continue;
    if (place < left.length) left[place] = last;
    order.push(picked);
  }
  return order;
}

/**
 * The timer lets background compiles end: one under way holds what its function can see, past any collection.
 * Before a measuring of time only the young are collected: a full collection while nothing of a case lives takes the shapes
 * of its objects, and with them its compiled code, so that each run would measure a cold start.
 */
async function settle(collect: "young" | "all"): Promise<void> {
  for (let pass = 0; pass < 2; pass += 1) {
    await new Promise<void>((resolve) => setTimeout(resolve, 10));
    // Not `gc({ type })`, which on Node 20 leaves some of the dead.
    globalThis.gc?.(collect === "young");
  }
}

export function quartiles(samples: Samples): Quartiles {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => {
    const place = (sorted.length - 1) * share;
    const below = sorted[Math.floor(place)] ?? Number.NaN;
    const above = sorted[Math.ceil(place)] ?? Number.NaN;
    return below + (above - below) * (place - Math.floor(place));
  };
  return { low: at(0.25), median: at(0.5), high: at(0.75) };
}

/** Round by round, so that what slowed a whole round cancels out; then quartiles. */
export function ratio(samples: Samples | undefined, against: Samples | undefined): Quartiles | undefined {
  if (samples === undefined || against === undefined) return undefined;
  return quartiles(samples.map((sample, round) => sample / (against[round] ?? Number.NaN)));
}

/** A target is a bound on a median. */
export interface Target {
  readonly most?: number;
  readonly least?: number;
  readonly stretch?: number;
  readonly unit: string;
}
export function verdict(measured: number | undefined, target: Target): string {
  if (measured === undefined) return "";
  const { most, least, stretch, unit } = target;
  const met = (most === undefined || measured <= most) && (least === undefined || measured >= least);
  const reached = stretch !== undefined && (least === undefined ? measured <= stretch : measured >= stretch);
  const bound = most === undefined ? `≥ ${least}` : `≤ ${most}`;
  const beyond = stretch === undefined ? "" : `, stretch ${stretch}`;
  return `${short(measured)} (${bound}${beyond} ${unit}) ${reached ? "stretch met" : met ? "met" : "MISSED"}`;
}

/** Three significant digits, and no exponent. */
export function short(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
export function spread({ low, median, high }: Quartiles): string {
  return `${short(median)} [${short(low)}–${short(high)}]`;
}

/** The first column is text, the others are set to the right but for the last. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 || column === head.length - 1 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** A block of output, set off by an empty line. */
export function print(text: string): void {
  process.stdout.write(`\n${text}\n`);
}

export interface Flags extends Rounds {
  /** How many tasks, one pass each. */
  readonly sizes: readonly number[];
  /** Keeps the cases whose name has this text. */
  readonly only: string | undefined;
  /** Where the raw numbers go; `undefined` writes none. */
  readonly json: string | undefined;
}
interface Bench extends Rounds {
  readonly name: string;
  readonly about: string;
  readonly sizes: readonly number[];
}
/** `--help` ends the process. A partial run (`--only`) writes no file unless `--json` names one. */
export function readFlags(bench: Bench): Flags {
  const { values } = parseArgs({
    options: {
      tasks: { type: "string", default: bench.sizes.join(",") },
      repeats: { type: "string", default: String(bench.repeats) },
      warmups: { type: "string", default: String(bench.warmups) },
      only: { type: "string" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`node --expose-gc build/bench/${bench.name}.js [options]

${bench.about}

  --tasks N[,N]   how many tasks (${bench.sizes.join(",")})
  --repeats N     counted rounds (${bench.repeats})
  --warmups N     rounds before them, not counted (${bench.warmups})
  --only TEXT     just the cases whose name has TEXT; writes no file unless --json names one
  --json FILE     where the raw numbers go (bench/results/${bench.name}.json)
  --help          this
`);
    process.exit(0);
  }
  return {
    sizes: values.tasks.split(",").map((text) => whole("--tasks", text, 1)),
    repeats: whole("--repeats", values.repeats, 1),
    warmups: whole("--warmups", values.warmups, 0),
    only: values.only,
    json: values.json ?? (values.only === undefined ? `bench/results/${bench.name}.json` : undefined),
  };
}
function whole(flag: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`${flag} takes integers from ${least} on, not ${text}`);
}
export function chosen<C extends { readonly name: string }>(cases: readonly C[], flags: Flags): C[] {
  return cases.filter(({ name }) => flags.only === undefined || name.includes(flags.only));
}

/** No host name, no path, no date: two runs on one machine differ in their numbers alone. */
export async function writeResults(file: string | undefined, results: object): Promise<void> {
  if (file === undefined) return;
  const { platform, arch, version: node } = process;
  const machine = { node, v8: process.versions.v8, platform, arch, cpus: availableParallelism() };
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(6)) : value;
  const json = JSON.stringify({ machine, ...results }, rounded, 1);
  await mkdir(dirname(file), { recursive: true });
  // The samples of a case on one line.
  await writeFile(
    file,
    `${json.replace(/\n\s+(-?[\d.]+(?:e-?\d+)?)(?=,?\n)/g, " $1").replace(/(\d)\n\s+\]/g, "$1 ]")}\n`,
  );
  print(`raw numbers: ${file}`);
}
