// Journal leases: records who has which journal. The table has one row for each journal, with its lease and its epoch.
//
// A writer holds a journal by its number and epoch. A process that takes a journal raises its epoch. Each transaction
// of a writer checks the epoch, so the previous writer can write nothing more, whether it lives or not. A number is
// never used again.

import { StoreLockedError } from "../../core/task/errors.js";
import type { Runtime } from "../../core/task/record.js";
import type { SqlRow, SqlStatement, SqlWork } from "./connection.js";
import type { Dialect } from "./dialect.js";
import { numberIn, parse } from "./row.js";

/** A journal that a process holds, until another process takes it. */
export interface HeldJournal {
  /** The number of the journal. */
  readonly number: number;
  /** The epoch in which the process took the journal. */
  readonly epoch: number;
}

/** The row of a journal. */
export interface JournalRow extends HeldJournal {
  /** The process that has the journal, or had it last. */
  readonly writer: Runtime;
  /** Whether the lease has lapsed or was given back. */
  readonly isFree: boolean;
  /** The `seq` of the last event; 0 if there was none. */
  readonly lastSeq: number;
}

/** The statements on the table of journals. */
export class Journals {
  readonly #dialect: Dialect;
  readonly #table: string;
  readonly #leaseMs: number;
  /** The name of the store in errors. */
  readonly #store: string;

  constructor(dialect: Dialect, namespace: string, leaseMs: number) {
    this.#dialect = dialect;
    this.#table = `${namespace}_journals`;
    this.#leaseMs = leaseMs;
    this.#store = `${namespace} (${dialect.name})`;
  }

  /** Returns all journals, oldest first. */
  *all(): SqlWork<readonly JournalRow[]> {
    const rows = yield { sql: this.#select("true order by number"), values: [] };
    return rows.map(toJournal);
  }

  /** Returns the number of the oldest journal; `undefined` if there is none. */
  *oldest(): SqlWork<number | undefined> {
    const [row] = yield { sql: `select number from ${this.#table} order by number limit 1`, values: [] };
    return row === undefined ? undefined : numberIn(row, "number");
  }

  /**
   * Takes the oldest journal that is free and not in `unwanted`. Returns the row as it was before, with the new epoch.
   */
  takeOldest(writer: Runtime, unwanted: readonly number[]): SqlWork<JournalRow | undefined> {
    const elements = this.#dialect.elements("$1");
    const isWanted = `number not in (select cast(value as bigint) from ${elements})`;
    return this.#take(writer, `${this.#isFree} and ${isWanted} order by number limit 1`, [JSON.stringify(unwanted)]);
  }

  /** Takes this journal if it is free; `undefined` if it is not. */
  take(writer: Runtime, number: number): SqlWork<JournalRow | undefined> {
    return this.#take(writer, `${this.#isFree} and number = $1`, [number]);
  }

  *#take(writer: Runtime, where: string, values: SqlStatement["values"]): SqlWork<JournalRow | undefined> {
    const [row] = yield { sql: this.#select(where) + this.#dialect.lockFree, values };
    if (row === undefined) return undefined;
    const journal = toJournal(row);
    const epoch = journal.epoch + 1;
    yield {
      sql: `update ${this.#table} set epoch = $1, writer = $2, lease_until = ${this.#until("$3")} where number = $4`,
      values: [epoch, fromRuntime(writer), this.#leaseMs, journal.number],
    };
    return { ...journal, epoch };
  }

  /** Makes a new journal for `writer`. */
  *create(writer: Runtime): SqlWork<JournalRow> {
    const rows = yield {
      sql: `insert into ${this.#table} (epoch, writer, lease_until, last_seq) values (1, $1, ${this.#until("$2")}, 0) returning number`,
      values: [fromRuntime(writer), this.#leaseMs],
    };
    const [row] = rows;
    if (row === undefined) throw new Error("The database gave no number to a new journal");
    return { number: numberIn(row, "number"), epoch: 1, writer, isFree: false, lastSeq: 0 };
  }

  /**
   * Extends the lease, and locks the row until the transaction ends. Returns false if the journal is not held any
   * longer.
   */
  *renew(held: HeldJournal): SqlWork<boolean> {
    const rows = yield {
      sql: `update ${this.#table} set lease_until = ${this.#until("$1")} where number = $2 and epoch = $3 returning number`,
      values: [this.#leaseMs, held.number, held.epoch],
    };
    return rows.length > 0;
  }

  /** Extends the lease like `renew`, and sets the `seq` of the last event. */
  *advance(held: HeldJournal, lastSeq: number): SqlWork<boolean> {
    const rows = yield {
      sql: `update ${this.#table} set lease_until = ${this.#until("$1")}, last_seq = $2 where number = $3 and epoch = $4 returning number`,
      values: [this.#leaseMs, lastSeq, held.number, held.epoch],
    };
    return rows.length > 0;
  }

  /** Keeps other processes from taking the journal until the transaction ends. Returns false if one has taken it. */
  *lock(held: HeldJournal): SqlWork<boolean> {
    const rows = yield {
      sql: `select number from ${this.#table} where number = $1 and epoch = $2${this.#dialect.lockShared}`,
      values: [held.number, held.epoch],
    };
    return rows.length > 0;
  }

  /** Ends the lease, so that another process can take the journal at once. */
  *giveBack(held: HeldJournal): SqlWork<void> {
    yield {
      sql: `update ${this.#table} set lease_until = 0 where number = $1 and epoch = $2`,
      values: [held.number, held.epoch],
    };
  }

  /**
   * Ends the lease, with `lastSeq` as the `seq` of the last event. Returns false if the journal is not held any longer.
   */
  *giveBackAt(held: HeldJournal, lastSeq: number): SqlWork<boolean> {
    const rows = yield {
      sql: `update ${this.#table} set lease_until = 0, last_seq = $1 where number = $2 and epoch = $3 returning number`,
      values: [lastSeq, held.number, held.epoch],
    };
    return rows.length > 0;
  }

  /** Deletes the row. Returns false if the journal is not held any longer. */
  *remove(held: HeldJournal): SqlWork<boolean> {
    const rows = yield {
      sql: `delete from ${this.#table} where number = $1 and epoch = $2 returning number`,
      values: [held.number, held.epoch],
    };
    return rows.length > 0;
  }

  /** Returns the error for a journal that another process has taken. The error names that process. */
  *lockedError({ number }: HeldJournal): SqlWork<StoreLockedError> {
    const [row] = yield { sql: this.#select("number = $1"), values: [number] };
    const by = row === undefined ? undefined : toJournal(row).writer;
    const holder = by === undefined ? "another process, which has absorbed it" : `process ${by.pid} (${by.instanceId})`;
    return new StoreLockedError(`${this.#store}, journal ${number}`, holder, by?.pid);
  }

  get #isFree(): string {
    return `lease_until <= ${this.#dialect.now}`;
  }

  #until(parameter: string): string {
    return `${this.#dialect.now} + cast(${parameter} as bigint)`;
  }

  #select(where: string): string {
    return `select number, epoch, writer, last_seq, case when ${this.#isFree} then 1 else 0 end as is_free from ${this.#table} where ${where}`;
  }
}

function toJournal(row: SqlRow): JournalRow {
  return {
    number: numberIn(row, "number"),
    epoch: numberIn(row, "epoch"),
    writer: toRuntime(row["writer"]),
    isFree: numberIn(row, "is_free") === 1,
    lastSeq: numberIn(row, "last_seq"),
  };
}

function fromRuntime({ instanceId, pid, startedAt }: Runtime): string {
  return JSON.stringify({ instanceId, pid, startedAt });
}

/** Parses the JSON that `fromRuntime` wrote. A broken text costs the name of the process, and nothing else (D2). */
export function toRuntime(text: unknown): Runtime {
  const runtime = typeof text === "string" ? parse<Partial<Runtime> | null>(text) : undefined;
  const { instanceId, pid, startedAt } = runtime ?? {};
  return {
    instanceId: typeof instanceId === "string" ? instanceId : "unknown",
    pid: typeof pid === "number" ? pid : 0,
    startedAt: typeof startedAt === "number" ? startedAt : 0,
  };
}
