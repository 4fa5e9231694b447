// Segment: one file of the journal, `events.<seq of its first event>.jsonl`.
//
// The first line is a header with a checksum, and batches follow. The order of the names is the order of the segments,
// and no events are missing between two segments, unless the snapshot covers them.

import path from "node:path";
import { crc32 } from "node:zlib";
import { checksumField } from "./checksum.js";
import type { Disk } from "./disk.js";

const VERSION = 1;
const NAME = /^events\.(\d{16})\.jsonl$/;

/** One file of the journal. */
export interface Segment {
  /** The path of the file. */
  readonly file: string;
  /** The `seq` of the first event, whether that event is written yet or not. */
  readonly firstSeq: number;
}

/** Returns the segment that begins with this event. */
export function segmentAt(directory: string, firstSeq: number): Segment {
  return { file: path.join(directory, `events.${String(firstSeq).padStart(16, "0")}.jsonl`), firstSeq };
}

/** Lists the segments of a directory, oldest first. */
export async function listSegments(disk: Disk, directory: string): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const name of await disk.list(directory)) {
    const firstSeq = NAME.exec(name)?.[1];
    if (firstSeq !== undefined) segments.push({ file: path.join(directory, name), firstSeq: Number(firstSeq) });
  }
  return segments.sort((one, other) => one.firstSeq - other.firstSeq);
}

/** Returns the bytes of the first line of a segment. */
export function headerOf(firstSeq: number): Buffer {
  const fields = JSON.stringify({ errand: "journal", version: VERSION, firstSeq }).slice(0, -1);
  return Buffer.from(fields + checksumField(crc32(fields)));
}

const HEADER = /^{"errand":"journal","version":(\d+)(?:,"firstSeq":(\d+))?\b/;

/** Describes what is wrong with the first line of a segment; `undefined` if it is the right header. */
export function whyNoHeader(line: string, firstSeq: number): string | undefined {
  const [, version, seq] = HEADER.exec(line) ?? [];
  if (version === undefined) return "this is no header of a journal";
  if (Number(version) !== VERSION) return `a journal of version ${version}; this errand reads version ${VERSION}`;
  return Number(seq) === firstSeq
    ? undefined
    : `the header says the first event is ${seq}, and the file's name ${firstSeq}`;
}
