// Journals: whose they are. One row each, with its lease and its epoch.
//
// A writer holds a journal by its number and the epoch in which it took it. Whoever takes one raises its epoch, so the writer before is fenced
// in each of its transactions, alive or not. A number is never given twice.

import { StoreLockedError } from "../../core/task/errors.js";
import type { Runtime } from "../../core/task/record.js";
import type { SqlRow, SqlStatement, SqlWork } from "./connection.js";
import type { Dialect } from "./dialect.js";
import { numberIn, parsed } from "./row.js";

/** A journal that was taken, and until somebody else takes it. */
export interface Held {
  readonly number: number;
  readonly epoch: number;
}

export interface JournalRow extends Held {
  /** Who had it last. */
  readonly writer: Runtime;
  readonly isFree: boolean;
  readonly lastSeq: number;
}

export class Journals {
  readonly #dialect: Dialect;
  readonly #table: string;
  readonly #leaseMs: number;
  /** How an error names it. */
  readonly #store: string;

  constructor(dialect: Dialect, namespace: string, leaseMs: number) {
    this.#dialect = dialect;
    this.#table = `${namespace}_journals`;
    this.#leaseMs = leaseMs;
    this.#store = `${namespace} (${dialect.name})`;
  }

  /** By age. */
  *all(): SqlWork<readonly JournalRow[]> {
    const rows = yield { sql: this.#select("true order by number"), values: [] };
    return rows.map(toJournal);
  }

  *oldest(): SqlWork<number | undefined> {
    const [row] = yield { sql: `select number from ${this.#table} order by number limit 1`, values: [] };
    return row === undefined ? undefined : numberIn(row, "number");
  }

  /** Takes the oldest journal that no process has, except those that are not wanted. The row is as it was until then, with the new epoch. */
  takeOldest(writer: Runtime, unwanted: readonly number[]): SqlWork<JournalRow | undefined> {
    const elements = this.#dialect.elements("$1");
    const isWanted = `number not in (select cast(value as bigint) from ${elements})`;
    return this.#take(writer, `${this.#isFree} and ${isWanted} order by number limit 1`, [JSON.stringify(unwanted)]);
  }

  /** Takes this one, if nobody has it. */
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

  *begin(writer: Runtime): SqlWork<JournalRow> {
    const rows = yield {
      sql: `insert into ${this.#table} (epoch, writer, lease_until, last_seq) values (1, $1, ${this.#until("$2")}, 0) returning number`,
      values: [fromRuntime(writer), this.#leaseMs],
    };
    const [row] = rows;
    if (row === undefined) throw new Error("The database gave no number to a new journal");
    return { number: numberIn(row, "number"), epoch: 1, writer, isFree: false, lastSeq: 0 };
  }

  /** A sign of life. The journal is this transaction's alone from here on. `false`: it is not held any more. */
  *renew(held: Held): SqlWork<boolean> {
    const rows = yield {
      sql: `update ${this.#table} set lease_until = ${this.#until("$1")} where number = $2 and epoch = $3 returning number`,
      values: [this.#leaseMs, held.number, held.epoch],
    };
    return rows.length > 0;
  }

  /** As `renew`, and its last event is now this one. */
  *advance(held: Held, lastSeq: number): SqlWork<boolean> {
    const rows = yield {
      sql: `update ${this.#table} set lease_until = ${this.#until("$1")}, last_seq = $2 where number = $3 and epoch = $4 returning number`,
      values: [this.#leaseMs, lastSeq, held.number, held.epoch],
    };
    return rows.length > 0;
  }

  /** Nobody takes it until this transaction is over. `false`: somebody has. */
  *keep(held: Held): SqlWork<boolean> {
    const rows = yield {
      sql: `select number from ${this.#table} where number = $1 and epoch = $2${this.#dialect.lockShared}`,
      values: [held.number, held.epoch],
    };
    return rows.length > 0;
  }

  *giveBack(held: Held): SqlWork<void> {
    yield {
      sql: `update ${this.#table} set lease_until = 0 where number = $1 and epoch = $2`,
      values: [held.number, held.epoch],
    };
  }

  /** Given back with no event behind `lastSeq`. `false`: it is not held any more. */
  *leave(held: Held, lastSeq: number): SqlWork<boolean> {
    const rows = yield {
      sql: `update ${this.#table} set lease_until = 0, last_seq = $1 where number = $2 and epoch = $3 returning number`,
      values: [lastSeq, held.number, held.epoch],
    };
    return rows.length > 0;
  }

  /** `false`: it is not held any more. */
  *remove(held: Held): SqlWork<boolean> {
    const rows = yield {
      sql: `delete from ${this.#table} where number = $1 and epoch = $2 returning number`,
      values: [held.number, held.epoch],
    };
    return rows.length > 0;
  }

  /** Says who has what was held. */
  *lost({ number }: Held): SqlWork<StoreLockedError> {
    const [row] = yield { sql: this.#select("number = $1"), values: [number] };
    const by = row === undefined ? undefined : toJournal(row).writer;
    const holder = by === undefined ? "another process, which has taken it up" : `process ${by.pid} (${by.instanceId})`;
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

/** What `fromRuntime` wrote. D2: a broken one costs the name of the process, and nothing else. */
export function toRuntime(text: unknown): Runtime {
  const runtime = typeof text === "string" ? parsed<Partial<Runtime> | null>(text) : undefined;
  const { instanceId, pid, startedAt } = runtime ?? {};
  return {
    instanceId: typeof instanceId === "string" ? instanceId : "unknown",
    pid: typeof pid === "number" ? pid : 0,
    startedAt: typeof startedAt === "number" ? startedAt : 0,
  };
}
