// Torn tail: decides whether a crash can have left the bytes at the end of a journal.
//
// A process that dies leaves the beginning of its last write; a power failure may also leave sectors of zeros in it.
// All other damage is reported and never cut off: a changed byte in a confirmed batch must not remove the batch.

import { type Batch, beginOf, countIn, readEvent } from "./batch.js";
import { CHECKSUM_LENGTH, hasValidChecksum } from "./checksum.js";

/** The smallest unit that a disk writes at once, in bytes. */
const SECTOR = 512;

/**
 * Whether zeros fill a whole sector of `bytes`, or the part of a sector that `bytes` contains. `at` is the offset of
 * `bytes` in the file.
 */
export function isZeroed(bytes: Buffer, at: number): boolean {
  // The text of JSON.stringify has no zero byte. So this loop is usually one search.
  let zero = bytes.indexOf(0);
  while (zero >= 0) {
    const sector = Math.max(0, zero - ((at + zero) % SECTOR));
    const end = Math.min(bytes.length, zero - ((at + zero) % SECTOR) + SECTOR);
    if (bytes.subarray(sector, end).every((byte) => byte === 0)) return true;
    zero = bytes.indexOf(0, end);
  }
  return false;
}

/**
 * Whether `rest`, in which no line ends with a checksum, is the beginning of a batch, or with `isHeader` of a header.
 */
export function isCutShort(rest: Batch, isHeader: boolean): boolean {
  const { bytes, ends } = rest;
  const [first] = ends;
  if (first !== undefined) {
    if (isHeader) return false;
    const count = countIn(bytes, first);
    if (count === undefined || count <= ends.length || brokenLine(rest) !== undefined) return false;
  }
  return !hasLostLineEnd(bytes, (ends.at(-1) ?? -1) + 1);
}

/** Whether the last line has a right checksum inside it: then only its line feed was changed. */
function hasLostLineEnd(bytes: Buffer, begin: number): boolean {
  const opening = ',"crc":"';
  for (let mark = bytes.indexOf(opening, begin); mark >= 0; mark = bytes.indexOf(opening, mark + 1)) {
    const end = mark + CHECKSUM_LENGTH;
    if (end < bytes.length && hasValidChecksum(bytes, end)) return true;
  }
  return false;
}

/** Returns the index of the first line that is not the expected event; `undefined` if all lines are right. */
export function brokenLine({ bytes, ends, seq }: Batch): number | undefined {
  for (const [index, end] of ends.entries()) {
    // The line is parsed with the fields of the batch in it, which must be JSON too.
    if (readEvent(bytes.toString("utf8", beginOf(ends, index), end), seq + index) === undefined) return index;
  }
  return undefined;
}
