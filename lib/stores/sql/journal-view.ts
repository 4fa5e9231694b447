// Journal view: reads one journal. Needs no lease, and changes nothing.
//
// Events are read in pages, so memory holds one page, however long the journal is. The journal may change between two
// pages: if events were compacted away before they were read, the read throws EventsCompactedError.

import { oneByOne } from "../../core/durable/event-lists.js";
import type { ReadOptions, Stored, TaskStore } from "../../core/durable/store.js";
import { EventsCompactedError, JournalCorruptError, StoreUnavailableError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import { throwIfAborted } from "../../core/values/abort-signal.js";
import type { Json } from "../../core/values/json.js";
import type { EventRow } from "./events.js";
import type { JournalState } from "./journal-state.js";
import { parse } from "./row.js";
import type { Tables } from "./tables.js";

/** The page size grows until a page has so many characters, or so many events. */
const PAGE_CHARACTERS = 1_000_000;
const PAGE_EVENTS = 1_024;
const FIRST_PAGE_EVENTS = 64;

interface ViewState extends Pick<JournalState, "lastSeq" | "covered"> {
  readonly stored: Stored;
}

/** The reading half of a store, for one journal. */
export class JournalView implements Pick<TaskStore, "peek" | "read" | "readLists" | "getOutput" | "outputPlace"> {
  readonly #tables: Tables;
  readonly #number: () => Promise<number | undefined>;

  /**
   * Reads the journal `number`. The function is called for each read; while it returns `undefined`, the view is an
   * empty journal.
   */
  constructor(tables: Tables, number: () => Promise<number | undefined>) {
    this.#tables = tables;
    this.#number = number;
  }

  /** Reads what `open` would return for this journal. */
  async peek(): Promise<Stored> {
    const journal = await this.#number();
    return journal === undefined ? { nextSeq: 1 } : (await this.state(journal)).stored;
  }

  /** Reads the state of a journal. Throws `StoreUnavailableError` if the journal does not exist any longer. */
  async state(journal: number): Promise<ViewState> {
    const { snapshots, states } = this.#tables;
    const state = await this.#tables.query(() => states.read(journal));
    if (state === undefined) throw goneError(journal);
    const { lastSeq, covered } = state;
    const nextSeq = Math.max(lastSeq, covered) + 1;
    if (state.snapshot === undefined) return { stored: { nextSeq }, lastSeq, covered };
    const snapshot = parse<Json>(state.snapshot);
    if (snapshot === undefined) throw corruptError(snapshots.table, journal, 1, "it is no JSON");
    return { stored: { nextSeq, snapshot }, lastSeq, covered };
  }

  /** Reads an output; `undefined` if there is none. `JournalCorruptError` if its text is not JSON. */
  async getOutput(taskId: string): Promise<Json | undefined> {
    const { outputs } = this.#tables;
    const journal = await this.#number();
    if (journal === undefined) return undefined;
    const text = await this.#tables.query(() => outputs.get(journal, taskId));
    if (text === undefined) return undefined;
    const output = parse<Json>(text);
    if (output === undefined) throw corruptError(outputs.table, journal, 1, `the output of task ${taskId} is no JSON`);
    return output;
  }

  /** Names the table and the task of an output, for error messages. */
  outputPlace(taskId: string): string {
    return `the table ${this.#tables.outputs.table}, task ${JSON.stringify(taskId)}`;
  }

  /** Yields the events from `from` on, or from the oldest on. */
  read(options: ReadOptions = {}): AsyncGenerator<TaskEvent, void, undefined> {
    return oneByOne(this.readLists(options), options.signal);
  }

  /** Yields the same events, page by page. */
  async *readLists({ from, signal }: ReadOptions = {}): AsyncGenerator<readonly TaskEvent[], void, undefined> {
    throwIfAborted(signal);
    const journal = await this.#number();
    if (journal === undefined) {
      if (from !== undefined && from < 1) throw new EventsCompactedError(from, 1);
      return;
    }
    let wanted = from;
    for (let limit = FIRST_PAGE_EVENTS; ; ) {
      const page = await this.#page(journal, wanted, limit);
      throwIfAborted(signal);
      const { events, broken } = this.#eventsOf(page, journal, wanted);
      if (events.length > 0) yield events;
      throwIfAborted(signal);
      if (broken !== undefined) throw broken;
      const last = events.at(-1);
      if (last !== undefined) wanted = last.seq + 1;
      const characters = page.reduce((sum, { text }) => sum + text.length, 0);
      if (page.length < limit) return;
      if (characters < PAGE_CHARACTERS) limit = Math.min(2 * limit, PAGE_EVENTS);
      else limit = Math.max(1, Math.floor((limit * PAGE_CHARACTERS) / characters));
    }
  }

  /** The events of a page up to the first row that is not the expected event, and the error for that row. */
  #eventsOf(
    page: readonly EventRow[],
    journal: number,
    first: number | undefined,
  ): { readonly events: readonly TaskEvent[]; readonly broken: JournalCorruptError | undefined } {
    const events: TaskEvent[] = [];
    let wanted = first;
    for (const { seq, text } of page) {
      if (wanted !== undefined && seq !== wanted) return { events, broken: this.#missing(journal, wanted) };
      const event = parse<TaskEvent>(text);
      if (event?.seq !== seq) {
        const broken = corruptError(this.#tables.events.table, journal, seq, `this is not event ${seq}`);
        return { events, broken };
      }
      events.push(event);
      wanted = seq + 1;
    }
    return { events, broken: undefined };
  }

  /**
   * Reads a page from `wanted` on, or from the oldest event on. `EventsCompactedError` if that event was compacted
   * away.
   */
  async #page(journal: number, wanted: number | undefined, limit: number): Promise<readonly EventRow[]> {
    const { events, states } = this.#tables;
    const page = await this.#tables.query(() => events.page(journal, wanted ?? 0, limit));
    if (page.length > 0 && (wanted === undefined || page[0]?.seq === wanted)) return page;
    const oldest = await this.#tables.query(() => states.oldestSeq(journal));
    if (oldest === undefined) throw goneError(journal);
    if (wanted !== undefined && wanted < oldest) throw new EventsCompactedError(wanted, oldest);
    return page;
  }

  #missing(journal: number, seq: number): JournalCorruptError {
    return corruptError(this.#tables.events.table, journal, seq, `event ${seq} is missing`);
  }
}

function goneError(journal: number): StoreUnavailableError {
  return new StoreUnavailableError(
    `journal ${journal} does not exist any longer: another process has absorbed it, so read the journal of that process`,
  );
}

// A table has no lines and no bytes: the error's line is the `seq`.
function corruptError(table: string, journal: number, seq: number, why: string): JournalCorruptError {
  return new JournalCorruptError(`${table}, journal ${journal}`, seq, 0, why);
}
