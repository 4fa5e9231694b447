// Flags: what every program here takes on its command line, and what it does without.
import { parseArgs } from "node:util";
import type { Rounds } from "./interleave.js";

/** How much is done. */
export interface Scale extends Rounds {
  /** How many tasks, one pass each. */
  readonly sizes: readonly number[];
}
export interface Flags extends Scale {
  /** Keeps the cases whose name has this text. */
  readonly only: string | undefined;
  /** Where the raw numbers go; `undefined` writes none. */
  readonly json: string | undefined;
}
interface Bench {
  readonly name: string;
  readonly about: string;
  readonly full: Scale;
  /** Enough to see that it works, not to quote a figure. */
  readonly quick: Scale;
}
/** `--help` ends the process. A partial run (`--only`, `--quick`) writes no file unless `--json` names one. */
export function readFlags(bench: Bench): Flags {
  const { values } = parseArgs({
    options: {
      tasks: { type: "string" },
      repeats: { type: "string" },
      warmups: { type: "string" },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { full, quick } = bench;
  if (values.help) {
    process.stdout.write(`node --expose-gc build/bench/${bench.name}.js [options]

${bench.about}

  --tasks N[,N]   how many tasks (${full.sizes.join(",")})
  --repeats N     counted rounds (${full.repeats})
  --warmups N     rounds before them, not counted (${full.warmups})
  --quick         the same with --tasks ${quick.sizes.join(",")} --repeats ${quick.repeats} --warmups ${quick.warmups}: to see that it works
  --only TEXT     just the cases whose name has TEXT
  --json FILE     where the raw numbers go (bench/results/${bench.name}.json; none with --quick or --only)
  --help          this
`);
    process.exit(0);
  }
  const scale = values.quick ? quick : full;
  const isPartial = values.quick || values.only !== undefined;
  return {
    sizes: values.tasks?.split(",").map((text) => whole("--tasks", text, 1)) ?? scale.sizes,
    repeats: whole("--repeats", values.repeats ?? scale.repeats, 1),
    warmups: whole("--warmups", values.warmups ?? scale.warmups, 0),
    only: values.only,
    json: values.json ?? (isPartial ? undefined : `bench/results/${bench.name}.json`),
  };
}
export function whole(flag: string, given: string | number, least: number): number {
  const value = Number(given);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`${flag} takes integers from ${least} on, not ${given}`);
}
export function chosen<C extends { readonly name: string }>(cases: readonly C[], flags: Flags): C[] {
  return cases.filter(({ name }) => flags.only === undefined || name.includes(flags.only));
}
