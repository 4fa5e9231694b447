// Bounded: a result that is never longer than it may be (§9).
//
// Measured as it will be sent: the bytes of its JSON in UTF-8. A tool says how its result looks with so much room for its texts and lists, and
// the most room that fits is found. No text is cut inside a character.

import type { Json } from "../../core/values/json.js";
import { isInside, startOf } from "../../core/values/safe-read.js";
import { visible } from "../prompt/visible.js";

/** What a tool gives: an object of plain JSON. */
export type Result = { readonly [key: string]: Json };

/** `build` with no room at all must give less than the smallest limit there is. */
export function fitted(maxBytes: number, build: (room: number) => Result): Result {
  const whole = build(maxBytes);
  if (bytesOf(whole) <= maxBytes) return whole;
  let best = build(0);
  let low = 0;
  let high = maxBytes;
  while (high - low > 4) {
    const room = Math.floor((low + high) / 2);
    const result = build(room);
    const fits = bytesOf(result) <= maxBytes;
    if (fits) best = result;
    if (fits) low = room;
    else high = room;
  }
  return best;
}

/** Without the fields that are `undefined`. */
export function present(fields: { readonly [key: string]: Json | undefined }): Result {
  const result: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) result[key] = value;
  return result;
}

export function bytesOf(json: Json): number {
  return Buffer.byteLength(JSON.stringify(json));
}

/** The visible part of the text, at most so many bytes, with a mark where it was cut; `undefined` when that is too little to say anything. */
export function cut(text: string, bytes: number): string | undefined {
  // A bounded part of the text is enough, however long the text is: no more of it is seen.
  const looked = startOf(text, Math.floor(bytes) * 4);
  const seen = visible(looked);
  const head = headOf(seen, bytes);
  if (head.length === seen.length && looked.length === text.length) return seen;
  return bytes < LEAST ? undefined : `${headOf(seen, bytes - MARK.length * 3)}${MARK}`;
}
const MARK = "…";
const LEAST = 16;

/** The longest beginning of at most so many bytes. */
export function headOf(text: string, bytes: number): string {
  let left = bytes;
  let end = 0;
  while (end < text.length) {
    const point = text.codePointAt(end) ?? 0;
    left -= bytesOfPoint(point);
    if (left < 0) break;
    end += point > 0xffff ? 2 : 1;
  }
  return text.slice(0, end);
}

/** The longest end of at most so many bytes. */
export function endOf(text: string, bytes: number): string {
  let left = bytes;
  let start = text.length;
  while (start > 0) {
    const before = start - (isInside(text, start - 1) ? 2 : 1);
    left -= bytesOfPoint(text.codePointAt(before) ?? 0);
    if (left < 0) break;
    start = before;
  }
  return text.slice(start);
}

/** As `JSON.stringify` writes it. */
function bytesOfPoint(point: number): number {
  if (point === 0x22 || point === 0x5c) return 2;
  if (point < 0x20) return SHORT.has(point) ? 2 : 6;
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  // Half a character is written as six.
  if (point < 0x10000) return point >= 0xd800 && point <= 0xdfff ? 6 : 3;
  return 4;
}
/** `\b`, `\t`, `\n`, `\f`, `\r`. */
const SHORT: ReadonlySet<number> = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d]);
