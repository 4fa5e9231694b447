// SQL: the durable store that several processes share, in PostgreSQL (`pg`) or SQLite (`libsql`, `better-sqlite3`,
// `node:sqlite`).
//
// Owns the entry point errand/stores/sql, and the checks of its arguments. The modules in lib/stores/sql/ describe the
// tables. No driver is imported here: the user makes the connection.

import type { TaskStore } from "../core/durable/store.js";
import { checkCount, checkFinite, checkMethod, checkOneOf, checkOptions, checkType } from "../core/values/checks.js";
import type { SqlConnection } from "./sql/connection.js";
import { PostgresConnection, type PostgresPool } from "./sql/postgres.js";
import { SqlStore } from "./sql/sql-store.js";
import { checkDatabase, SqliteConnection, type SqliteDatabase } from "./sql/sqlite.js";

export type { SqlConnection, SqlRow, SqlStatement, SqlWork } from "./sql/connection.js";
export type { PostgresClient, PostgresPool } from "./sql/postgres.js";
export type { SqliteDatabase, SqlitePrepared } from "./sql/sqlite.js";

/** The options of `sqlStore`. */
export interface SqlStoreOptions {
  /**
   * `postgres(pool)`, `sqlite(database)`, or another implementation of the port. `close` of the store does not close
   * the connection.
   */
  readonly connection: SqlConnection;
  /**
   * The beginning of the tables' names: lower-case letters, digits and `_`; default `errand`. Stores with different
   * namespaces are independent.
   */
  readonly namespace?: string | undefined;
  /**
   * The time, in milliseconds, for which a journal belongs to its writer after the writer's last heartbeat; default
   * 15000. All stores on the same tables must use the same value.
   */
  readonly leaseMs?: number | undefined;
}

const LEASE_MS = 15_000;
const NAMESPACE = /^[a-z_][a-z0-9_]*$/;
// PostgreSQL must not cut the name with the longest suffix.
const LONGEST_NAMESPACE = 63 - "_migrations_pkey".length;

/**
 * Creates a store in the tables of a database. Many processes can open it at once.
 *
 * Each process writes its own journal, and `shared` gives access to the others. `open` continues the oldest journal
 * that no process has, or begins a new one. The first `open` makes the tables, so the connection needs the permission
 * for this.
 *
 * Before `open`, the store reads the oldest journal; after `close`, the journal that it had. `TypeError` or
 * `RangeError` names an option that is not valid.
 */
export function sqlStore(options: SqlStoreOptions): TaskStore {
  checkType("the options of sqlStore", options, "object");
  checkOptions("sqlStore", options, "connection", "namespace", "leaseMs");
  const { connection, namespace = "errand", leaseMs = LEASE_MS } = options;
  checkMethod("connection", connection, "query");
  checkMethod("connection", connection, "transaction");
  checkOneOf("connection.dialect", connection.dialect, ["postgres", "sqlite"]);
  checkType("namespace", namespace, "string");
  if (!NAMESPACE.test(namespace) || namespace.length > LONGEST_NAMESPACE || /^sqlite(?:_|$)/.test(namespace))
    throw new RangeError(
      `namespace must be small letters, digits and _, not begin with a digit or sqlite_, and have at most ${LONGEST_NAMESPACE} characters, got ${JSON.stringify(namespace)}`,
    );
  checkCount("leaseMs", leaseMs, 1);
  checkFinite("leaseMs", leaseMs);
  return new SqlStore(connection, namespace, leaseMs);
}

/**
 * Uses a pool of `pg`. `append` takes one client of the pool at a time, and resolves after a commit that is on the disk
 * of the server. With `synchronous_commit = off`, `open` rejects.
 *
 * Add an `error` listener to the pool: without one, an idle connection that breaks ends the process.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 * import { postgres, sqlStore } from "errand/stores/sql";
 * import { Pool } from "pg";
 *
 * const pool = new Pool(); // finds the server by PGHOST, PGUSER, PGPASSWORD and PGDATABASE
 * pool.on("error", (error) => console.error(error));
 * const manager = await TaskManager.open({ store: sqlStore({ connection: postgres(pool) }) });
 * console.log(await manager.spawn(() => "kept").result()); // kept
 * await manager.close();
 * await pool.end();
 * ```
 */
export function postgres(pool: PostgresPool): SqlConnection {
  checkMethod("pool", pool, "connect");
  return new PostgresConnection(pool);
}

/**
 * Uses a `Database` of `libsql` or `better-sqlite3`, or a `DatabaseSync` of `node:sqlite` (Node 22.13 or newer), that
 * has a file. `TypeError` for another driver; its message names what the driver lacks. Give `better-sqlite3` a
 * `timeout` of 0: errand waits for other writers itself, without blocking the process.
 *
 * Run `PRAGMA journal_mode = WAL` on the database. `open` rejects if a commit could be lost: if `synchronous` is below
 * FULL, or in another journal mode below EXTRA. Other stores and your own statements may use the same database, but
 * none of your transactions may stay open across an `await`.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 * import { sqlite, sqlStore } from "errand/stores/sql";
 * import Database from "libsql";
 *
 * const database = new Database("errand.db");
 * database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
 * const manager = await TaskManager.open({ store: sqlStore({ connection: sqlite(database) }) });
 * console.log(await manager.spawn(() => "kept").result()); // kept
 * await manager.close();
 * database.close();
 * ```
 */
export function sqlite(database: SqliteDatabase): SqlConnection {
  checkDatabase(database);
  return new SqliteConnection(database);
}
