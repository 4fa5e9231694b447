// Journal state: the end and the snapshot of a journal. Each method is one statement, so its result is of one instant.

import type { SqlWork } from "./connection.js";
import { maybeTextIn, numberIn } from "./row.js";

/** The end and the snapshot of a journal. */
export interface JournalState {
  /** The `seq` of the last event; 0 if there was none. */
  readonly lastSeq: number;
  /** The last `seq` that the snapshot covers; 0 without a snapshot. */
  readonly covered: number;
  /** The JSON of the snapshot; `undefined` without a snapshot. */
  readonly snapshot: string | undefined;
}

/** The statements that read the state of a journal. */
export class JournalStates {
  readonly #namespace: string;

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  /** Returns the state of a journal; `undefined` if there is no such journal. */
  *read(journal: number): SqlWork<JournalState | undefined> {
    const namespace = this.#namespace;
    const [row] = yield {
      sql: `select last_seq, coalesce(seq, 0) as covered, data from ${namespace}_journals left join ${namespace}_snapshots on journal = number where number = $1`,
      values: [journal],
    };
    if (row === undefined) return undefined;
    return {
      lastSeq: numberIn(row, "last_seq"),
      covered: numberIn(row, "covered"),
      snapshot: maybeTextIn(row, "data"),
    };
  }

  /**
   * Returns the `seq` of the oldest event, or of the next event if there is none; `undefined` if there is no such
   * journal.
   */
  *oldestSeq(journal: number): SqlWork<number | undefined> {
    const namespace = this.#namespace;
    const [row] = yield {
      sql: `select coalesce((select min(seq) from ${namespace}_events where journal = number),
        (select seq + 1 from ${namespace}_snapshots where journal = number), 1) as oldest from ${namespace}_journals where number = $1`,
      values: [journal],
    };
    return row === undefined ? undefined : numberIn(row, "oldest");
  }
}
