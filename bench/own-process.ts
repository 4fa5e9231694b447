// Own process: a part of the bench that is measured in fresh processes, because its first run is what counts, or because no other case
// may warm it up or weigh on it.
//
// The parts run one at a time, round-robin and each round in another order, like the cases of interleave.ts. A part is a program beside
// this one, which prints one value as JSON. Progress goes to stderr.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { shuffled } from "./dice.js";
import { clocks, since } from "./interleave.js";

const execute = promisify(execFile);

export interface Part<T> {
  readonly name: string;
  /** The program's file here, without its ending, and its arguments. */
  readonly program: string;
  readonly args: readonly string[];
  /** Throws unless the printed value is what the part was to measure. */
  readonly read: (printed: unknown) => T;
}
export interface Ran<T> {
  readonly value: T;
  /** From the start of the process to its end, on the wall. */
  readonly wallMs: number;
}

/** Runs every part `repeats` times; the values of each part, in order of the rounds. */
export async function inOwnProcesses<T>(parts: readonly Part<T>[], repeats: number): Promise<readonly Ran<T>[][]> {
  const rows = parts.map((part) => ({ part, ran: [] as Ran<T>[] }));
  for (let round = 0; round < repeats; round += 1) {
    for (const { part, ran } of shuffled(rows, round + 1)) {
      process.stderr.write(`[${round + 1}/${repeats}] ${part.name}\n`);
      ran.push(await runOnce(part));
    }
  }
  return rows.map(({ ran }) => ran);
}

async function runOnce<T>({ program, args, read }: Part<T>): Promise<Ran<T>> {
  const file = fileURLToPath(new URL(`${program}.js`, import.meta.url));
  const before = clocks();
  const { stdout } = await execute(process.execPath, ["--expose-gc", file, ...args]);
  const { wallUs } = since(before);
  return { value: read(JSON.parse(stdout)), wallMs: wallUs / 1_000 };
}

/** The fields of the printed object that must be numbers. */
export function numbersOf<K extends string>(printed: unknown, ...names: readonly K[]): { readonly [N in K]: number } {
  const found = Object.fromEntries(
    names.map((name) => {
      const value: unknown = typeof printed === "object" && printed !== null ? Reflect.get(printed, name) : undefined;
      if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`the process printed no ${name}`);
      return [name, value];
    }),
  );
  return found as { readonly [N in K]: number };
}
