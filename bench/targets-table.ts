// Targets table: every target of every program with what was measured on each line of Node, for bench/README.md. Made from the results
// files alone.
import { lines } from "./line-targets.js";
import { markdownTable } from "./markdown-table.js";
import { countingPrograms } from "./results.js";
import { targetsIn } from "./results-files.js";
import { short } from "./table.js";
import type { Judged } from "./target.js";
import { usualWorld } from "./world.js";

/** The programs, in the order in which they run and stand in the table. */
export const programs = [
  "cold-steady",
  "first-tasks",
  "start",
  "schedulers",
  "spawn",
  "growth",
  "priority",
  "cancel",
  "waits",
  "map",
  "round-trip",
  "notices",
  "reconnect",
  "journal",
  "soak",
  "tool-tokens",
] as const;

export function targetsTable(folder: string): string {
  const rows = programs.flatMap((program) => rowsOf(folder, program));
  const nodes = lines.map((line) => `Node ${line}`);
  const sides = ["l", "l", "l", ...nodes.map(() => "r" as const), "l"] as const;
  return markdownTable(["program", "what", "target", ...nodes, ""], sides, rows).join("\n");
}

function rowsOf(folder: string, program: (typeof programs)[number]): readonly (readonly string[])[] {
  // What only counts is the same on every line, so one column has it.
  const asked = countingPrograms.includes(program) ? lines.slice(0, 1) : lines;
  const byLine = new Map(asked.map((line) => [line, targetsIn(folder, line, program)]));
  // A target is named by what it bounds; two targets of one name differ in their unit.
  const keyOf = ({ what, unit }: Judged): string => `${what} ${unit}`;
  const keys = new Set([...byLine.values()].flat().map(keyOf));
  return [...keys].flatMap((key) => {
    const measured = lines.map((line) => byLine.get(line)?.find((one) => keyOf(one) === key));
    const some = measured.flatMap((judged) => judged ?? []);
    const [first] = some;
    // Of spawn, what holds for errand as a user gets it.
    if (first === undefined || (program === "spawn" && !first.what.endsWith(usualWorld))) return [];
    const what = program === "spawn" ? first.what.replace(`, ${usualWorld}`, "") : first.what;
    return [[`\`${program}\``, what, boundOf(some), ...measured.map(cellOf), verdictOf(some)]];
  });
}

/** One bound for all lines, or one for each that has been measured. */
function boundOf(some: readonly Judged[]): string {
  const bounds = some.map(({ bound }) => bound);
  return `${[...(new Set(bounds).size === 1 ? bounds.slice(0, 1) : bounds)].join(" · ")} ${some[0]?.unit ?? ""}`;
}
function cellOf(judged: Judged | undefined): string {
  if (judged === undefined) return "";
  return judged.verdict === "MISSED" ? `**${short(judged.measured)}**` : short(judged.measured);
}
/** A target is met where every line that was measured meets it. */
function verdictOf(some: readonly Judged[]): string {
  if (some.some(({ verdict }) => verdict === "MISSED")) return "**missed**";
  return some.every(({ verdict }) => verdict === "stretch met") ? "stretch met" : "met";
}
