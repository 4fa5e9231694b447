// Dialect: the few words that PostgreSQL and SQLite do not share.

export type DialectName = "postgres" | "sqlite";

export interface Dialect {
  readonly name: DialectName;
  /** The database's clock, in epoch milliseconds: whether a lease has lapsed is for no process's clock to say. */
  readonly now: string;
  /** Behind a select: its row is this transaction's alone, and one that another transaction has is passed over. */
  readonly lockFree: string;
  /** Behind a select: nobody changes its row until this transaction is over. */
  readonly lockShared: string;
  /** Of a column that numbers its rows and never gives a number twice, also when the row that had it is gone. */
  readonly numbered: string;
  /** Waits until no other transaction has asked for the same text. */
  readonly lockText: string | undefined;
  /** Whether there is a table of that name. */
  readonly hasTable: string;
  /** The texts of a JSON array, as rows of `value` and `position`, from 0 on. */
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

/** A transaction that writes has the whole database, so nothing in it needs a lock. */
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

export const DIALECTS: { readonly [name in DialectName]: Dialect } = { postgres, sqlite };
