// Journal state: what a journal holds, all of one instant: each question is one statement over its tables.

import type { SqlWork } from "./connection.js";
import { maybeTextIn, numberIn } from "./row.js";

export interface JournalState {
  /** Of the last event there was, 0 for none. */
  readonly lastSeq: number;
  /** Up to where the snapshot stands for the events, 0 without one. */
  readonly covered: number;
  readonly snapshot: string | undefined;
}

export class JournalStates {
  readonly #namespace: string;

  constructor(namespace: string) {
    this.#namespace = namespace;
  }

  /** `undefined`: there is no such journal. */
  *of(journal: number): SqlWork<JournalState | undefined> {
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

  /** The `seq` of the oldest event that is kept, or of the next one when there is none. `undefined`: there is no such journal. */
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
