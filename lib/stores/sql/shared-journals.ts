// Shared journals: the journals of other processes, to look at and to take over.

import { StoreUnavailableError } from "../../core/errors.js";
import type { Json } from "../../core/json.js";
import type { Runtime } from "../../core/record.js";
import type { LeftBehind, OtherJournal, SeizedJournal, SharedJournals } from "../../core/store.js";
import { JournalView } from "./journal-view.js";
import type { JournalWriter } from "./journal-writer.js";
import type { JournalRow } from "./journals.js";
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
  readonly #tables: Tables;
  readonly #own: OwnStore;

  constructor(tables: Tables, own: OwnStore, leaseMs: number) {
    this.#tables = tables;
    this.#own = own;
    this.leaseMs = leaseMs;
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
