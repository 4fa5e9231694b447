// Store: the port behind which journal, snapshot and large outputs are kept.
//
// The manager numbers the events, asks one `append` at a time, and lets nothing be seen before it resolved (D1); what a store must
// keep is told, law by law, by `storeContract` of errand/testing. Owns the words alone.

import type { TaskEvent } from "../task/events.js";
import type { Runtime } from "../task/record.js";
import type { Output } from "../task/state.js";
import type { Json } from "../values/json.js";

/** What a store has of an earlier process. */
export interface Stored {
  /** The newest one, as it was given to `compact`. */
  readonly snapshot?: Json;
  /** One more than the `seq` of the last event, or of the snapshot when that is later; 1 in a new store. */
  readonly nextSeq: number;
  /** A batch whose writing was cut short by the end of its process: nobody was told of it, and it is left out. */
  readonly torn?: TornTail;
  /** A snapshot that is broken and not needed, since the events that it stands for are all there. The next one replaces it. */
  readonly brokenSnapshot?: { readonly file: string; readonly why: string };
}

/** The broken end of a journal. */
export interface TornTail {
  readonly file: string;
  /** Where it begins: its line, from 1 on, and its byte, from 0 on. */
  readonly line: number;
  readonly byte: number;
  /** How long it is. */
  readonly bytes: number;
}

export interface ReadOptions {
  /** The first `seq` wanted; default the oldest kept. */
  from?: number | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Where journal, snapshot and large outputs are kept. `storeContract` in `errand/testing` is what one must keep. Whatever writes rejects
 * with `StoreUnavailableError` before `open` and after `close`.
 */
export interface TaskStore {
  /**
   * Takes the writer's place, and gives what is there. `StoreLockedError` if a live process has it; `JournalCorruptError` touches nothing.
   * A journal may be longer than `open` has read: `read` finds what is broken in it. `unwanted`: of a store that several processes use at once, names of
   * journals that `open` does not resume.
   */
  open(writer: Runtime, unwanted?: readonly string[]): Promise<Stored>;
  /** What `open` would give, without the writer's place: for those who only look. */
  peek(): Promise<Stored>;
  /**
   * All or nothing; resolves when durable. `events` are the next ones, without a gap, and are the store's to keep: they are never changed.
   * When a snapshot is ahead of the journal they may begin anywhere up to one behind it: it stands for what is left out. Others are a
   * `RangeError`. Asked again only when the one before has settled. A rejection means that none of them is kept, and the same events, with later
   * ones behind them, may be appended again; with `StoreUnavailableError.needsSnapshot` only after a `compact`.
   */
  append(events: readonly TaskEvent[]): Promise<void>;
  /**
   * The kept events in order, and then the end: those whose append resolved, and maybe later ones. Needs no lock and no `open`.
   * `EventsCompactedError` before the oldest; `JournalCorruptError`; an aborted `signal` rejects with its reason.
   */
  read(options?: ReadOptions): AsyncIterable<TaskEvent>;
  /**
   * The snapshot stands for every event up to `seq`: those may go, and `open` gives it from now on. A crash at any point leaves the old
   * one or the new. May be under way while `append` is; the snapshot is not changed until it resolves.
   */
  compact(snapshot: Json, seq: number): Promise<void>;
  /** Keeps an output that is too long for the journal. Again replaces. Resolves when durable. */
  putOutput(taskId: string, output: Json): Promise<void>;
  /**
   * `undefined`: there is none. `StoreUnavailableError`: the store cannot be read now. Every other rejection is of this output alone, and the store
   * opens without it.
   */
  getOutput(taskId: string): Promise<Json | undefined>;
  /** Names the place of a task's output for people, such as a file. Called when the output is lost. Without it, an error names the store. */
  outputPlace?(taskId: string): string;
  /** Those that are there. */
  deleteOutputs(taskIds: readonly string[]): Promise<void>;
  /** Gives the writer's place back. Twice, and before `open`, is nothing. */
  close(): Promise<void>;
  /** Of a store that several processes use at once. */
  readonly shared?: SharedJournals;
}

/**
 * Several processes use one store, each with a journal of its own, which is leased: it is its writer's for so long after each sign of life.
 * `open` continues a journal that no process has, where there is one, and begins one otherwise. Every write of a writer whose journal another has
 * taken is `StoreLockedError`, and keeps nothing (the fence of a zombie).
 */
export interface SharedJournals {
  /** How long a sign of life counts. */
  readonly leaseMs: number;
  /** The ids of the whole store. In a store without this field each journal has its own ids. */
  readonly ids?: SharedIds;
  /** The name of the journal that `peek` and `read` of the store are of; `undefined`: there is none. Without this, a view shows its tasks twice when the store is not open. */
  own?(): Promise<string | undefined>;
  /** A sign of life. `StoreLockedError`: it came too late, and another has the journal. */
  heartbeat(): Promise<void>;
  /** The journals of others, by age: of living processes, and those that nobody has. */
  others(): Promise<readonly OtherJournal[]>;
  /** Takes one that nobody has. `undefined`: its writer lives, or another process was first. */
  seize(name: string): Promise<SeizedJournal | undefined>;
}

/** The part that stays in a journal of which the other tasks are taken. */
export interface LeftBehind {
  readonly snapshot: Json;
  /** The snapshot stands for every event of that journal up to this `seq`: there is none behind it. */
  readonly seq: number;
  /** Tasks whose outputs stay too, by id. */
  readonly outputs: readonly string[];
  /** Ids of the tasks in it whose ids a spawner gave. */
  readonly ids: readonly string[];
}

/** The id that a spawner gave to a task, and a text that is the same for the same content: its owner, its kind, its input. */
export interface IdClaim {
  readonly id: string;
  readonly content: string;
}

/** How the task of such an id ended. */
export interface IdEnd {
  readonly id: string;
  readonly event: TaskEvent;
}

/** Which journal has the task of an id. */
export interface HeldId extends IdClaim {
  /** The writer's own. */
  readonly isOwn: boolean;
  /** The process that has that journal, or had it last. */
  readonly writer: Runtime;
  /** The last event that was given with the id, when the task has ended. */
  readonly end?: TaskEvent;
  /** The task has ended, and its end cannot be read: the place of it, and the fault that was found there, in words. */
  readonly endLost?: string;
  /** The output of an end that has its output apart, or why it is lost (D2). */
  readonly output?: Output;
}

/**
 * Ids over a whole store: one journal at most has the task of an id that a spawner gave. A journal that is absorbed gives its ids to the one that
 * absorbs it; with `left`, those of `left.ids` stay.
 */
export interface SharedIds {
  /**
   * As `append` of the store, and in the same transaction the writer has the ids of `claims`, and `ends` are kept of
   * those that it has: each is final until the id is claimed again. Gives those that another journal has, unless their
   * task was interrupted; then nothing is kept, and the same events may be appended again.
   */
  append(events: readonly TaskEvent[], claims: readonly IdClaim[], ends: readonly IdEnd[]): Promise<readonly HeldId[]>;
  /** The ids among them that some journal has. */
  find(ids: readonly string[]): Promise<readonly HeldId[]>;
  /** The records of these tasks of the writer were evicted: their ids are free. */
  forget(ids: readonly string[]): Promise<void>;
}

/** To look at. */
export interface OtherJournal extends Pick<TaskStore, "peek" | "read" | "getOutput" | "outputPlace"> {
  readonly name: string;
  /** Another text once a writer has written to it, or taken it. */
  readonly version: string;
  readonly writer: Runtime;
  /** Its lease has lapsed, or its writer gave it back. */
  readonly isFree: boolean;
}

/** One journal more of this writer, until its tasks are in the first one. */
export interface SeizedJournal extends OtherJournal {
  /**
   * As `compact` of the first one, with a snapshot that has the tasks of both; and in the same transaction this one is gone, and its outputs
   * are the first one's. With `left` it stays: it has that snapshot and those outputs, and no process has it.
   */
  absorb(snapshot: Json, seq: number, left?: LeftBehind): Promise<void>;
}
