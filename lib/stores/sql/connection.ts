// Connection: the port through which the SQL store uses a database.
//
// A transaction is a generator that yields statements and receives their rows. The same generator runs on a driver that
// returns rows at once and on a driver that returns promises. On a synchronous driver, a transaction ends before other
// code runs, so stores and programs that share a connection never mix their transactions.

import { outsidePause } from "../../core/time/outside-time.js";
import type { DialectName } from "./dialect.js";

/** One SQL statement with its parameters. */
export interface SqlStatement {
  /** The text. `$1` stands for the first of `values`; a value is never part of the text. */
  readonly sql: string;
  /** The values of the parameters. */
  readonly values: readonly (string | number | null)[];
}

/** A row of a result, as the driver returns it. */
export interface SqlRow {
  /** The value of a column. */
  readonly [column: string]: unknown;
}

/**
 * The statements of a transaction. The generator must not catch errors: a failed statement has ended the transaction.
 */
export type SqlWork<T> = Generator<SqlStatement, T, readonly SqlRow[]>;

/** A connection to a database of the user. Its methods reject with the error of the driver. */
export interface SqlConnection {
  /** The dialect of the database. */
  readonly dialect: DialectName;
  /** Runs one statement outside a transaction. */
  query(statement: SqlStatement): Promise<readonly SqlRow[]>;
  /**
   * Runs all statements of `work` or none, and resolves when they are durable. If the transaction fails only because of
   * a concurrent one, it starts again with a new generator, so `work` must change nothing except the database.
   */
  transaction<T>(work: () => SqlWork<T>): Promise<T>;
}

/** Runs `work` on a driver that returns promises. */
export async function run<T>(
  work: SqlWork<T>,
  query: (statement: SqlStatement) => Promise<readonly SqlRow[]>,
): Promise<T> {
  let step = work.next();
  while (step.done !== true) step = work.next(await query(step.value));
  return step.value;
}

/** Runs each statement of `work` by itself, for reads that need no transaction. */
export function runEach<T>(connection: SqlConnection, work: SqlWork<T>): Promise<T> {
  return run(work, (statement) => connection.query(statement));
}

const LONGEST_PAUSE_MS = 8;

/** Waits before the next try. The delay is random, and grows with `attempt` to a few milliseconds. */
export function pause(attempt: number): Promise<void> {
  const ms = Math.min(2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS) * (0.5 + Math.random());
  return outsidePause(ms);
}

/** Returns the code of a driver's error: an SQLSTATE, or the name of a result code; `undefined` if there is none. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
