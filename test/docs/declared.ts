// Declared: the names that TypeScript code declares, file by file: functions, constants, types, classes and the members
// of classes and types.
//
// Knows text alone: no file, no process. A name in a comment, or in the words of a text, is no name of the code.

import jsTokens from "js-tokens";

interface Token {
  readonly type: string;
  readonly value: string;
}

/** Code by the path of its file. */
export type Code = ReadonlyMap<string, string>;

/** The declarations of one file. */
interface Declared {
  /** Every name at the top of the file, also one that the file only passes on. */
  readonly names: ReadonlySet<string>;
  /** The members of each class, interface and object type, with `#` before a private one. */
  readonly members: ReadonlyMap<string, ReadonlySet<string>>;
  /** The names after `extends` and `implements` of each class and interface. */
  readonly bases: ReadonlyMap<string, readonly string[]>;
}

/** The declarations of several files, and questions about them. */
export class Declarations {
  /** Every name in the code, and every word of a text without spaces, such as a status or the type of an event. */
  readonly words: ReadonlySet<string>;
  /** Every text without spaces: `blocked`, `task.parked`. */
  readonly texts: ReadonlySet<string>;
  readonly #files: ReadonlyMap<string, Declared>;

  constructor(code: Code) {
    this.words = new Set([...code.values()].flatMap(wordsOf));
    this.texts = new Set([...code.values()].flatMap((text) => tokensOf(text).flatMap(textsOf)));
    this.#files = new Map([...code].map(([file, text]) => [file, declaredIn(text)]));
  }

  /** Whether a class, interface or object type has this name. */
  hasType(name: string): boolean {
    return this.#declaring(name).length > 0;
  }

  /** Whether the class or type has the member, or inherits it. */
  hasMember(name: string, member: string, seen: ReadonlySet<string> = new Set()): boolean {
    if (seen.has(name)) return false;
    return this.#declaring(name).some(
      ({ members, bases }) =>
        members.get(name)?.has(member) === true ||
        (bases.get(name) ?? []).some((base) => this.hasMember(base, member, new Set([...seen, name]))),
    );
  }

  /** Whether the file declares the name: at its top, or as a member of a class or type. */
  hasName(file: string, name: string): boolean {
    const declared = this.#files.get(file);
    if (declared === undefined) return false;
    return declared.names.has(name) || [...declared.members.values()].some((members) => members.has(name));
  }

  /** Whether the file declares the class or type. */
  declares(file: string, name: string): boolean {
    return this.#files.get(file)?.members.has(name) === true;
  }

  #declaring(name: string): readonly Declared[] {
    return [...this.#files.values()].filter(({ members }) => members.has(name));
  }
}

// ── reading ────────────────────────────────────────────────────────────────

const isBlank = ({ type }: Token): boolean => /Comment$|^WhiteSpace$|^LineTerminatorSequence$/u.test(type);
const isName = (token: Token | undefined): token is Token => token?.type === "IdentifierName";
const opens = (value: string): boolean => value === "{" || value === "(" || value === "[";
const closes = (value: string): boolean => value === "}" || value === ")" || value === "]";

const tokensOf = (code: string): readonly Token[] => [...jsTokens(code)].filter((token) => !isBlank(token));

function wordsOf(code: string): readonly string[] {
  return tokensOf(code).flatMap((token) => {
    const { type, value } = token;
    if (type === "IdentifierName" || type === "PrivateIdentifier") return [value.replace("#", "")];
    return textsOf(token).flatMap((text) => text.split("."));
  });
}

function textsOf({ type, value }: Token): readonly string[] {
  const [, text] = type === "StringLiteral" ? (/^.([\w$]+(?:\.[\w$]+)*).$/u.exec(value) ?? []) : [];
  return text === undefined ? [] : [text];
}

function declaredIn(code: string): Declared {
  const tokens = tokensOf(code);
  const names = new Set<string>();
  const members = new Map<string, Set<string>>();
  const bases = new Map<string, readonly string[]>();
  let depth = 0;
  for (const [at, { value }] of tokens.entries()) {
    if (opens(value)) depth++;
    if (closes(value)) depth--;
    if (depth > 0) continue;
    const previous = tokens[at - 1]?.value ?? "";
    if (value === "{" || previous === ".") continue;
    const name = tokens[at + 1]?.value === "*" ? tokens[at + 2] : tokens[at + 1];
    if (!isName(name)) continue;
    if (["function", "const", "let"].includes(value)) names.add(name.value);
    if (!["class", "interface", "type"].includes(value)) continue;
    const body = bodyFrom(tokens, at + 2, value === "type");
    names.add(name.value);
    bases.set(name.value, value === "type" ? [] : namesBetween(tokens, at + 2, body));
    members.set(name.value, membersFrom(tokens, body, value === "type"));
  }
  for (const [at, { value }] of tokens.entries())
    if (value === "export" && tokens[at + 1]?.value === "{")
      for (const name of listFrom(tokens, at + 2)) names.add(name);
  return { names, members, bases };
}

/** The place of the brace that opens the body; of an object type, the first brace before the end of the statement. */
function bodyFrom(tokens: readonly Token[], from: number, isType: boolean): number {
  const body = tokens.findIndex(({ value }, at) => at >= from && (value === "{" || (isType && value === ";")));
  return body < 0 ? tokens.length : body;
}

function namesBetween(tokens: readonly Token[], from: number, to: number): readonly string[] {
  return tokens.slice(from, to).flatMap((token) => (isName(token) && /^[A-Z]/u.test(token.value) ? [token.value] : []));
}

function listFrom(tokens: readonly Token[], from: number): readonly string[] {
  const end = tokens.findIndex(({ value }, at) => at >= from && value === "}");
  return tokens.slice(from, end).flatMap((token) => (isName(token) && token.value !== "type" ? [token.value] : []));
}

const modifiers = ["public", "private", "protected", "readonly", "static", "abstract", "override", "declare"];
const before = [...modifiers, "async", "get", "set", "*"];

/** The members of the body that opens at `body`. Of an object type, those of each variant of the union. */
function membersFrom(tokens: readonly Token[], body: number, isUnion: boolean): Set<string> {
  const members = new Set<string>();
  let depth = 0;
  let isStart = false;
  for (let at = body; at < tokens.length; at++) {
    const { value = "", type = "" } = tokens[at] ?? {};
    if (isStart && depth === 1) {
      const next = tokens[at + 1]?.value ?? "";
      if (before.includes(value) && !/^[:;?=(<!}]$/u.test(next)) continue;
      if (type === "IdentifierName" || type === "PrivateIdentifier") members.add(value);
      isStart = false;
    }
    if (opens(value)) depth++;
    if (closes(value)) depth--;
    if (depth === 1 && (value === ";" || value === "{" || value === "}")) isStart = true;
    if (depth > 0) continue;
    const next = tokens[at + 1]?.value ?? "";
    if (!isUnion || value === ";" || !/^[|&]$/u.test(next)) break;
    // The next variant of the union opens a brace of its own, or the type ends.
    at = bodyFrom(tokens, at + 1, true) - 1;
    if (tokens[at + 1]?.value !== "{") break;
  }
  return members;
}
