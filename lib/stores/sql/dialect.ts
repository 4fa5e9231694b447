// Dialect: the parts of SQL in which PostgreSQL and SQLite differ.

/** The databases that the store supports. */
export type DialectName = "postgres" | "sqlite";

/** The SQL of one database, as fragments of text. */
export interface Dialect {
  /** The name of the dialect. */
  readonly name: DialectName;
  /** The clock of the database, in epoch milliseconds. Only this clock decides whether a lease has lapsed. */
  readonly now: string;
  /**
   * A suffix for a select that locks its row for the transaction, and skips a row that another transaction has locked.
   */
  readonly lockFree: string;
  /** A suffix for a select that keeps other transactions from changing its row. */
  readonly lockShared: string;
  /** The type of a column that numbers its rows and never uses a number again, even after a row was deleted. */
  readonly numbered: string;
  /** A statement that waits until no other transaction has locked the same text; `undefined` where it is not needed. */
  readonly lockText: string | undefined;
  /** A statement that returns a row if a table with this name exists. */
  readonly hasTable: string;
  /** Returns a table with the texts of a JSON array, as rows of `value` and `position`; `position` counts from 0. */
  elements(parameter: string): string;
}

const postgres: Dialect = {
  name: "postgres",
  now: "cast(extract(epoch from clock_timestamp()) * 1000 as bigint)",
  lockFree: " for update skip locked",
  lockShared: " for share",
  numbered: "bigint generated always as identity primary key",
  lockText: "select pg_advisory_xact_lock(hashtextextended($1, 0))",
  hasTable: "select 1 as found where to_regclass($1) is not null",
  elements: (parameter) =>
    `(select value, ordinality - 1 as position from json_array_elements_text(cast(${parameter} as json)) with ordinality) as elements`,
};

// In SQLite a writing transaction has the whole database, so no statement locks rows.
const sqlite: Dialect = {
  name: "sqlite",
  now: "cast((julianday('now') - 2440587.5) * 86400000 as bigint)",
  lockFree: "",
  lockShared: "",
  numbered: "integer primary key autoincrement",
  lockText: undefined,
  hasTable: "select 1 as found from sqlite_master where type = 'table' and name = $1",
  elements: (parameter) => `(select value, key as position from json_each(${parameter})) as elements`,
};

/** The dialects by name. */
export const DIALECTS: { readonly [name in DialectName]: Dialect } = { postgres, sqlite };
