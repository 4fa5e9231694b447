// SQLite: the port over a synchronous driver: `libsql`, `better-sqlite3` or `node:sqlite`. A writing transaction has
// the whole file from BEGIN IMMEDIATE on.
//
// Uses only what the three drivers have in common: values are passed one by one, for plain question marks.
// If another writer has the file, the wait happens here, with pauses. A `busy_timeout` in the driver would block the
// whole process.

import { performance } from "node:perf_hooks";
import { checkMethod, show } from "../../core/values/checks.js";
import { codeOf, pause, type SqlConnection, type SqlRow, type SqlStatement, type SqlWork } from "./connection.js";

/**
 * The part of a `Database` of `libsql` or `better-sqlite3`, or of a `DatabaseSync` of `node:sqlite`, that errand uses.
 */
export interface SqliteDatabase {
  /** Prepares one statement. */
  prepare(sql: string): SqlitePrepared;
  /** Runs statements without parameters and without a result. */
  exec(sql: string): unknown;
}

/** A prepared statement. */
export interface SqlitePrepared {
  /**
   * Whether the statement returns rows. If a driver does not say this, `all` of a statement without rows must return an
   * empty list.
   */
  readonly reader?: boolean | undefined;
  /** Runs a statement that returns no rows. */
  run(...values: SqliteValue[]): unknown;
  /** Runs a statement and returns its rows as objects. */
  all(...values: SqliteValue[]): unknown[];
}

/** A value that is bound to a parameter of a statement. */
type SqliteValue = SqlStatement["values"][number];

/**
 * Throws a `TypeError` that names what the driver lacks. A closed database passes: its first statement reports the
 * error.
 */
export function checkDatabase(database: SqliteDatabase): void {
  checkMethod("database", database, "prepare");
  checkMethod("database", database, "exec");
  let prepared: SqlitePrepared;
  try {
    prepared = database.prepare("select 1 as one");
  } catch {
    return;
  }
  checkMethod("database.prepare(sql)", prepared, "run");
  checkMethod("database.prepare(sql)", prepared, "all");
  const rows: unknown = prepared.all();
  const [row] = Array.isArray(rows) ? (rows as unknown[]) : [];
  if (typeof row === "object" && row !== null && "one" in row && Number(row.one) === 1) return;
  throw new TypeError(
    `database.prepare(sql).all() must return rows at once, as objects, got ${show(rows)}: use libsql, better-sqlite3 or node:sqlite`,
  );
}

/** The longest wait, in milliseconds, for other writers of the file. */
const PATIENCE_MS = 10_000;

/** A `SqlConnection` over a database of SQLite. */
export class SqliteConnection implements SqlConnection {
  /** The dialect of the database. */
  readonly dialect = "sqlite";
  readonly #database: SqliteDatabase;
  /** The prepared statements by their text. Their number is that of the statements of the stores on this connection. */
  readonly #prepared = new Map<string, PreparedText>();

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  /** Runs one statement outside a transaction. */
  query(statement: SqlStatement): Promise<readonly SqlRow[]> {
    return unlessBusy(() => this.#rows(statement));
  }

  /** Runs a transaction synchronously, after a wait for other writers. */
  transaction<T>(work: () => SqlWork<T>): Promise<T> {
    return unlessBusy(() => this.#run(work()));
  }

  #run<T>(work: SqlWork<T>): T {
    this.#database.exec("begin immediate");
    try {
      let step = work.next();
      while (step.done !== true) step = work.next(this.#rows(step.value));
      this.#database.exec("commit");
      return step.value;
    } catch (error) {
      this.#rollback();
      throw error;
    }
  }

  #rollback(): void {
    try {
      this.#database.exec("rollback");
    } catch {
      // After an error of the disk, such as a full disk, SQLite has rolled back already.
    }
  }

  #rows({ sql, values }: SqlStatement): readonly SqlRow[] {
    let prepared = this.#prepared.get(sql);
    if (prepared === undefined) {
      prepared = this.#prepare(sql);
      this.#prepared.set(sql, prepared);
    }
    const { statement, order } = prepared;
    const inOrder = order.map((index) => values[index] ?? null);
    if (statement.reader !== false) return statement.all(...inOrder) as SqlRow[];
    statement.run(...inOrder);
    return [];
  }

  #prepare(sql: string): PreparedText {
    const order: number[] = [];
    const text = sql.replace(/\$(\d)/g, (_, number: string) => {
      order.push(Number(number) - 1);
      return "?";
    });
    return { statement: this.#database.prepare(text), order };
  }
}

interface PreparedText {
  readonly statement: SqlitePrepared;
  /** The index of the value for each question mark. One value may be used twice in a text. */
  readonly order: readonly number[];
}

async function unlessBusy<T>(attempt: () => T): Promise<T> {
  const until = performance.now() + PATIENCE_MS;
  for (let attempts = 1; ; attempts++) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
      await pause(attempts);
    }
  }
}

const BUSY = 5;
const LOCKED = 6;

/**
 * Returns whether another connection has the file. Drivers report this by the name of a result code, or like
 * `node:sqlite` by its number.
 */
function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  if (code?.startsWith("SQLITE_BUSY") === true || code?.startsWith("SQLITE_LOCKED") === true) return true;
  if (typeof error !== "object" || error === null || !("errcode" in error)) return false;
  // The low byte of an extended result code is the primary one.
  const primary = Number(error.errcode) & 0xff;
  return primary === BUSY || primary === LOCKED;
}
