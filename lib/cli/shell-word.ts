// Shell word: quotes a path in a suggested command, so that the command can be pasted.

/** Returns the path itself when a POSIX shell reads it literally, otherwise the path in single quotes. */
export function shellWord(word: string): string {
  return /^[\w./@:+][\w./@:+-]*$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
