// Mark: the checksum by which what was written whole is known from what was not.
//
// It is the last field of the JSON object it closes, `,"crc":"1a2b3c4d"}`, and stands for all bytes before it. Of what errand writes,
// no other line ends so: no event has a field `crc`, and inside a text the quotes are escaped.

import { crc32 } from "node:zlib";

const OPENING = ',"crc":"';
const CLOSING = '"}';
const DIGITS = 8;

/** How many bytes a mark is long, without the end of its line. */
export const MARK_LENGTH = OPENING.length + DIGITS + CLOSING.length;

/** The end of a line whose object is not closed yet. `crc` is that of all bytes before it. */
export function markOf(crc: number): string {
  return `${OPENING}${crc.toString(16).padStart(DIGITS, "0")}${CLOSING}\n`;
}

const CLOSES = "}".charCodeAt(0);
const QUOTES = '"'.charCodeAt(0);
const COMMA = ",".charCodeAt(0);
const MARK = /^,"crc":"([0-9a-f]{8})"}$/;

/** The checksum in the mark that ends before `end`; `undefined` when there is none. */
export function readMark(bytes: Buffer, end: number): number | undefined {
  const begin = end - MARK_LENGTH;
  // Asked at each line: most are told by three bytes.
  if (begin < 0 || bytes[end - 1] !== CLOSES || bytes[end - 2] !== QUOTES || bytes[begin] !== COMMA) return undefined;
  const digits = MARK.exec(bytes.toString("latin1", begin, end))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

/** Whether the mark that ends before `end` is that of the bytes before it. */
export function isMarked(bytes: Buffer, end: number): boolean {
  const crc = readMark(bytes, end);
  return crc !== undefined && crc === crc32(bytes.subarray(0, end - MARK_LENGTH));
}
