// Journal writer: the journal that a process holds, and those that it seized beside it. Each write is one transaction, with the fence in it.
//
// Owns what is known of the journal's end without asking: nobody else makes it longer. A commit whose answer was lost may have been made or not,
// so after each failure the next append cuts off what is behind the last event that it knows of.
// Transactions lock this journal before a seized one.

import type { IdClaim, IdEnd, LeftBehind } from "../../core/durable/store.js";
import type { TaskEvent } from "../../core/task/events.js";
import type { Json } from "../../core/values/json.js";
import type { SqlWork } from "./connection.js";
import { chunksOf, type EventChunk } from "./events.js";
import type { Held } from "./journal-leases.js";
import type { JournalState } from "./journal-state.js";
import type { Tables } from "./tables.js";

/** The changes to the ids of tasks that go with an append. */
export interface IdChanges {
  readonly claims: readonly IdClaim[];
  readonly ends: readonly IdEnd[];
}
const NO_IDS: IdChanges = { claims: [], ends: [] };

/** A journal that was seized, and what stays in it. */
interface Absorbed {
  readonly held: Held;
  readonly left: LeftBehind | undefined;
}

export class JournalWriter {
  readonly #tables: Tables;
  readonly #held: Held;
  /** By number. */
  readonly #seized = new Map<number, Held>();
  #lastSeq: number;
  #covered: number;
  /** There may be events behind the last one. */
  #isUnsure = false;
  /** Settles, and never rejects, when the newest compaction has. */
  #compaction: Promise<unknown> = Promise.resolve();

  /** A journal that was just taken, and its end. */
  constructor(tables: Tables, held: Held, { lastSeq, covered }: Pick<JournalState, "lastSeq" | "covered">) {
    this.#tables = tables;
    this.#held = held;
    this.#lastSeq = lastSeq;
    this.#covered = covered;
  }

  get number(): number {
    return this.#held.number;
  }

  /** Whether it is this one, or one that was seized, and nobody has taken it since. */
  holds({ number, epoch }: Held): boolean {
    const held = number === this.#held.number ? this.#held : this.#seized.get(number);
    return held?.epoch === epoch;
  }

  /** `ids` go with it: `IdsHeld` when another journal has one of those that are claimed. */
  async append(events: readonly TaskEvent[], ids: IdChanges = NO_IDS): Promise<void> {
    const [first] = events;
    const last = events.at(-1);
    if (first === undefined || last === undefined) return;
    this.#checkFollows(events, first.seq);
    const chunks = chunksOf(events);
    // What a snapshot that is ahead stands for is left out, and so is what was before it.
    const keptSeq = first.seq === this.#lastSeq + 1 ? this.#lastSeq : 0;
    const mustCut = this.#isUnsure || keptSeq !== this.#lastSeq;
    this.#isUnsure = true;
    await this.#tables.change(() => this.#append(chunks, last.seq, mustCut ? keptSeq : undefined, ids));
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
    if (!(yield* journals.advance(this.#held, lastSeq))) throw yield* journals.lost(this.#held);
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

  compact(snapshot: Json, seq: number): Promise<void> {
    return this.#oneByOne(() => this.#replace(snapshot, seq));
  }

  /** The journals of both are one from now on; what is `left` stays in the seized one, which is given back. */
  absorb(seized: Held, snapshot: Json, seq: number, left: LeftBehind | undefined): Promise<void> {
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

  async #replace(snapshot: Json, seq: number, absorbed?: Absorbed): Promise<void> {
    const text = JSON.stringify(snapshot);
    await this.#tables.change(() => this.#snapshot(text, seq, absorbed));
    this.#covered = seq;
  }

  /** The fence comes last, where it is as good as first: so no append waits until a long snapshot is written. */
  *#snapshot(text: string, seq: number, absorbed: Absorbed | undefined): SqlWork<void> {
    const { journals, events, snapshots } = this.#tables;
    const { number } = this.#held;
    // One generation of history stays readable.
    yield* events.deleteCovered(number);
    // The journal may have been absorbed here already, by a commit whose answer was lost: then it may be another's by now.
    const isNew = absorbed !== undefined && !(yield* snapshots.hasAbsorbed(number, absorbed.held));
    yield* snapshots.put(number, seq, text, absorbed?.held);
    if (absorbed !== undefined && isNew) yield* this.#takeFrom(absorbed);
    if (!(yield* journals.renew(this.#held))) throw yield* journals.lost(this.#held);
  }

  *#takeFrom({ held, left }: Absorbed): SqlWork<void> {
    const { journals, events, snapshots, outputs, ids } = this.#tables;
    const { number } = held;
    yield* ids.move(number, this.#held.number, left?.ids ?? []);
    yield* outputs.move(number, this.#held.number, left?.outputs ?? []);
    yield* events.deleteBehind(number, 0);
    yield* snapshots.delete(number);
    if (left === undefined) {
      if (!(yield* journals.remove(held))) throw yield* journals.lost(held);
      return;
    }
    yield* snapshots.put(number, left.seq, JSON.stringify(left.snapshot), undefined);
    if (!(yield* journals.leave(held, left.seq))) throw yield* journals.lost(held);
  }

  putOutput(taskId: string, output: Json): Promise<void> {
    const text = JSON.stringify(output);
    return this.#tables.change(() => this.#fenced(this.#tables.outputs.put(this.#held.number, taskId, text)));
  }

  async deleteOutputs(taskIds: readonly string[]): Promise<void> {
    if (taskIds.length === 0) return;
    await this.#tables.change(() => this.#fenced(this.#tables.outputs.delete(this.#held.number, taskIds)));
  }

  *#fenced(work: SqlWork<void>): SqlWork<void> {
    const { journals } = this.#tables;
    if (!(yield* journals.keep(this.#held))) throw yield* journals.lost(this.#held);
    yield* work;
  }

  async forgetIds(taskIds: readonly string[]): Promise<void> {
    await this.#tables.change(() => this.#fenced(this.#tables.ids.forget(this.#held.number, taskIds)));
  }

  heartbeat(): Promise<void> {
    return this.#tables.change(() => this.#heartbeat());
  }

  *#heartbeat(): SqlWork<void> {
    const { journals } = this.#tables;
    if (!(yield* journals.renew(this.#held))) throw yield* journals.lost(this.#held);
    // One that another has taken is told of when it is to be absorbed.
    for (const seized of [...this.#seized.values()]) yield* journals.renew(seized);
  }

  /** Keeps it alive together with its own. */
  addSeized(held: Held): void {
    this.#seized.set(held.number, held);
  }

  giveBack(): Promise<void> {
    return this.#tables.change(() => this.#giveBack());
  }

  *#giveBack(): SqlWork<void> {
    for (const held of [this.#held, ...this.#seized.values()]) yield* this.#tables.journals.giveBack(held);
  }
}

function outOfOrder(seq: number, before: number): RangeError {
  return new RangeError(`Event ${seq} does not follow on event ${before}`);
}
