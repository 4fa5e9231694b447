// Markdown as the tests of the documents read it: blocks of code, commands, code in a line, paths and links.
//
// Knows text alone: no file, no process. What is not code for a reader (comments, fences inside fences) is none here.

// ── blocks ─────────────────────────────────────────────────────────────────

export interface Block {
  readonly language: string;
  readonly code: string;
  /** Of its first line of code. */
  readonly line: number;
  /** Why it does not run: the words of `<!-- fragment: words -->` on the line before it. */
  readonly fragment?: string;
}

const opening = /^(\s*)(`{3,}|~{3,})\s*([^\s`]*)[^`]*$/u;
const fragmentComment = /^\s*<!--\s*fragment:\s*(\S.*?)\s*-->\s*$/u;

export function blocksOf(markdown: string): readonly Block[] {
  const lines = markdown.split("\n");
  const blocks: Block[] = [];
  for (let at = 0; at < lines.length; at += 1) {
    const [, indent = "", fence = "", language = ""] = opening.exec(lines[at] ?? "") ?? [];
    if (fence === "") continue;
    const isClosing = (line: string): boolean => {
      const text = line.trim();
      return text.length >= fence.length && text === (fence[0] ?? "").repeat(text.length);
    };
    const length = lines.slice(at + 1).findIndex(isClosing);
    if (length < 0) throw new Error(`the block of line ${at + 1} is not closed`);
    const code = lines.slice(at + 1, at + 1 + length).map((line) => cutIndent(line, indent.length));
    const [, fragment] = fragmentComment.exec(lines[at - 1] ?? "") ?? [];
    blocks.push({
      language,
      code: code.map((line) => `${line}\n`).join(""),
      line: at + 2,
      ...(fragment === undefined ? {} : { fragment }),
    });
    at += length + 1;
  }
  return blocks;
}

function cutIndent(line: string, width: number): string {
  return line.slice(0, width).trim() === "" ? line.slice(width) : line;
}

// ── commands ───────────────────────────────────────────────────────────────

/** Commands of npm that need no script in package.json. */
const npmOwn = ["ci", "i", "install"];

/** The scripts that a block for the shell asks npm for. */
export function npmScriptsOf({ code }: Block): readonly string[] {
  return code
    .split("\n")
    .flatMap((line) => line.replace(/(^|\s)#.*$/u, "").split(/&&|\|\||[;|]/u))
    .map((command) =>
      command
        .trim()
        .replace(/^\$\s+/u, "")
        .split(/\s+/u),
    )
    .filter(([program]) => program === "npm")
    .flatMap(([, ...words]) => {
      const [command = "", script = ""] = words.filter((word) => !word.startsWith("-"));
      if (npmOwn.includes(command)) return [];
      return [["run", "run-script"].includes(command) ? script : command];
    });
}

// ── code in a line ─────────────────────────────────────────────────────────

export interface Span {
  readonly code: string;
  readonly line: number;
}

/** What stands between backticks outside of blocks and comments. */
export function spansOf(markdown: string): readonly Span[] {
  const prose = proseOf(markdown);
  return [...prose.matchAll(/(?<!`)(`+)(?!`)((?:(?!\n\s*\n)[\s\S])+?)(?<!`)\1(?!`)/gu)].map(
    ({ index, 2: code = "" }) => ({ code: code.trim(), line: prose.slice(0, index).split("\n").length }),
  );
}

/** The text with its blocks and comments blanked, so that each line keeps its number. */
export function proseOf(markdown: string): string {
  const lines = markdown.split("\n");
  for (const { line, code } of blocksOf(markdown)) {
    const length = code.split("\n").length - 1;
    lines.fill("", line - 2, line + length);
  }
  return lines.join("\n").replace(/^\s*<!--[\s\S]*?-->/gmu, (comment) => comment.replace(/[^\n]/gu, ""));
}

const path = /(?<![\w./-])(?:\.\/)?(?:(?:lib|test|examples|bench|\.ci)\/[\w./*{},-]*|[\w-]+\.(?:md|json|ts|mjs)\b)/gu;
/** Also what is built, installed or somebody else's: no claim of ours. */
const anyPath = /[\w.@*-]*\/[\w./*@-]+/gu;
const text = /"[^"]*"|'[^']*'/gu;

/** Paths of the project, each as one name; `{a,b}` is spelled out. */
export function pathsOf({ code }: Span): readonly string[] {
  return [...code.matchAll(path)].flatMap(([found]) => spelledOut(found.replace(/^\.\//u, "").replace(/[.,]+$/u, "")));
}

function spelledOut(braced: string): readonly string[] {
  const [whole, before = "", among = "", after = ""] = /^(.*?)\{([^}]*)\}(.*)$/u.exec(braced) ?? [];
  if (whole === undefined) return [braced];
  return among.split(",").flatMap((each) => spelledOut(`${before}${each}${after}`));
}

/**
 * Names that claim to exist: camelCase, PascalCase and UPPER_CASE words, members (`x.y`), and whatever is called or is
 * a field (`y(`, `y:`). Other words in lower case may be just words.
 */
export function namesOf({ code }: Span): readonly string[] {
  const rest = code.replace(path, " ").replace(anyPath, " ").replace(text, " ");
  return [...rest.matchAll(/(?<![\w$-])[A-Za-z_$][\w$]*(?![\w$-])/gu)]
    .filter(({ index, 0: name }) => {
      const [before, after] = [rest.slice(0, index), rest.slice(index + name.length)];
      const isCased = /[a-z][A-Z]/u.test(name) || /^[A-Z][a-z]/u.test(name) || /^[A-Z]+_[A-Z_]+$/u.test(name);
      return isCased || /[\w\])]\??\.$|(?:^|\s)\.$/u.test(before) || /^\(|^\??:\s/u.test(after);
    })
    .map(([name]) => name);
}

/** A member of a class or type that a text names: `Loop.apply`, `Runner.#handOff`. */
export interface MemberName {
  /** The class or type, or the object that the member is read from: `ctx` in `ctx.ask`. */
  readonly of: string;
  /** The name of the member, with `#` when it is private. */
  readonly member: string;
}

/** The members that a piece of code names, each with the word before its dot. */
export function memberNamesOf({ code }: Span): readonly MemberName[] {
  const rest = code.replace(path, " ").replace(anyPath, " ").replace(text, " ");
  return [...rest.matchAll(/(?<![\w$.#])([A-Za-z_$][\w$]*)\??\.(#?[A-Za-z_$][\w$]*)/gu)].map(
    ([, of = "", member = ""]) => ({ of, member }),
  );
}

/** A name that a text places in a file. */
export interface PlacedName extends Span {
  readonly file: string;
}

const oneFile = /^lib\/[\w./-]+\.ts$/u;
const oneName = /^(?:[A-Z][\w$]*\.)?#?[A-Za-z_$][\w$]*(?:\(\))?$/u;

/**
 * The names that the text places in a file of lib/: a file and then a name (`` `a.ts` `f` ``, `` `a.ts`: `f` ``), or a
 * name and then a file (`` `f` in `a.ts` ``, `` `f` (`a.ts`) ``, and the cells of one row of a table).
 */
export function placedNamesOf(markdown: string): readonly PlacedName[] {
  const prose = proseOf(markdown);
  const spans = [...prose.matchAll(/`([^`\n]+)`/gu)].map(({ index, 0: whole, 1: code = "" }) => ({
    code,
    start: index,
    end: index + whole.length,
    line: prose.slice(0, index).split("\n").length,
  }));
  return spans.flatMap((span, at): readonly PlacedName[] => {
    const next = spans[at + 1];
    if (next === undefined) return [];
    const between = prose.slice(span.end, next.start);
    const { line } = span;
    if (oneFile.test(span.code) && oneName.test(next.code) && /^:?\s+$/u.test(between))
      return [{ file: span.code, code: next.code, line }];
    if (oneName.test(span.code) && oneFile.test(next.code) && /^\s+(?:in |\(|\| )$/u.test(between))
      return [{ file: next.code, code: span.code, line }];
    return [];
  });
}

/** A piece of code that is one word in lower case, such as `recover`: a name of a function, an option or a value. */
export function plainNameOf({ code }: Span): string | undefined {
  return /^([a-z][\w$]*)(?:\(\))?$/u.exec(code)?.[1];
}

/** Where the text's links and images lead that lead nowhere outside. */
export function linksOf(markdown: string): readonly string[] {
  const prose = proseOf(markdown).replace(/`[^`\n]*`/gu, "");
  return [...prose.matchAll(/\]\(\s*<?([^)\s>]+)/gu), ...prose.matchAll(/^\s*\[[^\]]+\]:\s*(\S+)/gmu)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/iu.test(target) && !target.startsWith("#"))
    .map((target) => target.replace(/#.*$/u, ""));
}
