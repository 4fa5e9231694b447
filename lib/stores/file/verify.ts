// Verify: reads all files of a directory and describes their state. Changes nothing, and takes no lock.
//
// A store with a broken journal does not open, and a lost output affects one task only, so the two are reported
// separately (D2). Only outputs count to which the snapshot or the journal refers: other files in `results/` are
// ignored.

import path from "node:path";
import { isApart } from "../../core/durable/large-outputs.js";
import type { TornTail } from "../../core/durable/store.js";
import { tasksApartIn } from "../../core/recovery/snapshot.js";
import { isErrandError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import { eventsIn } from "./batch.js";
import type { Disk } from "./disk.js";
import { cutOffInTheMiddle } from "./journal-end.js";
import { missing } from "./journal-reader.js";
import { Results } from "./results.js";
import { SegmentScan } from "./scan.js";
import { listSegments, type Segment } from "./segment.js";
import { readSnapshotBeside } from "./snapshot-file.js";

/** The state of one file of the journal. */
export interface VerifiedSegment {
  /** The path of the file. */
  readonly file: string;
  /** The `seq` of the first event. */
  readonly firstSeq: number;
  /** The `seq` of the last whole event; `firstSeq - 1` if there is none. */
  readonly lastSeq: number;
  /** The number of whole batches. */
  readonly batches: number;
  /** The number of whole events. */
  readonly events: number;
  /** The number of valid bytes, with the header. */
  readonly bytes: number;
}

/** An output to which the snapshot or the journal refers, but whose file is missing, broken or unreadable. */
export interface LostOutputFile {
  /** The id of the task. */
  readonly taskId: string;
  /** The path at which the output should be. */
  readonly file: string;
  /** A description of the fault. */
  readonly why: string;
}

/** The state of a store's directory. */
export interface Verified {
  /**
   * Whether nothing is broken and no output is lost. A torn tail is allowed: its events were never confirmed, and the
   * next writer cuts it off.
   */
  readonly ok: boolean;
  /** The segments up to the first fault, oldest first. */
  readonly segments: readonly VerifiedSegment[];
  /** The last `seq` that the snapshot covers; absent without a snapshot. */
  readonly snapshotSeq?: number;
  /** The `seq` of the oldest readable event. */
  readonly firstSeq: number;
  /** The `seq` of the newest readable event; `firstSeq - 1` if there is none. */
  readonly lastSeq: number;
  /** The number of events in all `segments`. */
  readonly events: number;
  /** The number of valid bytes in all `segments`. */
  readonly bytes: number;
  /** The number of whole outputs that have their own file. */
  readonly outputs: number;
  /**
   * The outputs that are lost. The store opens without them. Empty if `broken` is set, because the outputs were not
   * checked.
   */
  readonly lostOutputs: readonly LostOutputFile[];
  /**
   * The fault of a snapshot that is broken but not needed, because the journal has all events. The store opens, and the
   * next snapshot replaces this one.
   */
  readonly brokenSnapshot?: {
    /** The path of the snapshot. */
    readonly file: string;
    /** A description of the fault. */
    readonly why: string;
  };
  /** The bytes of a batch that was cut short, or that a writer is writing now. */
  readonly torn?: TornTail;
  /** The first fault, at which the check stopped. */
  readonly broken?: {
    /** The path of the broken file. */
    readonly file: string;
    /** The number of the broken line, from 1. */
    readonly line: number;
    /** The place of the first byte of that line, from 0. */
    readonly byte: number;
    /** A description of the fault. */
    readonly why: string;
  };
}

/** Checks the directory of a store. Faults are part of the result; the call rejects only if the disk refuses. */
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
    const whole = await results.intactTasks();
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

/** Adds each segment to `verified`, and each task with an output in its own file to `apart`. Returns the torn tail. */
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
    // Events that are missing before a segment are allowed if the snapshot covers them.
    if (segment.firstSeq > seq && segment.firstSeq > snapshotSeq + 1) throw missing(segment, seq, segment.firstSeq - 1);
    if (index > 0 && segment.firstSeq < seq) throw missing(segment, seq, segment.firstSeq - 1);
    const { whole, torn, hasHeader } = await verifySegment(disk, segment, (event) => {
      // The task of an event that the snapshot covers may have been evicted since.
      if (event.seq > snapshotSeq && isApart(event)) apart.add(event.taskId);
    });
    const isCut = torn !== undefined || !hasHeader;
    // A segment before another one must not be torn, even if that other segment has no header yet.
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
  onEvent: (event: TaskEvent) => void,
): Promise<{ whole: VerifiedSegment; torn: TornTail | undefined; hasHeader: boolean }> {
  const { file, firstSeq } = segment;
  const fd = await disk.open(file, "read");
  try {
    const scan = new SegmentScan(disk, fd, segment);
    for (let batches = 0; ; batches++) {
      const found = await scan.next();
      if ("ends" in found) {
        for (const { events, broken } of eventsIn(found, 0)) {
          for (const event of events) onEvent(event);
          if (broken !== undefined) throw scan.notAnEvent(found, broken);
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
