// Printable: makes text safe for a terminal.
//
// Text of a task is not trusted: an escape sequence in a title could clear the screen, or repaint the question that a
// person is about to answer. Every printed text passes through this file, as a phrase in a line or as JSON.

/**
 * Returns `text` as one line. Line ends, tabs and all kinds of blanks become spaces. An unpaired surrogate, a
 * private-use code point and a noncharacter become U+FFFD. Invisible characters (control codes, joiners, direction
 * marks, tags) are removed.
 */
export function printable(text: string): string {
  // Unpaired surrogates are replaced first: removing a character between two of them would join them.
  return text.replaceAll(BROKEN, "\uFFFD").replaceAll(LINE_ENDS, " ").replaceAll(UNSEEN, "").replaceAll(BLANK, " ");
}

/**
 * Returns `printable(text)` with single blanks: in a terminal that wraps, text after a run of blanks could look like a
 * line of its own.
 */
export function singleSpaced(text: string): string {
  return printable(text).replaceAll(/ {2,}/g, " ").trim();
}

/** Formats an id or a name inside a sentence: quoted, unless it consists of plain characters. */
export function idWord(id: string): string {
  return /^[\w.:/@-]+$/.test(id) ? id : JSON.stringify(singleSpaced(id));
}

/** Returns each line of `text` as `printable` does. */
export function printableLines(text: string): string[] {
  return text.split(/\r?\n/u).map(printable);
}

/** Returns JSON of the same meaning, in which every control character and every invisible character is escaped. */
export function jsonText(value: unknown, indent = 0): string {
  // `JSON.stringify` escapes only the first 32 characters and unpaired surrogates.
  return (JSON.stringify(value, undefined, indent) ?? "").replaceAll(UNESCAPED, escaped);
}

/** Cuts `text` to at most `characters` characters, with `…` at the cut. */
export function shortened(text: string, characters: number): string {
  if (text.length <= characters) return text;
  // The cut must not split a surrogate pair.
  const start = text.slice(0, characters - 1).replace(/[\uD800-\uDBFF]$/, "");
  return `${start}…`;
}

/** Unpaired surrogates, private-use code points, and noncharacters. */
const BROKEN = /[\p{Cs}\p{Co}\p{Noncharacter_Code_Point}]/gu;
const LINE_ENDS = /[\t-\r\u0085\p{Zl}\p{Zp}]+/gu;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
/** All kinds of spaces, and the Braille blank, which looks like a space. */
const BLANK = /[\p{Zs}\u2800]/gu;
const UNESCAPED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, "0")}`,
  ).join("");
}
