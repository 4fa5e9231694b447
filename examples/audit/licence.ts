// Under which licence a package is: what its manifest declares, and what the text of its licence files is.
//
// A text is known by the phrases that only this licence has. When text and declaration disagree, the stricter of the two counts.
// Unknown is what neither tells; it is the strictest class of all, for nobody has allowed anything.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import correct from "spdx-correct";
import parse from "spdx-expression-parse";

export type LicenceClass = "permissive" | "weak copyleft" | "strong copyleft" | "unknown";

export interface Licence {
  /** A valid SPDX expression for people to read, or `unknown`. */
  readonly name: string;
  readonly class: LicenceClass;
  /** What the licence files are, in the order of their text; empty when there are none or none is recognised. */
  readonly texts: readonly string[];
  readonly problems: readonly string[];
}

const STRICTNESS: readonly LicenceClass[] = ["permissive", "weak copyleft", "strong copyleft", "unknown"];
const LICENCE_FILE = /^(?:licen[cs]e|copying|unlicense)(?:[.-](?!.*\.[cm]?[jt]s$).*)?$/iu;

// Every phrase of a row must be there. Texts are compared in lower case, with everything but letters, digits and dots as one blank.
const TEXTS: readonly (readonly [id: string, ...phrases: string[]])[] = [
  [
    "MIT",
    "permission is hereby granted free of charge to any person obtaining a copy",
    "the above copyright notice and this permission notice",
  ],
  [
    "MIT-0",
    "permission is hereby granted free of charge to any person obtaining a copy",
    "to do so. the software is provided as is",
  ],
  [
    "ISC",
    "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted provided that",
  ],
  [
    "0BSD",
    "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted. the software",
  ],
  [
    "BSD-3-Clause",
    "redistributions of source code must retain the above",
    "redistributions in binary form must",
    "may be used to endorse or promote",
  ],
  ["BSD-2-Clause", "redistributions of source code must retain the above", "redistributions in binary form must"],
  ["Apache-2.0", "apache license version 2.0"],
  ["MPL-2.0", "mozilla public license", "2.0", "covered software"],
  ["AGPL-3.0", "gnu affero general public license version 3 19 november 2007"],
  ["AGPL-3.0", "under the terms of the gnu affero general public license", "either version 3 of the license"],
  ["LGPL-3.0", "gnu lesser general public license version 3 29 june 2007"],
  ["LGPL-2.1", "gnu lesser general public license version 2.1 february 1999"],
  ["GPL-3.0", "gnu general public license version 3 29 june 2007"],
  ["GPL-3.0", "under the terms of the gnu general public license", "either version 3 of the license"],
  ["GPL-2.0", "gnu general public license version 2 june 1991"],
  ["GPL-2.0", "under the terms of the gnu general public license", "either version 2 of the license"],
  ["BlueOak-1.0.0", "blue oak model license", "1.0.0"],
  ["CC0-1.0", "cc0 1.0 universal"],
  ["CC-BY-4.0", "creative commons attribution 4.0 international"],
  ["CC-BY-3.0", "creative commons attribution 3.0"],
  ["Unlicense", "this is free and unencumbered software released into the public domain"],
  ["Python-2.0", "python software foundation license version 2"],
  ["Zlib", "the origin of this software must not be misrepresented", "altered source versions must be plainly marked"],
  ["BSL-1.0", "boost software license version 1.0"],
];
const PERMISSIVE =
  /^(?:MIT|MIT-0|ISC|0BSD|BSD-[23]-Clause|Apache-2\.0|BlueOak-1\.0\.0|CC0-1\.0|CC-BY-[34]\.0|Unlicense|Python-2\.0|Zlib|BSL-1\.0|WTFPL)$/u;
const WEAK = /^(?:LGPL-|MPL-|EPL-|CDDL-)/u;
const STRONG = /^(?:A?GPL-|SSPL-|OSL-|EUPL-|CC-BY-SA-)/u;

export async function identifyLicence(
  folder: string,
  declared: string | undefined,
  signal: AbortSignal,
): Promise<Licence> {
  const files = (await readdir(folder)).filter((file) => LICENCE_FILE.test(file)).toSorted();
  const texts = new Set<string>();
  for (const file of files) {
    for (const id of licencesInText(await readFile(join(folder, file), { encoding: "utf8", signal }))) texts.add(id);
  }
  return weigh(declared, files, [...texts]);
}

/** The SPDX ids of every licence whose text is in there, first to last. */
export function licencesInText(text: string): string[] {
  const words = text.toLowerCase().replaceAll(/[^a-z0-9.]+/gu, " ");
  const places = new Map<string, number>();
  for (const [id, ...phrases] of TEXTS) {
    const at = Math.min(...phrases.map((phrase) => words.indexOf(phrase)));
    if (at >= 0 && !places.has(id)) places.set(id, at);
  }
  if (places.has("BSD-3-Clause")) places.delete("BSD-2-Clause"); // Its text is the other one's and a clause more.
  return [...places].toSorted(([, a], [, b]) => a - b).map(([id]) => id);
}

function weigh(declared: string | undefined, files: readonly string[], texts: readonly string[]): Licence {
  const [text] = texts; // The first is the package's own; those after it are of code it carries.
  const name = declared === undefined ? undefined : expressionOf(declared);
  const problems: string[] = [];
  if (declared === undefined) problems.push("declares no licence");
  else if (name === undefined) problems.push(`declares ${JSON.stringify(declared)}, which is no licence expression`);
  if (files.length === 0) problems.push("ships no licence file");
  else if (text === undefined) problems.push(`${files.join(", ")}: text not recognised`);

  const byText = text === undefined ? "unknown" : classOf(text);
  if (name === undefined) return { name: text ?? "unknown", class: byText, texts, problems };
  const agree = text === undefined || idsOf(name).includes(text);
  if (!agree) problems.push(`declares ${name}, ships the text of ${text}`);
  return { name, class: agree ? classOf(name) : stricter(classOf(name), byText), texts, problems };
}

/** Mends slips like `Apache 2.0` or `MIT License`; words that are no licence name (`UNLICENSED`, `SEE LICENSE IN …`) stay unknown. */
function expressionOf(declared: string): string | undefined {
  try {
    parse(declared);
    return declared;
  } catch {
    return /unlicensed|see licen[cs]e|\b(?:and|or|with)\b/iu.test(declared)
      ? undefined
      : (correct(declared) ?? undefined);
  }
}

/** OR lets one choose the laxer side, AND binds by both. */
export function classOf(expression: string): LicenceClass {
  const weighNode = (node: parse.Info): LicenceClass => {
    if ("conjunction" in node) {
      const [left, right] = [weighNode(node.left), weighNode(node.right)];
      return (stricter(left, right) === left) === (node.conjunction === "and") ? left : right;
    }
    if (PERMISSIVE.test(node.license)) return "permissive";
    if (WEAK.test(node.license)) return "weak copyleft";
    return STRONG.test(node.license) ? "strong copyleft" : "unknown";
  };
  return weighNode(parse(expression));
}

function stricter(a: LicenceClass, b: LicenceClass): LicenceClass {
  return STRICTNESS.indexOf(a) >= STRICTNESS.indexOf(b) ? a : b;
}

/** `GPL-3.0-or-later` and `GPL-3.0-only` have the text of `GPL-3.0`. */
function idsOf(expression: string): string[] {
  return expression.split(/[\s()]+/u).map((id) => id.replace(/-only$|-or-later$|\+$/u, ""));
}
