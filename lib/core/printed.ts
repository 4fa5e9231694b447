// Printed: reading a value that may be made to break its reader: a getter that throws, a proxy that is revoked, an id that reads as a sentence.

/** What `get` gives; `undefined` when it throws. */
export function read<R>(get: () => R): R | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

/** As `read`, when it is text. */
export function readText(get: () => unknown): string | undefined {
  const value = read(get);
  return typeof value === "string" ? value : undefined;
}

/** Any value in words. */
export function printed(value: unknown): string {
  return (
    readText(() => String(value)) ??
    readText(() => Object.prototype.toString.call(value)) ??
    "something that cannot be read"
  );
}

/** Nothing in it could be taken for another word of a sentence. */
export function isPlainId(id: string): boolean {
  return /^[\w.:/@-]+$/.test(id);
}

/** An id, or a name, in a sentence: in quotes when it is not plain (§12). */
export function idInWords(id: string): string {
  return isPlainId(id) ? id : JSON.stringify(id);
}
