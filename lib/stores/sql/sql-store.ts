// SQL store: a store in a database that several processes share. Each process has its own journal.
//
// Connects the modules of the folder: the tables, the writer and the view of the open journal, and the journals of
// other processes. Owns whether the store is open, and the pending operations that `close` waits for.

import type { ReadOptions, SharedJournals, Stored, TaskStore } from "../../core/durable/store.js";
import { StoreLockedError, StoreUnavailableError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import type { Runtime } from "../../core/task/record.js";
import type { Json } from "../../core/values/json.js";
import type { SqlConnection, SqlWork } from "./connection.js";
import { checkDurability } from "./durability.js";
import { FencedWriter } from "./fenced-writer.js";
import type { JournalRow } from "./journal-leases.js";
import { JournalView } from "./journal-view.js";
import { LeasedJournals } from "./shared-journals.js";
import { Tables } from "./tables.js";

interface OpenState {
  readonly writer: FencedWriter;
  readonly runtime: Runtime;
}

/** A `TaskStore` in the tables of one namespace. */
export class SqlStore implements TaskStore {
  readonly #connection: SqlConnection;
  readonly #tables: Tables;
  /** The name of the store in errors. */
  readonly #name: string;
  readonly #view: JournalView;
  /** The access to the journals of other processes. */
  readonly shared: SharedJournals;
  #open: OpenState | undefined;
  #isTaken = false;
  #hasTables = false;
  /** The journal that was opened last. */
  #number: number | undefined;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(connection: SqlConnection, namespace: string, leaseMs: number) {
    this.#connection = connection;
    this.#tables = new Tables(connection, namespace, leaseMs);
    this.#name = `${namespace} (${connection.dialect})`;
    this.#view = new JournalView(this.#tables, () => this.#journal());
    const writer = (): FencedWriter | undefined => this.#open?.writer;
    this.shared = new LeasedJournals(
      this.#tables,
      {
        mustHaveTables: () => this.#mustHaveTables(),
        journal: () => this.#journal(),
        get writer() {
          return writer();
        },
        write: (work) => this.#write((open) => work(open.writer, open.runtime)),
      },
      leaseMs,
    );
  }

  /**
   * Checks the connection, makes missing tables, and takes the oldest free journal that is not in `unwanted`, or a new
   * one.
   */
  async open(runtime: Runtime, unwanted: readonly string[] = []): Promise<Stored> {
    if (this.#isTaken) throw new StoreLockedError(this.#name, "this process", process.pid);
    this.#isTaken = true;
    try {
      const { schema } = this.#tables;
      await this.#tables.query(() => checkDurability(this.#connection.dialect));
      if (!(await this.#tables.query(() => schema.isCurrent()))) await this.#tables.transaction(() => schema.migrate());
      this.#hasTables = true;
      return await this.#take(runtime, unwanted.map(Number).filter(Number.isSafeInteger));
    } catch (error) {
      this.#isTaken = false;
      throw error;
    }
  }

  async #take(runtime: Runtime, unwanted: readonly number[]): Promise<Stored> {
    const taken = await this.#tables.transaction(() => this.#takeOrBegin(runtime, unwanted));
    try {
      const { stored, lastSeq, covered } = await this.#view.state(taken.number);
      this.#number = taken.number;
      this.#open = { runtime, writer: new FencedWriter(this.#tables, taken, { lastSeq, covered }) };
      return stored;
    } catch (error) {
      await this.#tables.transaction(() => this.#tables.journals.giveBack(taken)).catch(() => undefined);
      throw error;
    }
  }

  *#takeOrBegin(runtime: Runtime, unwanted: readonly number[]): SqlWork<JournalRow> {
    const { journals } = this.#tables;
    return (yield* journals.takeOldest(runtime, unwanted)) ?? (yield* journals.create(runtime));
  }

  // ── reading ──────────────────────────────────────────────────────────────

  /** Reads what `open` would return, without a lease. */
  peek(): Promise<Stored> {
    return this.#view.peek();
  }

  /** Reads the events of the journal. */
  read(options?: ReadOptions): AsyncGenerator<TaskEvent, void, undefined> {
    return this.#view.read(options);
  }

  /** Reads the same events, page by page. */
  readLists(options?: ReadOptions): AsyncGenerator<readonly TaskEvent[], void, undefined> {
    return this.#view.readLists(options);
  }

  /** Reads an output of the journal. */
  getOutput(taskId: string): Promise<Json | undefined> {
    return this.#view.getOutput(taskId);
  }

  /** Names the place of an output, for error messages. */
  outputPlace(taskId: string): string {
    return this.#view.outputPlace(taskId);
  }

  /** Resolves with the journal that is open or was open last; otherwise with the oldest one. */
  async #journal(): Promise<number | undefined> {
    if (this.#number !== undefined) return this.#number;
    await this.#mustHaveTables();
    return this.#tables.query(() => this.#tables.journals.oldest());
  }

  async #mustHaveTables(): Promise<void> {
    if (this.#hasTables) return;
    const version = await this.#tables.query(() => this.#tables.schema.version());
    if (version === 0)
      throw new StoreUnavailableError(`${this.#name} has no tables: open the store once, which makes them`);
    this.#hasTables = true;
  }

  // ── writing ──────────────────────────────────────────────────────────────

  /** Appends the events in one transaction. */
  append(events: readonly TaskEvent[]): Promise<void> {
    return this.#write(({ writer }) => writer.append(events));
  }

  /** Replaces the snapshot, and deletes the events that the previous snapshot covers. */
  compact(snapshot: Json, seq: number): Promise<void> {
    return this.#write(({ writer }) => writer.compact(snapshot, seq));
  }

  /** Stores an output. */
  putOutput(taskId: string, output: Json): Promise<void> {
    return this.#write(({ writer }) => writer.putOutput(taskId, output));
  }

  /** Deletes outputs. */
  deleteOutputs(taskIds: readonly string[]): Promise<void> {
    return this.#write(({ writer }) => writer.deleteOutputs(taskIds));
  }

  async #write<T>(work: (open: OpenState) => Promise<T>): Promise<T> {
    if (this.#open === undefined) throw new StoreUnavailableError(`${this.#name} is not open: call open first`);
    const done = work(this.#open);
    this.#underWay.add(done);
    try {
      return await done;
    } finally {
      this.#underWay.delete(done);
    }
  }

  /**
   * Waits for pending operations and gives the journal back. If that fails, the journal is free when its lease has
   * lapsed.
   */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    await open.writer.giveBack().catch(() => undefined);
    this.#isTaken = false;
  }
}
