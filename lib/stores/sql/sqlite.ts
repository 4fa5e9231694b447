// SQLite: the port over a synchronous `Database` of `libsql`. One writer at a time has the whole file, from BEGIN IMMEDIATE on.
//
// Whoever finds it taken waits here, with pauses, and not in the driver, where the wait of a `busy_timeout` stops the whole process.

import { codeOf, pause, type SqlConnection, type SqlRow, type SqlStatement, type SqlWork } from "./connection.js";

/** What is needed of a `Database` of `libsql`. */
export interface SqliteDatabase {
  prepare(sql: string): SqlitePrepared;
  exec(sql: string): unknown;
}

export interface SqlitePrepared {
  /** Whether it gives rows. */
  readonly reader: boolean;
  run(values: unknown[]): unknown;
  all(values: unknown[]): unknown[];
}

/** How long others may have the file before it is said to be unavailable. */
const PATIENCE_MS = 10_000;

export class SqliteConnection implements SqlConnection {
  readonly dialect = "sqlite";
  readonly #database: SqliteDatabase;
  /** By its text. There are as many as the store has statements. */
  readonly #prepared = new Map<string, SqlitePrepared>();

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
      prepared = this.#database.prepare(sql.replace(/\$(\d)/g, "?$1"));
      this.#prepared.set(sql, prepared);
    }
    if (prepared.reader) return prepared.all([...values]) as SqlRow[];
    prepared.run([...values]);
    return [];
  }
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

/** Another connection has the file. */
function isBusy(error: unknown): boolean {
  const code = codeOf(error);
  return code?.startsWith("SQLITE_BUSY") === true || code?.startsWith("SQLITE_LOCKED") === true;
}
