// Tables: the tables of one namespace in one database. Runs their statements, and turns the errors of the driver into
// errors of the store.

import { isErrandError, StoreUnavailableError } from "../../core/task/errors.js";
import { thrownInWords } from "../../core/task/failure.js";
import { runEach, type SqlConnection, type SqlWork } from "./connection.js";
import { DIALECTS } from "./dialect.js";
import { Events } from "./events.js";
import { Ids, IdsHeldError } from "./ids.js";
import { Journals } from "./journal-leases.js";
import { JournalStates } from "./journal-state.js";
import { Outputs } from "./outputs.js";
import { Schema } from "./schema.js";
import { Snapshots } from "./snapshots.js";

/** The tables of one store. */
export class Tables {
  readonly #connection: SqlConnection;
  readonly #namespace: string;
  /** The migrations of the tables. */
  readonly schema: Schema;
  /** The table of journals with their leases. */
  readonly journals: Journals;
  /** The statements that read a journal's state. */
  readonly states: JournalStates;
  /** The table of events. */
  readonly events: Events;
  /** The table of snapshots. */
  readonly snapshots: Snapshots;
  /** The table of outputs. */
  readonly outputs: Outputs;
  /** The table of ids. */
  readonly ids: Ids;

  constructor(connection: SqlConnection, namespace: string, leaseMs: number) {
    const dialect = DIALECTS[connection.dialect];
    this.#connection = connection;
    this.#namespace = namespace;
    this.schema = new Schema(namespace, dialect);
    this.journals = new Journals(dialect, namespace, leaseMs);
    this.states = new JournalStates(namespace);
    this.events = new Events(dialect, namespace);
    this.snapshots = new Snapshots(namespace);
    this.outputs = new Outputs(dialect, namespace);
    this.ids = new Ids(dialect, namespace);
  }

  /** Runs each statement by itself. */
  query<T>(work: () => SqlWork<T>): Promise<T> {
    return this.#withStoreErrors(() => runEach(this.#connection, work()));
  }

  /** Runs all statements in one transaction, or none. */
  transaction<T>(work: () => SqlWork<T>): Promise<T> {
    return this.#withStoreErrors(() => this.#connection.transaction(work));
  }

  /** Turns an error of the database into a `StoreUnavailableError` with the message of the driver. */
  async #withStoreErrors<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (isErrandError(error) || error instanceof IdsHeldError) throw error;
      // The error of a refused connection is an AggregateError without a message.
      const message = thrownInWords(error);
      const why = message === "" ? "the database refused" : message;
      throw new StoreUnavailableError(
        `${this.#namespace} (${this.#connection.dialect}): ${why}. Check the database and the connection`,
        { cause: error },
      );
    }
  }
}
