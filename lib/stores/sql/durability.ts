// Durability: checks that a committed transaction is on the disk of the database (D2).
//
// The connection and its settings belong to the user, so no setting is changed here. If a setting could lose a commit,
// the check throws an error that says what to set.

import { StoreUnavailableError } from "../../core/task/errors.js";
import type { SqlWork } from "./connection.js";
import type { DialectName } from "./dialect.js";
import { numberIn, textIn } from "./row.js";

// Values of `PRAGMA synchronous`. FULL is enough in WAL mode. In other modes the directory must be synced too: EXTRA.
const FULL = 2;
const EXTRA = 3;

/** Throws `StoreUnavailableError` if the settings of the connection could lose a commit. */
export function* checkDurability(dialect: DialectName): SqlWork<void> {
  switch (dialect) {
    case "postgres":
      return yield* checkPostgres();
    case "sqlite":
      return yield* checkSqlite();
    default:
      dialect satisfies never;
  }
}

function* checkPostgres(): SqlWork<void> {
  const [row] = yield { sql: "select current_setting('synchronous_commit') as setting", values: [] };
  if (row !== undefined && textIn(row, "setting") === "off")
    throw refusal("synchronous_commit is off, so a commit may be lost: set it to on for this user or this pool");
}

function* checkSqlite(): SqlWork<void> {
  const [main] = yield { sql: "select file from pragma_database_list where name = 'main'", values: [] };
  // A database in memory ends with its process, which its user expects.
  if (main === undefined || main["file"] === "" || main["file"] === null) return;
  const [row] = yield {
    sql: "select journal_mode as mode, synchronous as level from pragma_journal_mode, pragma_synchronous",
    values: [],
  };
  if (row === undefined) return;
  const mode = textIn(row, "mode");
  const level = numberIn(row, "level");
  if (mode === "off" || mode === "memory")
    throw refusal(`journal_mode is ${mode}, so a crash breaks the database: run PRAGMA journal_mode = WAL`);
  if (level < FULL) throw refusal("synchronous is below FULL, so a commit may be lost: run PRAGMA synchronous = FULL");
  if (mode !== "wal" && level < EXTRA)
    throw refusal(
      `journal_mode is ${mode}, where a commit may be lost with synchronous = FULL: run PRAGMA journal_mode = WAL, which is also faster, or PRAGMA synchronous = EXTRA`,
    );
}

function refusal(why: string): StoreUnavailableError {
  return new StoreUnavailableError(why);
}
