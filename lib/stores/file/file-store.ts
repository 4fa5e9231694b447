// File store: the embedded durable store, one directory with one writer.
//
// Puts the rooms together: the lock (writer-lock.ts), the journal's end and its writer (journal-end.ts, journal-writer.ts), its
// reader, the snapshot and the results. Owns how the store stands: closed, open, or lost, which is when the directory was deleted under it.
// What the disk refuses is a StoreUnavailableError with the disk's own words as `cause`.
//
// D3: nothing is written, and nothing that was written is confirmed, without a look at the writer's own lock. Where it is gone and the journal is
// there, another process may write: every write is a StoreLockedError from then on. A directory that is moved takes the lock with it, which is
// the same: the place of a writer is a path.

import path from "node:path";
import type { ReadOptions, Stored, TaskStore } from "../../core/durable/store.js";
import { isErrandError, StoreLockedError, StoreUnavailableError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import type { Runtime } from "../../core/task/record.js";
import type { Json } from "../../core/values/json.js";
import { fieldOf, readText } from "../../core/values/safe-read.js";
import { DeletedError, type Disk, isMissing, makeDurableDirectory } from "./disk.js";
import { findEnd, type JournalEnd } from "./journal-end.js";
import { missing, readJournal } from "./journal-reader.js";
import { JournalWriter } from "./journal-writer.js";
import { Results } from "./results.js";
import { listSegments } from "./segment.js";
import { readSnapshotBeside, type Snapshot, snapshotFile, writeSnapshot } from "./snapshot-file.js";
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
  /** The path as it was given, and where that led when it was opened: a symbolic link may be turned meanwhile. */
  readonly #given: string;
  #directory: string;
  #results: Results;
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
    this.#given = path.resolve(directory);
    this.#directory = this.#given;
    this.#results = new Results(disk, this.#directory);
  }

  #settleIn(directory: string): void {
    if (directory === this.#directory) return;
    this.#directory = directory;
    this.#results = new Results(this.#disk, directory);
  }

  async open(writer: Runtime): Promise<Stored> {
    if (this.#isTaken) throw new StoreLockedError(this.#directory, "this process", process.pid);
    this.#isTaken = true;
    let lock: WriterLock | undefined;
    try {
      await makeDurableDirectory(this.#disk, this.#given);
      this.#settleIn(await this.#disk.realPath(this.#given));
      await this.#makeResults();
      lock = await WriterLock.take(this.#disk, this.#directory, writer);
      await this.#makePrivate();
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

  /** D2: a file in its place costs the outputs, and not the store. */
  async #makeResults(): Promise<void> {
    await makeDurableDirectory(this.#disk, this.#results.directory).catch(unlessThere);
  }

  /** D3: what an earlier version, or a copy, left readable. A directory that errand has not made keeps its mode. */
  async #makePrivate(): Promise<void> {
    const segments = (await listSegments(this.#disk, this.#directory)).map(({ file }) => file);
    for (const file of [this.#results.directory, snapshotFile(this.#directory), ...segments]) {
      await this.#disk.makePrivate(file).catch(unlessMissing);
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
      const { snapshot, broken } = await readSnapshotBeside(this.#disk, this.#directory);
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
        ...(broken === undefined ? {} : { brokenSnapshot: { file: broken.file, why: broken.why } }),
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
    try {
      this.#mustStand(open);
      await open.journal.append(events, open.snapshotSeq);
      // Before the call resolves: a writer that came meanwhile has read no more than was there.
      this.#mustStand(open);
    } catch (error) {
      if (isMissing(error) && this.#stands(open)) open.isLost = true;
      throw open.isLost ? this.#lost(error) : this.#told(error);
    }
  }

  /** `false`: what was stored is gone, and the lock with it. `StoreLockedError`: only the lock is gone, or is elsewhere. */
  #stands(open: Open): boolean {
    if (open.isLost) return false;
    if (open.lock.isHeld) return true;
    if (!open.lock.isDeleted || !open.journal.isDeleted) throw this.#robbed();
    open.isLost = true;
    return false;
  }

  #mustStand(open: Open): void {
    if (!this.#stands(open)) throw new DeletedError(`${this.#directory} was deleted`);
  }

  #robbed(): StoreLockedError {
    const why = "its lock was removed or replaced, or its directory was moved, and another process may write it";
    return new StoreLockedError(this.#directory, "another process", undefined, why);
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
    return (await readSnapshotBeside(this.#disk, this.#directory)).snapshot?.seq ?? 0;
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
      if (this.#stands(open) && open.journal.isDeleted) open.isLost = true;
      if (!open.isLost) {
        await writeSnapshot(this.#disk, this.#directory, snapshot, () => this.#mustStand(open));
        const previous = open.snapshotSeq;
        open.snapshotSeq = snapshot.seq;
        // One generation of history stays readable.
        this.#mustStand(open);
        await open.journal.trim(previous);
        return;
      }
    } catch (error) {
      if (!isMissing(error)) throw this.#told(error);
      if (this.#stands(open)) open.isLost = true;
    }
    await this.#asked(() => this.#makeAnew(open, snapshot));
  }

  /** The directory again, with a snapshot and no journal. */
  async #makeAnew(open: Open, snapshot: Snapshot): Promise<void> {
    const wasHeld = open.lock.isHeld;
    // No file is closed that is being written: the number of a closed one is soon another's.
    await this.#appended;
    await open.journal.close();
    await makeDurableDirectory(this.#disk, this.#directory);
    await this.#makeResults();
    await open.lock.release();
    open.lock = await WriterLock.take(this.#disk, this.#directory, open.writer);
    // The directory was without a lock for a while: its journal is that of a process that has come and gone.
    const segments = await listSegments(this.#disk, this.#directory);
    if (!wasHeld && (segments.length > 0 || this.#disk.idAt(snapshotFile(this.#directory)) !== undefined)) {
      await open.lock.release();
      throw this.#robbed();
    }
    await writeSnapshot(this.#disk, this.#directory, snapshot, () => undefined);
    for (const { file } of segments) await this.#disk.remove(file);
    open.journal = this.#writerAt(EMPTY);
    open.snapshotSeq = snapshot.seq;
    open.isLost = false;
  }

  putOutput(taskId: string, output: Json): Promise<void> {
    const put = this.#asked(() => this.#write((results, mayWrite) => this.#putIn(results, taskId, output, mayWrite)));
    void this.#during(put);
    return put;
  }

  /** Where the directory was deleted, it is made again, and the manager puts back what it knows (D5). */
  async #putIn(results: Results, taskId: string, output: Json, mayWrite: () => void): Promise<void> {
    try {
      await results.put(taskId, output, mayWrite);
    } catch (error) {
      if (!isMissing(error)) throw error;
      mayWrite();
      await this.#makeResults();
      throw new StoreUnavailableError(`${results.directory} was deleted`, { needsSnapshot: true, cause: error });
    }
  }

  getOutput(taskId: string): Promise<Json | undefined> {
    return this.#asked(async () => {
      const output = await this.#results.get(taskId);
      // Where the whole directory is elsewhere, or gone, this rejects: nothing is known of the output.
      if (output === undefined) await this.#disk.list(this.#directory);
      return output;
    });
  }

  outputPlace(taskId: string): string {
    return this.#results.fileOf(taskId);
  }

  deleteOutputs(taskIds: readonly string[]): Promise<void> {
    const deleted = this.#asked(() => this.#write((results, mayWrite) => results.delete(taskIds, mayWrite)));
    void this.#during(deleted);
    return deleted;
  }

  /** `mayWrite` throws once the directory belongs to another writer. */
  async #write(work: (results: Results, mayWrite: () => void) => Promise<void>): Promise<void> {
    const open = this.#mustBeOpen();
    const mayWrite = (): void => this.#mustStand(open);
    try {
      mayWrite();
      await work(this.#results, mayWrite);
      mayWrite();
    } catch (error) {
      if (isMissing(error) && !this.#stands(open)) throw this.#lost(error);
      throw error;
    }
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
    if (isErrandError(error) || error instanceof RangeError) return error;
    if (isMissing(error)) return new StoreUnavailableError(`there is no ${this.#directory}`, { cause: error });
    const why = readText(() => fieldOf(error, "message")) ?? "the disk refused";
    return new StoreUnavailableError(`${this.#directory}: ${why}`, { cause: error });
  }
}

/** Something else has its name. */
function unlessThere(error: unknown): void {
  if (fieldOf(error, "code") !== "EEXIST") throw error;
}

function unlessMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}
