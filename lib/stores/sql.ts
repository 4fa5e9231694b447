// SQL: the durable store that several processes share, in PostgreSQL (`pg`) or SQLite (`libsql`, `better-sqlite3`, `node:sqlite`).
//
// What is in it, and how it is asked for, is told in lib/stores/sql/. Neither driver is imported: the connection is the user's own.

import type { TaskStore } from "../core/durable/store.js";
import { checkCount, checkFinite, checkMethod, checkOneOf, checkOptions, checkType } from "../core/values/checks.js";
import type { SqlConnection } from "./sql/connection.js";
import { PostgresConnection, type PostgresPool } from "./sql/postgres.js";
import { SqlStore } from "./sql/sql-store.js";
import { checkDatabase, SqliteConnection, type SqliteDatabase } from "./sql/sqlite.js";

export type { SqlConnection, SqlRow, SqlStatement, SqlWork } from "./sql/connection.js";
export type { PostgresClient, PostgresPool } from "./sql/postgres.js";
export type { SqliteDatabase, SqlitePrepared } from "./sql/sqlite.js";

export interface SqlStoreOptions {
  /** `postgres(pool)`, `sqlite(database)`, or one of your own. It stays yours: `close` does not end it. */
  readonly connection: SqlConnection;
  /** What the names of the tables begin with; default `errand`. Stores of different namespaces know nothing of each other. */
  readonly namespace?: string | undefined;
  /** How long after a writer's last sign of life its journal is still its own; default 15 000. The same for all who share the tables. */
  readonly leaseMs?: number | undefined;
}

const LEASE_MS = 15_000;
const NAMESPACE = /^[a-z_][a-z0-9_]*$/;
/** With the longest ending, the longest name that PostgreSQL keeps whole. */
const LONGEST_NAMESPACE = 63 - "_migrations_pkey".length;

/**
 * Tables in a database of yours, made at the first `open`, where the connection may make tables. Many processes may have it open: each writes a
 * journal of its own, and `shared` has those of the others. `open` goes on with the oldest journal that nobody has, or begins one.
 * Not opened, it reads the oldest one; once closed, the one it had.
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
 * A pool of `pg`. It should have an `error` listener, as every pool: without one a connection that breaks while it is idle ends the process.
 * `append` takes one client at a time, and resolves after a commit that the server has on its disk; `synchronous_commit = off` is refused.
 */
export function postgres(pool: PostgresPool): SqlConnection {
  checkMethod("pool", pool, "connect");
  return new PostgresConnection(pool);
}

/**
 * A `Database` of `libsql` or `better-sqlite3`, or a `DatabaseSync` of `node:sqlite` (Node 22.13 or newer), in a file. Another driver is a `TypeError`
 * that names what it lacks. Open `better-sqlite3` with `{ timeout: 0 }`: errand waits for other writers itself, without stopping the process.
 *
 * Run `PRAGMA journal_mode = WAL` on it; with `synchronous` below FULL, or below EXTRA in another mode,
 * `open` is refused, since a commit could be lost. May be shared with stores of other namespaces and with your own statements, as long as no
 * transaction of yours is left open over an `await`.
 */
export function sqlite(database: SqliteDatabase): SqlConnection {
  checkDatabase(database);
  return new SqliteConnection(database);
}
