// Fit to bytes: keeps the result of a tool within its limit (§9).
//
// A result is measured as it is sent: the bytes of its JSON in UTF-8. A tool builds its result for a number of bytes
// for texts and lists, and the largest number that fits is searched. No text is cut inside a character.

import type { Json } from "../../core/values/json.js";
import { isInside, startOf } from "../../core/values/safe-read.js";
import { visible } from "../prompt/visible.js";

/** The result of a tool: an object of plain JSON. */
export type Result = { readonly [key: string]: Json };

/** The largest result of `build` that has at most `maxBytes` bytes. `build(0)` must fit the smallest limit. */
export function fitToBytes(maxBytes: number, build: (bytes: number) => Result): Result {
  const whole = build(maxBytes);
  if (bytesOf(whole) <= maxBytes) return whole;
  let best = build(0);
  let low = 0;
  let high = maxBytes;
  while (high - low > 4) {
    const bytes = Math.floor((low + high) / 2);
    const result = build(bytes);
    const fits = bytesOf(result) <= maxBytes;
    if (fits) best = result;
    if (fits) low = bytes;
    else high = bytes;
  }
  return best;
}

/** The fields that are not `undefined`. */
export function definedFields(fields: { readonly [key: string]: Json | undefined }): Result {
  const result: { [key: string]: Json } = {};
  for (const [key, value] of Object.entries(fields)) if (value !== undefined) result[key] = value;
  return result;
}

/** The bytes of the JSON text of a value, in UTF-8. */
export function bytesOf(json: Json): number {
  return Buffer.byteLength(JSON.stringify(json));
}

/**
 * The visible text, cut to at most `bytes` bytes and marked when it was cut; `undefined` when so few bytes say nothing.
 */
export function cut(text: string, bytes: number): string | undefined {
  // No more than this part of the text can be shown. The bound keeps a long text cheap.
  const start = startOf(text, Math.floor(bytes) * 4);
  const shown = visible(start);
  const head = headOf(shown, bytes);
  if (head.length === shown.length && start.length === text.length) return shown;
  return bytes < LEAST ? undefined : `${headOf(shown, bytes - MARK.length * 3)}${MARK}`;
}
const MARK = "…";
const LEAST = 16;

/** The longest beginning of the text that has at most `bytes` bytes. */
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

/** The longest end of the text that has at most `bytes` bytes. */
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

/** The bytes of one character as `JSON.stringify` writes it. */
function bytesOfPoint(point: number): number {
  if (point === 0x22 || point === 0x5c) return 2;
  if (point < 0x20) return SHORT.has(point) ? 2 : 6;
  if (point < 0x80) return 1;
  if (point < 0x800) return 2;
  // Half a character is written as an escape of six bytes.
  if (point < 0x10000) return point >= 0xd800 && point <= 0xdfff ? 6 : 3;
  return 4;
}
/** Control codes with an escape of two bytes: `\b`, `\t`, `\n`, `\f`, `\r`. */
const SHORT: ReadonlySet<number> = new Set([0x08, 0x09, 0x0a, 0x0c, 0x0d]);
