// Faults: a connection that breaks at a chosen statement, or loses the answer of a commit.

import type { SqlConnection, SqlRow, SqlStatement, SqlWork } from "errand/stores/sql";

export class FaultyConnection implements SqlConnection {
  readonly #inner: SqlConnection;
  /** The statement of the next transactions, from 1 on, that is not carried out. */
  breaksAt: number | undefined;
  /** A statement that is carried out first, in the next transaction alone. */
  before: string | undefined;
  /** The next commit is made, and nobody is told. */
  losesAnswer = false;
  statements = 0;
  /** The text of each statement of a transaction that was begun. */
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
