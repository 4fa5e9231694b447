// Connection: the port by which the SQL store speaks to a database.
//
// A transaction is told as a generator that yields statements and is given their rows. So one written once runs on a driver that answers at
// once and on one that answers later; and on the first it is over before anybody else has a turn: stores that share a synchronous connection,
// and the program that owns it, never stand in each other's transaction.

import { outsidePause } from "../../core/time/outside-time.js";
import type { DialectName } from "./dialect.js";

/** `$1` in the text is the first of the values. A value is never put into the text. */
export interface SqlStatement {
  readonly sql: string;
  readonly values: readonly (string | number | null)[];
}

export interface SqlRow {
  readonly [column: string]: unknown;
}

/** Catches nothing: the statement that failed has ended its transaction. */
export type SqlWork<T> = Generator<SqlStatement, T, readonly SqlRow[]>;

/** A database of the user's, through a connection of the user's. Rejects with what the driver said. */
export interface SqlConnection {
  readonly dialect: DialectName;
  /** One statement, outside of any transaction. */
  query(statement: SqlStatement): Promise<readonly SqlRow[]>;
  /**
   * All or nothing, and durable when it resolves. What fails only because others are at work is begun again, with a new generator: `work` changes
   * nothing but the database.
   */
  transaction<T>(work: () => SqlWork<T>): Promise<T>;
}

/** Runs `work` with an answerer that answers later. */
export async function run<T>(
  work: SqlWork<T>,
  query: (statement: SqlStatement) => Promise<readonly SqlRow[]>,
): Promise<T> {
  let step = work.next();
  while (step.done !== true) step = work.next(await query(step.value));
  return step.value;
}

/** For those who only look: each statement by itself. */
export function look<T>(connection: SqlConnection, work: SqlWork<T>): Promise<T> {
  return run(work, (statement) => connection.query(statement));
}

const LONGEST_PAUSE_MS = 8;

/** Before the `attempt`th try again: short, longer each time, and never the same for two. */
export function pause(attempt: number): Promise<void> {
  const ms = Math.min(2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS) * (0.5 + Math.random());
  return outsidePause(ms);
}

/** What drivers call a failure: an SQLSTATE, or the name of a result code. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
