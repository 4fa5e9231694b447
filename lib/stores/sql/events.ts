// Events: the rows of the journals' events, each the JSON of one.

import type { TaskEvent } from "../../core/task/events.js";
import type { SqlWork } from "./connection.js";
import type { Dialect } from "./dialect.js";
import { numberIn, textIn } from "./row.js";

/** How many characters go with one statement, unless one event has more. */
const CHARACTERS = 4_000_000;

export interface EventRow {
  readonly seq: number;
  readonly text: string;
}

/** Some events in a row. */
export interface EventChunk {
  readonly firstSeq: number;
  /** A JSON array of their JSON texts. */
  readonly texts: string;
}

/** Throws what an event's own `toJSON` throws. */
export function chunksOf(events: readonly TaskEvent[]): readonly EventChunk[] {
  const chunks: EventChunk[] = [];
  let texts: string[] = [];
  let length = 0;
  let firstSeq = events[0]?.seq ?? 0;
  for (const event of events) {
    const text = JSON.stringify(event);
    if (texts.length > 0 && length + text.length > CHARACTERS) {
      chunks.push({ firstSeq, texts: JSON.stringify(texts) });
      firstSeq += texts.length;
      texts = [];
      length = 0;
    }
    texts.push(text);
    length += text.length;
  }
  if (texts.length > 0) chunks.push({ firstSeq, texts: JSON.stringify(texts) });
  return chunks;
}

export class Events {
  readonly #insert: string;
  readonly table: string;
  readonly #snapshots: string;

  constructor(dialect: Dialect, namespace: string) {
    this.table = `${namespace}_events`;
    this.#snapshots = `${namespace}_snapshots`;
    this.#insert = `insert into ${this.table} (journal, seq, data) select cast($1 as bigint), cast($2 as bigint) + position, value from ${dialect.elements("$3")}`;
  }

  *append(journal: number, chunks: readonly EventChunk[]): SqlWork<void> {
    for (const { firstSeq, texts } of chunks) yield { sql: this.#insert, values: [journal, firstSeq, texts] };
  }

  /** Those for which the snapshot stands. */
  *deleteCovered(journal: number): SqlWork<void> {
    yield {
      sql: `delete from ${this.table} where journal = $1 and seq <= (select seq from ${this.#snapshots} where journal = $2)`,
      values: [journal, journal],
    };
  }

  *deleteBehind(journal: number, seq: number): SqlWork<void> {
    yield { sql: `delete from ${this.table} where journal = $1 and seq > $2`, values: [journal, seq] };
  }

  /** In order, from `seq` on. */
  *page(journal: number, seq: number, limit: number): SqlWork<readonly EventRow[]> {
    const rows = yield {
      sql: `select seq, data from ${this.table} where journal = $1 and seq >= $2 order by seq limit $3`,
      values: [journal, seq, limit],
    };
    return rows.map((row) => ({ seq: numberIn(row, "seq"), text: textIn(row, "data") }));
  }
}
