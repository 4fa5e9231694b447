// Postgres: the port over a pool of `pg`. Each transaction uses one client, READ COMMITTED, and row locks where they
// matter.

import { codeOf, pause, run, type SqlConnection, type SqlRow, type SqlStatement, type SqlWork } from "./connection.js";

/** The part of a `Pool` of `pg` that errand uses. */
export interface PostgresPool {
  /** Resolves with a client of the pool. */
  connect(): Promise<PostgresClient>;
}

/** The part of a client of `pg` that errand uses. */
export interface PostgresClient {
  /** Runs a statement and resolves with its rows. */
  query(
    text: string,
    values?: unknown[],
  ): Promise<{
    /** The rows of the result, as objects. */
    rows: unknown[];
  }>;
  /** Adds a listener for the failure of the connection. */
  on(event: "error", listener: (error: Error) => void): unknown;
  /** Removes the listener. */
  removeListener(event: "error", listener: (error: Error) => void): unknown;
  /** Returns the client to the pool. With `true` the pool closes the client's connection. */
  release(destroy?: boolean): void;
}

/** The longest time, in milliseconds, for which a process that has stopped keeps rows locked. */
const STANDSTILL_MS = 10_000;
const BEGIN = `begin isolation level read committed; set local idle_in_transaction_session_timeout = ${STANDSTILL_MS}`;

/** The SQLSTATEs of a serialization failure and of a deadlock. The same transaction may succeed at the next try. */
const TRANSIENT: readonly (string | undefined)[] = ["40001", "40P01"];
const ATTEMPTS = 10;

/** A `SqlConnection` over a pool of `pg`. */
export class PostgresConnection implements SqlConnection {
  /** The dialect of the database. */
  readonly dialect = "postgres";
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  /** Runs one statement on a client of the pool. */
  query({ sql, values }: SqlStatement): Promise<readonly SqlRow[]> {
    return this.#withClient((client) => rowsOf(client, sql, values));
  }

  /** Runs a transaction on a client of the pool, up to ten times if it fails because of a concurrent one. */
  async transaction<T>(work: () => SqlWork<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#withClient(async (client) => {
          await client.query(BEGIN);
          const result = await run(work(), ({ sql, values }) => rowsOf(client, sql, values));
          await client.query("commit");
          return result;
        });
      } catch (error) {
        if (attempt === ATTEMPTS || !TRANSIENT.includes(codeOf(error))) throw error;
        await pause(attempt);
      }
    }
  }

  async #withClient<T>(use: (client: PostgresClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    // When a connection breaks, the query rejects and the client emits `error`. Without a listener that event ends the
    // process.
    const ignoreError = (): void => undefined;
    client.on("error", ignoreError);
    let isFit = false;
    try {
      const result = await use(client);
      isFit = true;
      return result;
    } catch (error) {
      // This runs outside a transaction too: it shows whether the connection still answers.
      isFit = await client.query("rollback").then(
        () => true,
        () => false,
      );
      throw error;
    } finally {
      client.removeListener("error", ignoreError);
      client.release(!isFit);
    }
  }
}

async function rowsOf(client: PostgresClient, sql: string, values: SqlStatement["values"]): Promise<readonly SqlRow[]> {
  const { rows } = await client.query(sql, [...values]);
  return rows as SqlRow[];
}
