// Printable: text that says what it says, and steers nothing.
//
// What tasks say is not to be trusted: an escape sequence in a title would clear the screen, or repaint the question that is being
// asked about it. Every text that is printed passes here, once as words in a line, or once as JSON.

/**
 * One line: line ends, tabs and blanks of every sort are spaces. Half a character is a replacement character; what no reader sees (joiners, marks
 * of writing direction, tags, control codes) is left out.
 */
export function printable(text: string): string {
  // Halves first: what is left out between two of them must not join them.
  return text.replaceAll(BROKEN, "\uFFFD").replaceAll(LINE_ENDS, " ").replaceAll(UNSEEN, "").replaceAll(BLANK, " ");
}

/** Same as `printable`, without runs of blanks: a terminal that wraps would show the words behind a run as a line by themselves. */
export function words(text: string): string {
  return printable(text).replaceAll(/ {2,}/g, " ").trim();
}

/** An id or a name of the program in the middle of other words: in quotes, unless it is plain. */
export function idWord(id: string): string {
  return /^[\w.:/@-]+$/.test(id) ? id : JSON.stringify(words(id));
}

/** As `printable`, and several lines stay several. */
export function printableLines(text: string): string[] {
  return text.split(/\r?\n/u).map(printable);
}

/** JSON that means the same and has no character that could steer a terminal, or that no reader sees. */
export function jsonText(value: unknown, indent = 0): string {
  // `JSON.stringify` escapes the first 32 and halves of characters only.
  return (JSON.stringify(value, undefined, indent) ?? "").replaceAll(UNESCAPED, escaped);
}

/** At most so many characters, for a text in the middle of a line. */
export function shortened(text: string, characters: number): string {
  if (text.length <= characters) return text;
  // Not in the middle of a character.
  const start = text.slice(0, characters - 1).replace(/[\uD800-\uDBFF]$/, "");
  return `${start}…`;
}

/** Halves of characters, codes that mean something in private, and codes that are no characters. */
const BROKEN = /[\p{Cs}\p{Co}\p{Noncharacter_Code_Point}]/gu;
const LINE_ENDS = /[\t-\r\u0085\p{Zl}\p{Zp}]+/gu;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
/** Spaces of every sort, and the letter that is shown as a space. */
const BLANK = /[\p{Zs}\u2800]/gu;
const UNESCAPED = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, "0")}`,
  ).join("");
}
