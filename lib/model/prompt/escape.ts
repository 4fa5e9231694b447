// Escaped: a task's words, made safe to stand in a line of a prompt.
//
// What a subagent says of itself is data that nobody vouches for. Here it loses all by which it could be taken for anything else: it stays in
// its line, its quotes and its fence, shows nothing that a person cannot see, and is cut at a length. Says nothing of where it stands.

import type { Json } from "../../core/values/json.js";
import { isPlainId, startOf } from "../../core/values/safe-read.js";
import { visible } from "./visible.js";

/** One line of at most `most` characters, without quotes around it: for a text that stands alone. */
export function escaped(text: string, most: number): string {
  // What is dropped or joined leaves room that no text needs to fill: a bounded look is enough, however long the text is.
  const looked = startOf(text, most * 4);
  const plain = visible(looked)
    .replaceAll(BLANK, " ")
    .replaceAll(/["`]/gu, "'")
    .replaceAll("<", "‹")
    .replaceAll(">", "›")
    .trim();
  return looked.length < text.length || plain.length > most ? `${startOf(plain, most - 1)}…` : plain;
}

/** An id or a name of the program in a sentence: as it is when it is plain, and quoted when it could be taken for other words (§12). */
export function named(id: string, most: number): string {
  return isPlainId(id) && id.length <= most ? id : quoted(id, most);
}

/** As `escaped`, between double quotes, which it has none of; at most `most` characters in them. */
export function quoted(text: string, most: number): string {
  return `"${escaped(text, most)}"`;
}

/** As `quoted`: a text as it is, and any other value as JSON, with single quotes for double ones. */
export function quotedJson(json: Json, most: number): string {
  return quoted(typeof json === "string" ? json : startOfJson(json, most * 4 + 1), most);
}

/** As much of the JSON text as anybody will look at: a result may be long. */
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

/** Spaces of every sort, ends of lines, tabs, and the letter that is shown as a space. */
const BLANK = /[\s\u2800]+/gu;
