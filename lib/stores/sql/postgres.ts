// Postgres: the port over a pool of `pg`. One client for each transaction, READ COMMITTED, and row locks where it matters.

import { codeOf, pause, run, type SqlConnection, type SqlRow, type SqlStatement, type SqlWork } from "./connection.js";

/** What is needed of a `Pool` of `pg`. */
export interface PostgresPool {
  connect(): Promise<PostgresClient>;
}

export interface PostgresClient {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
  /** With `true` it is closed, and given to nobody. */
  release(destroy?: boolean): void;
}

/** A transaction of a process that stands still keeps the rows of others locked no longer than this. */
const STANDSTILL_MS = 10_000;
const BEGIN = `begin isolation level read committed; set local idle_in_transaction_session_timeout = ${STANDSTILL_MS}`;

/** A serialization failure, and a deadlock: the same again may go well. */
const TRANSIENT: readonly (string | undefined)[] = ["40001", "40P01"];
const ATTEMPTS = 10;

export class PostgresConnection implements SqlConnection {
  readonly dialect = "postgres";
  readonly #pool: PostgresPool;

  constructor(pool: PostgresPool) {
    this.#pool = pool;
  }

  query({ sql, values }: SqlStatement): Promise<readonly SqlRow[]> {
    return this.#withClient((client) => rowsOf(client, sql, values));
  }

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
    // A connection that breaks is told of twice: what was asked rejects, and an `error` that nobody hears would end the process.
    const heard = (): void => undefined;
    client.on("error", heard);
    let isFit = false;
    try {
      const result = await use(client);
      isFit = true;
      return result;
    } catch (error) {
      // Also outside of a transaction, where it only says whether the connection still answers.
      isFit = await client.query("rollback").then(
        () => true,
        () => false,
      );
      throw error;
    } finally {
      client.removeListener("error", heard);
      client.release(!isFit);
    }
  }
}

async function rowsOf(client: PostgresClient, sql: string, values: SqlStatement["values"]): Promise<readonly SqlRow[]> {
  const { rows } = await client.query(sql, [...values]);
  return rows as SqlRow[];
}
