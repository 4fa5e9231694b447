// Snapshots: the rows of the newest snapshot of each journal, with the journal that it has taken up.

import type { SqlWork } from "./connection.js";
import { maybeNumberIn } from "./row.js";

export class Snapshots {
  readonly table: string;

  constructor(namespace: string) {
    this.table = `${namespace}_snapshots`;
  }

  /** `absorbed` is the journal that it takes up; without, it stays as it was. */
  *put(journal: number, seq: number, text: string, absorbed: number | undefined): SqlWork<void> {
    yield {
      sql: `insert into ${this.table} as kept (journal, seq, data, absorbed) values ($1, $2, $3, $4)
        on conflict (journal) do update set seq = excluded.seq, data = excluded.data, absorbed = coalesce(excluded.absorbed, kept.absorbed)`,
      values: [journal, seq, text, absorbed ?? null],
    };
  }

  *absorbed(journal: number): SqlWork<number | undefined> {
    const [row] = yield { sql: `select absorbed from ${this.table} where journal = $1`, values: [journal] };
    return row === undefined ? undefined : maybeNumberIn(row, "absorbed");
  }

  *delete(journal: number): SqlWork<void> {
    yield { sql: `delete from ${this.table} where journal = $1`, values: [journal] };
  }
}
