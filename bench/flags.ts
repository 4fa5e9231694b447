// Flags: what every program here takes on its command line, and what it does without.
import { parseArgs } from "node:util";
import type { Collect, Rounds } from "./interleave.js";
import { resultsFile } from "./results.js";

/** How much is done. */
export interface Scale extends Rounds {
  /** How many tasks, one pass each. */
  readonly sizes: readonly number[];
}
export interface Flags<M extends string = never> extends Scale {
  /** What is collected before a run: one pass each. `young` alone where the program has no such axis. */
  readonly collects: readonly Collect[];
  /** Keeps the cases whose name has this text. */
  readonly only: string | undefined;
  /** Where the raw numbers go; `undefined` writes none. */
  readonly json: string | undefined;
  /** The values of the flags that the program alone has. */
  readonly more: { readonly [N in M]: string };
}
/** A flag that one program alone has. */
interface MoreFlag {
  /** What `--help` calls its value. */
  readonly value: string;
  readonly words: string;
  /** Its value when it is not given, and when it is not given but `--quick` is. */
  readonly full: string;
  readonly quick: string;
}
interface Bench<M extends string> {
  readonly name: string;
  readonly about: string;
  readonly full: Scale;
  /** Enough to see that it works, not to quote a figure. */
  readonly quick: Scale;
  /** The program measures after a full collection and after one of the young. */
  readonly hasCollect?: boolean;
  readonly more?: { readonly [N in M]: MoreFlag };
}

const common = ["tasks", "repeats", "warmups", "only", "json"] as const;

/** `--help` ends the process. A partial run (`--only`, `--collect`, `--quick`) writes no file unless `--json` names one. */
export function readFlags<M extends string = never>(bench: Bench<M>): Flags<M> {
  const { full, quick, hasCollect = false } = bench;
  const more = Object.entries<MoreFlag>(bench.more ?? {});
  const texts: readonly string[] = [...common, ...(hasCollect ? ["collect"] : []), ...more.map(([name]) => name)];
  const options: { readonly [name: string]: { readonly type: "string" | "boolean" } } = {
    ...Object.fromEntries(texts.map((name) => [name, { type: "string" } as const])),
    quick: { type: "boolean" },
    help: { type: "boolean" },
  };
  const { values } = parseArgs({ options });
  if (values.help === true) {
    process.stdout.write(helpOf(bench, more));
    process.exit(0);
  }
  const text = (name: string): string | undefined => {
    const value = values[name];
    return typeof value === "string" ? value : undefined;
  };
  const isQuick = values.quick === true;
  const scale = isQuick ? quick : full;
  const isPartial = isQuick || text("only") !== undefined || text("collect") !== undefined;
  const chosenMore = more.map(([name, flag]) => [name, text(name) ?? (isQuick ? flag.quick : flag.full)]);
  return {
    sizes:
      text("tasks")
        ?.split(",")
        .map((size) => whole("--tasks", size, 1)) ?? scale.sizes,
    repeats: whole("--repeats", text("repeats") ?? scale.repeats, 1),
    warmups: whole("--warmups", text("warmups") ?? scale.warmups, 0),
    collects: hasCollect ? collectsOf(text("collect") ?? "both") : ["young"],
    only: text("only"),
    json: text("json") ?? (isPartial ? undefined : resultsFile(bench.name)),
    more: Object.fromEntries(chosenMore) as { readonly [N in M]: string },
  };
}

function helpOf({ name, about, full, quick, hasCollect }: Bench<string>, more: readonly [string, MoreFlag][]): string {
  const row = (flag: string, words: string): string => `  ${flag.padEnd(15)} ${words}\n`;
  const own = more.map(([flag, { value, words, full: without, quick: shortly }]) =>
    row(`--${flag} ${value}`, `${words} (${without}; ${shortly} with --quick)`),
  );
  const axis = hasCollect ? row("--collect WHAT", "full (cold), young (steady) or both, before each run (both)") : "";
  const scale = `--tasks ${quick.sizes.join(",")} --repeats ${quick.repeats} --warmups ${quick.warmups}`;
  return `node --expose-gc build/bench/${name}.js [options]

${about}

${row("--tasks N[,N]", `how many tasks (${full.sizes.join(",")})`)}${row("--repeats N", `counted rounds (${full.repeats})`)}${row(
  "--warmups N",
  `rounds before them, not counted (${full.warmups})`,
)}${axis}${own.join("")}${row("--quick", `the same with ${scale}: to see that it works`)}${row(
  "--only TEXT",
  "just the cases whose name has TEXT",
)}${row("--json FILE", `where the raw numbers go (${resultsFile(name)}; none for a part of the program)`)}${row("--help", "this")}
`;
}

function collectsOf(given: string): readonly Collect[] {
  if (given === "both") return ["young", "full"];
  if (given === "young" || given === "full") return [given];
  throw new RangeError(`--collect takes full, young or both, not ${given}`);
}
export function whole(flag: string, given: string | number, least: number): number {
  const value = Number(given);
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new RangeError(`${flag} takes integers from ${least} on, not ${given}`);
}
export function chosen<C extends { readonly name: string }>(
  cases: readonly C[],
  { only }: { readonly only: string | undefined },
): C[] {
  return cases.filter(({ name }) => only === undefined || name.includes(only));
}
