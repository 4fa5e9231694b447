// Snapshots: the table of the newest snapshot of each journal, with the journal that it absorbed last.

import type { SqlWork } from "./connection.js";
import type { HeldJournal } from "./journal-leases.js";
import { maybeNumberIn } from "./row.js";

/** The statements on the table of snapshots. */
export class Snapshots {
  /** The name of the table. */
  readonly table: string;

  constructor(namespace: string) {
    this.table = `${namespace}_snapshots`;
  }

  /**
   * Replaces the snapshot of a journal. `absorbed` is the journal that it absorbs; without it, the recorded one stays.
   */
  *put(journal: number, seq: number, text: string, absorbed: HeldJournal | undefined): SqlWork<void> {
    yield {
      sql: `insert into ${this.table} as kept (journal, seq, data, absorbed, absorbed_epoch) values ($1, $2, $3, $4, $5)
        on conflict (journal) do update set seq = excluded.seq, data = excluded.data,
          absorbed = coalesce(excluded.absorbed, kept.absorbed), absorbed_epoch = coalesce(excluded.absorbed_epoch, kept.absorbed_epoch)`,
      values: [journal, seq, text, absorbed?.number ?? null, absorbed?.epoch ?? null],
    };
  }

  /** Returns whether the journal that `journal` absorbed last is this one, in this epoch. */
  *hasAbsorbed(journal: number, { number, epoch }: HeldJournal): SqlWork<boolean> {
    const [row] = yield {
      sql: `select absorbed, absorbed_epoch from ${this.table} where journal = $1`,
      values: [journal],
    };
    if (row === undefined) return false;
    return maybeNumberIn(row, "absorbed") === number && maybeNumberIn(row, "absorbed_epoch") === epoch;
  }

  /** Deletes the snapshot of a journal. */
  *delete(journal: number): SqlWork<void> {
    yield { sql: `delete from ${this.table} where journal = $1`, values: [journal] };
  }
}
