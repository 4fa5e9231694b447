// Checksum: the CRC-32 that shows whether a line, or a batch of lines, was written as a whole.
//
// The checksum is the last field of the JSON object that it closes, `,"crc":"1a2b3c4d"}`, and covers all bytes before
// that field. No other line of errand ends like this: no event has a field `crc`, and quotes inside a text are escaped.

import { crc32 } from "node:zlib";

const OPENING = ',"crc":"';
const CLOSING = '"}';
const DIGITS = 8;

/** The length of the field with the checksum, in bytes, without the line feed. */
export const CHECKSUM_LENGTH = OPENING.length + DIGITS + CLOSING.length;

/**
 * Returns the field that closes a JSON object, with a line feed. `crc` is the checksum of all bytes before the field.
 */
export function checksumField(crc: number): string {
  return `${OPENING}${crc.toString(16).padStart(DIGITS, "0")}${CLOSING}\n`;
}

const CLOSES = "}".charCodeAt(0);
const QUOTES = '"'.charCodeAt(0);
const COMMA = ",".charCodeAt(0);
const FIELD = /^,"crc":"([0-9a-f]{8})"}$/;

/** Reads the checksum in the field that ends before `end`; `undefined` if there is no such field. */
export function readChecksum(bytes: Buffer, end: number): number | undefined {
  const begin = end - CHECKSUM_LENGTH;
  // This runs for each line. Three bytes are enough to exclude most lines.
  if (begin < 0 || bytes[end - 1] !== CLOSES || bytes[end - 2] !== QUOTES || bytes[begin] !== COMMA) return undefined;
  const digits = FIELD.exec(bytes.toString("latin1", begin, end))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 16);
}

/** Returns whether the bytes before `end` end with a checksum that is right for them. */
export function hasValidChecksum(bytes: Buffer, end: number): boolean {
  const crc = readChecksum(bytes, end);
  return crc !== undefined && crc === crc32(bytes.subarray(0, end - CHECKSUM_LENGTH));
}
