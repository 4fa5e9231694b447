// Examples: the `@example` blocks of docstrings, as programs, with the lines that each says it prints.
//
// Knows text alone: no file, no process.

import { type Block, blocksOf } from "./markdown.js";
import type { Member } from "./members.js";

export interface Example {
  /** The name or the member in whose docstring the example stands. */
  readonly path: string;
  readonly block: Block;
}

export function examplesIn(members: readonly Member[]): readonly Example[] {
  return members.flatMap(({ path, doc = "" }) => {
    const [, ...tagged] = textOf(doc).split(/^@example\b/mu);
    return tagged.map((text) => {
      const [block] = blocksOf(text);
      if (block?.language !== "ts") throw new Error(`the example of ${path} is no block of ts`);
      return { path, block };
    });
  });
}

/** A doc comment without its signs. */
function textOf(doc: string): string {
  return doc.replace(/^\s*\/\*\*|\*\/\s*$/gu, "").replace(/^\s*\* ?/gmu, "");
}

/** The lines that an example says it prints: the comment behind each `console.log`. */
export function printedBy({ block }: Example): readonly string[] {
  return [...block.code.matchAll(/console\.log\(.*\);\s*\/\/ (.*)$/gmu)].map(([, printed = ""]) => printed);
}
