// Interleave: how every bench here measures.
//
// Cases run round-robin in one process, each round in another order: a slow minute of the machine, and what one case leaves
// to collect, fall on all.
// What decides is CPU time of the whole process (user and system, with the threads of collector and compiler),
// never the clock on the wall. Warm-up rounds are not counted. Knows no task and no library.
//
// What is collected before a run decides what the run measures. `young` is the steady case, and `full` the cold one: see `Collect`.
import { shuffled } from "./dice.js";
import type { Samples } from "./statistics.js";

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
/**
 * What the collector takes before a run.
 *
 * `full`: everything. No object of a case lives at that moment, so V8 also takes the shapes of these objects, and with them the compiled
 * code. Each run is a cold start, as in a process that makes one manager per job, or that is idle and is then collected.
 * Making the manager or the queue is part of such a job, so the run's preparation is measured with it.
 *
 * `young`: the young generation alone. The compiled code stays, as in a process whose manager lives. The preparation is not measured.
 */
export type Collect = "full" | "young";
/** What the tables call the two cases. */
export const caseOf: { readonly [C in Collect]: "cold" | "steady" } = { full: "cold", young: "steady" };

export interface Rounds {
  readonly repeats: number;
  readonly warmups: number;
  /** Without it: `young`. */
  readonly collect?: Collect;
}
export async function interleave(cases: readonly Case[], rounds: Rounds): Promise<Measured[]> {
  const rows = cases.map((one) => ({ case: one, samples: [] as Sample[] }));
  const inAll = rounds.warmups + rounds.repeats;
  for (let round = 0; round < inAll; round += 1) {
    process.stderr.write(`  round ${round + 1} of ${inAll}${round < rounds.warmups ? ", not counted" : ""}\n`);
    for (const row of shuffled(rows, round + 1)) {
      const sample = await once(row.case, rounds.collect ?? "young");
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
async function once(one: Case, collect: Collect): Promise<Sample> {
  await settle(collect);
  const beforePrepare = clocks();
  const run = await one.prepare();
  const prepare = since(beforePrepare);
  if (collect === "young") await settle("young");
  const beforeWork = collect === "young" ? clocks() : beforePrepare;
  await run.work();
  const work = since(beforeWork);
  await run.finish?.();
  return { cpuUs: work.cpuUs / one.units, wallUs: work.wallUs / one.units, prepareCpuUs: prepare.cpuUs / one.units };
}

interface Clocks {
  readonly cpu: NodeJS.CpuUsage;
  readonly wall: number;
}
/** Both clocks of the process, to be read by `since`. */
export function clocks(): Clocks {
  const wall = performance.now();
  return { cpu: process.cpuUsage(), wall };
}
/** Microseconds since `clocks()`, of the processor and of the clock on the wall. */
export function since({ cpu, wall }: Clocks): { readonly cpuUs: number; readonly wallUs: number } {
  const { user, system } = process.cpuUsage(cpu);
  return { cpuUs: user + system, wallUs: (performance.now() - wall) * 1_000 };
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
  await settle("full");
  const before = process.memoryUsage().heapUsed;
  const built = await one.build();
  await settle("full");
  const bytes = (process.memoryUsage().heapUsed - before) / one.units;
  // Read after the measuring, so that what is weighed cannot be collected before.
  if (built.held === undefined) throw new Error(`${one.name}: nothing was held`);
  await built.release?.();
  return bytes;
}

/** Collects twice. The timer lets background compiles end: one under way holds what its function can see, past any collection. */
export async function settle(collect: Collect): Promise<void> {
  for (let pass = 0; pass < 2; pass += 1) {
    await new Promise<void>((resolve) => setTimeout(resolve, 10));
    // `gc(true)` collects the young, `gc()` everything. Neither `gc({ type })`, which on Node 20 leaves some of the dead, nor `gc(false)`, which
    // from Node 22 on collects the young alone: the dead of the old generation then stay until V8 itself collects them, and look like a leak.
    if (collect === "young") globalThis.gc?.(true);
    else globalThis.gc?.();
  }
}

/** Throws unless a run did all it was measured for. */
export function check(what: string, found: number, expected: number): void {
  if (found !== expected) throw new Error(`${what}: ${found}, not ${expected}`);
}
