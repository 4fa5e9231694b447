// Journal view: one journal, to look at. Needs no lease, and takes nothing.
//
// The events come in pages, so what is held is a page, however long the journal is. Between two pages anything may happen to it: what is
// compacted away before it was read is EventsCompactedError.

import type { ReadOptions, Stored, TaskStore } from "../../core/durable/store.js";
import { EventsCompactedError, JournalCorruptError, StoreUnavailableError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import { throwIfAborted } from "../../core/values/abort-signal.js";
import type { Json } from "../../core/values/json.js";
import type { EventRow } from "./events.js";
import type { JournalState } from "./journal-state.js";
import { parsed } from "./row.js";
import type { Tables } from "./tables.js";

/** A page is grown until it has so many characters, or so many events. */
const PAGE_CHARACTERS = 1_000_000;
const PAGE_EVENTS = 1_024;
const FIRST_PAGE_EVENTS = 64;

interface Found extends Pick<JournalState, "lastSeq" | "covered"> {
  readonly stored: Stored;
}

export class JournalView implements Pick<TaskStore, "peek" | "read" | "getOutput" | "outputPlace"> {
  readonly #tables: Tables;
  readonly #number: () => Promise<number | undefined>;

  /** `number` is asked each time; while there is no journal yet, this is one that is empty. */
  constructor(tables: Tables, number: () => Promise<number | undefined>) {
    this.#tables = tables;
    this.#number = number;
  }

  async peek(): Promise<Stored> {
    const journal = await this.#number();
    return journal === undefined ? { nextSeq: 1 } : (await this.state(journal)).stored;
  }

  async state(journal: number): Promise<Found> {
    const { snapshots, states } = this.#tables;
    const state = await this.#tables.look(() => states.of(journal));
    if (state === undefined) throw gone(journal);
    const { lastSeq, covered } = state;
    const nextSeq = Math.max(lastSeq, covered) + 1;
    if (state.snapshot === undefined) return { stored: { nextSeq }, lastSeq, covered };
    const snapshot = parsed<Json>(state.snapshot);
    if (snapshot === undefined) throw corrupt(snapshots.table, journal, 1, "it is no JSON");
    return { stored: { nextSeq, snapshot }, lastSeq, covered };
  }

  async getOutput(taskId: string): Promise<Json | undefined> {
    const { outputs } = this.#tables;
    const journal = await this.#number();
    if (journal === undefined) return undefined;
    const text = await this.#tables.look(() => outputs.get(journal, taskId));
    if (text === undefined) return undefined;
    const output = parsed<Json>(text);
    if (output === undefined) throw corrupt(outputs.table, journal, 1, `the output of task ${taskId} is no JSON`);
    return output;
  }

  outputPlace(taskId: string): string {
    return `the table ${this.#tables.outputs.table}, task ${JSON.stringify(taskId)}`;
  }

  async *read({ from, signal }: ReadOptions = {}): AsyncGenerator<TaskEvent, void, undefined> {
    throwIfAborted(signal);
    const journal = await this.#number();
    if (journal === undefined) {
      if (from !== undefined && from < 1) throw new EventsCompactedError(from, 1);
      return;
    }
    let wanted = from;
    for (let limit = FIRST_PAGE_EVENTS; ; ) {
      const page = await this.#page(journal, wanted, limit);
      let characters = 0;
      for (const { seq, text } of page) {
        throwIfAborted(signal);
        if (wanted !== undefined && seq !== wanted) throw this.#missing(journal, wanted);
        const event = parsed<TaskEvent>(text);
        if (event?.seq !== seq) throw corrupt(this.#tables.events.table, journal, seq, `this is not event ${seq}`);
        characters += text.length;
        wanted = seq + 1;
        yield event;
      }
      throwIfAborted(signal);
      if (page.length < limit) return;
      if (characters < PAGE_CHARACTERS) limit = Math.min(2 * limit, PAGE_EVENTS);
      else limit = Math.max(1, Math.floor((limit * PAGE_CHARACTERS) / characters));
    }
  }

  /** From `wanted` on, or from the oldest. `EventsCompactedError` when that one is not kept any more. */
  async #page(journal: number, wanted: number | undefined, limit: number): Promise<readonly EventRow[]> {
    const { events, states } = this.#tables;
    const page = await this.#tables.look(() => events.page(journal, wanted ?? 0, limit));
    if (page.length > 0 && (wanted === undefined || page[0]?.seq === wanted)) return page;
    const oldest = await this.#tables.look(() => states.oldestSeq(journal));
    if (oldest === undefined) throw gone(journal);
    if (wanted !== undefined && wanted < oldest) throw new EventsCompactedError(wanted, oldest);
    return page;
  }

  #missing(journal: number, seq: number): JournalCorruptError {
    return corrupt(this.#tables.events.table, journal, seq, `event ${seq} is missing`);
  }
}

function gone(journal: number): StoreUnavailableError {
  return new StoreUnavailableError(`journal ${journal} is not there any more: another process has taken it up`);
}

/** A table has neither lines nor bytes: the line is the `seq`. */
function corrupt(table: string, journal: number, seq: number, why: string): JournalCorruptError {
  return new JournalCorruptError(`${table}, journal ${journal}`, seq, 0, why);
}
