// SQL store: a database that several processes share, each with a journal of its own.
//
// Puts the rooms together: the tables, the writer of the journal that is open, the view of it, and those of others. Owns how the store stands:
// closed or open, and what is under way, for `close` to wait for.

import type { ReadOptions, SharedJournals, Stored, TaskStore } from "../../core/durable/store.js";
import { StoreLockedError, StoreUnavailableError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import type { Runtime } from "../../core/task/record.js";
import type { Json } from "../../core/values/json.js";
import type { SqlConnection, SqlWork } from "./connection.js";
import { checkDurability } from "./durability.js";
import type { JournalRow } from "./journal-leases.js";
import { JournalView } from "./journal-view.js";
import { JournalWriter } from "./journal-writer.js";
import { LeasedJournals } from "./shared-journals.js";
import { Tables } from "./tables.js";

interface Open {
  readonly writer: JournalWriter;
  readonly runtime: Runtime;
}

export class SqlStore implements TaskStore {
  readonly #connection: SqlConnection;
  readonly #tables: Tables;
  /** How an error names it. */
  readonly #name: string;
  readonly #view: JournalView;
  readonly shared: SharedJournals;
  #open: Open | undefined;
  #isTaken = false;
  #hasTables = false;
  /** The journal that was open last. */
  #number: number | undefined;
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(connection: SqlConnection, namespace: string, leaseMs: number) {
    this.#connection = connection;
    this.#tables = new Tables(connection, namespace, leaseMs);
    this.#name = `${namespace} (${connection.dialect})`;
    this.#view = new JournalView(this.#tables, () => this.#journal());
    const writer = (): JournalWriter | undefined => this.#open?.writer;
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

  async open(runtime: Runtime, unwanted: readonly string[] = []): Promise<Stored> {
    if (this.#isTaken) throw new StoreLockedError(this.#name, "this process", process.pid);
    this.#isTaken = true;
    try {
      const { schema } = this.#tables;
      await this.#tables.look(() => checkDurability(this.#connection.dialect));
      if (!(await this.#tables.look(() => schema.isCurrent()))) await this.#tables.change(() => schema.migrate());
      this.#hasTables = true;
      return await this.#take(runtime, unwanted.map(Number).filter(Number.isSafeInteger));
    } catch (error) {
      this.#isTaken = false;
      throw error;
    }
  }

  async #take(runtime: Runtime, unwanted: readonly number[]): Promise<Stored> {
    const taken = await this.#tables.change(() => this.#takeOrBegin(runtime, unwanted));
    try {
      const { stored, lastSeq, covered } = await this.#view.state(taken.number);
      this.#number = taken.number;
      this.#open = { runtime, writer: new JournalWriter(this.#tables, taken, { lastSeq, covered }) };
      return stored;
    } catch (error) {
      await this.#tables.change(() => this.#tables.journals.giveBack(taken)).catch(() => undefined);
      throw error;
    }
  }

  *#takeOrBegin(runtime: Runtime, unwanted: readonly number[]): SqlWork<JournalRow> {
    const { journals } = this.#tables;
    return (yield* journals.takeOldest(runtime, unwanted)) ?? (yield* journals.begin(runtime));
  }

  // ── looking ──────────────────────────────────────────────────────────────

  peek(): Promise<Stored> {
    return this.#view.peek();
  }

  read(options?: ReadOptions): AsyncGenerator<TaskEvent, void, undefined> {
    return this.#view.read(options);
  }

  getOutput(taskId: string): Promise<Json | undefined> {
    return this.#view.getOutput(taskId);
  }

  outputPlace(taskId: string): string {
    return this.#view.outputPlace(taskId);
  }

  /** The one that is open, or was open last; otherwise the oldest. */
  async #journal(): Promise<number | undefined> {
    if (this.#number !== undefined) return this.#number;
    await this.#mustHaveTables();
    return this.#tables.look(() => this.#tables.journals.oldest());
  }

  async #mustHaveTables(): Promise<void> {
    if (this.#hasTables) return;
    const version = await this.#tables.look(() => this.#tables.schema.version());
    if (version === 0) throw new StoreUnavailableError(`${this.#name} has no tables: nobody has opened it yet`);
    this.#hasTables = true;
  }

  // ── writing ──────────────────────────────────────────────────────────────

  append(events: readonly TaskEvent[]): Promise<void> {
    return this.#write(({ writer }) => writer.append(events));
  }

  compact(snapshot: Json, seq: number): Promise<void> {
    return this.#write(({ writer }) => writer.compact(snapshot, seq));
  }

  putOutput(taskId: string, output: Json): Promise<void> {
    return this.#write(({ writer }) => writer.putOutput(taskId, output));
  }

  deleteOutputs(taskIds: readonly string[]): Promise<void> {
    return this.#write(({ writer }) => writer.deleteOutputs(taskIds));
  }

  async #write<T>(work: (open: Open) => Promise<T>): Promise<T> {
    if (this.#open === undefined) throw new StoreUnavailableError(`${this.#name} is not open`);
    const done = work(this.#open);
    this.#underWay.add(done);
    try {
      return await done;
    } finally {
      this.#underWay.delete(done);
    }
  }

  /** What cannot be given back is free when its lease has lapsed. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    if (open === undefined) return;
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    await open.writer.giveBack().catch(() => undefined);
    this.#isTaken = false;
  }
}
