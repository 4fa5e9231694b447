// Words for a terminal: what went wrong at bottom, and no character that could steer the terminal.
//
// A script's text or a file's name may hold escape codes that would repaint the very question being asked about it.

/** Control codes and changes of text direction become replacement characters. */
export function printable(line: string): string {
  return line.replaceAll(/[\p{Cc}\p{Cf}]/gu, "\uFFFD");
}

/** A check's failure goes up through its package, a socket's through fetch; what people want to read is at the bottom. */
export function rootMessage(error: { readonly message: string; readonly cause?: unknown }): string {
  return error.cause instanceof Error && error.cause !== error ? rootMessage(error.cause) : error.message;
}
