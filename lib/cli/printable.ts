// Printable: text that says what it says, and steers nothing.
//
// What tasks say is not to be trusted: an escape sequence in a title would clear the screen, or repaint the question that is being
// asked about it. Every text that is printed passes here, once as words in a line, or once as JSON.

/** One line: line ends and tabs are spaces; every other control code, and change of text direction, is a replacement character. */
export function printable(text: string): string {
  return text.replaceAll(/[\t-\r\u0085\p{Zl}\p{Zp}]+/gu, " ").replaceAll(STEERING, "\uFFFD");
}

/** As `printable`, and several lines stay several. */
export function printableLines(text: string): string[] {
  return text.split(/\r?\n/u).map(printable);
}

/** JSON that means the same and has no character that could steer a terminal. */
export function jsonText(value: unknown, indent = 0): string {
  // `JSON.stringify` escapes the first 32 only.
  return (JSON.stringify(value, undefined, indent) ?? "").replaceAll(UNESCAPED, escaped);
}

/** At most so many characters, for a text in the middle of a line. */
export function shortened(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters - 1)}…`;
}

/** The joiner of emoji is left where it is. */
const STEERING = /(?!\u200D)[\p{Cc}\p{Cf}\p{Cs}]/gu;
const UNESCAPED = /(?![\n\u200D])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function escaped(character: string): string {
  return Array.from(
    { length: character.length },
    (_, unit) => `\\u${character.charCodeAt(unit).toString(16).padStart(4, "0")}`,
  ).join("");
}
