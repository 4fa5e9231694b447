// Torn: can the end of a journal be what a crash left of a batch?
//
// A process that dies leaves the beginning of its last write; a power cut may also leave sectors of zeros in it. Everything else is
// broken, and is not cut off: a byte that has changed in a batch whose writing was told of must not make it vanish.

import { type Batch, beginOf, countIn, readEvent } from "./batch.js";
import { isMarked, MARK_LENGTH } from "./checksum.js";

/** What a disk writes at once, at least. */
const SECTOR = 512;

/** Whether zeros fill a sector of `bytes`, or all that there is of it in them. `at` is where in the file they begin. */
export function isZeroed(bytes: Buffer, at: number): boolean {
  // What JSON.stringify writes has no zero byte: as a rule there is none, and this is one search.
  let zero = bytes.indexOf(0);
  while (zero >= 0) {
    const sector = Math.max(0, zero - ((at + zero) % SECTOR));
    const end = Math.min(bytes.length, zero - ((at + zero) % SECTOR) + SECTOR);
    if (bytes.subarray(sector, end).every((byte) => byte === 0)) return true;
    zero = bytes.indexOf(0, end);
  }
  return false;
}

/** Whether `rest`, which has no mark at the end of a line, is the beginning of a batch; or of a header, where none was read. */
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

/** Whether the last line is a whole one whose end is not a line feed any more. */
function hasLostLineEnd(bytes: Buffer, begin: number): boolean {
  const opening = ',"crc":"';
  for (let mark = bytes.indexOf(opening, begin); mark >= 0; mark = bytes.indexOf(opening, mark + 1)) {
    const end = mark + MARK_LENGTH;
    if (end < bytes.length && isMarked(bytes, end)) return true;
  }
  return false;
}

/** Which of its lines, counted from 0 on, is the first that is not the event it should be; `undefined` when each is. */
export function brokenLine({ bytes, ends, seq }: Batch): number | undefined {
  for (const [index, end] of ends.entries()) {
    // As it stands, with the fields of the batch: those, too, must be JSON.
    if (readEvent(bytes.toString("utf8", beginOf(ends, index), end), seq + index) === undefined) return index;
  }
  return undefined;
}
