// Journal end: where the journal of a directory ends, as a writer or one who looks must know it before anything else.
//
// Reads the newest segment alone; one without a whole header was being made when its process died, and then the one before it. Changes
// nothing: what is torn is named, and cut off by the first append.

import type { TornTail } from "../../core/durable/store.js";
import { JournalCorruptError } from "../../core/task/errors.js";
import { type Disk, isMissing } from "./disk.js";
import { SegmentScan } from "./scan.js";
import { listSegments, type Segment } from "./segment.js";

export interface JournalEnd {
  /** With a header, oldest first. */
  readonly segments: readonly Segment[];
  /** The `seq` of the last event; one less than the first of a journal that has none, and 0 without a segment. */
  readonly lastSeq: number;
  /** How many bytes of the newest segment hold. */
  readonly bytes: number;
  readonly torn?: TornTail;
  /** A segment that has no header. */
  readonly debris?: Segment;
}

export async function findEnd(disk: Disk, directory: string): Promise<JournalEnd> {
  for (;;) {
    const segments = await listSegments(disk, directory);
    try {
      return await endOf(disk, segments);
    } catch (error) {
      // Compacted away since it was listed.
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

/** A later segment was begun behind it, so nobody can have been writing it. */
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
