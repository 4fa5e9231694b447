// Safe read: reading a value that may break its reader: a getter that throws, a revoked proxy, an id that reads as a
// sentence.
//
// Pure. Keeps texts bounded, and quotes ids that are not plain.

/** The result of `get`; `undefined` when it throws. */
export function read<R>(get: () => R): R | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

/** The result of `get` when it is a string; `undefined` otherwise, and when it throws. */
export function readText(get: () => unknown): string | undefined {
  const value = read(get);
  return typeof value === "string" ? value : undefined;
}

/** Any value as a text. Never throws. */
export function printed(value: unknown): string {
  return (
    readText(() => String(value)) ??
    readText(() => Object.prototype.toString.call(value)) ??
    "something that cannot be read"
  );
}

/** The platform's tag of an object: `Date`, `Map`, `DOMException`. Throws the error of a getter. */
export function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice("[object ".length, -1);
}

/** Whether no part of the id could be read as another part of a sentence. */
export function isPlainId(id: string): boolean {
  return /^[\w.:/@-]+$/.test(id);
}

/** An id, or a name, for a sentence: in quotes when it is not plain (§12). */
export function idInWords(id: string): string {
  return isPlainId(id) ? id : JSON.stringify(id);
}

/** Whether a value is an object or a function. */
export function isObject(value: unknown): value is object {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

/** A field of an object; `undefined` for a value that is no object, and when reading throws. */
export function fieldOf(value: unknown, field: PropertyKey): unknown {
  return isObject(value) ? read((): unknown => Reflect.get(value, field)) : undefined;
}

/** How many fields, or items, of one object are shown, and how deep. */
const MOST_FIELDS = 12;
const MOST_DEEP = 3;

/**
 * An object as JSON shows it, in at most `most` characters, with each field read once:
 * `{"status":429,"error":{"type":"rate_limit"}}`.
 */
export function brief(value: unknown, most: number): string {
  return cutTo(shown(value, most, 0), most);
}

/** The text, cut to `most` characters, with a mark at the cut. */
export function cutTo(text: string, most: number): string {
  return text.length > most ? `${startOf(text, most - 1)}…` : text;
}

/** At most `most` characters from the beginning, without half of a character that is two code units. */
export function startOf(text: string, most: number): string {
  const end = Math.max(0, most);
  return text.slice(0, isInside(text, end) ? end - 1 : end);
}

/** Whether `place` is between the two code units of one character. */
export function isInside(text: string, place: number): boolean {
  return /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/.test(text.slice(Math.max(0, place - 1), place + 1));
}

function shown(value: unknown, most: number, depth: number): string {
  if (typeof value === "string") return JSON.stringify(startOf(value, most));
  if (!isObject(value)) return printed(value);
  const tag = readText(() => tagOf(value)) ?? "";
  if (typeof value === "function") return "a function";
  const message = readText(() => fieldOf(value, "message"));
  // An error has its message in no field of its own.
  if (depth > 0 && message !== undefined && typeof fieldOf(value, "stack") === "string")
    return JSON.stringify(startOf(message, most));
  if (read(() => ArrayBuffer.isView(value)) !== false || depth === MOST_DEEP) return `a ${tag}`;
  const isList = tag === "Array";
  const names = isList ? INDICES : tag === "Object" ? read(() => Object.keys(value)) : INHERITED_FIELDS;
  const parts: string[] = [];
  let length = 0;
  for (const name of names ?? []) {
    if (length > most) break;
    const field = fieldOf(value, name);
    if (field === undefined || typeof field === "function" || field === "") continue;
    if (parts.length === MOST_FIELDS) {
      parts.push("…");
      break;
    }
    const part = `${isList ? "" : `${JSON.stringify(name)}:`}${shown(field, most, depth + 1)}`;
    parts.push(part);
    length += part.length;
  }
  const body = parts.join(",");
  if (isList) return `[${body}]`;
  if (tag === "Object") return `{${body}}`;
  return body === "" ? `a ${tag}` : `a ${tag} {${body}}`;
}
/** One index more than is shown, because a mark stands for the items that are left out. */
const INDICES: readonly string[] = Array.from({ length: MOST_FIELDS + 1 }, (_, index) => String(index));
/** Fields that are shown of a Response, an Event, and similar objects, which inherit them from their prototype. */
const INHERITED_FIELDS = ["status", "statusText", "url", "code", "type", "message"] as const;
