// Results files: what the tables of the documents and the history read of the files that the programs wrote.
//
// A file has no schema but these types: each program writes what it reads here. A folder of results has a folder for each line of Node
// (`fileOf`). Writes nothing.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Collect } from "./interleave.js";
import { lines } from "./line-targets.js";
import { fileOf } from "./results.js";
import type { Quartiles, Samples } from "./statistics.js";
import type { Judged } from "./target.js";
import type { World } from "./world.js";

interface Results {
  readonly machine: { readonly node: string; readonly platform: string; readonly arch: string; readonly cpus: number };
  readonly libraries: { readonly [library: string]: string };
  readonly targets: readonly Judged[];
}
export interface Timed {
  readonly name: string;
  readonly units: number;
  readonly cpuUs: Samples;
}
export interface TimedResults extends Results {
  readonly cases: readonly Timed[];
}
interface SpawnPass {
  readonly world: World;
  readonly tasks: number;
  readonly collect: Collect;
  readonly cases: readonly Timed[];
}
interface Heaped {
  readonly name: string;
  readonly bytesPerTask: Quartiles;
}
export interface SpawnResults extends Results {
  readonly passes: readonly SpawnPass[];
  readonly heap: readonly { readonly world: World; readonly cases: readonly Heaped[] }[];
}
/** One condition of cold-steady.ts. */
export interface Condition {
  readonly collect: Collect;
  readonly world: World;
  readonly tasks: number;
  readonly timesPQueue: Quartiles;
  readonly byHandTimes: Quartiles;
  readonly medians: { readonly pQueue: Quartiles; readonly byHand: Quartiles; readonly errand: Quartiles };
}
export interface ColdSteadyResults extends Results {
  readonly passes: readonly Condition[];
}
/** What the programs write, by name; those that are not here are read for their targets alone. */
interface ResultsOf {
  readonly spawn: SpawnResults;
  readonly cancel: TimedResults;
  readonly waits: TimedResults;
  readonly "cold-steady": ColdSteadyResults;
}

export function hasRun(folder: string, line: string, program: string): boolean {
  return existsSync(join(folder, fileOf(program, line)));
}
export function read<P extends keyof ResultsOf>(folder: string, line: string, program: P): ResultsOf[P] {
  return parsed(folder, line, program) as ResultsOf[P];
}
/** The judged targets of one program's file; none if it has not run on that line. */
export function targetsIn(folder: string, line: string, program: string): readonly Judged[] {
  return hasRun(folder, line, program) ? (parsed(folder, line, program) as Results).targets : [];
}
/** The lines on which the program has run, oldest first. */
export function linesWith(folder: string, program: string): readonly string[] {
  return lines.filter((line) => hasRun(folder, line, program));
}

function parsed(folder: string, line: string, program: string): unknown {
  return JSON.parse(readFileSync(join(folder, fileOf(program, line)), "utf8"));
}

/** Throws if it is not there: a table of half of the figures would pass for the whole. */
export function found<T>(what: string, value: T | undefined): T {
  if (value === undefined) throw new Error(`the results have no ${what}`);
  return value;
}
export function named<T extends { readonly name: string }>(all: readonly T[], name: string): T {
  return found(
    name,
    all.find((one) => one.name === name),
  );
}
