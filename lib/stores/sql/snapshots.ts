// Snapshots: the rows of the newest snapshot of each journal, with the journal that it has taken up.

import type { SqlWork } from "./connection.js";
import type { Held } from "./journal-leases.js";
import { maybeNumberIn } from "./row.js";

export class Snapshots {
  readonly table: string;

  constructor(namespace: string) {
    this.table = `${namespace}_snapshots`;
  }

  /** `absorbed` is the journal that it takes up; without, it stays as it was. */
  *put(journal: number, seq: number, text: string, absorbed: Held | undefined): SqlWork<void> {
    yield {
      sql: `insert into ${this.table} as kept (journal, seq, data, absorbed, absorbed_epoch) values ($1, $2, $3, $4, $5)
        on conflict (journal) do update set seq = excluded.seq, data = excluded.data,
          absorbed = coalesce(excluded.absorbed, kept.absorbed), absorbed_epoch = coalesce(excluded.absorbed_epoch, kept.absorbed_epoch)`,
      values: [journal, seq, text, absorbed?.number ?? null, absorbed?.epoch ?? null],
    };
  }

  /** Whether the last journal that `journal` took up is this one, as it was held then. */
  *hasAbsorbed(journal: number, { number, epoch }: Held): SqlWork<boolean> {
    const [row] = yield {
      sql: `select absorbed, absorbed_epoch from ${this.table} where journal = $1`,
      values: [journal],
    };
    if (row === undefined) return false;
    return maybeNumberIn(row, "absorbed") === number && maybeNumberIn(row, "absorbed_epoch") === epoch;
  }

  *delete(journal: number): SqlWork<void> {
    yield { sql: `delete from ${this.table} where journal = $1`, values: [journal] };
  }
}
