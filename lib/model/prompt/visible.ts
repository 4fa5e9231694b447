// Visible: a text without what no reader sees.
//
// §12: a model must read what a person would read. Halves of characters become U+FFFD, because some providers refuse every request that holds
// one. Invisible characters, marks of the writing direction and control codes are removed, because words could be hidden in them. Only the
// shown text changes: the record and `result()` keep the original. A visible text is never longer than the original, in characters or in bytes.

import type { Json } from "../../core/values/json.js";

export function visible(text: string): string {
  if (!SPECIAL.test(text)) return text;
  // Halves first: a removed character between two of them must not join them.
  return text.replaceAll(BROKEN, "\uFFFD").replaceAll(LINE_END, "\n").replaceAll(UNSEEN, "");
}

/** Every text in it, the names of fields too; the same value when there is nothing to change. */
export function visibleJson(json: Json): Json {
  if (typeof json === "string") return visible(json);
  if (typeof json !== "object" || json === null) return json;
  if (isList(json)) {
    const items = json.map(visibleJson);
    return items.every((item, index) => item === json[index]) ? json : items;
  }
  const fields = Object.entries(json);
  const shown = new Map<string, Json>();
  for (const [key, value] of fields) shown.set(freeKey(shown, visible(key)), visibleJson(value));
  const isSame = fields.every(([key, value]) => shown.get(key) === value);
  return isSame ? json : Object.fromEntries(shown);
}

/** A value as the JSON text that a reader sees. */
export function visibleText(json: Json): string {
  return JSON.stringify(visibleJson(json));
}

/** Two names that look alike stay two fields. */
function freeKey(taken: ReadonlyMap<string, Json>, key: string): string {
  let free = key;
  for (let n = 2; taken.has(free); n++) free = `${key} (${n})`;
  return free;
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}

/** Halves of characters, codes that mean something in private, and codes that are no characters. */
const BROKEN = /[\p{Cs}\p{Co}\p{Noncharacter_Code_Point}]/gu;
const LINE_END = /\r\n?|[\v\f\u0085\u2028\u2029]/gu;
/** Joiners, selectors, tags, marks of direction, fillers, control codes. */
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu;
const SPECIAL =
  /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\p{Default_Ignorable_Code_Point}]/u;
