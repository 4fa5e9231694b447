// Ids: records over the whole store which journal has the task of each id that a spawner chose (D9).
//
// The table has one row for each such id. The row is written in the transaction that stores the task, so an id is held
// exactly while a journal has its task. When the task has ended, the row has the event of the end; an interrupted task
// frees its id.

import type { HeldId, IdClaim, IdEnd } from "../../core/durable/store.js";
import type { TaskEvent } from "../../core/task/events.js";
import type { SqlWork } from "./connection.js";
import type { Dialect } from "./dialect.js";
import { toRuntime } from "./journal-leases.js";
import { keyOf } from "./outputs.js";
import { numberIn, parse, textIn } from "./row.js";

/** Ends the transaction of an append that claims ids which other journals hold. */
export class IdsHeldError extends Error {
  /** The rows of these ids. */
  readonly held: readonly HeldIdRow[];

  constructor(held: readonly HeldIdRow[]) {
    super("ids are held by other journals");
    this.held = held;
  }
}

/** An id that a journal holds. */
export interface HeldIdRow extends Omit<HeldId, "isOwn"> {
  /** The number of the journal. */
  readonly journal: number;
}

/** The statements on the table of ids. */
export class Ids {
  readonly #table: string;
  readonly #journals: string;
  readonly #dialect: Dialect;
  readonly #pairs: string;

  constructor(dialect: Dialect, namespace: string) {
    this.#table = `${namespace}_ids`;
    this.#journals = `${namespace}_journals`;
    this.#dialect = dialect;
    this.#pairs = `(select value, position from ${dialect.elements("$2")}) as keys join (select value as content, position from ${dialect.elements("$3")}) as contents on contents.position = keys.position`;
  }

  /** Returns a select of the texts in a JSON array. */
  #listIn(value: string): string {
    return `(select value from ${this.#dialect.elements(value)})`;
  }

  /** Claims the ids for a journal. Throws `IdsHeldError` if other journals hold some of them. */
  *claim(journal: number, claims: readonly IdClaim[]): SqlWork<void> {
    if (claims.length === 0) return;
    // All claims use the same order, so that two transactions with the same ids do not deadlock.
    const sorted = claims.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    const keys = JSON.stringify(sorted.map(({ id }) => keyOf(id)));
    const contents = JSON.stringify(sorted.map(({ content }) => content));
    yield {
      sql: `insert into ${this.#table} as kept (task, journal, content, ended, is_free)
        select keys.value, cast($1 as bigint), contents.content, null, 0 from ${this.#pairs} where true
        on conflict (task) do update set journal = excluded.journal, content = excluded.content, ended = null, is_free = 0
        where kept.journal = excluded.journal or kept.is_free = 1 or not exists (select 1 from ${this.#journals} where number = kept.journal)`,
      values: [journal, keys, contents],
    };
    const all = yield* this.find(sorted.map(({ id }) => id));
    const held = all.filter((row) => row.journal !== journal);
    if (held.length > 0) throw new IdsHeldError(held);
  }

  /**
   * Stores the ends of tasks, and frees the ids of interrupted tasks. A stored end is final until its id is claimed
   * again (S1).
   */
  *end(journal: number, ends: readonly IdEnd[]): SqlWork<void> {
    if (ends.length === 0) return;
    const interrupted = ends.filter(({ event }) => event.type === "task.interrupted").map(({ id }) => keyOf(id));
    if (interrupted.length > 0)
      yield {
        sql: `update ${this.#table} set is_free = 1
          where journal = $1 and ended is null and task in ${this.#listIn("$2")}`,
        values: [journal, JSON.stringify(interrupted)],
      };
    const keys = JSON.stringify(ends.map(({ id }) => keyOf(id)));
    yield {
      sql: `update ${this.#table} set ended = pairs.content
        from (select keys.value, contents.content from ${this.#pairs}) as pairs
        where task = pairs.value and journal = $1 and ended is null`,
      values: [journal, keys, JSON.stringify(ends.map(({ event }) => JSON.stringify(event)))],
    };
  }

  /** Returns the rows of these ids, also those of interrupted tasks. */
  *find(ids: readonly string[]): SqlWork<readonly HeldIdRow[]> {
    const byKey = new Map(ids.map((id) => [keyOf(id), id]));
    const rows = yield {
      sql: `select task, journal, content, ended, writer from ${this.#table} join ${this.#journals} on number = journal where task in ${this.#listIn("$1")}`,
      values: [JSON.stringify([...byKey.keys()])],
    };
    return rows.map((row) => {
      const id = byKey.get(textIn(row, "task")) ?? "";
      const { ended } = row;
      return {
        id,
        journal: numberIn(row, "journal"),
        content: typeof row["content"] === "string" ? row["content"] : "",
        writer: toRuntime(row["writer"]),
        ...(ended === null ? {} : this.#endIn(id, ended)),
      };
    });
  }

  /** Reads the end of a row. A broken row costs the end that it had, and nothing else of the statement (D2). */
  #endIn(id: string, ended: unknown): Pick<HeldId, "end" | "endLost"> {
    const end = typeof ended === "string" ? parse<Partial<TaskEvent>>(ended) : undefined;
    // An object with a type is the event that was appended.
    if (typeof end?.type === "string") return { end: end as TaskEvent };
    return { endLost: `the table ${this.#table}, task ${JSON.stringify(id)}, column ended: it is no event` };
  }

  /** Deletes the ids, so that they are free. */
  *forget(journal: number, ids: readonly string[]): SqlWork<void> {
    yield {
      sql: `delete from ${this.#table} where journal = $1 and task in ${this.#listIn("$2")}`,
      values: [journal, JSON.stringify(ids.map(keyOf))],
    };
  }

  /** Moves the ids of one journal to another, except those in `stay`. */
  *move(from: number, to: number, stay: readonly string[]): SqlWork<void> {
    yield {
      sql: `update ${this.#table} set journal = $1 where journal = $3 and task not in ${this.#listIn("$2")}`,
      values: [to, JSON.stringify(stay.map(keyOf)), from],
    };
  }
}
