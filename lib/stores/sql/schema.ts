// Schema: the tables, as numbered migrations, and the table that says which of them a database has had.
//
// A migration that was published is never changed: what is to be different is another one. They are applied under a lock, all that are
// missing in one transaction, so of many that open an empty database at once one makes the tables and the others find them.

import { StoreUnavailableError } from "../../core/task/errors.js";
import type { SqlWork } from "./connection.js";
import type { Dialect } from "./dialect.js";
import { numberIn } from "./row.js";

/** The statements of one version, for the tables of one namespace. */
type Migration = (namespace: string, dialect: Dialect) => readonly string[];

/** The first one makes version 1. */
const MIGRATIONS: readonly Migration[] = [
  (namespace, { numbered }) => [
    // `writer` is the JSON of a Runtime, of the last one. A lease until 0 was given back.
    `create table ${namespace}_journals (number ${numbered}, epoch bigint not null, writer text not null,
       lease_until bigint not null, last_seq bigint not null)`,
    `create table ${namespace}_events (journal bigint not null, seq bigint not null, data text not null,
       primary key (journal, seq))`,
    // `absorbed` is the journal that was taken up last.
    `create table ${namespace}_snapshots (journal bigint not null primary key, seq bigint not null, data text not null,
       absorbed bigint)`,
    `create table ${namespace}_outputs (journal bigint not null, task text not null, data text not null,
       primary key (journal, task))`,
  ],
  (namespace) => [
    // The epoch stands with `absorbed`: a journal of which tasks were left is seized again under its number, in a later epoch.
    `alter table ${namespace}_snapshots add column absorbed_epoch bigint`,
  ],
  (namespace) => [
    // `ended` is the JSON of the event by which the task ended; one with `is_free` = 1 was interrupted.
    `create table ${namespace}_ids (task text not null primary key, journal bigint not null, content text not null,
       ended text, is_free bigint not null)`,
    `create index ${namespace}_ids_journal on ${namespace}_ids (journal)`,
  ],
];

const NEWEST = MIGRATIONS.length;

export class Schema {
  readonly #namespace: string;
  readonly #table: string;
  readonly #dialect: Dialect;

  constructor(namespace: string, dialect: Dialect) {
    this.#namespace = namespace;
    this.#table = `${namespace}_migrations`;
    this.#dialect = dialect;
  }

  /** Of the tables that are there, 0 for none. `StoreUnavailableError` when a newer errand has made them. */
  *version(): SqlWork<number> {
    const [found] = yield { sql: this.#dialect.hasTable, values: [this.#table] };
    return found === undefined ? 0 : yield* this.#newest();
  }

  *#newest(): SqlWork<number> {
    const [newest] = yield { sql: `select coalesce(max(version), 0) as version from ${this.#table}`, values: [] };
    const version = newest === undefined ? 0 : numberIn(newest, "version");
    if (version > NEWEST)
      throw new StoreUnavailableError(
        `the tables ${this.#namespace}_… have version ${version}, and this errand knows them up to ${NEWEST}: use the errand that made them, or a newer one`,
      );
    return version;
  }

  /** Whether `migrate` has anything to do: who may not make tables can use those that are there. */
  *isCurrent(): SqlWork<boolean> {
    return (yield* this.version()) === NEWEST;
  }

  *migrate(): SqlWork<void> {
    const { lockText, now } = this.#dialect;
    if (lockText !== undefined) yield { sql: lockText, values: [this.#table] };
    // Made first and then read: behind the lock PostgreSQL may still believe that there is no table, until it has looked for one to use.
    yield {
      sql: `create table if not exists ${this.#table} (version bigint not null primary key, applied_at bigint not null)`,
      values: [],
    };
    const version = yield* this.#newest();
    for (const [index, migration] of MIGRATIONS.entries()) {
      if (index < version) continue;
      for (const sql of migration(this.#namespace, this.#dialect)) yield { sql, values: [] };
      yield { sql: `insert into ${this.#table} (version, applied_at) values ($1, ${now})`, values: [index + 1] };
    }
  }
}
