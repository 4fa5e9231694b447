// Scan: reads one segment from its beginning, a batch at a time.
//
// Holds one batch and what was read beyond it. Gives a batch when its mark is right, and at the end of the file says how that is: clean,
// or torn. What cannot be the work of a crash is a JournalCorruptError; whether a torn end is one, the caller knows: only the newest
// segment may have one.

import { JournalCorruptError } from "../../core/task/errors.js";
import { type Batch, beginOf, countIn, lineOf } from "./batch.js";
import { isMarked, MARK_LENGTH, readMark } from "./checksum.js";
import type { Disk } from "./disk.js";
import { type Segment, whyNoHeader } from "./segment.js";
import { brokenLine, isCutShort, isZeroed } from "./torn-tail.js";

/** How much is read at once. */
const CHUNK = 64 * 1024;
const LINE_FEED = "\n".charCodeAt(0);

/** How a file ends: with a whole batch, or with `tornBytes` that are none. */
export interface ScanEnd {
  readonly tornBytes: number;
}

export class SegmentScan {
  readonly #disk: Disk;
  readonly #fd: number;
  readonly #segment: Segment;
  /** What was read and not given; it begins at `byte`. */
  #held: Buffer = Buffer.alloc(0);
  /** The ends of lines in it that were found, and where the search goes on. */
  #ends: number[] = [];
  #searched = 0;
  #line = 1;
  #byte = 0;
  #seq: number;
  #hasHeader = false;

  constructor(disk: Disk, fd: number, segment: Segment) {
    this.#disk = disk;
    this.#fd = fd;
    this.#segment = segment;
    this.#seq = segment.firstSeq;
  }

  /** Where the next batch begins. */
  get line(): number {
    return this.#line;
  }
  get byte(): number {
    return this.#byte;
  }
  /** Of the next event. */
  get seq(): number {
    return this.#seq;
  }
  /** Whether the header was read whole. */
  get hasHeader(): boolean {
    return this.#hasHeader;
  }

  /** The next batch, or how the file ends; asked again after the end, it looks whether there is more. */
  async next(): Promise<Batch | ScanEnd> {
    for (;;) {
      const batch = this.#nextHeld();
      if (batch === undefined) {
        if (await this.#fill()) continue;
        const end = await this.#end();
        if (end !== undefined) return end;
      } else if (isMarked(batch.bytes, batch.bytes.length - 1)) {
        this.#checkWhole(batch);
        if (this.#take(batch)) return batch;
      } else {
        const isLast = this.#held.length === batch.bytes.length && !(await this.#fill());
        if (isLast && isZeroed(batch.bytes, batch.byte)) {
          this.#forget();
          return { tornBytes: batch.bytes.length };
        }
        await this.#throwIfStill(batch, "what stands here is not what its checksum says");
        this.#forget();
      }
    }
  }

  /** What is held up to the next mark, right or wrong. */
  #nextHeld(): Batch | undefined {
    const held = this.#held;
    for (;;) {
      const end = held.indexOf(LINE_FEED, this.#searched);
      if (end < 0) {
        this.#searched = held.length;
        return undefined;
      }
      this.#searched = end + 1;
      this.#ends.push(end);
      if (readMark(held, end) === undefined) continue;
      const bytes = held.subarray(0, end + 1);
      return { bytes, ends: this.#ends, line: this.#line, byte: this.#byte, seq: this.#seq };
    }
  }

  /** Moves behind the batch. False: it was the header. */
  #take({ bytes, ends }: Batch): boolean {
    const isEvents = this.#hasHeader;
    this.#hasHeader = true;
    this.#held = this.#held.subarray(bytes.length);
    this.#ends = [];
    this.#searched = 0;
    this.#line += ends.length;
    this.#byte += bytes.length;
    if (isEvents) this.#seq += ends.length;
    return isEvents;
  }

  #checkWhole(batch: Batch): void {
    const why = this.#hasHeader ? this.#whyNoBatch(batch) : whyNoHeader(lineOf(batch, 0), this.#segment.firstSeq);
    if (why !== undefined) throw this.#corrupt(batch.line, batch.byte, why);
  }

  #whyNoBatch({ bytes, ends }: Batch): string | undefined {
    const count = countIn(bytes, ends.length === 1 ? bytes.length - 1 - MARK_LENGTH : (ends[0] ?? 0));
    if (count === ends.length) return undefined;
    return `a batch of ${ends.length} lines begins here, and says it has ${count ?? "no number of them"}`;
  }

  /** False at the end of the file. */
  async #fill(): Promise<boolean> {
    // A batch that is longer than what is held is read in steps that double, so that it is not copied over and over.
    const chunk = Buffer.allocUnsafe(Math.max(CHUNK, this.#held.length));
    const bytes = await this.#disk.read(this.#fd, chunk, this.#byte + this.#held.length);
    if (bytes === 0) return false;
    this.#held = Buffer.concat([this.#held, chunk.subarray(0, bytes)]);
    return true;
  }

  /** How the file ends, when nothing more is to be read. `undefined`: it has changed since; read on. */
  async #end(): Promise<ScanEnd | undefined> {
    const rest = { bytes: this.#held, ends: this.#ends, line: this.#line, byte: this.#byte, seq: this.#seq };
    const isTorn = isZeroed(rest.bytes, rest.byte) || isCutShort(rest, !this.#hasHeader);
    if (!isTorn) await this.#throwIfStill(rest, "this is neither a whole batch nor the beginning of one");
    // When asked again, it is read again: a writer may have cut it off and have written something else.
    this.#forget();
    return isTorn ? { tornBytes: rest.bytes.length } : undefined;
  }

  #forget(): void {
    this.#held = Buffer.alloc(0);
    this.#ends = [];
    this.#searched = 0;
  }

  /** What was read while a writer cut off a batch and wrote another is of both: only what stays so is broken. */
  async #throwIfStill(rest: Batch, why: string): Promise<void> {
    const again = Buffer.allocUnsafe(rest.bytes.length);
    let length = 0;
    while (length < again.length) {
      const bytes = await this.#disk.read(this.#fd, again.subarray(length), this.#byte + length);
      if (bytes === 0) return;
      length += bytes;
    }
    if (!again.equals(rest.bytes)) return;
    if (!this.#hasHeader) {
      const header = rest.bytes.toString("utf8", 0, rest.ends[0]);
      throw this.#corrupt(rest.line, rest.byte, whyNoHeader(header, this.#segment.firstSeq) ?? why);
    }
    const index = brokenLine(rest) ?? 0;
    throw this.#corrupt(rest.line + index, rest.byte + beginOf(rest.ends, index), why);
  }

  /** For a line whose mark is right, but which is not the event it should be. */
  notAnEvent({ line, byte, seq, ends }: Batch, index: number): JournalCorruptError {
    return this.#corrupt(line + index, byte + beginOf(ends, index), `this is not event ${seq + index}`);
  }

  #corrupt(line: number, byte: number, why: string): JournalCorruptError {
    return new JournalCorruptError(this.#segment.file, line, byte, why);
  }
}
