// Escape: makes a text of a task safe for one line of a prompt.
//
// The texts of a task are untrusted data. An escaped text cannot end its line, its quotes or its fence, has no
// invisible characters, and has a largest length (§12).

import type { Json } from "../../core/values/json.js";
import { isPlainId, startOf } from "../../core/values/safe-read.js";
import { visible } from "./visible.js";

/** Escapes a text to one line of at most `most` characters, without quotes around it. */
export function escaped(text: string, most: number): string {
  // Escaping removes and joins characters, so more of the text is read than is shown. The bound keeps a long text
  // cheap.
  const start = startOf(text, most * 4);
  const plain = visible(start)
    .replaceAll(BLANK, " ")
    .replaceAll(/["`]/gu, "'")
    .replaceAll("<", "‹")
    .replaceAll(">", "›")
    .trim();
  return start.length < text.length || plain.length > most ? `${startOf(plain, most - 1)}…` : plain;
}

/**
 * An id or a name of the program, for a sentence: unchanged when it is plain, and quoted when it could be misread
 * (§12).
 */
export function plainOrQuoted(id: string, most: number): string {
  return isPlainId(id) && id.length <= most ? id : quoted(id, most);
}

/** Escapes a text like `escaped`, and puts it between double quotes: at most `most` characters between them. */
export function quoted(text: string, most: number): string {
  return `"${escaped(text, most)}"`;
}

/**
 * Quotes a JSON value like `quoted`: a text unchanged, and any other value as JSON with single quotes for double ones.
 */
export function quotedJson(json: Json, most: number): string {
  return quoted(typeof json === "string" ? json : startOfJson(json, most * 4 + 1), most);
}

/** The first characters of the JSON text, about `most` of them: a result may be long. */
function startOfJson(json: Json, most: number): string {
  const pieces: string[] = [];
  let left = most;
  const add = (piece: string): void => {
    pieces.push(piece);
    left -= piece.length;
  };
  const write = (value: Json): void => {
    if (typeof value === "string") add(JSON.stringify(visible(startOf(value, most))));
    else if (typeof value !== "object" || value === null) add(String(value));
    else {
      const isList = Array.isArray(value);
      let mark = isList ? "[" : "{";
      for (const [key, item] of Object.entries(value)) {
        if (left <= 0) return;
        add(isList ? mark : `${mark}${JSON.stringify(visible(startOf(key, most)))}:`);
        write(item);
        mark = ",";
      }
      add(mark === "," ? (isList ? "]" : "}") : isList ? "[]" : "{}");
    }
  };
  write(json);
  return pieces.join("");
}

/** Spaces of every kind, ends of lines, tabs, and the empty braille pattern, which is shown as a space. */
const BLANK = /[\s\u2800]+/gu;
