// Results: the file a program writes, where it lies, and what it says of the machine and of the libraries beside errand.
import { readFileSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import { lineOf } from "./line-targets.js";
import { print } from "./table.js";

/** Where the results lie that the documents show. */
export const documented = "bench/results";
/** These count, and measure nothing: what they find is the same on every line of Node. */
export const countingPrograms: readonly string[] = ["tool-tokens"];
/** The file of a program on one line of Node, below the folder of all results. */
export function fileOf(program: string, line: string): string {
  return countingPrograms.includes(program) ? `${program}.json` : `node-${line}/${program}.json`;
}
/** The documented file of a program that runs on this Node. */
export function resultsFile(program: string): string {
  return `${documented}/${fileOf(program, lineOf(process.version))}`;
}

const libraries = ["p-queue", "p-limit", "p-map", "fastq", "async", "effect", "effection", "eventemitter3"] as const;
/** Of the packages installed, by name. */
function versions(): { readonly [library: string]: string } {
  const versionOf = (library: string): string => {
    const manifest = readFileSync(new URL(`../../node_modules/${library}/package.json`, import.meta.url), "utf8");
    return (JSON.parse(manifest) as { readonly version: string }).version;
  };
  return Object.fromEntries(libraries.map((library) => [library, versionOf(library)]));
}

/** No host name, no path, no date: two runs on one machine differ in their numbers alone. */
export async function writeResults(file: string | undefined, results: object): Promise<void> {
  if (file === undefined) return;
  const { platform, arch, version: node } = process;
  const machine = { node, v8: process.versions.v8, platform, arch, cpus: availableParallelism() };
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === "number" ? Number(value.toPrecision(6)) : value;
  const json = JSON.stringify({ machine, libraries: versions(), ...results }, rounded, 1);
  await mkdir(dirname(file), { recursive: true });
  // The samples of a case on one line.
  await writeFile(
    file,
    `${json.replace(/\n\s+(-?[\d.]+(?:e-?\d+)?)(?=,?\n)/g, " $1").replace(/(\d)\n\s+\]/g, "$1 ]")}\n`,
  );
  print(`raw numbers: ${file}`);
}
