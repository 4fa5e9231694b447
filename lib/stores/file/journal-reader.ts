// Journal reader: the events of a directory from one `seq` on, across its segments.
//
// Holds no lock and one open file. A writer may be at work: its half-written batch is the end, a segment that it begins is gone on with,
// and one that it compacts away is read to its end when it is open, and otherwise EventsCompactedError.

import { EventsCompactedError, JournalCorruptError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import { throwIfAborted } from "../../core/values/abort-signal.js";
import { type Batch, lineOf, readEvent } from "./batch.js";
import { type Disk, isMissing } from "./disk.js";
import { cutOffInTheMiddle } from "./journal-end.js";
import { type ScanEnd, SegmentScan } from "./scan.js";
import { listSegments, type Segment } from "./segment.js";

export interface JournalReading {
  readonly disk: Disk;
  readonly directory: string;
  readonly from?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Up to which `seq` a snapshot stands for the events. */
  readonly snapshotSeq: () => Promise<number>;
  /** What is thrown for what went wrong. */
  readonly told: (error: unknown) => unknown;
}

/** One generator and not two: each that an event comes through costs some promises, and there may be a million. */
export async function* readJournal(reading: JournalReading): AsyncGenerator<TaskEvent, void, undefined> {
  const { disk, directory, signal, told } = reading;
  try {
    throwIfAborted(signal);
    let segment = await firstSegment(reading);
    let wanted = reading.from ?? segment?.firstSeq ?? 1;
    // Whether somebody was given, or asked for, the events before `wanted`.
    let mustFollow = reading.from !== undefined;
    while (segment !== undefined) {
      const current: Segment = segment;
      const fd = await openSegment(reading, current, wanted, mustFollow);
      if (fd === undefined) {
        segment = await firstSegment(reading);
        continue;
      }
      let next: Segment | undefined;
      try {
        let scan = new SegmentScan(disk, fd, current);
        let isSecondLook = false;
        for (;;) {
          throwIfAborted(signal);
          let found: Batch | ScanEnd;
          try {
            found = await scan.next();
          } catch (error) {
            // A batch that was read may have been refused by the disk, cut off, and written again with others behind it.
            if (isSecondLook || !(error instanceof JournalCorruptError)) throw error;
            isSecondLook = true;
            scan = new SegmentScan(disk, fd, current);
            continue;
          }
          if ("ends" in found) {
            for (const event of eventsOf(found, wanted, scan)) {
              throwIfAborted(signal);
              wanted = event.seq + 1;
              mustFollow = true;
              isSecondLook = false;
              yield event;
            }
            continue;
          }
          if (next !== undefined) {
            // It was there before this end was read: nobody writes here any more.
            if (found.tornBytes > 0 || !scan.hasHeader) throw cutOffInTheMiddle(current, scan);
            await checkFollows(reading, scan.seq, next, mustFollow ? wanted : undefined);
            break;
          }
          next = await segmentBehind(disk, directory, current);
          if (next === undefined) return;
        }
      } finally {
        await disk.close(fd);
      }
      segment = next;
      if (!mustFollow) wanted = segment.firstSeq;
    }
  } catch (error) {
    throwIfAborted(signal);
    throw told(error);
  }
}

/** The one with the first event wanted. */
async function firstSegment({ disk, directory, from, snapshotSeq }: JournalReading): Promise<Segment | undefined> {
  const segments = await listSegments(disk, directory);
  if (from === undefined) return segments[0];
  const oldest = segments[0]?.firstSeq ?? (await snapshotSeq()) + 1;
  if (from < oldest) throw new EventsCompactedError(from, oldest);
  return segments.findLast(({ firstSeq }) => firstSeq <= from);
}

/** `undefined`: it was compacted away, and nobody misses it. */
async function openSegment(
  { disk, directory }: JournalReading,
  segment: Segment,
  wanted: number,
  mustFollow: boolean,
): Promise<number | undefined> {
  try {
    return await disk.open(segment.file, "read");
  } catch (error) {
    if (!isMissing(error)) throw error;
    const [oldest] = await listSegments(disk, directory);
    if (oldest === undefined) throw error;
    if (oldest.firstSeq <= segment.firstSeq) throw new JournalCorruptError(segment.file, 1, 0, "it was deleted");
    if (mustFollow && oldest.firstSeq > wanted) throw new EventsCompactedError(wanted, oldest.firstSeq);
    return undefined;
  }
}

/** The one after it. One without a header is not there yet. */
async function segmentBehind(disk: Disk, directory: string, segment: Segment): Promise<Segment | undefined> {
  const segments = await listSegments(disk, directory);
  const behind = segments.filter(({ firstSeq }) => firstSeq > segment.firstSeq);
  const [next] = behind;
  if (next === undefined || behind.length > 1) return next;
  let fd: number;
  try {
    fd = await disk.open(next.file, "read");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
  try {
    const scan = new SegmentScan(disk, fd, next);
    await scan.next();
    return scan.hasHeader ? next : undefined;
  } finally {
    await disk.close(fd);
  }
}

/** Events between two segments are missing, unless a snapshot stands for them. */
async function checkFollows(
  { snapshotSeq }: JournalReading,
  seq: number,
  next: Segment,
  wanted: number | undefined,
): Promise<void> {
  if (next.firstSeq === seq) return;
  if (next.firstSeq < seq || (await snapshotSeq()) < next.firstSeq - 1) throw missing(next, seq, next.firstSeq - 1);
  if (wanted !== undefined && wanted < next.firstSeq) throw new EventsCompactedError(wanted, next.firstSeq);
}

/** What a journal is that has no event before this segment, but should. */
export function missing(segment: Segment, from: number, to: number): JournalCorruptError {
  const why =
    to < from
      ? `events from ${segment.firstSeq} on are here twice`
      : `the events ${from} to ${to} before it are missing`;
  return new JournalCorruptError(segment.file, 1, 0, why);
}

function* eventsOf(batch: Batch, from: number, scan: SegmentScan): Generator<TaskEvent, void, undefined> {
  for (let index = Math.max(0, from - batch.seq); index < batch.ends.length; index++) {
    const event = readEvent(lineOf(batch, index), batch.seq + index);
    if (event === undefined) throw scan.notAnEvent(batch, index);
    yield event;
  }
}
