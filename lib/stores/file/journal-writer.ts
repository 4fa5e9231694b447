// Journal writer: appends one batch at a time, and deletes old segments.
//
// Owns the open file of the newest segment and the number of its valid bytes. After a failed write the file is cut back
// to its valid bytes: at once if possible, and always before the next write. After a failed fsync the content of the
// page cache is not trusted: the batch is written again.

import type { TaskEvent } from "../../core/task/events.js";
import { BatchEncoder } from "./batch.js";
import { DeletedError, type Disk, isMissing, writeAll } from "./disk.js";
import type { JournalEnd } from "./journal-end.js";
import type { Places } from "./places.js";
import { headerOf, type Segment, segmentAt } from "./segment.js";

/** The only writer of a journal. The caller holds the lock and calls one `append` at a time. */
export class JournalWriter {
  readonly #disk: Disk;
  readonly #directory: string;
  /** The size, in bytes, from which on the next batch begins a new segment. */
  readonly #segmentBytes: number;
  /** Where the batches end that were written: readers of the same store begin there. */
  readonly #places: Places;
  readonly #encoder = new BatchEncoder();
  /** The segments, oldest first. The last one is written. */
  readonly #segments: Segment[];
  #lastSeq: number;
  #bytes: number;
  #fd: number | undefined;
  /** Whether the file may have bytes after `#bytes`, or a segment was made without a whole header. */
  #isTorn: boolean;
  #debris: string | undefined;

  constructor(disk: Disk, directory: string, end: JournalEnd, segmentBytes: number, places: Places) {
    this.#disk = disk;
    this.#places = places;
    this.#segmentBytes = segmentBytes;
    this.#directory = directory;
    this.#segments = [...end.segments];
    this.#lastSeq = end.lastSeq;
    this.#bytes = end.bytes;
    this.#isTorn = end.torn !== undefined;
    this.#debris = end.debris?.file;
  }

  /** The `seq` of the last event; 0 if there was none. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Whether the newest segment was deleted; without a segment, whether the directory was deleted. */
  get isDeleted(): boolean {
    if (this.#fd !== undefined) return this.#disk.links(this.#fd) === 0;
    return this.#disk.idAt(this.#segments.at(-1)?.file ?? this.#directory) === undefined;
  }

  /**
   * Writes the events as one batch and resolves when it is durable. `covered` is the last `seq` of the snapshot: the
   * batch may leave out events that the snapshot covers. Rejects with the error of the disk, or with a `RangeError` if
   * the events do not follow.
   */
  async append(events: readonly TaskEvent[], covered: number): Promise<void> {
    const [first] = events;
    if (first === undefined) return;
    this.#checkFollows(events, first.seq, covered);
    if (this.#isTorn) await this.#mend();
    const isNext = first.seq === this.#lastSeq + 1;
    if (this.#segments.length === 0 || !isNext || this.#bytes >= this.#segmentBytes)
      await this.#begin(first.seq, isNext);
    const fd = (this.#fd ??= await this.#disk.open(this.#newest().file, "change"));
    try {
      let end = this.#bytes;
      for (const bytes of this.#encoder.encode(events)) {
        const length = bytes.length;
        await writeAll(this.#disk, fd, bytes, end);
        end += length;
      }
      await this.#disk.sync(fd);
      if (this.#disk.links(fd) === 0) throw new DeletedError(`${this.#newest().file} was deleted`);
      this.#bytes = end;
      this.#lastSeq += events.length;
      this.#places.add(this.#newest().firstSeq, { byte: end, seq: this.#lastSeq + 1, crc: this.#encoder.crc });
    } catch (error) {
      this.#isTorn = true;
      if (!isMissing(error)) await this.#mend().catch(() => undefined);
      throw error;
    }
  }

  #checkFollows(events: readonly TaskEvent[], first: number, covered: number): void {
    const { length } = this.#segments;
    if (length === 0 || first !== this.#lastSeq + 1) {
      if (first > covered + 1 || first <= this.#lastSeq)
        throw new RangeError(
          `Event ${first} does not follow event ${Math.max(this.#lastSeq, covered)}: append events in order, without a gap`,
        );
    }
    for (let index = 1; index < events.length; index++) {
      if (events[index]?.seq !== first + index)
        throw new RangeError(
          `Event ${events[index]?.seq} does not follow event ${first + index - 1}: append events in order, without a gap`,
        );
    }
  }

  #newest(): Segment {
    const newest = this.#segments.at(-1);
    if (newest === undefined) throw new Error("There is no segment yet");
    return newest;
  }

  /** Removes bytes and files that are not part of the journal. */
  async #mend(): Promise<void> {
    if (this.#debris !== undefined) await this.#disk.remove(this.#debris);
    this.#debris = undefined;
    if (this.#segments.length > 0) {
      const fd = (this.#fd ??= await this.#disk.open(this.#newest().file, "change"));
      await this.#disk.truncate(fd, this.#bytes);
      await this.#disk.sync(fd);
    }
    this.#isTorn = false;
  }

  /**
   * Begins a segment. If events are missing before it, the snapshot covers them, and the earlier segments are deleted.
   */
  async #begin(firstSeq: number, isNext: boolean): Promise<void> {
    const segment = segmentAt(this.#directory, firstSeq);
    const header = headerOf(firstSeq);
    const fd = await this.#disk.open(segment.file, "create");
    try {
      await writeAll(this.#disk, fd, header, 0);
      await this.#disk.sync(fd);
      await this.#disk.syncDirectory(this.#directory);
    } catch (error) {
      this.#debris = segment.file;
      this.#isTorn = true;
      await this.#disk.close(fd).catch(() => undefined);
      if (!isMissing(error)) await this.#mend().catch(() => undefined);
      throw error;
    }
    await this.#closeFile();
    const before = isNext ? [] : this.#segments.splice(0);
    this.#segments.push(segment);
    this.#fd = fd;
    this.#bytes = header.length;
    this.#lastSeq = firstSeq - 1;
    for (const { file } of before) await this.#disk.remove(file);
  }

  /** Deletes the segments whose events all have a `seq` up to this one. The newest segment stays. */
  async trim(seq: number): Promise<void> {
    for (;;) {
      const [oldest, next] = this.#segments;
      if (oldest === undefined || next === undefined || next.firstSeq > seq + 1) return;
      await this.#disk.remove(oldest.file);
      this.#segments.shift();
    }
  }

  async #closeFile(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) await this.#disk.close(fd).catch(() => undefined);
  }

  /** Closes the file. No append may be pending. */
  close(): Promise<void> {
    return this.#closeFile();
  }
}
