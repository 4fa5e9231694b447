// Drivers of SQLite for the tests of the SQL store: `libsql` is always there, the others if they are installed.
//
// `better-sqlite3` is compiled during its installation if no binary can be downloaded, so the project does not install
// it; .ci/run does. `node:sqlite` comes with Node 22.13 and newer.

import type { SqliteDatabase } from "errand/stores/sql";
import Libsql from "libsql";

/** An open database of one driver. */
export interface OpenDatabase extends SqliteDatabase {
  close(): unknown;
}

export interface SqliteDriver {
  readonly name: string;
  open(file: string): OpenDatabase;
}

export const libsql: SqliteDriver = { name: "libsql", open: (file) => new Libsql(file) };

type DatabaseClass = new (file: string, options?: { readonly timeout: number }) => OpenDatabase;

/** Returns the drivers that are installed beside `libsql`, and describes why the others are missing. */
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

/** Loads a driver; `undefined` if the driver or its binary is missing. */
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
