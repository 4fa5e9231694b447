// Document tables: puts the figures that README.md and bench/README.md show into them.
//
// Each table stands between two comments of Markdown and is never written by hand; test/docs/bench-table.test.ts holds that.
// Its paths are those of the project's folder, where npm runs its scripts.
import { readFileSync, writeFileSync } from "node:fs";
import { headlineTable } from "./headline-table.js";
import { targetsTable } from "./targets-table.js";

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
