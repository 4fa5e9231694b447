// Members: the members of public declarations, and which of them have no docstring.
//
// Knows text alone: no file, no process. A member is a field or a method of an interface, of a class or of an object
// type, also of one inside a parameter. An index signature has no name, and a type that only filters another one
// (`Exclude<A, { status: "b" }>`) has no member that a user meets.

import jsTokens from "js-tokens";
import type { PublicName } from "./docstrings.js";

interface Token {
  readonly type: string;
  readonly value: string;
}

export interface Member {
  readonly file: string;
  /** The names from the declaration down: `TaskHandle.messages.after`. */
  readonly path: string;
  /** The doc comment of the declaration, if there is one. */
  readonly doc: string | undefined;
}

/** Every public name, and every member below it. An overloaded one is there once for each declaration. */
export function membersOf(names: readonly PublicName[]): readonly Member[] {
  return names.flatMap(({ file, name, texts }) =>
    texts.flatMap((text): readonly Member[] => {
      const [doc] = /^\s*\/\*\*[\s\S]*?\*\//u.exec(text) ?? [];
      return [{ file, path: name, doc }, ...membersIn(file, name, text)];
    }),
  );
}

/** The names and members without a docstring. One documented overload is enough for all of its name. */
export function undocumentedIn(members: readonly Member[]): readonly string[] {
  const placeOf = ({ file, path }: Member): string => `${file.replace(/\.d\.ts$/u, ".ts")}: ${path}`;
  const documented = new Set(members.filter(({ doc }) => doc !== undefined).map(placeOf));
  const missing = new Set(members.map(placeOf).filter((place) => !documented.has(place)));
  return [...missing].map((place) => `lib/${place} has no docstring`);
}

const isBlank = ({ type }: Token): boolean => /Comment$|^WhiteSpace$|^LineTerminatorSequence$/u.test(type);
const isDoc = ({ value }: Token): boolean => value.startsWith("/**");
const modifiers = ["readonly", "static", "abstract", "get", "set", "declare", "override"];
const filters = ["Exclude", "Extract"];
const opening = ["{", "(", "["];
const closing = ["}", ")", "]"];

interface Frame {
  /** The path of the member in whose declaration it opened. */
  readonly path: string;
  readonly isBody: boolean;
}

/** The members in one declaration, at any depth. */
function membersIn(file: string, name: string, declaration: string): readonly Member[] {
  const tokens = [...jsTokens(declaration)];
  const members: Member[] = [];
  const frames: Frame[] = [];
  const generics: string[] = [];
  let path = name;
  let previous = "";
  for (const [at, { value }] of tokens.entries()) {
    if (value === "<") generics.push(previous);
    if (/^>+$/u.test(value)) generics.splice(-value.length);
    if (opening.includes(value)) {
      const isBody = value === "{" && !isPattern(tokens, at) && !generics.some((each) => filters.includes(each));
      frames.push({ path, isBody });
    }
    if (closing.includes(value)) path = frames.pop()?.path ?? name;
    const frame = frames.at(-1);
    if (frame?.isBody === true && (value === ";" || value === "{")) {
      path = frame.path;
      const member = memberAt(file, tokens, at + 1, frame.path);
      if (member !== undefined) {
        members.push(member);
        path = member.path;
      }
    }
    const token = tokens[at];
    if (token !== undefined && !isBlank(token)) previous = value;
  }
  return members;
}

/** Whether the brace opens a pattern of a parameter: `{ a, b }: Options`. */
function isPattern(tokens: readonly Token[], brace: number): boolean {
  const [first, second] = tokens.slice(brace + 1).filter((token) => !isBlank(token));
  return first?.value === "..." || (first?.type === "IdentifierName" && [",", "}"].includes(second?.value ?? ""));
}

function memberAt(file: string, tokens: readonly Token[], from: number, owner: string): Member | undefined {
  const start = tokens.findIndex((token, at) => at >= from && !isBlank(token));
  const doc = tokens.slice(from, start).findLast(isDoc)?.value;
  const code = tokens.slice(start).filter((token) => !isBlank(token));
  while (modifiers.includes(code[0]?.value ?? "") && !/^[:?(;<]$/u.test(code[1]?.value ?? "")) code.shift();
  const [first, second, third] = code;
  if (first === undefined || first.value === "}" || first.type === "PrivateIdentifier") return undefined;
  if (first.value === "(" || first.value === "<") return { file, path: `${owner}()`, doc };
  if (first.value !== "[") return { file, path: `${owner}.${first.value}`, doc };
  if (third?.value !== ".") return undefined; // An index signature, or a mapped type.
  return { file, path: `${owner}.[${second?.value}.${code[3]?.value}]`, doc };
}
