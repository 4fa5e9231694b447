// Journal writer: makes the journal longer, one batch at a time, and cuts its old end off.
//
// Owns the open file of the newest segment and how many of its bytes hold. A batch that fails leaves the file to be mended: cut back
// to what holds, at once where that can be done, and always before anything else is written. After an fsync that failed, what the page
// cache says is not believed: the batch is written again.

import type { TaskEvent } from "../../core/task/events.js";
import { BatchEncoder } from "./batch.js";
import { DeletedError, type Disk, isMissing, writeAll } from "./disk.js";
import type { JournalEnd } from "./journal-end.js";
import { headerOf, type Segment, segmentAt } from "./segment.js";

export class JournalWriter {
  readonly #disk: Disk;
  readonly #directory: string;
  /** How long a segment is before another one is begun. */
  readonly #segmentBytes: number;
  readonly #encoder = new BatchEncoder();
  /** Oldest first; the last one is written. */
  readonly #segments: Segment[];
  #lastSeq: number;
  #bytes: number;
  #fd: number | undefined;
  /** Whether there may be something behind `#bytes`, or of a segment that was not begun. */
  #isTorn: boolean;
  #debris: string | undefined;

  constructor(disk: Disk, directory: string, end: JournalEnd, segmentBytes: number) {
    this.#disk = disk;
    this.#segmentBytes = segmentBytes;
    this.#directory = directory;
    this.#segments = [...end.segments];
    this.#lastSeq = end.lastSeq;
    this.#bytes = end.bytes;
    this.#isTorn = end.torn !== undefined;
    this.#debris = end.debris?.file;
  }

  /** 0 when there is none. */
  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Whether the segment that is written was deleted; before there is one, the directory. */
  get isDeleted(): boolean {
    if (this.#fd !== undefined) return this.#disk.links(this.#fd) === 0;
    return this.#disk.idAt(this.#segments.at(-1)?.file ?? this.#directory) === undefined;
  }

  /**
   * `covered` is up to where a snapshot stands for the events: behind that, too, a batch may begin. Rejects with what the disk said; a
   * `RangeError` when the events do not follow.
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
        throw new RangeError(`Event ${first} does not follow on event ${Math.max(this.#lastSeq, covered)}`);
    }
    for (let index = 1; index < events.length; index++) {
      if (events[index]?.seq !== first + index)
        throw new RangeError(`Event ${events[index]?.seq} does not follow on event ${first + index - 1}`);
    }
  }

  #newest(): Segment {
    const newest = this.#segments.at(-1);
    if (newest === undefined) throw new Error("There is no segment yet");
    return newest;
  }

  /** Cuts off what is not part of the journal. */
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

  /** Begins a segment. Those before it go when the snapshot stands for what is missing between them. */
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

  /** Deletes the segments whose events are all up to `seq`; never the newest. */
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

  /** Nothing may be under way. */
  close(): Promise<void> {
    return this.#closeFile();
  }
}
