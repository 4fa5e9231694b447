// Events: the table of the events of all journals, one row for each event, as JSON.

import type { TaskEvent } from "../../core/task/events.js";
import type { SqlWork } from "./connection.js";
import type { Dialect } from "./dialect.js";
import { numberIn, textIn } from "./row.js";

/** The number of characters of one statement, unless a single event has more. */
const CHARACTERS = 4_000_000;

/** An event as it is stored. */
export interface EventRow {
  /** The `seq` of the event. */
  readonly seq: number;
  /** The JSON of the event. */
  readonly text: string;
}

/** Events that one statement inserts. Their `seq`s follow each other. */
export interface EventChunk {
  /** The `seq` of the first event. */
  readonly firstSeq: number;
  /** A JSON array of the events' JSON texts. */
  readonly texts: string;
}

/** Divides events into chunks for one statement each. Throws the error of an event's own `toJSON`. */
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

/** The statements on the table of events. */
export class Events {
  readonly #insert: string;
  /** The name of the table. */
  readonly table: string;
  readonly #snapshots: string;

  constructor(dialect: Dialect, namespace: string) {
    this.table = `${namespace}_events`;
    this.#snapshots = `${namespace}_snapshots`;
    this.#insert = `insert into ${this.table} (journal, seq, data) select cast($1 as bigint), cast($2 as bigint) + position, value from ${dialect.elements("$3")}`;
  }

  /** Inserts the events of `chunks`. */
  *append(journal: number, chunks: readonly EventChunk[]): SqlWork<void> {
    for (const { firstSeq, texts } of chunks) yield { sql: this.#insert, values: [journal, firstSeq, texts] };
  }

  /** Deletes the events that the stored snapshot covers. */
  *deleteCovered(journal: number): SqlWork<void> {
    yield {
      sql: `delete from ${this.table} where journal = $1 and seq <= (select seq from ${this.#snapshots} where journal = $2)`,
      values: [journal, journal],
    };
  }

  /** Deletes the events after `seq`. */
  *deleteBehind(journal: number, seq: number): SqlWork<void> {
    yield { sql: `delete from ${this.table} where journal = $1 and seq > $2`, values: [journal, seq] };
  }

  /** Returns up to `limit` events from `seq` on, in order. */
  *page(journal: number, seq: number, limit: number): SqlWork<readonly EventRow[]> {
    const rows = yield {
      sql: `select seq, data from ${this.table} where journal = $1 and seq >= $2 order by seq limit $3`,
      values: [journal, seq, limit],
    };
    return rows.map((row) => ({ seq: numberIn(row, "seq"), text: textIn(row, "data") }));
  }
}
