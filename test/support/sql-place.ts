// Databases for the tests of the SQL store: SQLite in a new file, and PostgreSQL if a server can be reached.

import { randomBytes } from "node:crypto";
import path from "node:path";
import { postgres, type SqlConnection, sqlite } from "errand/stores/sql";
import { Pool } from "pg";
import { afterAll, onTestFinished } from "vitest";
import { place } from "./place.js";
import { libsql, type OpenDatabase, type SqliteDriver } from "./sqlite-drivers.js";

/** One database. Each `connect` returns another connection to it. */
export interface SqlPlace {
  readonly namespace: string;
  readonly connect: () => SqlConnection;
  /** A connection with settings under which a commit can be lost. */
  readonly volatile: () => SqlConnection;
  /** Runs one statement without the store. */
  readonly ask: (
    sql: string,
    values?: (string | number)[],
  ) => Promise<readonly { readonly [column: string]: unknown }[]>;
  /**
   * Locks the row of each journal, like a transaction of a stopped process, where a dialect locks rows. The returned
   * function ends the transaction.
   */
  readonly lockRows?: () => Promise<() => Promise<void>>;
  /** The data with which a child process connects: see sql-child.ts. */
  readonly words: readonly [dialect: string, where: string, namespace: string];
}

export interface SqlKind {
  readonly name: string;
  /** Returns an empty database, which is removed after the test. */
  readonly make: () => Promise<SqlPlace>;
}

export const sqliteKind = sqliteKindOf(libsql);

export function sqliteKindOf(driver: SqliteDriver): SqlKind {
  const { name } = driver;
  return { name: name === "libsql" ? "SQLite" : `SQLite by ${name}`, make: () => makeSqlite(driver) };
}

async function makeSqlite(driver: SqliteDriver): Promise<SqlPlace> {
  const file = path.join(await place(), "errand.db");
  const connect = (): OpenDatabase => {
    const database = driver.open(file);
    onTestFinished(() => void database.close());
    database.exec("pragma journal_mode = wal; pragma synchronous = full");
    return database;
  };
  const own = connect();
  return {
    namespace: "errand",
    connect: () => sqlite(connect()),
    volatile() {
      const database = connect();
      database.exec("pragma synchronous = off");
      return sqlite(database);
    },
    ask: async (sql, values = []) => rowsOf(own, sql, values),
    words: ["sqlite", file, "errand"],
  };
}

function rowsOf(database: OpenDatabase, sql: string, values: (string | number)[]): { [column: string]: unknown }[] {
  const statement = database.prepare(sql);
  if (statement.reader !== false) return statement.all(...values) as { [column: string]: unknown }[];
  statement.run(...values);
  return [];
}

/** Makes the leases lapse, of one journal or of all, as if no heartbeat had come for a long time. */
export async function lapse({ ask, namespace }: SqlPlace, name?: string): Promise<void> {
  const which = name === undefined ? "" : ` where number = ${Number(name)}`;
  await ask(`update ${namespace}_journals set lease_until = 1${which}`);
}

const url = process.env["ERRAND_TEST_POSTGRES"] ?? "postgres://root@127.0.0.1/test";
const REACHED_WITHIN_MS = 1_000;

/** Returns the kinds of databases that are available. Only the test of the contract reports the missing ones. */
export async function sqlKinds(): Promise<readonly SqlKind[]> {
  const postgresql = await postgresKind(() => undefined);
  return postgresql === undefined ? [sqliteKind] : [sqliteKind, postgresql];
}

/**
 * Uses one schema for each test file and one namespace for each test. Resolves with `undefined`, and reports it, if
 * there is no PostgreSQL.
 */
export async function postgresKind(tell: (words: string) => void): Promise<SqlKind | undefined> {
  const schema = `errand_test_${randomBytes(6).toString("hex")}`;
  const found = new URL(url);
  found.searchParams.set("options", `-c search_path=${schema}`);
  const connectionString = found.href;
  const pool = new Pool({ connectionString, connectionTimeoutMillis: REACHED_WITHIN_MS, max: 20 });
  pool.on("error", () => undefined);
  try {
    await pool.query(`create schema ${schema}`);
  } catch (error) {
    await pool.end();
    const why = error instanceof Error && error.message !== "" ? error.message : String(error);
    tell(`skipped: no PostgreSQL at ${found.host}${found.pathname} (${why}); set ERRAND_TEST_POSTGRES or start one`);
    return undefined;
  }
  afterAll(async () => {
    await pool.query(`drop schema ${schema} cascade`);
    await pool.end();
  });
  let made = 0;
  return {
    name: "PostgreSQL",
    async make() {
      const namespace = `n${++made}`;
      return {
        namespace,
        connect: () => postgres(pool),
        volatile() {
          const options = `-c search_path=${schema} -c synchronous_commit=off`;
          const forgetful = new Pool({ connectionString: url, options });
          onTestFinished(() => forgetful.end());
          return postgres(forgetful);
        },
        ask: async (sql, values) => (await pool.query(sql, values)).rows as { [column: string]: unknown }[],
        async lockRows() {
          const client = await pool.connect();
          await client.query(`begin; update ${namespace}_journals set epoch = epoch`);
          return async () => {
            await client.query("rollback");
            client.release();
          };
        },
        words: ["postgres", connectionString, namespace],
      };
    },
  };
}
