// SQLite: the port over a driver that answers at once: `libsql`, `better-sqlite3`, `node:sqlite`. One writer at a time has the whole file, from
// BEGIN IMMEDIATE on.
//
// Only what the three have in common is used: values are passed one by one, for plain question marks.
// A writer that finds the file taken waits here, with pauses, and not in the driver, where the wait of a `busy_timeout` stops the whole process.

import { performance } from "node:perf_hooks";
import { checkMethod, show } from "../../core/values/checks.js";
import { codeOf, pause, type SqlConnection, type SqlRow, type SqlStatement, type SqlWork } from "./connection.js";

/** The parts that errand uses of a `Database` of `libsql` or `better-sqlite3`, or of a `DatabaseSync` of `node:sqlite`. */
export interface SqliteDatabase {
  prepare(sql: string): SqlitePrepared;
  exec(sql: string): unknown;
}

export interface SqlitePrepared {
  /** Whether it gives rows. Where a driver does not say, `all` of a statement that gives none is an empty list. */
  readonly reader?: boolean | undefined;
  run(...values: SqliteValue[]): unknown;
  all(...values: SqliteValue[]): unknown[];
}

type SqliteValue = SqlStatement["values"][number];

/** `TypeError`: another driver, and what it lacks. One that is closed says so at the first statement. */
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

/** How long others may have the file before it is said to be unavailable. */
const PATIENCE_MS = 10_000;

export class SqliteConnection implements SqlConnection {
  readonly dialect = "sqlite";
  readonly #database: SqliteDatabase;
  /** By its text. There are as many as the store has statements. */
  readonly #prepared = new Map<string, Prepared>();

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  query(statement: SqlStatement): Promise<readonly SqlRow[]> {
    return unlessBusy(() => this.#rows(statement));
  }

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
      // A full disk, or a broken one, has rolled it back already.
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

  #prepare(sql: string): Prepared {
    const order: number[] = [];
    const text = sql.replace(/\$(\d)/g, (_, number: string) => {
      order.push(Number(number) - 1);
      return "?";
    });
    return { statement: this.#database.prepare(text), order };
  }
}

interface Prepared {
  readonly statement: SqlitePrepared;
  /** The value of each question mark, by place: one value may stand in a text twice. */
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

/** Another connection has the file. Drivers say it by the name of a result code, or, as `node:sqlite`, by its number. */
function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  if (code?.startsWith("SQLITE_BUSY") === true || code?.startsWith("SQLITE_LOCKED") === true) return true;
  if (typeof error !== "object" || error === null || !("errcode" in error)) return false;
  // An extended code has the primary one in its low byte.
  const primary = Number(error.errcode) & 0xff;
  return primary === BUSY || primary === LOCKED;
}
