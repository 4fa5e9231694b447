// Scan: reads one segment from its beginning, or from a place that is known, a batch at a time.
//
// Holds one batch and the bytes that were read beyond it. Returns a batch if its checksum is right. At the end of the
// file it reports whether the end is clean or torn. Bytes that no crash can leave are a JournalCorruptError. The caller
// decides whether a torn end is allowed: only the newest segment may have one.

import { JournalCorruptError } from "../../core/task/errors.js";
import { type Batch, beginOf, countIn, lineOf } from "./batch.js";
import { CHECKSUM_LENGTH, hasValidChecksum, readChecksum } from "./checksum.js";
import type { Disk } from "./disk.js";
import type { Place } from "./places.js";
import { type Segment, whyNoHeader } from "./segment.js";
import { brokenLine, isCutShort, isZeroed } from "./torn-tail.js";

/** The number of bytes of the first read, and of the longest: a scan of a whole segment reads longer pieces. */
const FIRST_CHUNK = 64 * 1024;
const LONGEST_CHUNK = 512 * 1024;
const LINE_FEED = "\n".charCodeAt(0);

/** The end of a file. `tornBytes` is the number of bytes after the last whole batch. */
export interface ScanEnd {
  /** The number of bytes that are not a whole batch; 0 if the end is clean. */
  readonly tornBytes: number;
}

/** Reads the batches of one open segment. */
export class SegmentScan {
  readonly #disk: Disk;
  readonly #fd: number;
  readonly #segment: Segment;
  /** The bytes that were read and not returned yet. They begin at `#byte`. */
  #buffer: Buffer = Buffer.alloc(0);
  /** The ends of the lines found in `#buffer`. `#searched` is the offset at which the search continues. */
  #ends: number[] = [];
  #searched = 0;
  #chunk = FIRST_CHUNK;
  #line = 1;
  #byte = 0;
  #seq: number;
  #hasHeader = false;
  /** The checksum of the batch before this place. */
  #crc = 0;

  constructor(disk: Disk, fd: number, segment: Segment) {
    this.#disk = disk;
    this.#fd = fd;
    this.#segment = segment;
    this.#seq = segment.firstSeq;
  }

  /** The line at which the next batch begins, from 1 on. */
  get line(): number {
    return this.#line;
  }
  /** The offset at which the next batch begins, from 0 on. */
  get byte(): number {
    return this.#byte;
  }
  /** The `seq` of the next event. */
  get seq(): number {
    return this.#seq;
  }
  /** Whether the header was read as a whole. */
  get hasHeader(): boolean {
    return this.#hasHeader;
  }

  /** The end of the batch that `next` has returned last. */
  get place(): Place {
    return { byte: this.#byte, seq: this.#seq, crc: this.#crc };
  }

  /**
   * Continues at `place`, if the file still has the end of that batch there. Called before the first `next`; returns
   * `false` when the scan begins at the beginning.
   */
  async seek({ byte, seq, crc }: Place): Promise<boolean> {
    const before = CHECKSUM_LENGTH + 1;
    const chunk = Buffer.allocUnsafe(FIRST_CHUNK);
    const bytes = await this.#disk.read(this.#fd, chunk, byte - before);
    if (bytes < before || chunk[before - 1] !== LINE_FEED || readChecksum(chunk, before - 1) !== crc) return false;
    this.#buffer = chunk.subarray(before, bytes);
    this.#byte = byte;
    this.#seq = seq;
    // The header is the first line, and each event has one line.
    this.#line = seq - this.#segment.firstSeq + 2;
    this.#crc = crc;
    this.#hasHeader = true;
    return true;
  }

  /**
   * Returns the next batch, or the end of the file. A call after the end reads again, because the file may have grown.
   */
  async next(): Promise<Batch | ScanEnd> {
    for (;;) {
      const batch = this.#nextBuffered();
      if (batch === undefined) {
        if (await this.#fill()) continue;
        const end = await this.#end();
        if (end !== undefined) return end;
      } else if (hasValidChecksum(batch.bytes, batch.bytes.length - 1)) {
        this.#checkWhole(batch);
        if (this.#advance(batch)) return batch;
      } else {
        const isLast = this.#buffer.length === batch.bytes.length && !(await this.#fill());
        if (isLast && isZeroed(batch.bytes, batch.byte)) {
          this.#clearBuffer();
          return { tornBytes: batch.bytes.length };
        }
        await this.#throwIfStill(batch, "what stands here is not what its checksum says");
        this.#clearBuffer();
      }
    }
  }

  /** Takes the bytes up to the next checksum, right or wrong; `undefined` if there is none in `#buffer`. */
  #nextBuffered(): Batch | undefined {
    const buffer = this.#buffer;
    for (;;) {
      const end = buffer.indexOf(LINE_FEED, this.#searched);
      if (end < 0) {
        this.#searched = buffer.length;
        return undefined;
      }
      this.#searched = end + 1;
      this.#ends.push(end);
      if (readChecksum(buffer, end) === undefined) continue;
      const bytes = buffer.subarray(0, end + 1);
      return { bytes, ends: this.#ends, line: this.#line, byte: this.#byte, seq: this.#seq };
    }
  }

  /** Moves to the next batch. Returns false if the batch was the header. */
  #advance({ bytes, ends }: Batch): boolean {
    const isEvents = this.#hasHeader;
    this.#hasHeader = true;
    this.#crc = readChecksum(bytes, bytes.length - 1) ?? 0;
    this.#buffer = this.#buffer.subarray(bytes.length);
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
    const count = countIn(bytes, ends.length === 1 ? bytes.length - 1 - CHECKSUM_LENGTH : (ends[0] ?? 0));
    if (count === ends.length) return undefined;
    return `a batch of ${ends.length} lines begins here, and says it has ${count ?? "no number of them"}`;
  }

  /** Reads more bytes. Returns false at the end of the file. */
  async #fill(): Promise<boolean> {
    // A batch that is longer than `#buffer` is read in steps that double, so that its bytes are not copied too often.
    const chunk = Buffer.allocUnsafe(Math.max(this.#chunk, this.#buffer.length));
    this.#chunk = Math.min(2 * this.#chunk, LONGEST_CHUNK);
    const bytes = await this.#disk.read(this.#fd, chunk, this.#byte + this.#buffer.length);
    if (bytes === 0) return false;
    this.#buffer = Buffer.concat([this.#buffer, chunk.subarray(0, bytes)]);
    return true;
  }

  /** Describes the end of the file; `undefined` if the file has changed meanwhile and must be read again. */
  async #end(): Promise<ScanEnd | undefined> {
    const rest = { bytes: this.#buffer, ends: this.#ends, line: this.#line, byte: this.#byte, seq: this.#seq };
    const isTorn = isZeroed(rest.bytes, rest.byte) || isCutShort(rest, !this.#hasHeader);
    if (!isTorn) await this.#throwIfStill(rest, "this is neither a whole batch nor the beginning of one");
    // The bytes are read again at the next call: a writer may have cut them off and written others.
    this.#clearBuffer();
    return isTorn ? { tornBytes: rest.bytes.length } : undefined;
  }

  #clearBuffer(): void {
    this.#buffer = Buffer.alloc(0);
    this.#ends = [];
    this.#searched = 0;
  }

  /**
   * Throws the error if the file still has these bytes. While a writer replaces a batch, a read may return parts of
   * both.
   */
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

  /** The error for a line whose checksum is right, but which is not the expected event. */
  notAnEvent({ line, byte, seq, ends }: Batch, index: number): JournalCorruptError {
    return this.#corrupt(line + index, byte + beginOf(ends, index), `this is not event ${seq + index}`);
  }

  #corrupt(line: number, byte: number, why: string): JournalCorruptError {
    return new JournalCorruptError(this.#segment.file, line, byte, why);
  }
}
