// Faults: a connection that breaks at a chosen statement, or that loses the answer of a commit.

import type { SqlConnection, SqlRow, SqlStatement, SqlWork } from "errand/stores/sql";

export class FaultyConnection implements SqlConnection {
  readonly #inner: SqlConnection;
  /** The number of the statement (from 1 on) that fails in each following transaction. */
  breaksAt: number | undefined;
  /** A statement that runs first in the next transaction only. */
  before: string | undefined;
  /** Makes the next commit, and then rejects as if its answer were lost. */
  losesAnswer = false;
  statements = 0;
  /** The text of each statement of a transaction that began. */
  readonly texts: string[] = [];

  constructor(inner: SqlConnection) {
    this.#inner = inner;
  }

  get dialect(): SqlConnection["dialect"] {
    return this.#inner.dialect;
  }

  query(statement: SqlStatement): Promise<readonly SqlRow[]> {
    return this.#inner.query(statement);
  }

  async transaction<T>(work: () => SqlWork<T>): Promise<T> {
    const result = await this.#inner.transaction(() => this.#faulty(work()));
    if (this.losesAnswer) {
      this.losesAnswer = false;
      throw new Error("the answer was lost");
    }
    return result;
  }

  *#faulty<T>(work: SqlWork<T>): SqlWork<T> {
    this.statements = 0;
    const { before } = this;
    this.before = undefined;
    if (before !== undefined) yield { sql: before, values: [] };
    let step = work.next();
    while (step.done !== true) {
      if (++this.statements === this.breaksAt) throw new Error("the connection broke");
      this.texts.push(step.value.sql);
      step = work.next(yield step.value);
    }
    return step.value;
  }
}
