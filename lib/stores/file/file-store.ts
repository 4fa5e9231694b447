// File store: the embedded durable store, one directory with one writer.
//
// Connects the modules of the folder: the lock (writer-lock.ts), the end of the journal and its writer (journal-end.ts,
// journal-writer.ts), its reader, the snapshot and the outputs. Owns the state of the store: closed, open, or deleted
// while it was open. Every error of the disk becomes a StoreUnavailableError with the original error as `cause`.
//
// Before each write, and before each confirmation of a write, the store checks its own lock (D3). If the lock is gone
// and the journal is there, another process may write: every write rejects with StoreLockedError from then on. The same
// happens when the directory is moved, because the lock moves with it: a writer owns a path.

import path from "node:path";
import { oneByOne } from "../../core/durable/event-lists.js";
import type { ReadOptions, Stored, TaskStore } from "../../core/durable/store.js";
import { StoreLockedError, StoreUnavailableError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import type { Runtime } from "../../core/task/record.js";
import type { Json } from "../../core/values/json.js";
import { fieldOf } from "../../core/values/safe-read.js";
import { DeletedError, type Disk, ignoreMissing, isMissing, makeDurableDirectory } from "./disk.js";
import { deletedError, lockLostError, toStoreError } from "./disk-errors.js";
import { findEnd, type JournalEnd } from "./journal-end.js";
import { missing, readJournal } from "./journal-reader.js";
import { JournalWriter } from "./journal-writer.js";
import { Places } from "./places.js";
import { Results } from "./results.js";
import { listSegments } from "./segment.js";
import { readSnapshotBeside, type Snapshot, snapshotFile, writeSnapshot } from "./snapshot-file.js";
import { type Verified, verify } from "./verify.js";
import { findHolder, WriterLock } from "./writer-lock.js";

/** The state of an open store. */
interface OpenState {
  readonly writer: Runtime;
  lock: WriterLock;
  journal: JournalWriter;
  /** The last `seq` that the snapshot covers; 0 without a snapshot. */
  snapshotSeq: number;
  /** Whether the stored files were deleted. Appends reject until a new snapshot is stored. */
  isDeleted: boolean;
}

/** The size, in bytes, from which on the next batch begins a new segment. */
const SEGMENT_BYTES = 8 * 1024 * 1024;

const EMPTY: JournalEnd = { segments: [], lastSeq: 0, bytes: 0 };

/** A `TaskStore` in a directory. `disk` is the port to the file system, for tests. */
export class FileStore implements TaskStore {
  readonly #disk: Disk;
  /** The path that the caller gave. `#directory` is its real path at `open`: a symbolic link may change later. */
  readonly #givenDirectory: string;
  #directory: string;
  #results: Results;
  readonly #segmentBytes: number;
  /** The places in the segments that a read, or the writer, has passed. */
  #places = new Places();
  #open: OpenState | undefined;
  #isTaken = false;
  /** The operations that `close` waits for. */
  readonly #underWay = new Set<Promise<unknown>>();
  #compaction: Promise<unknown> = Promise.resolve();
  /** Settles when the newest append has settled. This promise never rejects. */
  #appended: Promise<unknown> = Promise.resolve();

  constructor(directory: string, disk: Disk, segmentBytes = SEGMENT_BYTES) {
    this.#disk = disk;
    this.#segmentBytes = segmentBytes;
    this.#givenDirectory = path.resolve(directory);
    this.#directory = this.#givenDirectory;
    this.#results = new Results(disk, this.#directory);
  }

  #settleIn(directory: string): void {
    if (directory === this.#directory) return;
    this.#directory = directory;
    this.#results = new Results(this.#disk, directory);
    this.#places = new Places();
  }

  /** Makes the directory, takes the lock, and reads the snapshot and the end of the journal. */
  async open(writer: Runtime): Promise<Stored> {
    if (this.#isTaken) throw new StoreLockedError(this.#directory, "this process", process.pid);
    this.#isTaken = true;
    let lock: WriterLock | undefined;
    try {
      await makeDurableDirectory(this.#disk, this.#givenDirectory);
      this.#settleIn(await this.#disk.realPath(this.#givenDirectory));
      await this.#results.make();
      lock = await WriterLock.take(this.#disk, this.#directory, writer);
      await this.#makePrivate();
      await this.#results.clear();
      const { stored, end, snapshotSeq } = await this.#readState();
      const journal = new JournalWriter(this.#disk, this.#directory, end, this.#segmentBytes, this.#places);
      this.#open = { writer, lock, journal, snapshotSeq, isDeleted: false };
      return stored;
    } catch (error) {
      await lock?.release().catch(() => undefined);
      this.#isTaken = false;
      throw toStoreError(this.#directory, error);
    }
  }

  /**
   * Removes permissions that an earlier version, or a copy, left on the files. The directory itself keeps its mode
   * (D3).
   */
  async #makePrivate(): Promise<void> {
    const segments = (await listSegments(this.#disk, this.#directory)).map(({ file }) => file);
    for (const file of [this.#results.directory, snapshotFile(this.#directory), ...segments]) {
      await this.#disk.makePrivate(file).catch(ignoreMissing);
    }
  }

  /** Reads what `open` would return, without the lock. A torn tail is omitted while a living writer holds the lock. */
  peek(): Promise<Stored> {
    return this.#withStoreErrors(async () => {
      const { stored } = await this.#readState();
      if (stored.torn === undefined || (await findHolder(this.#disk, this.#directory)) === undefined) return stored;
      // The writer is still writing this batch.
      const { torn: _, ...whole } = stored;
      return whole;
    });
  }

  async #readState(): Promise<{ stored: Stored; end: JournalEnd; snapshotSeq: number }> {
    for (;;) {
      const { snapshot, broken } = await readSnapshotBeside(this.#disk, this.#directory);
      const end = await findEnd(this.#disk, this.#directory);
      const snapshotSeq = snapshot?.seq ?? 0;
      const [oldest] = end.segments;
      if (oldest !== undefined && oldest.firstSeq > snapshotSeq + 1) {
        if ((await this.#snapshotSeq()) !== snapshotSeq) continue; // A compaction ran between the two reads.
        throw missing(oldest, snapshotSeq + 1, oldest.firstSeq - 1);
      }
      const stored = {
        nextSeq: Math.max(end.lastSeq, snapshotSeq) + 1,
        ...(snapshot === undefined ? {} : { snapshot: snapshot.value }),
        ...(end.torn === undefined ? {} : { torn: end.torn }),
        ...(broken === undefined ? {} : { brokenSnapshot: { file: broken.file, why: broken.why } }),
      };
      return { stored, end, snapshotSeq };
    }
  }

  /** Reads and checks all files of the directory. */
  verify(): Promise<Verified> {
    return this.#withStoreErrors(() => verify(this.#disk, this.#directory));
  }

  /** Writes the events as one batch and syncs the file. Rejects with `StoreLockedError` if the lock is lost. */
  append(events: readonly TaskEvent[]): Promise<void> {
    const appended = this.#append(events);
    this.#appended = this.#track(appended);
    return appended;
  }

  async #append(events: readonly TaskEvent[]): Promise<void> {
    const open = this.#mustBeOpen();
    try {
      this.#mustOwnFiles(open);
      await open.journal.append(events, open.snapshotSeq);
      // This check comes before the call resolves. A writer that took the directory meanwhile may not have read this
      // batch.
      this.#mustOwnFiles(open);
    } catch (error) {
      if (isMissing(error) && this.#ownsFiles(open)) open.isDeleted = true;
      throw open.isDeleted ? deletedError(this.#directory, error) : toStoreError(this.#directory, error);
    }
  }

  /**
   * Returns false if the stored files and the lock were deleted. Throws `StoreLockedError` if only the lock is gone, or
   * is elsewhere.
   */
  #ownsFiles(open: OpenState): boolean {
    if (open.isDeleted) return false;
    if (open.lock.isHeld) return true;
    if (!open.lock.isDeleted || !open.journal.isDeleted) throw lockLostError(this.#directory);
    open.isDeleted = true;
    return false;
  }

  #mustOwnFiles(open: OpenState): void {
    if (!this.#ownsFiles(open)) throw new DeletedError(`${this.#directory} was deleted`);
  }

  /** Reads the events from `from` on, without the lock. */
  read(options: ReadOptions = {}): AsyncGenerator<TaskEvent, void, undefined> {
    return oneByOne(this.readLists(options), options.signal);
  }

  /** Reads the same events in lists, a part of a batch each. */
  readLists({ from, signal }: ReadOptions = {}): AsyncGenerator<readonly TaskEvent[], void, undefined> {
    const [disk, directory, places] = [this.#disk, this.#directory, this.#places];
    const toError = (error: unknown): unknown => toStoreError(directory, error);
    return readJournal({ disk, directory, from, signal, places, snapshotSeq: this.#snapshotSeq, toError });
  }

  readonly #snapshotSeq = async (): Promise<number> =>
    (await readSnapshotBeside(this.#disk, this.#directory)).snapshot?.seq ?? 0;

  /**
   * Writes the snapshot and deletes the segments that the previous snapshot covers. Snapshots are written one by one.
   */
  compact(snapshot: Json, seq: number): Promise<void> {
    const compacted = this.#compact({ seq, value: snapshot }, this.#compaction);
    this.#compaction = this.#track(compacted);
    return compacted;
  }

  async #compact(snapshot: Snapshot, before: Promise<unknown>): Promise<void> {
    const open = this.#mustBeOpen();
    await before;
    try {
      if (this.#ownsFiles(open) && open.journal.isDeleted) open.isDeleted = true;
      if (!open.isDeleted) {
        await writeSnapshot(this.#disk, this.#directory, snapshot, () => this.#mustOwnFiles(open));
        const previous = open.snapshotSeq;
        open.snapshotSeq = snapshot.seq;
        // The events after the previous snapshot stay readable.
        this.#mustOwnFiles(open);
        await open.journal.trim(previous);
        return;
      }
    } catch (error) {
      if (!isMissing(error)) throw toStoreError(this.#directory, error);
      if (this.#ownsFiles(open)) open.isDeleted = true;
    }
    await this.#withStoreErrors(() => this.#makeAgain(open, snapshot));
  }

  /** Makes the directory again, with a snapshot and without a journal. */
  async #makeAgain(open: OpenState, snapshot: Snapshot): Promise<void> {
    const wasHeld = open.lock.isHeld;
    // The journal is closed only when no write is pending: the system soon gives the number of a closed file to
    // another.
    await this.#appended;
    await open.journal.close();
    await makeDurableDirectory(this.#disk, this.#directory);
    await this.#results.make();
    await open.lock.release();
    open.lock = await WriterLock.take(this.#disk, this.#directory, open.writer);
    // The directory had no lock for a while. A journal in it belongs to another process that has written meanwhile.
    const segments = await listSegments(this.#disk, this.#directory);
    if (!wasHeld && (segments.length > 0 || this.#disk.idAt(snapshotFile(this.#directory)) !== undefined)) {
      await open.lock.release();
      throw lockLostError(this.#directory);
    }
    await writeSnapshot(this.#disk, this.#directory, snapshot, () => undefined);
    for (const { file } of segments) await this.#disk.remove(file);
    open.journal = new JournalWriter(this.#disk, this.#directory, EMPTY, this.#segmentBytes, this.#places);
    open.snapshotSeq = snapshot.seq;
    open.isDeleted = false;
  }

  /** Writes the output to a file of its own. */
  putOutput(taskId: string, output: Json): Promise<void> {
    const put = this.#withStoreErrors(() =>
      this.#write((results, mayWrite) => this.#putIn(results, taskId, output, mayWrite)),
    );
    void this.#track(put);
    return put;
  }

  /**
   * Stores the output. If the directory was deleted, it is made again and the call rejects, so that the manager stores
   * its outputs again (D5).
   */
  async #putIn(results: Results, taskId: string, output: Json, mayWrite: () => void): Promise<void> {
    try {
      await results.put(taskId, output, mayWrite);
    } catch (error) {
      if (!isMissing(error) && fieldOf(error, "code") !== "ENOTDIR") throw error;
      mayWrite();
      await this.#results.make();
      throw new StoreUnavailableError(
        `${results.directory} was deleted and is made again: store a snapshot and the outputs again`,
        { needsSnapshot: true, cause: error },
      );
    }
  }

  /** Reads an output. Resolves with `undefined` if the directory exists and has no such output. */
  getOutput(taskId: string): Promise<Json | undefined> {
    return this.#withStoreErrors(async () => {
      const output = await this.#results.get(taskId);
      // If the whole directory was moved or deleted, this call rejects: the output may still exist elsewhere.
      if (output === undefined) await this.#disk.list(this.#directory);
      return output;
    });
  }

  /** Returns the path of the output's file. */
  outputPlace(taskId: string): string {
    return this.#results.fileOf(taskId);
  }

  /** Deletes the files of these outputs. Missing files are ignored. */
  deleteOutputs(taskIds: readonly string[]): Promise<void> {
    const deleted = this.#withStoreErrors(() => this.#write((results, mayWrite) => results.delete(taskIds, mayWrite)));
    void this.#track(deleted);
    return deleted;
  }

  /** Runs `work` on the outputs of an open store. `mayWrite` throws when the directory belongs to another writer. */
  async #write(work: (results: Results, mayWrite: () => void) => Promise<void>): Promise<void> {
    const open = this.#mustBeOpen();
    const mayWrite = (): void => this.#mustOwnFiles(open);
    try {
      mayWrite();
      await work(this.#results, mayWrite);
      mayWrite();
    } catch (error) {
      if (isMissing(error) && !this.#ownsFiles(open)) throw deletedError(this.#directory, error);
      throw error;
    }
  }

  /** Runs `work`, and turns its errors into errors of the store. */
  async #withStoreErrors<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw toStoreError(this.#directory, error);
    }
  }

  /** Waits for pending operations, then closes the journal and releases the lock. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    await open.journal.close();
    await open.lock.release().catch(() => undefined);
    this.#isTaken = false;
  }

  /** Adds `work` to the pending operations. The returned promise settles after `work` and never rejects. */
  #track(work: Promise<unknown>): Promise<void> {
    const over = (): void => void this.#underWay.delete(work);
    this.#underWay.add(work);
    return work.then(over, over);
  }

  #mustBeOpen(): OpenState {
    if (this.#open === undefined) throw new StoreUnavailableError(`${this.#directory} is not open: call open first`);
    return this.#open;
  }
}
