// History: the ratios of each version of errand, one line a version, so that a trend shows.
//
// A line has, for each line of Node, every target that is a ratio, and what was measured: an absolute figure would tell of the machine. It is
// made from the results files alone and never by hand. append-history.ts adds the line.

import { lines } from "./line-targets.js";
import { targetsIn } from "./results-files.js";
import { programs } from "./targets-table.js";

/** What was measured for each ratio, by program, subject and unit. */
export interface Ratios {
  readonly [what: string]: number;
}
export interface Entry {
  readonly version: string;
  /** By line of Node; a line that was not measured is not here. */
  readonly nodes: { readonly [line: string]: Ratios };
}

/** The entry of a version, from the results in `folder`. Throws if there is no result at all. */
export function entryOf(version: string, folder: string): Entry {
  const nodes = lines.flatMap((line) => {
    const ratios = programs.flatMap((program) =>
      targetsIn(folder, line, program)
        .filter(({ unit }) => unit.startsWith("×"))
        .map(({ what, unit, measured }) => [`${program}: ${what} ${unit}`, Number(measured.toPrecision(3))] as const),
    );
    return ratios.length === 0 ? [] : [[line, Object.fromEntries(ratios)] as const];
  });
  if (nodes.length === 0) throw new Error(`${folder} has no results: npm run bench makes them`);
  return { version, nodes: Object.fromEntries(nodes) };
}

/** The entries of the file's text, oldest first. */
export function entriesIn(text: string): readonly Entry[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Entry);
}

/** The text with the entry as its last line. An entry of the same version is refused, unless `replace` says otherwise. */
export function withEntry(text: string, entry: Entry, replace: boolean): string {
  const entries = entriesIn(text);
  if (!replace && entries.some(({ version }) => version === entry.version)) {
    throw new Error(`the history has version ${entry.version} already: --replace measures it anew`);
  }
  const others = entries.filter(({ version }) => version !== entry.version);
  return [...others, entry].map((one) => `${JSON.stringify(one)}\n`).join("");
}

/** How each ratio of one line of Node went from version to version, newest versions last. */
export function trendOf(entries: readonly Entry[], line: string, versions: number): readonly (readonly string[])[] {
  const shown = entries.slice(-versions);
  const names = new Set(shown.flatMap(({ nodes }) => Object.keys(nodes[line] ?? {})));
  return [...names].map((name) => [name, ...shown.map(({ nodes }) => String(nodes[line]?.[name] ?? "-"))]);
}
