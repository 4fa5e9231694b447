// Schema: the tables as numbered migrations, and the table that records which migrations a database has.
//
// A published migration never changes; each change of the tables is a new migration. All missing migrations run under a
// lock in one transaction. So if many processes open an empty database at once, one makes the tables and the others
// find them.

import { StoreUnavailableError } from "../../core/task/errors.js";
import type { SqlWork } from "./connection.js";
import type { Dialect } from "./dialect.js";
import { numberIn } from "./row.js";

/** Returns the statements of one version for the tables of a namespace. */
type Migration = (namespace: string, dialect: Dialect) => readonly string[];

/** The migrations in order. The first one makes version 1. */
const MIGRATIONS: readonly Migration[] = [
  (namespace, { numbered }) => [
    // `writer` is the JSON of the last writer's Runtime. A lease until 0 was given back.
    `create table ${namespace}_journals (number ${numbered}, epoch bigint not null, writer text not null,
       lease_until bigint not null, last_seq bigint not null)`,
    `create table ${namespace}_events (journal bigint not null, seq bigint not null, data text not null,
       primary key (journal, seq))`,
    // `absorbed` is the journal that this journal absorbed last.
    `create table ${namespace}_snapshots (journal bigint not null primary key, seq bigint not null, data text not null,
       absorbed bigint)`,
    `create table ${namespace}_outputs (journal bigint not null, task text not null, data text not null,
       primary key (journal, task))`,
  ],
  (namespace) => [
    // `absorbed_epoch` belongs to `absorbed`: a journal that keeps some tasks can be seized again, in a later epoch.
    `alter table ${namespace}_snapshots add column absorbed_epoch bigint`,
  ],
  (namespace) => [
    // `ended` is the JSON of the event that ended the task. `is_free` is 1 after an interrupted task.
    `create table ${namespace}_ids (task text not null primary key, journal bigint not null, content text not null,
       ended text, is_free bigint not null)`,
    `create index ${namespace}_ids_journal on ${namespace}_ids (journal)`,
  ],
];

const NEWEST = MIGRATIONS.length;

/** The statements that make and check the tables. */
export class Schema {
  readonly #namespace: string;
  readonly #table: string;
  readonly #dialect: Dialect;

  constructor(namespace: string, dialect: Dialect) {
    this.#namespace = namespace;
    this.#table = `${namespace}_migrations`;
    this.#dialect = dialect;
  }

  /** Returns the version of the tables; 0 if there are none. `StoreUnavailableError` if a newer errand made them. */
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

  /** Returns whether `migrate` has nothing to do. Then a user without the permission to make tables can use them. */
  *isCurrent(): SqlWork<boolean> {
    return (yield* this.version()) === NEWEST;
  }

  /** Makes the tables, or brings them to the newest version. */
  *migrate(): SqlWork<void> {
    const { lockText, now } = this.#dialect;
    if (lockText !== undefined) yield { sql: lockText, values: [this.#table] };
    // The table is made first and then read: PostgreSQL may believe that it does not exist until a statement uses it.
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
