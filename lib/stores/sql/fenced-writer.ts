// Fenced writer: writes the journal that this process holds, and absorbs the journals that it seized. Each write is one
// transaction that checks the epoch: this is the fence against an earlier writer.
//
// Owns the known end of the journal: no other process appends to it. If the answer to a commit is lost, the commit may
// have happened or not. So after a failure the next append deletes the events after the last known one.
// Transactions lock this journal before a seized one.

import type { IdClaim, IdEnd, LeftBehind } from "../../core/durable/store.js";
import type { TaskEvent } from "../../core/task/events.js";
import type { Json } from "../../core/values/json.js";
import type { SqlWork } from "./connection.js";
import { chunksOf, type EventChunk } from "./events.js";
import type { HeldJournal } from "./journal-leases.js";
import type { JournalState } from "./journal-state.js";
import type { Tables } from "./tables.js";

/** Changes to the ids of tasks that belong to an append. */
export interface IdChanges {
  /** The ids that the appended events claim. */
  readonly claims: readonly IdClaim[];
  /** The ends of tasks whose ids this journal holds. */
  readonly ends: readonly IdEnd[];
}
const NO_IDS: IdChanges = { claims: [], ends: [] };

/** A seized journal, and the part that stays in it. */
interface Absorption {
  readonly held: HeldJournal;
  readonly left: LeftBehind | undefined;
}

/** The only writer of a journal while it holds the lease. */
export class FencedWriter {
  readonly #tables: Tables;
  readonly #held: HeldJournal;
  /** The seized journals by number. */
  readonly #seized = new Map<number, HeldJournal>();
  #lastSeq: number;
  #covered: number;
  /** Whether the table may have events after the last known one. */
  #isUnsure = false;
  /** Settles when the newest compaction has settled. This promise never rejects. */
  #compaction: Promise<unknown> = Promise.resolve();

  /** Begins to write a journal that this process has just taken. `lastSeq` and `covered` are its end. */
  constructor(tables: Tables, held: HeldJournal, { lastSeq, covered }: Pick<JournalState, "lastSeq" | "covered">) {
    this.#tables = tables;
    this.#held = held;
    this.#lastSeq = lastSeq;
    this.#covered = covered;
  }

  /** The number of the journal. */
  get number(): number {
    return this.#held.number;
  }

  /** Returns whether this writer holds that journal, as its own or as a seized one, in that epoch. */
  holds({ number, epoch }: HeldJournal): boolean {
    const held = number === this.#held.number ? this.#held : this.#seized.get(number);
    return held?.epoch === epoch;
  }

  /**
   * Appends the events in one transaction with the changes to `ids`. `IdsHeldError` if another journal holds a claimed
   * id.
   */
  async append(events: readonly TaskEvent[], ids: IdChanges = NO_IDS): Promise<void> {
    const [first] = events;
    const last = events.at(-1);
    if (first === undefined || last === undefined) return;
    this.#checkFollows(events, first.seq);
    const chunks = chunksOf(events);
    // If the snapshot is ahead of the journal, it covers the skipped events and all events before them.
    const keptSeq = first.seq === this.#lastSeq + 1 ? this.#lastSeq : 0;
    const mustCut = this.#isUnsure || keptSeq !== this.#lastSeq;
    this.#isUnsure = true;
    await this.#tables.transaction(() => this.#append(chunks, last.seq, mustCut ? keptSeq : undefined, ids));
    this.#isUnsure = false;
    this.#lastSeq = last.seq;
  }

  *#append(
    chunks: readonly EventChunk[],
    lastSeq: number,
    keptSeq: number | undefined,
    { claims, ends }: IdChanges,
  ): SqlWork<void> {
    const { journals, events, ids } = this.#tables;
    if (!(yield* journals.advance(this.#held, lastSeq))) throw yield* journals.lockedError(this.#held);
    if (keptSeq !== undefined) yield* events.deleteBehind(this.#held.number, keptSeq);
    yield* ids.claim(this.#held.number, claims);
    yield* events.append(this.#held.number, chunks);
    yield* ids.end(this.#held.number, ends);
  }

  #checkFollows(events: readonly TaskEvent[], first: number): void {
    if (first !== this.#lastSeq + 1 && (first > this.#covered + 1 || first <= this.#lastSeq))
      throw outOfOrder(first, Math.max(this.#lastSeq, this.#covered));
    for (const [index, { seq }] of events.entries()) {
      if (seq !== first + index) throw outOfOrder(seq, first + index - 1);
    }
  }

  /** Replaces the snapshot. Snapshots are written one by one. */
  compact(snapshot: Json, seq: number): Promise<void> {
    return this.#oneByOne(() => this.#replace(snapshot, seq));
  }

  /** Stores a snapshot of both journals and ends the seized one, or gives it back with `left` in it. */
  absorb(seized: HeldJournal, snapshot: Json, seq: number, left: LeftBehind | undefined): Promise<void> {
    return this.#oneByOne(async () => {
      await this.#replace(snapshot, seq, { held: seized, left });
      this.#seized.delete(seized.number);
    });
  }

  #oneByOne(work: () => Promise<void>): Promise<void> {
    const done = this.#compaction.then(work);
    this.#compaction = done.catch(() => undefined);
    return done;
  }

  async #replace(snapshot: Json, seq: number, absorbed?: Absorption): Promise<void> {
    const text = JSON.stringify(snapshot);
    await this.#tables.transaction(() => this.#snapshot(text, seq, absorbed));
    this.#covered = seq;
  }

  /**
   * Writes the snapshot. The epoch is checked last, so that an append does not wait while a long snapshot is written.
   */
  *#snapshot(text: string, seq: number, absorbed: Absorption | undefined): SqlWork<void> {
    const { journals, events, snapshots } = this.#tables;
    const { number } = this.#held;
    // The events after the previous snapshot stay readable.
    yield* events.deleteCovered(number);
    // An earlier commit with a lost answer may have absorbed the journal. Then another process may hold it now.
    const isNew = absorbed !== undefined && !(yield* snapshots.hasAbsorbed(number, absorbed.held));
    yield* snapshots.put(number, seq, text, absorbed?.held);
    if (absorbed !== undefined && isNew) yield* this.#takeFrom(absorbed);
    if (!(yield* journals.renew(this.#held))) throw yield* journals.lockedError(this.#held);
  }

  *#takeFrom({ held, left }: Absorption): SqlWork<void> {
    const { journals, events, snapshots, outputs, ids } = this.#tables;
    const { number } = held;
    yield* ids.move(number, this.#held.number, left?.ids ?? []);
    yield* outputs.move(number, this.#held.number, left?.outputs ?? []);
    yield* events.deleteBehind(number, 0);
    yield* snapshots.delete(number);
    if (left === undefined) {
      if (!(yield* journals.remove(held))) throw yield* journals.lockedError(held);
      return;
    }
    yield* snapshots.put(number, left.seq, JSON.stringify(left.snapshot), undefined);
    if (!(yield* journals.giveBackAt(held, left.seq))) throw yield* journals.lockedError(held);
  }

  /** Stores an output and replaces an older one. */
  putOutput(taskId: string, output: Json): Promise<void> {
    const text = JSON.stringify(output);
    return this.#tables.transaction(() => this.#fenced(this.#tables.outputs.put(this.#held.number, taskId, text)));
  }

  /** Deletes the outputs of these tasks. */
  async deleteOutputs(taskIds: readonly string[]): Promise<void> {
    if (taskIds.length === 0) return;
    await this.#tables.transaction(() => this.#fenced(this.#tables.outputs.delete(this.#held.number, taskIds)));
  }

  *#fenced(work: SqlWork<void>): SqlWork<void> {
    const { journals } = this.#tables;
    if (!(yield* journals.lock(this.#held))) throw yield* journals.lockedError(this.#held);
    yield* work;
  }

  /** Frees the ids of these tasks. */
  async forgetIds(taskIds: readonly string[]): Promise<void> {
    await this.#tables.transaction(() => this.#fenced(this.#tables.ids.forget(this.#held.number, taskIds)));
  }

  /**
   * Extends the leases of the journal and of the seized ones. `StoreLockedError` if another process has taken the
   * journal.
   */
  heartbeat(): Promise<void> {
    return this.#tables.transaction(() => this.#heartbeat());
  }

  *#heartbeat(): SqlWork<void> {
    const { journals } = this.#tables;
    if (!(yield* journals.renew(this.#held))) throw yield* journals.lockedError(this.#held);
    // If another process has taken a seized journal, the call that absorbs it reports this.
    for (const seized of [...this.#seized.values()]) yield* journals.renew(seized);
  }

  /** Extends the lease of a seized journal with each heartbeat from now on. */
  addSeized(held: HeldJournal): void {
    this.#seized.set(held.number, held);
  }

  /** Gives back the journal and the seized ones. */
  giveBack(): Promise<void> {
    return this.#tables.transaction(() => this.#giveBack());
  }

  *#giveBack(): SqlWork<void> {
    for (const held of [this.#held, ...this.#seized.values()]) yield* this.#tables.journals.giveBack(held);
  }
}

function outOfOrder(seq: number, before: number): RangeError {
  return new RangeError(`Event ${seq} does not follow event ${before}: append events in order, without a gap`);
}
