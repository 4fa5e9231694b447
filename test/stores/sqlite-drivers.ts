// Drivers of SQLite, as the tests of the SQL store find them: `libsql` is there, the others where they are installed.
//
// `better-sqlite3` is compiled when it is installed where no binary can be loaded, so the project does not install it: .ci/run does.
// `node:sqlite` comes with Node 22.13 and newer.

import type { SqliteDatabase } from "errand/stores/sql";
import Libsql from "libsql";

/** A database of one driver, which is open. */
export interface OpenDatabase extends SqliteDatabase {
  close(): unknown;
}

export interface SqliteDriver {
  readonly name: string;
  open(file: string): OpenDatabase;
}

export const libsql: SqliteDriver = { name: "libsql", open: (file) => new Libsql(file) };

type DatabaseClass = new (file: string, options?: { readonly timeout: number }) => OpenDatabase;

/** Those that are here beside `libsql`, and in words what the others lack. */
export async function otherDrivers(): Promise<{
  readonly found: readonly SqliteDriver[];
  readonly lacking: readonly string[];
}> {
  const found: SqliteDriver[] = [];
  const lacking: string[] = [];
  const better = await driverOf("better-sqlite3", "default", (Database, file) => new Database(file, { timeout: 0 }));
  if (better === undefined)
    lacking.push("better-sqlite3 is not installed: npm install --no-save better-sqlite3@12.11.1, and let it be built");
  else found.push(better);
  const nodes = await driverOf("node:sqlite", "DatabaseSync", (Database, file) => new Database(file));
  if (nodes === undefined) lacking.push(`node:sqlite needs Node 22.13 or newer; this is ${process.version}`);
  else found.push(nodes);
  return { found, lacking };
}

/** `undefined`: it is not here, or its binary is not. */
async function driverOf(
  module: string,
  name: string,
  open: (database: DatabaseClass, file: string) => OpenDatabase,
): Promise<SqliteDriver | undefined> {
  try {
    const loaded = (await import(module)) as { readonly [name: string]: DatabaseClass };
    const database = loaded[name];
    if (database === undefined) return undefined;
    open(database, ":memory:").close();
    return { name: module, open: (file) => open(database, file) };
  } catch {
    return undefined;
  }
}
