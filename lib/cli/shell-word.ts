// Shell word: a path in a command that is suggested, so that it can be pasted as it stands.

export function shellWord(word: string): string {
  return /^[\w./@:+][\w./@:+-]*$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
