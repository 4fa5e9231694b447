// Segment: one file of the journal, `events.<seq of its first event>.jsonl`.
//
// Its first line is a header, marked like a batch; batches follow. Segments are in the order of their names, without a gap.

import path from "node:path";
import { crc32 } from "node:zlib";
import { markOf } from "./checksum.js";
import type { Disk } from "./disk.js";

const VERSION = 1;
const NAME = /^events\.(\d{16})\.jsonl$/;

export interface Segment {
  readonly file: string;
  /** The `seq` of its first event, written or not. */
  readonly firstSeq: number;
}

export function segmentAt(directory: string, firstSeq: number): Segment {
  return { file: path.join(directory, `events.${String(firstSeq).padStart(16, "0")}.jsonl`), firstSeq };
}

/** Oldest first. */
export async function listSegments(disk: Disk, directory: string): Promise<Segment[]> {
  const segments: Segment[] = [];
  for (const name of await disk.list(directory)) {
    const firstSeq = NAME.exec(name)?.[1];
    if (firstSeq !== undefined) segments.push({ file: path.join(directory, name), firstSeq: Number(firstSeq) });
  }
  return segments.sort((one, other) => one.firstSeq - other.firstSeq);
}

export function headerOf(firstSeq: number): Buffer {
  const fields = JSON.stringify({ errand: "journal", version: VERSION, firstSeq }).slice(0, -1);
  return Buffer.from(fields + markOf(crc32(fields)));
}

const HEADER = /^{"errand":"journal","version":(\d+)(?:,"firstSeq":(\d+))?\b/;

/** What is wrong with a first line; `undefined` when it is the header of this segment. */
export function whyNoHeader(line: string, firstSeq: number): string | undefined {
  const [, version, seq] = HEADER.exec(line) ?? [];
  if (version === undefined) return "this is no header of a journal";
  if (Number(version) !== VERSION) return `a journal of version ${version}; this errand reads version ${VERSION}`;
  return Number(seq) === firstSeq
    ? undefined
    : `the header says the first event is ${seq}, and the file's name ${firstSeq}`;
}
