// File store: the embedded durable store, one directory with one writer.
//
// Puts the rooms together: the lock (writer-lock.ts), the journal's end and its writer (journal-end.ts, journal-writer.ts), its
// reader, the snapshot and the results. Owns how the store stands: closed, open, or lost, which is when the directory was deleted under it.
// What the disk refuses is a StoreUnavailableError with the disk's own words as `cause`.

import path from "node:path";
import { ErrandError, StoreLockedError, StoreUnavailableError } from "../../core/errors.js";
import type { TaskEvent } from "../../core/events.js";
import type { Json } from "../../core/json.js";
import type { Runtime } from "../../core/record.js";
import type { ReadOptions, Stored, TaskStore } from "../../core/store.js";
import { type Disk, isMissing, makeDurableDirectory } from "./disk.js";
import { findEnd, type JournalEnd } from "./journal-end.js";
import { missing, readJournal } from "./journal-reader.js";
import { JournalWriter } from "./journal-writer.js";
import { Results } from "./results.js";
import { listSegments } from "./segment.js";
import { readSnapshot, type Snapshot, writeSnapshot } from "./snapshot-file.js";
import { type Verified, verify } from "./verify.js";
import { findHolder, WriterLock } from "./writer-lock.js";

/** What an open store holds. */
interface Open {
  readonly writer: Runtime;
  lock: WriterLock;
  journal: JournalWriter;
  /** Up to where the snapshot stands for the events; 0 without one. */
  snapshotSeq: number;
  /** What was stored is gone: nothing is appended until a snapshot was. */
  isLost: boolean;
}

/** How long a segment is before another one is begun. */
const SEGMENT_BYTES = 8 * 1024 * 1024;

const EMPTY: JournalEnd = { segments: [], lastSeq: 0, bytes: 0 };

export class FileStore implements TaskStore {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #results: Results;
  readonly #segmentBytes: number;
  #open: Open | undefined;
  #isTaken = false;
  /** What is under way, for `close` to wait for. */
  readonly #underWay = new Set<Promise<unknown>>();
  #compaction: Promise<unknown> = Promise.resolve();
  /** Settles, and never rejects, when the newest append has. */
  #appended: Promise<unknown> = Promise.resolve();

  constructor(directory: string, disk: Disk, segmentBytes = SEGMENT_BYTES) {
    this.#disk = disk;
    this.#segmentBytes = segmentBytes;
    this.#directory = path.resolve(directory);
    this.#results = new Results(disk, this.#directory);
  }

  async open(writer: Runtime): Promise<Stored> {
    if (this.#isTaken) throw new StoreLockedError(this.#directory, "this process", process.pid);
    this.#isTaken = true;
    let lock: WriterLock | undefined;
    try {
      await makeDurableDirectory(this.#disk, this.#results.directory);
      lock = await WriterLock.take(this.#disk, this.#directory, writer);
      await this.#results.clear();
      const { stored, end, snapshotSeq } = await this.#look();
      const journal = this.#writerAt(end);
      this.#open = { writer, lock, journal, snapshotSeq, isLost: false };
      return stored;
    } catch (error) {
      await lock?.release().catch(() => undefined);
      this.#isTaken = false;
      throw this.#told(error);
    }
  }

  peek(): Promise<Stored> {
    return this.#asked(async () => {
      const { stored } = await this.#look();
      if (stored.torn === undefined || (await findHolder(this.#disk, this.#directory)) === undefined) return stored;
      // A living writer is half-way through it.
      const { torn: _, ...whole } = stored;
      return whole;
    });
  }

  async #look(): Promise<{ stored: Stored; end: JournalEnd; snapshotSeq: number }> {
    for (;;) {
      const snapshot = await readSnapshot(this.#disk, this.#directory);
      const end = await findEnd(this.#disk, this.#directory);
      const snapshotSeq = snapshot?.seq ?? 0;
      const [oldest] = end.segments;
      if (oldest !== undefined && oldest.firstSeq > snapshotSeq + 1) {
        if ((await this.#snapshotSeq()) !== snapshotSeq) continue; // Compacted in between.
        throw missing(oldest, snapshotSeq + 1, oldest.firstSeq - 1);
      }
      const stored = {
        nextSeq: Math.max(end.lastSeq, snapshotSeq) + 1,
        ...(snapshot === undefined ? {} : { snapshot: snapshot.value }),
        ...(end.torn === undefined ? {} : { torn: end.torn }),
      };
      return { stored, end, snapshotSeq };
    }
  }

  /** Reads everything. */
  verify(): Promise<Verified> {
    return this.#asked(() => verify(this.#disk, this.#directory));
  }

  append(events: readonly TaskEvent[]): Promise<void> {
    const appended = this.#append(events);
    this.#appended = this.#during(appended);
    return appended;
  }

  async #append(events: readonly TaskEvent[]): Promise<void> {
    const open = this.#mustBeOpen();
    if (open.isLost) throw this.#lost();
    try {
      await open.journal.append(events, open.snapshotSeq);
    } catch (error) {
      if (isMissing(error)) open.isLost = true;
      throw open.isLost ? this.#lost(error) : this.#told(error);
    }
  }

  read({ from, signal }: ReadOptions = {}): AsyncGenerator<TaskEvent, void, undefined> {
    const snapshotSeq = (): Promise<number> => this.#snapshotSeq();
    const told = (error: unknown): unknown => this.#told(error);
    return readJournal({ disk: this.#disk, directory: this.#directory, from, signal, snapshotSeq, told });
  }

  #writerAt(end: JournalEnd): JournalWriter {
    return new JournalWriter(this.#disk, this.#directory, end, this.#segmentBytes);
  }

  async #snapshotSeq(): Promise<number> {
    return (await readSnapshot(this.#disk, this.#directory))?.seq ?? 0;
  }

  compact(snapshot: Json, seq: number): Promise<void> {
    const compacted = this.#compact({ seq, value: snapshot }, this.#compaction);
    this.#compaction = this.#during(compacted);
    return compacted;
  }

  async #compact(snapshot: Snapshot, before: Promise<unknown>): Promise<void> {
    const open = this.#mustBeOpen();
    await before;
    try {
      if (open.journal.isDeleted) open.isLost = true;
      if (!open.isLost) {
        await writeSnapshot(this.#disk, this.#directory, snapshot);
        const previous = open.snapshotSeq;
        open.snapshotSeq = snapshot.seq;
        // One generation of history stays readable.
        await open.journal.trim(previous);
        return;
      }
    } catch (error) {
      if (!isMissing(error)) throw this.#told(error);
      open.isLost = true;
    }
    await this.#asked(() => this.#makeAnew(open, snapshot));
  }

  /** The directory again, with a snapshot and no journal. */
  async #makeAnew(open: Open, snapshot: Snapshot): Promise<void> {
    // No file is closed that is being written: the number of a closed one is soon another's.
    await this.#appended;
    await open.journal.close();
    await makeDurableDirectory(this.#disk, this.#results.directory);
    await open.lock.release();
    open.lock = await WriterLock.take(this.#disk, this.#directory, open.writer);
    await writeSnapshot(this.#disk, this.#directory, snapshot);
    for (const { file } of await listSegments(this.#disk, this.#directory)) await this.#disk.remove(file);
    open.journal = this.#writerAt(EMPTY);
    open.snapshotSeq = snapshot.seq;
    open.isLost = false;
  }

  putOutput(taskId: string, output: Json): Promise<void> {
    const put = this.#asked(() => this.#writable().put(taskId, output));
    void this.#during(put);
    return put;
  }

  getOutput(taskId: string): Promise<Json | undefined> {
    return this.#asked(() => this.#results.get(taskId));
  }

  deleteOutputs(taskIds: readonly string[]): Promise<void> {
    const deleted = this.#asked(() => this.#writable().delete(taskIds));
    void this.#during(deleted);
    return deleted;
  }

  #writable(): Results {
    this.#mustBeOpen();
    return this.#results;
  }

  /** What `work` gives, or what is thrown for what the disk said. */
  async #asked<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.#told(error);
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    await open.journal.close();
    await open.lock.release().catch(() => undefined);
    this.#isTaken = false;
  }

  /** Settles, and never rejects, when `work` has. */
  #during(work: Promise<unknown>): Promise<void> {
    const over = (): void => void this.#underWay.delete(work);
    this.#underWay.add(work);
    return work.then(over, over);
  }

  #mustBeOpen(): Open {
    if (this.#open === undefined) throw new StoreUnavailableError(`${this.#directory} is not open`);
    return this.#open;
  }

  #lost(cause?: unknown): StoreUnavailableError {
    const why = `${this.#directory}, or the journal in it, was deleted`;
    return new StoreUnavailableError(why, { needsSnapshot: true, ...(cause === undefined ? {} : { cause }) });
  }

  #told(error: unknown): unknown {
    if (error instanceof ErrandError || error instanceof RangeError) return error;
    if (isMissing(error)) return new StoreUnavailableError(`there is no ${this.#directory}`, { cause: error });
    const why = error instanceof Error ? error.message : "the disk refused";
    return new StoreUnavailableError(`${this.#directory}: ${why}`, { cause: error });
  }
}
