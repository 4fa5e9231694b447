// Visible: removes the characters of a text that no reader sees, so that a model reads what a person would read (§12).
//
// Half characters (lone surrogates) become U+FFFD, because some providers refuse every request that contains one.
// Invisible characters, direction marks and control codes are removed, because they can hide text. Only the shown text
// changes: the record and `result()` keep the original. A visible text is never longer than the original, in characters
// or in bytes.

import type { Json } from "../../core/values/json.js";

/** The text without its invisible characters. Each end of a line becomes `\n`. */
export function visible(text: string): string {
  const { broken, unseen, special } = patterns();
  if (!special.test(text)) return text;
  // Half characters are replaced first: removing a character between two halves would join them.
  return text.replaceAll(broken, "\uFFFD").replaceAll(LINE_END, "\n").replaceAll(unseen, "");
}

/** The value with every text made visible, names of fields too. Returns the same value when nothing changes. */
export function visibleJson(json: Json): Json {
  if (typeof json === "string") return visible(json);
  if (typeof json !== "object" || json === null) return json;
  if (isList(json)) {
    const items = json.map(visibleJson);
    return items.every((item, index) => item === json[index]) ? json : items;
  }
  const fields = Object.entries(json);
  const shown = new Map<string, Json>();
  for (const [key, value] of fields) shown.set(uniqueKey(shown, visible(key)), visibleJson(value));
  const isSame = fields.every(([key, value]) => shown.get(key) === value);
  return isSame ? json : Object.fromEntries(shown);
}

/** The JSON text of a value, with every text made visible. */
export function visibleText(json: Json): string {
  return JSON.stringify(visibleJson(json));
}

/** A name that no other field has: two names that look the same stay two fields. */
function uniqueKey(taken: ReadonlyMap<string, Json>, key: string): string {
  let unique = key;
  for (let n = 2; taken.has(unique); n++) unique = `${key} (${n})`;
  return unique;
}

function isList(json: Json): json is readonly Json[] {
  return Array.isArray(json);
}

const LINE_END = /\r\n?|[\v\f\u0085\u2028\u2029]/gu;

interface Patterns {
  /** Half characters, private-use codes, and codes that are no characters. */
  readonly broken: RegExp;
  /** Joiners, selectors, tags, direction marks, fillers and control codes. */
  readonly unseen: RegExp;
  /** One character that is changed or removed. */
  readonly special: RegExp;
}

let made: Patterns | undefined;

/** The patterns, made at the first use: as literals they would make `import "errand"` a millisecond longer. */
function patterns(): Patterns {
  made ??= {
    broken: new RegExp(String.raw`[\p{Cs}\p{Co}\p{Noncharacter_Code_Point}]`, "gu"),
    unseen: new RegExp(String.raw`(?![\n\t])[\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]`, "gu"),
    special: new RegExp(
      String.raw`(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}\p{Default_Ignorable_Code_Point}]`,
      "u",
    ),
  };
  return made;
}
