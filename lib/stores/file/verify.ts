// Verify: reads everything a directory has, and says how it is. Changes nothing, takes no lock.
//
// A journal that is broken is not opened; an output that is lost costs itself alone, so the two are reported apart (D2). Only what snapshot and journal
// refer to counts: another file in `results/` is no output of a task.

import path from "node:path";
import { isApart } from "../../core/durable/large-outputs.js";
import type { TornTail } from "../../core/durable/store.js";
import { tasksApartIn } from "../../core/recovery/snapshot.js";
import { isErrandError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import { lineOf, readEvent } from "./batch.js";
import type { Disk } from "./disk.js";
import { cutOffInTheMiddle } from "./journal-end.js";
import { missing } from "./journal-reader.js";
import { Results } from "./results.js";
import { SegmentScan } from "./scan.js";
import { listSegments, type Segment } from "./segment.js";
import { readSnapshotBeside } from "./snapshot-file.js";

/** What was found in one file of the journal. */
export interface VerifiedSegment {
  readonly file: string;
  /** The `seq` of its first event, and of the last whole one; `firstSeq - 1` when it has none. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** How many whole ones there are. */
  readonly batches: number;
  readonly events: number;
  /** How many bytes hold, header and all. */
  readonly bytes: number;
}

/** An output that snapshot or journal refers to, and that is not there, not whole, or cannot be read. */
export interface LostOutputFile {
  readonly taskId: string;
  readonly file: string;
  readonly why: string;
}

/** What was found in a directory. */
export interface Verified {
  /** Nothing is broken, and no output is lost. A torn tail is no breach: the next writer cuts it off, and no caller had its contents confirmed. */
  readonly ok: boolean;
  /** Oldest first, up to what is broken. */
  readonly segments: readonly VerifiedSegment[];
  /** Up to where the snapshot stands for the events; absent when there is none. */
  readonly snapshotSeq?: number;
  /** The `seq` of the oldest event that can be read, and of the newest, which is `firstSeq - 1` when there is none. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Sums over the segments. */
  readonly events: number;
  readonly bytes: number;
  /** How many outputs are kept in files of their own, and are whole. */
  readonly outputs: number;
  /** The outputs that are lost: the store opens without them. Empty where something is broken: the outputs were not looked at. */
  readonly lostOutputs: readonly LostOutputFile[];
  /** The snapshot is broken, and the journal has all that it stood for: the store opens, and the next snapshot replaces it. */
  readonly brokenSnapshot?: { readonly file: string; readonly why: string };
  /** A batch that was cut short, or is being written now. */
  readonly torn?: TornTail;
  /** The first thing that is broken: nothing behind it was looked at. `line` is from 1 on, `byte` of the beginning of that line from 0 on. */
  readonly broken?: { readonly file: string; readonly line: number; readonly byte: number; readonly why: string };
}

export async function verify(disk: Disk, directory: string): Promise<Verified> {
  const place = path.resolve(directory);
  const segments: VerifiedSegment[] = [];
  const found: { -readonly [K in "snapshotSeq" | "torn" | "broken" | "brokenSnapshot"]?: Verified[K] } = {};
  const lostOutputs: LostOutputFile[] = [];
  let outputs = 0;
  try {
    const { snapshot, broken } = await readSnapshotBeside(disk, place);
    if (broken !== undefined) found.brokenSnapshot = { file: broken.file, why: broken.why };
    if (snapshot !== undefined) found.snapshotSeq = snapshot.seq;
    const apart = new Set(snapshot === undefined ? [] : tasksApartIn(snapshot.value));
    const torn = await verifyJournal(disk, place, snapshot?.seq ?? 0, segments, apart);
    if (torn !== undefined) found.torn = torn;
    const results = new Results(disk, place);
    const whole = await results.whole();
    outputs = whole.size;
    for (const taskId of apart) {
      if (!whole.has(taskId)) lostOutputs.push(await whyLost(results, taskId));
    }
  } catch (error) {
    if (!isErrandError(error, "JOURNAL_CORRUPT")) throw error;
    const { file, line, byte, why } = error;
    found.broken = { file, line, byte, why };
  }
  const firstSeq = segments[0]?.firstSeq ?? (found.snapshotSeq ?? 0) + 1;
  return {
    ok: found.broken === undefined && found.brokenSnapshot === undefined && lostOutputs.length === 0,
    segments,
    firstSeq,
    lastSeq: segments.at(-1)?.lastSeq ?? firstSeq - 1,
    events: sum(segments, ({ events }) => events),
    bytes: sum(segments, ({ bytes }) => bytes),
    outputs,
    lostOutputs,
    ...found,
  };
}

async function whyLost(results: Results, taskId: string): Promise<LostOutputFile> {
  try {
    await results.get(taskId);
    return { taskId, file: results.fileOf(taskId), why: "it is not there" };
  } catch (error) {
    if (!isErrandError(error, "JOURNAL_CORRUPT")) throw error;
    return { taskId, file: error.file, why: error.why };
  }
}

/** Tells each segment to `verified`, each task whose output is by itself to `apart`, and gives the torn end. */
async function verifyJournal(
  disk: Disk,
  directory: string,
  snapshotSeq: number,
  verified: VerifiedSegment[],
  apart: Set<string>,
): Promise<TornTail | undefined> {
  const segments = await listSegments(disk, directory);
  let seq = snapshotSeq + 1;
  for (const [index, segment] of segments.entries()) {
    const isFollowed = index < segments.length - 1;
    // A snapshot stands for what is missing before a segment.
    if (segment.firstSeq > seq && segment.firstSeq > snapshotSeq + 1) throw missing(segment, seq, segment.firstSeq - 1);
    if (index > 0 && segment.firstSeq < seq) throw missing(segment, seq, segment.firstSeq - 1);
    const { whole, torn, hasHeader } = await verifySegment(disk, segment, (event) => {
      // A task of the snapshot may have been evicted since.
      if (event.seq > snapshotSeq && isApart(event)) apart.add(event.taskId);
    });
    const isCut = torn !== undefined || !hasHeader;
    // Nor may the last but one be cut off when the last one was being made.
    if (isCut && isFollowed) throw cutOffInTheMiddle(segment, torn);
    if (hasHeader) verified.push(whole);
    if (isCut) return torn ?? { file: segment.file, line: 1, byte: 0, bytes: 0 };
    seq = whole.lastSeq + 1;
  }
  return undefined;
}

async function verifySegment(
  disk: Disk,
  segment: Segment,
  hear: (event: TaskEvent) => void,
): Promise<{ whole: VerifiedSegment; torn: TornTail | undefined; hasHeader: boolean }> {
  const { file, firstSeq } = segment;
  const fd = await disk.open(file, "read");
  try {
    const scan = new SegmentScan(disk, fd, segment);
    for (let batches = 0; ; batches++) {
      const found = await scan.next();
      if ("ends" in found) {
        for (const index of found.ends.keys()) {
          const event = readEvent(lineOf(found, index), found.seq + index);
          if (event === undefined) throw scan.notAnEvent(found, index);
          hear(event);
        }
        continue;
      }
      const { line, byte, seq, hasHeader } = scan;
      const whole = { file, firstSeq, lastSeq: seq - 1, batches, events: seq - firstSeq, bytes: byte };
      return { whole, torn: found.tornBytes > 0 ? { file, line, byte, bytes: found.tornBytes } : undefined, hasHeader };
    }
  } finally {
    await disk.close(fd);
  }
}

function sum(segments: readonly VerifiedSegment[], of: (segment: VerifiedSegment) => number): number {
  return segments.reduce((total, segment) => total + of(segment), 0);
}
