// Outputs: the rows of what was too long for a journal.
//
// The id of a task is any text, and a column is not: NUL ends one, half a surrogate pair is none, and an index has no room for long ones. So an
// output has the JSON of its task's id for a key, or the digest of it.

import { createHash } from "node:crypto";
import type { SqlWork } from "./connection.js";
import type { Dialect } from "./dialect.js";

const LONGEST_KEY = 400;

/** No JSON of a text begins as a digest does. */
export function keyOf(taskId: string): string {
  const json = JSON.stringify(taskId);
  return json.length <= LONGEST_KEY ? json : `sha256-${createHash("sha256").update(json).digest("hex")}`;
}

export class Outputs {
  readonly table: string;
  readonly #elements: string;

  constructor(dialect: Dialect, namespace: string) {
    this.table = `${namespace}_outputs`;
    this.#elements = dialect.elements("$2");
  }

  *put(journal: number, taskId: string, text: string): SqlWork<void> {
    yield {
      sql: `insert into ${this.table} (journal, task, data) values ($1, $2, $3) on conflict (journal, task) do update set data = excluded.data`,
      values: [journal, keyOf(taskId), text],
    };
  }

  *get(journal: number, taskId: string): SqlWork<string | undefined> {
    const [row] = yield {
      sql: `select data from ${this.table} where journal = $1 and task = $2`,
      values: [journal, keyOf(taskId)],
    };
    if (row === undefined) return undefined;
    // No JSON: what else stands there was not written by a store.
    return typeof row["data"] === "string" ? row["data"] : "";
  }

  *delete(journal: number, taskIds: readonly string[]): SqlWork<void> {
    yield {
      sql: `delete from ${this.table} where journal = $1 and task in (select value from ${this.#elements})`,
      values: [journal, JSON.stringify(taskIds.map(keyOf))],
    };
  }

  /** Gives the outputs of one journal to another, except for those of the tasks that stay. An output that both have stays the other's. */
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
