// Shared journals: lists the journals of all processes, seizes free ones, and claims ids over the whole store.

import { readOutput } from "../../core/durable/large-outputs.js";
import type {
  HeldId,
  IdClaim,
  IdEnd,
  LeftBehind,
  OtherJournal,
  SeizedJournal,
  SharedIds,
  SharedJournals,
} from "../../core/durable/store.js";
import { StoreUnavailableError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import type { Runtime } from "../../core/task/record.js";
import type { Json } from "../../core/values/json.js";
import type { FencedWriter } from "./fenced-writer.js";
import { type HeldIdRow, IdsHeldError } from "./ids.js";
import type { JournalRow } from "./journal-leases.js";
import { JournalView } from "./journal-view.js";
import type { Tables } from "./tables.js";

/** The part of the own store that this module uses. */
export interface OwnStore {
  /** Rejects if there are no tables, or tables of a newer errand. */
  mustHaveTables(): Promise<void>;
  /** Resolves with the number of the journal that the store reads, whether it is open or not. */
  journal(): Promise<number | undefined>;
  /** The writer of the own journal; `undefined` while the store is not open. */
  readonly writer: FencedWriter | undefined;
  /** Runs `work` if the store is open, and rejects otherwise. `close` waits for it. */
  write<T>(work: (writer: FencedWriter, runtime: Runtime) => Promise<T>): Promise<T>;
}

/** The `shared` part of a store in a database. */
export class LeasedJournals implements SharedJournals {
  /** The time, in milliseconds, for which a heartbeat keeps a lease. */
  readonly leaseMs: number;
  /** The ids of the whole store. */
  readonly ids: SharedIds;
  readonly #tables: Tables;
  readonly #own: OwnStore;

  constructor(tables: Tables, own: OwnStore, leaseMs: number) {
    this.#tables = tables;
    this.#own = own;
    this.leaseMs = leaseMs;
    this.ids = new SqlIds(tables, own);
  }

  /** Resolves with the name of the journal that the store reads. */
  async own(): Promise<string | undefined> {
    const number = await this.#own.journal();
    return number === undefined ? undefined : String(number);
  }

  /** Extends the leases of this writer. */
  heartbeat(): Promise<void> {
    return this.#own.write((writer) => writer.heartbeat());
  }

  /** Lists the journals that this writer does not hold, oldest first. */
  async others(): Promise<readonly OtherJournal[]> {
    await this.#own.mustHaveTables();
    const rows = await this.#tables.query(() => this.#tables.journals.all());
    const { writer } = this.#own;
    return rows.filter((row) => writer?.holds(row) !== true).map((row) => new SqlOtherJournal(this.#tables, row));
  }

  /** Takes a journal if it is free. Resolves with `undefined` if it is not. */
  seize(name: string): Promise<SeizedJournal | undefined> {
    return this.#own.write(async (writer, runtime) => {
      const number = Number(name);
      if (!Number.isSafeInteger(number) || number === writer.number) return undefined;
      const taken = await this.#tables.transaction(() => this.#tables.journals.take(runtime, number));
      if (taken === undefined) return undefined;
      writer.addSeized(taken);
      return new SqlSeizedJournal(this.#tables, taken, this.#own, writer);
    });
  }
}

class SqlIds implements SharedIds {
  readonly #tables: Tables;
  readonly #own: OwnStore;

  constructor(tables: Tables, own: OwnStore) {
    this.#tables = tables;
    this.#own = own;
  }

  append(events: readonly TaskEvent[], claims: readonly IdClaim[], ends: readonly IdEnd[]): Promise<readonly HeldId[]> {
    return this.#own.write(async (writer) => {
      try {
        await writer.append(events, { claims, ends });
        return [];
      } catch (error) {
        if (error instanceof IdsHeldError) return this.#withOutputs(error.held, writer);
        throw error;
      }
    });
  }

  find(ids: readonly string[]): Promise<readonly HeldId[]> {
    return this.#own.write(async (writer) =>
      this.#withOutputs(await this.#tables.query(() => this.#tables.ids.find(ids)), writer),
    );
  }

  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#own.write((writer) => writer.forgetIds(ids));
  }

  /** Converts rows, and adds the outputs that are stored separately. A lost output affects no other row (D2). */
  #withOutputs(rows: readonly HeldIdRow[], writer: FencedWriter): Promise<readonly HeldId[]> {
    return Promise.all(
      rows.map(async ({ journal, ...held }) => {
        const isOwn = journal === writer.number;
        if (held.end?.type !== "task.succeeded" || held.end.outputApart !== true) return { ...held, isOwn };
        const view = new JournalView(this.#tables, async () => journal);
        return { ...held, isOwn, output: await readOutput(view, held.id) };
      }),
    );
  }
}

class SqlOtherJournal extends JournalView implements OtherJournal {
  readonly name: string;
  readonly version: string;
  readonly writer: Runtime;
  readonly isFree: boolean;

  constructor(tables: Tables, { number, epoch, lastSeq, writer, isFree }: JournalRow) {
    super(tables, async () => number);
    this.name = String(number);
    this.version = `${epoch}:${lastSeq}`;
    this.writer = writer;
    this.isFree = isFree;
  }
}

/** A seized journal. Its `writer` is the process that had it before. */
class SqlSeizedJournal extends SqlOtherJournal implements SeizedJournal {
  readonly #held: JournalRow;
  readonly #own: OwnStore;
  readonly #taker: FencedWriter;

  constructor(tables: Tables, held: JournalRow, own: OwnStore, taker: FencedWriter) {
    super(tables, { ...held, isFree: false });
    this.#held = held;
    this.#own = own;
    this.#taker = taker;
  }

  absorb(snapshot: Json, seq: number, left?: LeftBehind): Promise<void> {
    return this.#own.write((writer) => {
      if (writer !== this.#taker)
        throw new StoreUnavailableError(
          `journal ${this.name} was given back when the store was closed: seize it again`,
        );
      return writer.absorb(this.#held, snapshot, seq, left);
    });
  }
}
