// Journal end: finds the end of the journal, for a writer and for a reader without the lock.
//
// Reads the newest segment only. If its header is not whole, its process died while it made the segment, and the
// segment before it is read too. Changes nothing: the end names a torn tail, and the first append cuts it off.

import type { TornTail } from "../../core/durable/store.js";
import { JournalCorruptError } from "../../core/task/errors.js";
import { type Disk, isMissing } from "./disk.js";
import { SegmentScan } from "./scan.js";
import { listSegments, type Segment } from "./segment.js";

/** The end of a journal. */
export interface JournalEnd {
  /** The segments with a header, oldest first. */
  readonly segments: readonly Segment[];
  /**
   * The `seq` of the last event. Without an event: one less than the first `seq` of the newest segment, or 0 without a
   * segment.
   */
  readonly lastSeq: number;
  /** The number of valid bytes in the newest segment. */
  readonly bytes: number;
  /** The bytes after the last whole batch, if there are any. */
  readonly torn?: TornTail;
  /** A segment without a whole header. The writer removes it. */
  readonly debris?: Segment;
}

/** Finds the end of the journal in `directory`. Throws `JournalCorruptError` if its last segments are broken. */
export async function findEnd(disk: Disk, directory: string): Promise<JournalEnd> {
  for (;;) {
    const segments = await listSegments(disk, directory);
    try {
      return await endOf(disk, segments);
    } catch (error) {
      // The segment was compacted away after it was listed.
      if (!isMissing(error)) throw error;
    }
  }
}

async function endOf(disk: Disk, segments: Segment[]): Promise<JournalEnd> {
  const newest = segments.at(-1);
  if (newest === undefined) return { segments, lastSeq: 0, bytes: 0 };
  const end = await scanToEnd(disk, newest);
  if (end.hasHeader) return { segments, ...end };
  const before = segments.slice(0, -1);
  const torn = end.torn ?? { file: newest.file, line: 1, byte: 0, bytes: 0 };
  const last = before.at(-1);
  if (last === undefined) return { segments: before, lastSeq: 0, bytes: 0, torn, debris: newest };
  const whole = await scanToEnd(disk, last);
  if (whole.torn !== undefined || !whole.hasHeader) throw cutOffInTheMiddle(last, whole.torn);
  return { segments: before, lastSeq: whole.lastSeq, bytes: whole.bytes, torn, debris: newest };
}

interface SegmentEnd {
  readonly lastSeq: number;
  readonly bytes: number;
  readonly hasHeader: boolean;
  readonly torn?: TornTail;
}

async function scanToEnd(disk: Disk, segment: Segment): Promise<SegmentEnd> {
  const fd = await disk.open(segment.file, "read");
  try {
    const scan = new SegmentScan(disk, fd, segment);
    for (;;) {
      const found = await scan.next();
      if ("ends" in found) continue;
      const { line, byte, seq, hasHeader } = scan;
      const end = { lastSeq: seq - 1, bytes: byte, hasHeader };
      if (found.tornBytes === 0) return end;
      return { ...end, torn: { file: segment.file, line, byte, bytes: found.tornBytes } };
    }
  } finally {
    await disk.close(fd);
  }
}

/**
 * The error for a segment that ends too early. Another segment follows, so no process can still be writing this one.
 */
export function cutOffInTheMiddle(
  segment: Segment,
  at: { line: number; byte: number } | undefined,
): JournalCorruptError {
  return new JournalCorruptError(
    segment.file,
    at?.line ?? 1,
    at?.byte ?? 0,
    "it ends here, and another segment follows",
  );
}
