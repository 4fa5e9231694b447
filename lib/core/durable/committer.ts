// Committer: takes what was decided to the store, once a turn, and again until it is there (D1, D5).
//
// Owns the events that are not stored yet. One `append` at a time; all that was decided meanwhile shares the next one, so under load
// thousands of tasks share one commit. A store that fails keeps nothing back: the events wait here, are tried again, and until they
// are stored nothing new is spawned. Now and then, when the journal has grown long beside what it tells, it is compacted (D6).

import pLimit from "p-limit";
import { isErrandError, ManagerClosedError, type StoreLockedError, StoreUnavailableError } from "../task/errors.js";
import type { TaskEvent } from "../task/events.js";
import { thrownInWords } from "../task/failure.js";
import { Alarm, type Timekeeper } from "../time/clock.js";
import { nextTurn } from "../time/turn.js";
import { handled } from "../values/handled.js";
import type { Json } from "../values/json.js";
import { runOutside } from "../values/outside.js";
import { longOutputOf, withoutOutput } from "./large-outputs.js";
import type { HeldId, IdClaim, IdEnd, LeftBehind, SeizedJournal, TaskStore } from "./store.js";

/** The ids that go with an append. */
interface IdRoom {
  changesIn(
    events: readonly TaskEvent[],
    refused: ReadonlySet<string>,
  ): { readonly claims: readonly IdClaim[]; readonly ends: readonly IdEnd[] };
  held(held: readonly HeldId[]): void;
}

/** A snapshot, and what a store needs with it. */
export interface Cut {
  readonly json: Json;
  /** It stands for every event up to this one. */
  readonly seq: number;
  readonly tasks: number;
  /** Outputs that are too long for it, by task. */
  readonly apart: ReadonlyMap<string, Json>;
}

interface CommitterDeps {
  readonly store: TaskStore;
  readonly clock: Timekeeper;
  /** Every event up to `seq` is stored. */
  readonly onStored: (seq: number) => void;
  readonly onFailed: (error: unknown) => void;
  /** The writer's place was taken: nothing of this manager is kept any more. */
  readonly onLost: (error: StoreLockedError) => void;
  /** Outputs that nobody wants any more, by task; those that are deleted leave it. */
  readonly evictedOutputs: Set<string>;
  /** Present with a shared store whose ids are one space. */
  readonly standbys: IdRoom | undefined;
  /** Given ids of tasks whose records were evicted. */
  readonly evictedIds: Set<string>;
  /** Of the state that the newest fact made. */
  readonly snapshot: () => Cut;
}

/** Compacting is worth it from so many events on, and when they are so many times what the snapshot keeps. */
const COMPACT_FROM = 10_000;
const COMPACT_TIMES = 8;

const OUTPUTS_AT_A_TIME = 4;
const GIVEN_BACK_MS = 1_000;

/** Of a manager that was closed while its store failed. */
export const NOT_STORED = "what it would have told could not be stored";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

/** A caller that waits until the event of `seq` is stored, or until the store fails. */
interface Waiting {
  readonly seq: number;
  readonly orFailed: boolean;
  readonly resolve: () => void;
  readonly reject: (why: Error) => void;
}

export class Committer {
  readonly #deps: CommitterDeps;
  #pending: TaskEvent[] = [];
  #stored: number;
  /** `seq` of the newest event that was added. */
  #added: number;
  /** A commit is under way, or waits for the end of its turn. */
  #isCommitting = false;
  #failure: StoreUnavailableError | undefined;
  /** What was stored is gone: a snapshot of everything comes before the events. */
  #isLost = false;
  #retryMs = FIRST_RETRY_MS;
  /** Cuts the pause before the next try short. */
  #hurry: (() => void) | undefined;
  #waiting: Waiting[] = [];
  #sinceSnapshot: number;
  #snapshotSize = 0;
  #compacting: Promise<void> | undefined;
  /** No compaction is begun any more. */
  #isClosing = false;
  #isClosed = false;
  #deleting: Promise<void> | undefined;

  /** `seq` is the last one that is stored, `sinceSnapshot` how many events are behind the newest snapshot. */
  constructor(deps: CommitterDeps, seq: number, sinceSnapshot: number) {
    this.#deps = deps;
    this.#stored = seq;
    this.#added = seq;
    this.#sinceSnapshot = sinceSnapshot;
  }

  get store(): TaskStore {
    return this.#deps.store;
  }

  /** `seq` of the newest event that is stored. */
  get storedSeq(): number {
    return this.#stored;
  }

  /** Why nothing new may be spawned: the store does not take what there is. */
  get failure(): StoreUnavailableError | undefined {
    return this.#failure;
  }

  /** Goes with the next commit. */
  add(event: TaskEvent): void {
    this.#pending.push(event);
    this.#added = event.seq;
    this.#schedule();
  }

  /** Same as `durable`, for readers of what is stored: resolves also while the store fails. */
  readable(seq: number): Promise<void> {
    return this.#failure === undefined ? this.#untilStored(seq, true) : Promise.resolve();
  }

  /** Resolves when the event of `seq` is stored. `ManagerClosedError`: it will not be. */
  durable(seq: number): Promise<void> {
    return this.#untilStored(seq, false);
  }

  /** As `durable`; `undefined`: the event is stored. */
  unstored(seq: number): Promise<void> | undefined {
    return seq <= this.#stored ? undefined : this.durable(seq);
  }

  #untilStored(seq: number, orFailed: boolean): Promise<void> {
    if (seq <= this.#stored) return Promise.resolve();
    if (this.#isClosed) return Promise.reject(new ManagerClosedError(NOT_STORED));
    return new Promise((resolve, reject) => this.#waiting.push({ seq, orFailed, resolve, reject }));
  }

  /**
   * Gives the writer's place back once everything added is stored, or `ms` have passed. A store has a moment for that whatever the grace is: who
   * opens it again finds it free.
   */
  async close(ms: number): Promise<void> {
    this.#isClosing = true;
    this.#hurry?.();
    // Closed already: its place was taken.
    if (!this.#isClosed) {
      await this.#within(
        ms,
        this.durable(this.#added).then(() => this.#compacting),
      );
    }
    this.#isClosed = true;
    this.#hurry?.();
    for (const { reject } of this.#waiting.splice(0)) reject(new ManagerClosedError(NOT_STORED));
    await this.#within(Math.max(ms, GIVEN_BACK_MS), this.#deps.store.close());
  }

  async #within(ms: number, work: Promise<unknown>): Promise<void> {
    let alarm: Alarm | undefined;
    const isLate = new Promise<void>((resolve) => {
      alarm = new Alarm(this.#deps.clock, ms, resolve);
    });
    try {
      await Promise.race([handled(work), isLate]);
    } finally {
      alarm?.cancel();
    }
  }

  // ── committing ───────────────────────────────────────────────────────────

  /** At the end of this turn, in nobody's context. */
  #schedule(): void {
    if (this.#isCommitting || this.#isClosed) return;
    this.#isCommitting = true;
    runOutside(() => nextTurn(() => void this.#commitPending()));
  }

  async #commitPending(): Promise<void> {
    const batch = this.#pending;
    this.#pending = [];
    try {
      await this.#commit(batch);
    } catch (error) {
      if (isErrandError(error, "STORE_LOCKED")) return this.#deps.onLost(error);
      this.#pending = batch.concat(this.#pending);
      await this.#failed(error);
    }
    this.#isCommitting = false;
    if (this.#pending.length > 0) this.#schedule();
    this.#compactWhenDue();
  }

  async #commit(batch: readonly TaskEvent[]): Promise<void> {
    const { store, snapshot, onStored } = this.#deps;
    const last = batch.at(-1);
    if (last === undefined) return;
    if (this.#isLost) {
      const { json, seq, apart } = snapshot();
      // In this order: compacting makes the place anew in which outputs are put.
      await store.compact(json, seq);
      await this.#putOutputs(apart);
      this.#isLost = false;
    }
    await this.#append(await this.#setApart(batch));
    this.#failure = undefined;
    this.#retryMs = FIRST_RETRY_MS;
    this.#stored = last.seq;
    this.#sinceSnapshot += batch.length;
    onStored(last.seq);
    this.#tellDurable();
  }

  /** D9: with its ids. Those that another journal has are not asked for again: their tasks wait for it. */
  async #append(batch: readonly TaskEvent[]): Promise<void> {
    const { store, standbys, evictedIds } = this.#deps;
    const ids = store.shared?.ids;
    if (ids === undefined || standbys === undefined) return store.append(batch);
    const refused = new Set<string>();
    for (;;) {
      const { claims, ends } = standbys.changesIn(batch, refused);
      if (claims.length === 0 && ends.length === 0) return store.append(batch);
      for (const { id } of claims) evictedIds.delete(id);
      await this.#deleting;
      const held = await ids.append(batch, claims, ends);
      if (held.length === 0) return;
      for (const { id } of held) refused.add(id);
      standbys.held(held);
    }
  }

  /** What is too long for the journal is stored before the event that tells of it. */
  async #setApart(batch: readonly TaskEvent[]): Promise<readonly TaskEvent[]> {
    const apart = new Map<string, Json>();
    const lines = batch.map((event) => {
      const output = longOutputOf(event);
      if (output === undefined) return event;
      apart.set(event.taskId, output);
      return withoutOutput(event);
    });
    if (apart.size === 0) return batch;
    await this.#putOutputs(apart);
    return lines;
  }

  /** An id that was used again has an output that is wanted, whatever was to become of the one before. */
  async #putOutputs(outputs: ReadonlyMap<string, Json>): Promise<void> {
    for (const id of outputs.keys()) this.#deps.evictedOutputs.delete(id);
    await this.#deleting;
    const limit = pLimit({ concurrency: OUTPUTS_AT_A_TIME, rejectOnClear: true });
    await Promise.all(
      Array.from(outputs, ([taskId, output]) => limit(() => this.#deps.store.putOutput(taskId, output))),
    );
  }

  #tellDurable(): void {
    if (this.#waiting.length === 0) return;
    const told = this.#waiting.filter(({ seq }) => seq <= this.#stored);
    this.#waiting = this.#waiting.filter(({ seq }) => seq > this.#stored);
    for (const { resolve } of told) resolve();
  }

  /** D5: nothing is dropped. Tries again after a pause, which grows. */
  async #failed(error: unknown): Promise<void> {
    const { clock, onFailed } = this.#deps;
    this.#failure = isErrandError(error, "STORE_UNAVAILABLE")
      ? error
      : new StoreUnavailableError(thrownInWords(error), { cause: error });
    this.#isLost ||= this.#failure.needsSnapshot;
    onFailed(this.#failure);
    for (const { orFailed, resolve } of this.#waiting) if (orFailed) resolve();
    this.#waiting = this.#waiting.filter(({ orFailed }) => !orFailed);
    if (this.#isClosed) return;
    await new Promise<void>((resolve) => {
      const alarm = new Alarm(clock, this.#retryMs, resolve);
      this.#hurry = () => {
        alarm.cancel();
        resolve();
      };
    });
    this.#hurry = undefined;
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
  }

  /**
   * A snapshot with the tasks of `journal`, which is gone then, or has no more than what is `left` in it. After a
   * compaction that is under way, and before the next. The outputs of the `renamed` tasks are put under their new ids
   * first: the store moves the others as they are.
   */
  async absorb(journal: SeizedJournal, left: LeftBehind | undefined, renamed: readonly string[]): Promise<void> {
    await this.#compacting;
    const { json, seq, apart } = this.#deps.snapshot();
    const absorbed = this.#putRenamed(renamed, apart).then(() => journal.absorb(json, seq, left));
    this.#compacting = absorbed.then(
      () => undefined,
      () => undefined,
    );
    try {
      await absorbed;
    } finally {
      this.#compacting = undefined;
    }
  }

  async #putRenamed(renamed: readonly string[], apart: Cut["apart"]): Promise<void> {
    const outputs = new Map<string, Json>();
    for (const id of renamed) {
      const output = apart.get(id);
      if (output !== undefined) outputs.set(id, output);
    }
    if (outputs.size > 0) await this.#putOutputs(outputs);
  }

  /** Another has the journal: nothing is stored any more, and whoever waits for that is told so. */
  lose(why: Error): void {
    this.#isClosing = true;
    this.#isClosed = true;
    this.#pending = [];
    this.#hurry?.();
    for (const { reject } of this.#waiting.splice(0)) reject(why);
  }

  // ── compacting ───────────────────────────────────────────────────────────

  /** Beside the commits that follow: all that it tells is stored before it is. */
  #compactWhenDue(): void {
    if (this.#compacting !== undefined || this.#failure !== undefined || this.#isClosing) return;
    if (this.#sinceSnapshot < Math.max(COMPACT_FROM, COMPACT_TIMES * this.#snapshotSize)) return;
    this.#compacting = this.#compact().finally(() => {
      this.#compacting = undefined;
    });
  }

  async #compact(): Promise<void> {
    const { store, snapshot, onFailed, onLost, evictedOutputs, evictedIds } = this.#deps;
    this.#sinceSnapshot = 0;
    try {
      const evicted = [...evictedOutputs];
      const ids = [...evictedIds];
      const { json, seq, tasks } = snapshot();
      this.#snapshotSize = tasks;
      await this.durable(seq);
      await store.compact(json, seq);
      // Those that the snapshot knows nothing of, and whose id was not used again since.
      const gone = evicted.filter((id) => evictedOutputs.delete(id));
      const free = ids.filter((id) => evictedIds.delete(id));
      this.#deleting = gone.length + free.length === 0 ? undefined : this.#delete(gone, free);
      await this.#deleting;
    } catch (error) {
      // Cut short by a close that could not wait: the journal is as good as it was.
      if (this.#isClosed) return;
      if (isErrandError(error, "STORE_LOCKED")) onLost(error);
      else onFailed(error);
    } finally {
      this.#deleting = undefined;
    }
  }

  async #delete(outputs: readonly string[], ids: readonly string[]): Promise<void> {
    const { store } = this.#deps;
    if (outputs.length > 0) await store.deleteOutputs(outputs);
    if (ids.length > 0) await store.shared?.ids?.forget(ids);
  }
}
