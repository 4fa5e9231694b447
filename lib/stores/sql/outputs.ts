// Outputs: the table of outputs that are too long for a journal.
//
// An id may be any text, but a column cannot store NUL or half a surrogate pair, and an index has a limit for the
// length. So the key of an output is the JSON of its task's id, or a digest of that JSON.

import { createHash } from "node:crypto";
import type { SqlWork } from "./connection.js";
import type { Dialect } from "./dialect.js";

const LONGEST_KEY = 400;

/** Returns the key of an id. JSON begins with a quote, so it never equals a digest. */
export function keyOf(taskId: string): string {
  const json = JSON.stringify(taskId);
  return json.length <= LONGEST_KEY ? json : `sha256-${createHash("sha256").update(json).digest("hex")}`;
}

/** The statements on the table of outputs. */
export class Outputs {
  /** The name of the table. */
  readonly table: string;
  readonly #elements: string;

  constructor(dialect: Dialect, namespace: string) {
    this.table = `${namespace}_outputs`;
    this.#elements = dialect.elements("$2");
  }

  /** Stores an output and replaces an older one of the same task. */
  *put(journal: number, taskId: string, text: string): SqlWork<void> {
    yield {
      sql: `insert into ${this.table} (journal, task, data) values ($1, $2, $3) on conflict (journal, task) do update set data = excluded.data`,
      values: [journal, keyOf(taskId), text],
    };
  }

  /** Returns the JSON of an output; `undefined` if there is none. */
  *get(journal: number, taskId: string): SqlWork<string | undefined> {
    const [row] = yield {
      sql: `select data from ${this.table} where journal = $1 and task = $2`,
      values: [journal, keyOf(taskId)],
    };
    if (row === undefined) return undefined;
    // A value that is not text was not written by a store. The empty text is not JSON, so the caller reports it.
    return typeof row["data"] === "string" ? row["data"] : "";
  }

  /** Deletes the outputs of these tasks. */
  *delete(journal: number, taskIds: readonly string[]): SqlWork<void> {
    yield {
      sql: `delete from ${this.table} where journal = $1 and task in (select value from ${this.#elements})`,
      values: [journal, JSON.stringify(taskIds.map(keyOf))],
    };
  }

  /**
   * Moves the outputs of one journal to another, except those of the tasks in `stay`. If both have an output, that of
   * `to` stays.
   */
  *move(from: number, to: number, stay: readonly string[]): SqlWork<void> {
    const keys = JSON.stringify(stay.map(keyOf));
    yield {
      sql: `insert into ${this.table} (journal, task, data) select cast($1 as bigint), task, data from ${this.table} where journal = $3 and task not in (select value from ${this.#elements}) on conflict (journal, task) do nothing`,
      values: [to, keys, from],
    };
    yield {
      sql: `delete from ${this.table} where journal = $1 and task not in (select value from ${this.#elements})`,
      values: [from, keys],
    };
  }
}
