// Citations: where code, tests and documents cite a rule of RULES.md, and how RULES.md is read.
//
// Knows text alone: no file, no process. An id counts in a comment, in the title of a test, in a text that begins with it or has it in
// brackets at the end, and in the prose of Markdown. In backticks it is code: `D0` is a register, and no rule.

import jsTokens from "js-tokens";
import { pathsOf, proseOf, spansOf } from "./markdown.js";

/** A letter with a number, or a section. `S1–S4` cites each of the four. */
const citation = /(?<![\w#%$-])(?:[SCLHAWND]|§)\d{1,2}(?!\w)(?:–(?:[SCLHAWND]|§)\d{1,2}(?!\w))?/gu;

export function idsIn(text: string): readonly string[] {
  const prose = text.replace(/`[^`]*`/gu, " ").replace(/\bhttps?:\S+/gu, " ");
  return [...prose.matchAll(citation)].flatMap(([found]) => spelledOut(found));
}

function spelledOut(range: string): readonly string[] {
  const [from = "", to] = range.split("–");
  if (to === undefined || to[0] !== from[0]) return to === undefined ? [from] : [from, to];
  const [first, last] = [Number(from.slice(1)), Number(to.slice(1))];
  return Array.from({ length: last - first + 1 }, (_, at) => `${from[0]}${first + at}`);
}

// ── code ───────────────────────────────────────────────────────────────────

/** Where a file of code cites rules. */
export interface Cited {
  readonly id: string;
  readonly line: number;
  /** The place of the citation. Only a comment and the title of a test say that a test holds the rule. */
  readonly where: "comment" | "title" | "text";
}

interface Token {
  readonly type: string;
  readonly value: string;
  readonly line: number;
}

/** The citations in a text that a program gives: `H1: a child outlives its parent`, `an empty batch is nothing (D1)`. */
const leading = /^(?:(?:[SCLHAWND]|§)\d{1,2},? )*(?:[SCLHAWND]|§)\d{1,2}(?=[: ])/u;
const bracketed = /\((?:[SCLHAWND]|§)\d{1,2}(?:, (?:[SCLHAWND]|§)\d{1,2})*\)$/u;

export function citedIn(code: string): readonly Cited[] {
  const tokens = tokensOf(code);
  const titles = titlesIn(tokens);
  return tokens.flatMap(({ type, value, line }, at): readonly Cited[] => {
    if (type.endsWith("Comment")) return idsIn(value).map((id) => ({ id, line, where: "comment" }));
    if (titles.has(at)) return idsIn(contentOf(value)).map((id) => ({ id, line, where: "title" }));
    if (!isText(type)) return [];
    const text = contentOf(value);
    const found = [leading.exec(text)?.[0] ?? "", bracketed.exec(text)?.[0] ?? ""].flatMap(idsIn);
    return found.map((id) => ({ id, line, where: "text" }));
  });
}

/** The texts of a file of code, each with its line. `isTitle`: the title of a test. */
export function textsIn(
  code: string,
): readonly { readonly text: string; readonly line: number; readonly isTitle: boolean }[] {
  const tokens = tokensOf(code);
  const titles = titlesIn(tokens);
  return tokens.flatMap(({ type, value, line }, at) =>
    isText(type) ? [{ text: contentOf(value), line, isTitle: titles.has(at) }] : [],
  );
}

function tokensOf(code: string): readonly Token[] {
  let line = 1;
  return [...jsTokens(code)].map(({ type, value }) => {
    const token = { type, value, line };
    line += value.split("\n").length - 1;
    return token;
  });
}

const isText = (type: string): boolean => type === "StringLiteral" || /^(?:NoSubstitution)?Template/u.test(type);
const contentOf = (value: string): string => value.replace(/^["'`}]|(?:["'`]|\$\{)$/gu, "");
const isBlank = (type: string): boolean => /Comment$|^WhiteSpace$|^LineTerminatorSequence$/u.test(type);

/** Places of the tokens that are titles: of `test("…")`, `describe.each(…)("…")`, `test.skipIf(…)<…>("…")`. */
function titlesIn(tokens: readonly Token[]): ReadonlySet<number> {
  const titles = new Set<number>();
  for (const [at, { type, value }] of tokens.entries()) {
    if (type !== "IdentifierName" || !["test", "it", "describe"].includes(value)) continue;
    if (tokens[at - 1]?.value === ".") continue;
    for (const place of titleAfter(tokens, at + 1)) titles.add(place);
  }
  return titles;
}

const makers = ["each", "for", "skipIf", "runIf"];

function titleAfter(tokens: readonly Token[], from: number): readonly number[] {
  let member = "";
  for (let at = from; at < tokens.length; at += 1) {
    const { type = "", value = "" } = tokens[at] ?? {};
    if (isBlank(type) || value === ".") continue;
    if (type === "IdentifierName") member = value;
    else if (value === "<") at = closing(tokens, at, ["<"], [">"]);
    else if (value === "(" && makers.includes(member)) {
      at = closing(tokens, at, ["("], [")"]);
      member = "";
    } else return value === "(" ? textAt(tokens, at + 1) : [];
  }
  return [];
}

/** The place of the sign that closes the one at `from`. `=>` is one token, and closes nothing; `>>` closes two. */
function closing(tokens: readonly Token[], from: number, opens: readonly string[], closes: readonly string[]): number {
  let depth = 0;
  for (let at = from; at < tokens.length; at += 1) {
    const { type = "", value = "" } = tokens[at] ?? {};
    if (type !== "Punctuator") continue;
    if (opens.includes(value)) depth += 1;
    if (closes.includes(value)) depth -= 1;
    if (closes.includes(">") && /^>>+$/u.test(value)) depth -= value.length;
    if (depth <= 0) return at;
  }
  return tokens.length;
}

/** The text that begins there: one literal, or each part of a template. */
function textAt(tokens: readonly Token[], from: number): readonly number[] {
  const first = tokens.findIndex(({ type }, at) => at >= from && !isBlank(type));
  const type = tokens[first]?.type ?? "";
  if (!isText(type)) return [];
  if (type !== "TemplateHead") return [first];
  const parts = [first];
  for (let at = first + 1, depth = 1; at < tokens.length && depth > 0; at += 1) {
    const part = tokens[at]?.type;
    if (part === "TemplateHead") depth += 1;
    if (depth === 1 && (part === "TemplateMiddle" || part === "TemplateTail")) parts.push(at);
    if (part === "TemplateTail") depth -= 1;
  }
  return parts;
}

// ── Markdown ───────────────────────────────────────────────────────────────

export interface Rule {
  readonly id: string;
  readonly line: number;
  readonly text: string;
  /** Files of the tests that hold it. */
  readonly tests: readonly string[];
}

/** The rules of RULES.md: each has a heading of the third level that begins with its id. */
export function rulesOf(markdown: string): readonly Rule[] {
  const lines = markdown.split("\n");
  return lines.flatMap((heading, at) => {
    const [, id] = /^### ((?:[A-Z]|§)\d{1,2}) \S/u.exec(heading) ?? [];
    if (id === undefined) return [];
    const length = lines.slice(at + 1).findIndex((line) => line.startsWith("#"));
    const text = lines.slice(at + 1, length < 0 ? undefined : at + 1 + length).join("\n");
    const tests = spansOf(text)
      .flatMap(pathsOf)
      .filter((path) => path.startsWith("test/"));
    return [{ id, line: at + 1, text, tests }];
  });
}

export function citedInMarkdown(markdown: string): readonly { readonly id: string; readonly line: number }[] {
  return proseOf(markdown)
    .split("\n")
    .flatMap((text, at) => idsIn(text).map((id) => ({ id, line: at + 1 })));
}
