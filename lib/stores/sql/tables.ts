// Tables: one namespace of one database, and everything that is asked of it.

import { isErrandError, StoreUnavailableError } from "../../core/task/errors.js";
import { thrownInWords } from "../../core/task/failure.js";
import { look, type SqlConnection, type SqlWork } from "./connection.js";
import { DIALECTS } from "./dialect.js";
import { Events } from "./events.js";
import { Ids, IdsHeld } from "./ids.js";
import { Journals } from "./journal-leases.js";
import { JournalStates } from "./journal-state.js";
import { Outputs } from "./outputs.js";
import { Schema } from "./schema.js";
import { Snapshots } from "./snapshots.js";

export class Tables {
  readonly #connection: SqlConnection;
  readonly #namespace: string;
  readonly schema: Schema;
  readonly journals: Journals;
  readonly states: JournalStates;
  readonly events: Events;
  readonly snapshots: Snapshots;
  readonly outputs: Outputs;
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

  /** Each statement by itself. */
  look<T>(work: () => SqlWork<T>): Promise<T> {
    return this.#asked(() => look(this.#connection, work()));
  }

  /** All or nothing. */
  change<T>(work: () => SqlWork<T>): Promise<T> {
    return this.#asked(() => this.#connection.transaction(work));
  }

  /** What the database refuses is a `StoreUnavailableError` with the driver's own words. */
  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (isErrandError(error) || error instanceof IdsHeld) throw error;
      // A connection that is refused is an AggregateError without a message of its own.
      const said = thrownInWords(error);
      const why = said === "" ? "the database refused" : said;
      throw new StoreUnavailableError(`${this.#namespace} (${this.#connection.dialect}): ${why}`, { cause: error });
    }
  }
}
