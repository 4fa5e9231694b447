// Docstrings: the doc comments that a user of the package sees, read from the declarations that the compiler writes.
//
// Knows text alone: no file, no process. A name is public when an entry point exports it, or when a public declaration names it. Private and
// protected members and constructors are of no user; what they name is not public by that.

import { posix } from "node:path";

/** The declarations of a package by their paths, each as the compiler formats it. */
export type Declarations = ReadonlyMap<string, string>;

export interface Docstring {
  readonly file: string;
  /** The exported name in whose declaration the docstring stands. */
  readonly name: string;
  readonly text: string;
}

interface Declaration {
  readonly name: string;
  /** The declaration with its comments, without the members that no user reaches. */
  readonly text: string;
  /** Every word of its code. Some are names of other declarations. */
  readonly words: readonly string[];
  /** Types that it names by `import("…")`. */
  readonly inline: readonly Target[];
}

interface Target {
  readonly file: string;
  readonly name: string;
}

interface Module {
  readonly declared: ReadonlyMap<string, readonly Declaration[]>;
  /** The declarations, by the name that this module uses or exports. */
  readonly from: ReadonlyMap<string, Target>;
  /** Files all of whose names it exports. */
  readonly stars: readonly string[];
  readonly exported: readonly string[];
}

/** One name that the `entries` export, or that a public declaration names. */
export interface PublicName {
  readonly file: string;
  readonly name: string;
  /** The declarations of the name: an overloaded function has several. */
  readonly texts: readonly string[];
}

/** Every docstring of what the `entries` export, once. */
export function docstringsOf(declarations: Declarations, entries: readonly string[]): readonly Docstring[] {
  return publicNamesOf(declarations, entries).flatMap(({ file, name, texts }) =>
    texts.flatMap((shown) => (shown.match(doc) ?? []).map((text) => ({ file, name, text }))),
  );
}

/** Every public name with its declarations, once. */
export function publicNamesOf(declarations: Declarations, entries: readonly string[]): readonly PublicName[] {
  const modules = new Map([...declarations].map(([file, text]) => [file, moduleOf(file, text)]));
  const seen = new Set<string>();
  const found: PublicName[] = [];
  const waiting: Target[] = entries.flatMap((file) => exportsOf(modules, file).map((name) => ({ file, name })));
  for (let target = waiting.pop(); target !== undefined; target = waiting.pop()) {
    const { file, name } = target;
    if (seen.has(`${file} ${name}`)) continue;
    seen.add(`${file} ${name}`);
    const module = modules.get(file);
    if (module === undefined) continue;
    const elsewhere = module.from.get(name);
    if (elsewhere !== undefined) waiting.push(elsewhere);
    for (const star of module.stars) waiting.push({ file: star, name });
    const declared = module.declared.get(name) ?? [];
    if (declared.length > 0) found.push({ file, name, texts: declared.map(({ text }) => text) });
    for (const { words, inline } of declared) waiting.push(...inline, ...words.map((word) => ({ file, name: word })));
  }
  return found;
}

function exportsOf(modules: ReadonlyMap<string, Module>, file: string): readonly string[] {
  const module = modules.get(file);
  return [...(module?.exported ?? []), ...(module?.stars ?? []).flatMap((star) => exportsOf(modules, star))];
}

// ── one file ───────────────────────────────────────────────────────────────

const linked = /^(import|export)\s(?:type\s)?\{([^}]*)\}\sfrom\s"([^"]+)"/u;
const starred = /^export\s\*\sfrom\s"([^"]+)"/u;
const declaration =
  /^(export\s)?(?:default\s)?(?:declare\s)?(?:abstract\s)?(class|interface|type|function|const|let|var|namespace|enum)\s([\w$]+)/u;
const doc = /\/\*\*[\s\S]*?\*\//gu;

function moduleOf(file: string, text: string): Module {
  const declared = new Map<string, Declaration[]>();
  const from = new Map<string, Target>();
  const stars: string[] = [];
  const exported: string[] = [];
  const pathOf = (specifier: string): string => posix.join(posix.dirname(file), specifier.replace(/\.js$/u, ".d.ts"));
  for (const statement of statementsOf(text)) {
    const code = statement.replace(doc, "").trimStart();
    const [, verb, names = "", specifier = ""] = linked.exec(code) ?? [];
    const [, star] = starred.exec(code) ?? [];
    const [, isExported, sort = "", name = ""] = declaration.exec(code) ?? [];
    if (star !== undefined) stars.push(pathOf(star));
    for (const each of names.split(",")) {
      const [, theirs, ours = theirs] = /^\s*(?:type\s)?([\w$]+)(?:\sas\s([\w$]+))?/u.exec(each) ?? [];
      if (theirs === undefined || ours === undefined || !specifier.startsWith(".")) continue;
      from.set(ours, { file: pathOf(specifier), name: theirs });
      if (verb === "export") exported.push(ours);
    }
    if (name === "") continue;
    if (isExported !== undefined) exported.push(name);
    const shown = sort === "class" || sort === "interface" ? withoutHidden(statement) : statement;
    const inline = [...shown.matchAll(/import\("([^"]+)"\)\.([\w$]+)/gu)].map(
      ([, path = "", type = ""]): Target => ({ file: pathOf(path), name: type }),
    );
    const words = shown.replace(doc, "").match(/[\w$]+/gu) ?? [];
    declared.set(name, [...(declared.get(name) ?? []), { name, text: shown, words, inline }]);
  }
  return { declared, from, stars, exported };
}

/** Statements with the doc comment before them: each begins at the left edge. */
function statementsOf(text: string): readonly string[] {
  return piecesOf(text, /^(?=\/\*\*|[a-z])/mu, /^\/\*\*/u);
}

/** A class or an interface without the members that no user reaches. */
function withoutHidden(statement: string): string {
  return piecesOf(statement, /^(?= {4}(?:\/\*\*|[\w$#[(]))/mu, /^ {4}\/\*\*/u)
    .filter(
      (member) =>
        !/^ {4}(?:private\b|protected\b|#|constructor\b)/u.test(member.replace(doc, "").replace(/^\s*\n/u, "")),
    )
    .join("");
}

/** The text cut before each match of `start`. A piece that is a doc comment stays with the piece behind it. */
function piecesOf(text: string, start: RegExp, comment: RegExp): readonly string[] {
  const pieces: string[] = [];
  let pending = "";
  for (const piece of text.split(start)) {
    pending += piece;
    const isComment = comment.test(piece) && piece.replace(doc, "").trim() === "";
    if (isComment) continue;
    pieces.push(pending);
    pending = "";
  }
  return [...pieces, pending];
}
