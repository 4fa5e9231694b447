// Words of packages on a terminal: a script's text or a file's name may hold escape codes that would repaint the question being asked.
//
// Every character that steers instead of showing (control codes, text direction) becomes a replacement character.

export function printable(line: string): string {
  return line.replaceAll(/[\p{Cc}\p{Cf}]/gu, "\uFFFD");
}
