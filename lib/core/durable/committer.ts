// Committer: writes decided events to the store, once a turn, and again until they are stored (D1, D5).
//
// Owns the events that are not stored yet. One `append` runs at a time; all events that are decided meanwhile share the
// next one, so under load thousands of tasks share one commit (`commit-pace.ts` says when it begins). A failing store
// loses no event: the events stay here, the write is repeated, and nothing new is spawned until it succeeds. When the
// journal has grown long compared with its snapshot, it is compacted (D6).

import pLimit from "p-limit";
import { isErrandError, ManagerClosedError, type StoreLockedError, StoreUnavailableError } from "../task/errors.js";
import type { TaskEvent } from "../task/events.js";
import { thrownInWords } from "../task/failure.js";
import { Alarm, type Timekeeper } from "../time/clock.js";
import { handled } from "../values/handled.js";
import type { Json } from "../values/json.js";
import { runOutside } from "../values/outside.js";
import { CommitPace } from "./commit-pace.js";
import { separateOutputs } from "./large-outputs.js";
import type { HeldId, IdClaim, IdEnd, LeftBehind, SeizedJournal, TaskStore } from "./store.js";
import { fromStore } from "./store-failure.js";
import type { StoredMark } from "./stored-mark.js";

/** The ids that go with an append. */
interface IdChanges {
  changesIn(
    events: readonly TaskEvent[],
    refused: ReadonlySet<string>,
  ): { readonly claims: readonly IdClaim[]; readonly ends: readonly IdEnd[] };
  held(held: readonly HeldId[]): void;
}

/** A snapshot, and the data that a store needs with it. */
export interface Cut {
  /** The snapshot. */
  readonly json: Json;
  /** The snapshot replaces every event up to this one. */
  readonly seq: number;
  /** Number of tasks in the snapshot. */
  readonly tasks: number;
  /** Outputs that are too long for the snapshot, by task. */
  readonly apart: ReadonlyMap<string, Json>;
}

interface CommitterDeps {
  readonly store: TaskStore;
  readonly clock: Timekeeper;
  /** How far the events are stored. */
  readonly mark: StoredMark;
  /** Called when the mark has moved. */
  readonly onStored: () => void;
  readonly onFailed: (error: unknown) => void;
  /** Called when another process has taken the writer's place: the store accepts nothing more from this manager. */
  readonly onLost: (error: StoreLockedError) => void;
  /** Ids of tasks whose outputs are not needed. An id leaves the set when its output is deleted. */
  readonly evictedOutputs: Set<string>;
  /** Present for a shared store whose ids are unique over all journals. */
  readonly standbys: IdChanges | undefined;
  /** Ids that a spawner chose, of tasks whose records were evicted. */
  readonly evictedIds: Set<string>;
  /** A snapshot of the state after the newest fact. */
  readonly snapshot: () => Cut;
}

/** A journal is compacted from this many events on, and when it has this many times the tasks of its snapshot. */
const COMPACT_FROM = 10_000;
const COMPACT_TIMES = 8;

const OUTPUTS_AT_A_TIME = 4;
const GIVEN_BACK_MS = 1_000;

/** The reason of a manager that was closed while its store failed. */
export const NOT_STORED = "what it would have reported could not be stored";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;

/** The writer of one store. */
export class Committer {
  readonly #deps: CommitterDeps;
  #pending: TaskEvent[] = [];
  /** `seq` of the newest event that was added. */
  #added: number;
  /** Whether a commit runs, or waits for the end of its turn. */
  #isCommitting = false;
  readonly #pace: CommitPace;
  #failure: StoreUnavailableError | undefined;
  /** Whether the stored data is gone: a snapshot must be stored before the events. */
  #isLost = false;
  #retryMs = FIRST_RETRY_MS;
  /** Ends the delay before the next attempt. */
  #hurry: (() => void) | undefined;
  #sinceSnapshot: number;
  #snapshotSize = 0;
  #compacting: Promise<void> | undefined;
  /** Whether no compaction may begin. */
  #isClosing = false;
  #isClosed = false;
  #deleting: Promise<void> | undefined;

  /** `seq` is the last stored event, `sinceSnapshot` the number of events after the newest snapshot. */
  constructor(deps: CommitterDeps, seq: number, sinceSnapshot: number) {
    this.#deps = deps;
    this.#pace = new CommitPace(deps.clock);
    this.#added = seq;
    this.#sinceSnapshot = sinceSnapshot;
  }

  /** The store. */
  get store(): TaskStore {
    return this.#deps.store;
  }

  /** Why nothing new may be spawned: the store does not accept the events. `undefined`: it does. */
  get failure(): StoreUnavailableError | undefined {
    return this.#failure;
  }

  /** Adds an event to the next commit. */
  add(event: TaskEvent): void {
    this.#pending.push(event);
    this.#added = event.seq;
    this.#schedule();
  }

  /**
   * Gives the writer's place back when every event is stored, or after `ms`. The store has a minimum of time to close,
   * whatever `ms` is, so that the next process can open it at once.
   */
  async close(ms: number): Promise<void> {
    this.#isClosing = true;
    this.#hurry?.();
    // The committer is closed already when its place was taken.
    if (!this.#isClosed) {
      await this.#within(
        ms,
        this.#deps.mark.until(this.#added).then(() => this.#compacting),
      );
    }
    this.#isClosed = true;
    this.#hurry?.();
    this.#deps.mark.end(new ManagerClosedError(NOT_STORED));
    await this.#within(
      Math.max(ms, GIVEN_BACK_MS),
      fromStore("close", () => this.#deps.store.close()),
    );
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

  /** Commits at the end of this turn, or a few turns later, outside every task. */
  #schedule(): void {
    if (this.#isCommitting || this.#isClosed) return;
    this.#isCommitting = true;
    const waiting = () => this.#pending.length;
    runOutside(() => this.#pace.begin(waiting, () => void this.#commitPending()));
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
    const { store, snapshot, mark, onStored } = this.#deps;
    const last = batch.at(-1);
    if (last === undefined) return;
    if (this.#isLost) {
      const { json, seq, apart } = snapshot();
      // The order matters: compacting creates the place of the outputs.
      await store.compact(json, seq);
      await this.#putOutputs(apart);
      this.#isLost = false;
    }
    await this.#append(await this.#setApart(batch));
    this.#pace.committed(batch.length, this.#pending.length);
    this.#failure = undefined;
    this.#retryMs = FIRST_RETRY_MS;
    this.#sinceSnapshot += batch.length;
    mark.advance(last.seq);
    onStored();
  }

  /**
   * Appends a batch with its ids (D9). Ids that another journal has are not claimed again: their tasks wait for that
   * journal.
   */
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

  /** Stores long outputs before the events that refer to them. */
  async #setApart(batch: readonly TaskEvent[]): Promise<readonly TaskEvent[]> {
    const { events, outputs } = separateOutputs(batch);
    if (outputs.size > 0) await this.#putOutputs(outputs);
    return events;
  }

  /** Stores outputs. The output of an id that is used again is needed, even if its earlier output was to be deleted. */
  async #putOutputs(outputs: ReadonlyMap<string, Json>): Promise<void> {
    for (const id of outputs.keys()) this.#deps.evictedOutputs.delete(id);
    await this.#deleting;
    const limit = pLimit({ concurrency: OUTPUTS_AT_A_TIME, rejectOnClear: true });
    await Promise.all(
      Array.from(outputs, ([taskId, output]) => limit(() => this.#deps.store.putOutput(taskId, output))),
    );
  }

  /** Keeps every event and waits for the next attempt; the delay grows (D5). */
  async #failed(error: unknown): Promise<void> {
    const { clock, mark, onFailed } = this.#deps;
    this.#failure = isErrandError(error, "STORE_UNAVAILABLE")
      ? error
      : new StoreUnavailableError(`${thrownInWords(error)}. Repair the store: the manager repeats the write`, {
          cause: error,
        });
    this.#isLost ||= this.#failure.needsSnapshot;
    onFailed(this.#failure);
    mark.failing();
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
   * Stores a snapshot with the tasks of `journal`, which is then removed, or keeps only the part `left`. Runs after a
   * running compaction, and before the next. The outputs of the `renamed` tasks are stored under their new ids first;
   * the store moves the other outputs as they are.
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

  /**
   * Another process has the journal: nothing is stored from now on, and every caller that waits for an event is
   * rejected.
   */
  lose(why: Error): void {
    this.#isClosing = true;
    this.#isClosed = true;
    this.#pending = [];
    this.#hurry?.();
    this.#deps.mark.end(why);
  }

  // ── compacting ───────────────────────────────────────────────────────────

  /** Compacts when it is worth it, while commits continue. The snapshot is stored after its events. */
  #compactWhenDue(): void {
    if (this.#compacting !== undefined || this.#failure !== undefined || this.#isClosing) return;
    if (this.#sinceSnapshot < Math.max(COMPACT_FROM, COMPACT_TIMES * this.#snapshotSize)) return;
    this.#compacting = this.#compact().finally(() => {
      this.#compacting = undefined;
    });
  }

  async #compact(): Promise<void> {
    const { store, snapshot, mark, onFailed, onLost, evictedOutputs, evictedIds } = this.#deps;
    this.#sinceSnapshot = 0;
    try {
      const evicted = [...evictedOutputs];
      const ids = [...evictedIds];
      const { json, seq, tasks } = snapshot();
      this.#snapshotSize = tasks;
      await mark.until(seq);
      await store.compact(json, seq);
      // Outputs of tasks that the snapshot does not contain, and whose ids were not used again since.
      const gone = evicted.filter((id) => evictedOutputs.delete(id));
      const free = ids.filter((id) => evictedIds.delete(id));
      this.#deleting = gone.length + free.length === 0 ? undefined : this.#delete(gone, free);
      await this.#deleting;
    } catch (error) {
      // A close that could not wait ended the compaction: the journal is unchanged.
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
