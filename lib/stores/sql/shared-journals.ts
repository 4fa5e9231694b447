// Shared journals: the journals of other processes, to look at and to take over.

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
import { IdsHeld, type Row } from "./ids.js";
import type { JournalRow } from "./journal-leases.js";
import { JournalView } from "./journal-view.js";
import type { JournalWriter } from "./journal-writer.js";
import type { Tables } from "./tables.js";

/** What is asked of the store whose journal is not another's. */
export interface OwnStore {
  /** Rejects when there are no tables that can be read. */
  mustHaveTables(): Promise<void>;
  /** The journal that it is of, open or not. */
  journal(): Promise<number | undefined>;
  /** `undefined` while it is not open. */
  readonly writer: JournalWriter | undefined;
  /** Only while it is open; `close` waits for it. */
  write<T>(work: (writer: JournalWriter, runtime: Runtime) => Promise<T>): Promise<T>;
}

export class LeasedJournals implements SharedJournals {
  readonly leaseMs: number;
  readonly ids: SharedIds;
  readonly #tables: Tables;
  readonly #own: OwnStore;

  constructor(tables: Tables, own: OwnStore, leaseMs: number) {
    this.#tables = tables;
    this.#own = own;
    this.leaseMs = leaseMs;
    this.ids = new SqlIds(tables, own);
  }

  async own(): Promise<string | undefined> {
    const number = await this.#own.journal();
    return number === undefined ? undefined : String(number);
  }

  heartbeat(): Promise<void> {
    return this.#own.write((writer) => writer.heartbeat());
  }

  async others(): Promise<readonly OtherJournal[]> {
    await this.#own.mustHaveTables();
    const rows = await this.#tables.look(() => this.#tables.journals.all());
    const { writer } = this.#own;
    return rows.filter((row) => writer?.holds(row) !== true).map((row) => new Other(this.#tables, row));
  }

  seize(name: string): Promise<SeizedJournal | undefined> {
    return this.#own.write(async (writer, runtime) => {
      const number = Number(name);
      if (!Number.isSafeInteger(number) || number === writer.number) return undefined;
      const taken = await this.#tables.change(() => this.#tables.journals.take(runtime, number));
      if (taken === undefined) return undefined;
      writer.addSeized(taken);
      return new Seized(this.#tables, taken, this.#own, writer);
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
        if (error instanceof IdsHeld) return this.#whole(error.held, writer);
        throw error;
      }
    });
  }

  find(ids: readonly string[]): Promise<readonly HeldId[]> {
    return this.#own.write(async (writer) =>
      this.#whole(await this.#tables.look(() => this.#tables.ids.find(ids)), writer),
    );
  }

  async forget(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await this.#own.write((writer) => writer.forgetIds(ids));
  }

  /** The ids that are held, with the outputs that are kept by themselves. One that is lost costs no other (D2). */
  #whole(rows: readonly Row[], writer: JournalWriter): Promise<readonly HeldId[]> {
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

class Other extends JournalView implements OtherJournal {
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

/** `writer` is who had it before. */
class Seized extends Other implements SeizedJournal {
  readonly #held: JournalRow;
  readonly #own: OwnStore;
  readonly #taker: JournalWriter;

  constructor(tables: Tables, held: JournalRow, own: OwnStore, taker: JournalWriter) {
    super(tables, { ...held, isFree: false });
    this.#held = held;
    this.#own = own;
    this.#taker = taker;
  }

  absorb(snapshot: Json, seq: number, left?: LeftBehind): Promise<void> {
    return this.#own.write((writer) => {
      if (writer !== this.#taker) throw new StoreUnavailableError(`journal ${this.name} was given back`);
      return writer.absorb(this.#held, snapshot, seq, left);
    });
  }
}
