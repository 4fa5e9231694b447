// Journal reader: reads the events of a directory from one `seq` on, across its segments.
//
// Holds no lock, and one open file at a time. A read begins at the nearest place before its first event that the store
// knows. A writer may be at work: its unfinished batch is the end of the events,
// and the reader continues in a segment that the writer begins. A segment that is compacted away is read to its end if
// it is open already; otherwise the read throws EventsCompactedError.

import { EventsCompactedError, JournalCorruptError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import { throwIfAborted } from "../../core/values/abort-signal.js";
import { type Batch, eventsIn } from "./batch.js";
import { type Disk, isMissing } from "./disk.js";
import { cutOffInTheMiddle } from "./journal-end.js";
import type { Places } from "./places.js";
import { type ScanEnd, SegmentScan } from "./scan.js";
import { listSegments, type Segment } from "./segment.js";

/** The parameters of `readJournal`. */
export interface JournalReading {
  /** The port to the file system. */
  readonly disk: Disk;
  /** The directory of the store. */
  readonly directory: string;
  /** The first `seq` to read; default: the oldest event. */
  readonly from?: number | undefined;
  /** Aborts the read, which then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** The places that the store knows. */
  readonly places: Places;
  /** Resolves with the last `seq` that the snapshot covers, 0 without a snapshot. */
  readonly snapshotSeq: () => Promise<number>;
  /** Turns a system error into an error of the store. */
  readonly toError: (error: unknown) => unknown;
}

/** Yields the events in order, in lists. */
export async function* readJournal(reading: JournalReading): AsyncGenerator<readonly TaskEvent[], void, undefined> {
  const { disk, directory, signal, places, toError } = reading;
  try {
    throwIfAborted(signal);
    let segment = await firstSegment(reading);
    let wanted = reading.from ?? segment?.firstSeq ?? 1;
    // Whether the reader must not skip events before `wanted`: the caller asked for them, or has read the event before.
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
        let scan = await scanFrom(reading, fd, current, wanted);
        let isSecondLook = false;
        for (;;) {
          throwIfAborted(signal);
          let found: Batch | ScanEnd;
          try {
            found = await scan.next();
          } catch (error) {
            // The disk may have refused a batch after it was read. The writer then cut it off and wrote it again with
            // later events.
            if (isSecondLook || !(error instanceof JournalCorruptError)) throw error;
            isSecondLook = true;
            scan = new SegmentScan(disk, fd, current);
            continue;
          }
          if ("ends" in found) {
            places.add(current.firstSeq, scan.place);
            for (const { events, broken } of eventsIn(found, Math.max(0, wanted - found.seq))) {
              throwIfAborted(signal);
              const last = events.at(-1);
              if (last !== undefined) {
                wanted = last.seq + 1;
                mustFollow = true;
                isSecondLook = false;
                yield events;
              }
              if (broken !== undefined) throw scan.notAnEvent(found, broken);
            }
            continue;
          }
          if (next !== undefined) {
            // The next segment existed before this end was read, so no process writes to this segment now.
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
    throw toError(error);
  }
}

/** Finds the segment with the first wanted event. */
async function firstSegment({ disk, directory, from, snapshotSeq }: JournalReading): Promise<Segment | undefined> {
  const segments = await listSegments(disk, directory);
  if (from === undefined) return segments[0];
  const oldest = segments[0]?.firstSeq ?? (await snapshotSeq()) + 1;
  if (from < oldest) throw new EventsCompactedError(from, oldest);
  return segments.findLast(({ firstSeq }) => firstSeq <= from);
}

/** Opens a segment. Resolves with `undefined` if it was compacted away and the reader may skip its events. */
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

/** Begins a scan of the segment at the nearest known place before the event `wanted`, or at the beginning. */
async function scanFrom(
  { disk, places }: JournalReading,
  fd: number,
  segment: Segment,
  wanted: number,
): Promise<SegmentScan> {
  for (;;) {
    const scan = new SegmentScan(disk, fd, segment);
    const place = places.before(segment.firstSeq, wanted);
    if (place === undefined || (await scan.seek(place))) return scan;
    places.forget(segment.firstSeq, place);
  }
}

/** Finds the next segment. A newest segment without a whole header does not count yet. */
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

/** Throws if events between two segments are missing and the snapshot does not cover them. */
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

/** The error for a segment before which events are missing, or which repeats events. */
export function missing(segment: Segment, from: number, to: number): JournalCorruptError {
  const why =
    to < from
      ? `events from ${segment.firstSeq} on are here twice`
      : `the events ${from} to ${to} before it are missing`;
  return new JournalCorruptError(segment.file, 1, 0, why);
}
