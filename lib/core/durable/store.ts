// Store: the port for journal, snapshot and large outputs.
//
// The manager numbers the events, calls one `append` at a time, and delivers nothing before it has resolved (D1).
// `storeContract` of errand/testing has the laws of a store. Owns types only.

import type { TaskEvent } from "../task/events.js";
import type { Runtime } from "../task/record.js";
import type { Output } from "../task/state.js";
import type { Json } from "../values/json.js";

/** The content of a store from earlier processes. */
export interface Stored {
  /** The newest snapshot, as it was passed to `compact`. */
  readonly snapshot?: Json;
  /** One more than the `seq` of the last event, or of the snapshot when that is later. 1 in a new store. */
  readonly nextSeq: number;
  /**
   * A batch whose writing was cut short by the end of its process. None of its events was delivered, and they are left
   * out.
   */
  readonly torn?: TornTail;
  /**
   * A snapshot that is broken and not needed, because all its events are in the journal. The next snapshot replaces it.
   */
  readonly brokenSnapshot?: {
    /** The broken file. */
    readonly file: string;
    /** The fault. */
    readonly why: string;
  };
}

/** The broken end of a journal. */
export interface TornTail {
  /** File of the journal. */
  readonly file: string;
  /** Line at which it begins, from 1 on. */
  readonly line: number;
  /** Byte at which it begins, from 0 on. */
  readonly byte: number;
  /** Length in bytes. */
  readonly bytes: number;
}

/** Options of `read`. */
export interface ReadOptions {
  /** The first `seq` to read. Default: the oldest event that is kept. */
  from?: number | undefined;
  /** Aborting it ends the reading. */
  signal?: AbortSignal | undefined;
}

/**
 * A store for journal, snapshot and large outputs. `storeContract` in `errand/testing` tests its laws. Every write
 * rejects with `StoreUnavailableError` before `open` and after `close`.
 */
export interface TaskStore {
  /**
   * Takes the writer's place, and returns the content of the store. `StoreLockedError`: a live process has the place.
   * `JournalCorruptError`: the store is broken, and nothing was changed. A journal may be longer than `open` has read;
   * `read` finds what is broken in the rest. `unwanted`, for a store that several processes use at once: names of
   * journals that `open` does not resume.
   */
  open(writer: Runtime, unwanted?: readonly string[]): Promise<Stored>;
  /** Returns the content of the store without the writer's place, for readers. */
  peek(): Promise<Stored>;
  /**
   * Appends all events or none, and resolves when they are durable. `events` are the next ones, without a gap; the
   * store may keep them, because they never change. When a snapshot is ahead of the journal they may begin anywhere up
   * to one behind it, because it replaces the events that are left out. Any other events are a `RangeError`. The
   * manager calls `append` again only when the call before has settled. A rejection means that none of the events is
   * kept; the same events, followed by later ones, may be appended again, and after
   * `StoreUnavailableError.needsSnapshot` only after a `compact`.
   */
  append(events: readonly TaskEvent[]): Promise<void>;
  /**
   * Reads the kept events in order, and then ends: all events whose append has resolved, and maybe later ones. Needs no
   * lock and no `open`. `EventsCompactedError`: `from` is older than the oldest kept event. `JournalCorruptError`: the
   * journal is broken. An aborted `signal` rejects with its reason.
   */
  read(options?: ReadOptions): AsyncIterable<TaskEvent>;
  /**
   * Same as `read`, but yields lists of one or more events: a long journal is read in fewer steps. The lists of one
   * call, joined, are the events that `read` gives. Without this method, the manager calls `read`.
   */
  readLists?(options?: ReadOptions): AsyncIterable<readonly TaskEvent[]>;
  /**
   * Replaces every event up to `seq` by the snapshot: those events may be removed, and `open` returns the snapshot from
   * now on. A crash at any point leaves the old snapshot or the new one. It may run while `append` runs. The snapshot
   * is not changed until the promise resolves.
   */
  compact(snapshot: Json, seq: number): Promise<void>;
  /**
   * Stores an output that is too long for the journal, in place of an earlier output of the task. Resolves when it is
   * durable.
   */
  putOutput(taskId: string, output: Json): Promise<void>;
  /**
   * Reads the output of a task. `undefined`: there is none. `StoreUnavailableError`: the store cannot be read now.
   * Every other rejection concerns this output only, and the store opens without it.
   */
  getOutput(taskId: string): Promise<Json | undefined>;
  /**
   * Names the place of a task's output for people, such as a file. Called when the output is lost. Without this method,
   * an error says "the store".
   */
  outputPlace?(taskId: string): string;
  /** Deletes the outputs of these tasks. Tasks without an output are skipped. */
  deleteOutputs(taskIds: readonly string[]): Promise<void>;
  /** Gives the writer's place back. A second call, and a call before `open`, have no effect. */
  close(): Promise<void>;
  /** Present for a store that several processes use at once. */
  readonly shared?: SharedJournals;
}

/**
 * The journals of a store that several processes use at once. Each process has a journal of its own with a lease: the
 * journal belongs to its writer until `leaseMs` after the newest heartbeat. `open` resumes a journal that no process
 * has, if there is one, and otherwise begins a new one. When another process has taken the journal of a writer, every
 * write of that writer rejects with `StoreLockedError` and stores nothing.
 */
export interface SharedJournals {
  /** Milliseconds after a heartbeat until the lease lapses. */
  readonly leaseMs: number;
  /** The ids of the whole store. In a store without this field each journal has its own ids. */
  readonly ids?: SharedIds;
  /**
   * The name of the journal that `peek` and `read` of the store read; `undefined`: there is none. Without this method,
   * a view shows its tasks twice when the store is not open.
   */
  own?(): Promise<string | undefined>;
  /** Renews the lease. `StoreLockedError`: the lease had lapsed, and another process has the journal. */
  heartbeat(): Promise<void>;
  /** The other journals, oldest first: those of living processes, and those that no process has. */
  others(): Promise<readonly OtherJournal[]>;
  /** Takes a journal that no process has. `undefined`: its writer is alive, or another process took it first. */
  seize(name: string): Promise<SeizedJournal | undefined>;
}

/** The part that stays in a journal when the other tasks of it are taken. */
export interface LeftBehind {
  /** Snapshot of the tasks that stay. */
  readonly snapshot: Json;
  /** The snapshot replaces every event of that journal up to this `seq`: no event follows it. */
  readonly seq: number;
  /** Ids of the tasks whose outputs stay too. */
  readonly outputs: readonly string[];
  /** Ids in it that a spawner chose. */
  readonly ids: readonly string[];
}

/** An id that a spawner chose for a task, with a text that is equal for equal content (owner, kind and input). */
export interface IdClaim {
  /** The id. */
  readonly id: string;
  /** Text of the content. */
  readonly content: string;
}

/** The end of a task whose id a spawner chose. */
export interface IdEnd {
  /** The id. */
  readonly id: string;
  /** The last event of the task. */
  readonly event: TaskEvent;
}

/** The journal that has the task of an id. */
export interface HeldId extends IdClaim {
  /** Whether it is the journal of this writer. */
  readonly isOwn: boolean;
  /** The process that has that journal, or had it last. */
  readonly writer: Runtime;
  /** The last event that was stored with the id, when the task has ended. */
  readonly end?: TaskEvent;
  /** Set when the task has ended and the stored end cannot be read: the place of that end, and its fault. */
  readonly endLost?: string;
  /** The output of that task, when it is stored separately, or why it is lost. */
  readonly output?: Output;
}

/**
 * Ids over a whole store: at most one journal has the task of an id that a spawner chose. A journal that is absorbed
 * gives its ids to the journal that absorbs it; with `left`, the ids in `left.ids` stay.
 */
export interface SharedIds {
  /**
   * Appends like `append` of the store. In the same transaction the writer gets the ids of `claims`, and `ends` of its
   * ids are stored: each end is final until its id is claimed again. Returns the claimed ids that another journal has,
   * unless their task was interrupted; then nothing is stored, and the same events may be appended again.
   */
  append(events: readonly TaskEvent[], claims: readonly IdClaim[], ends: readonly IdEnd[]): Promise<readonly HeldId[]>;
  /** The ids among `ids` that some journal has. */
  find(ids: readonly string[]): Promise<readonly HeldId[]>;
  /** Frees the ids of tasks of this writer whose records were evicted. */
  forget(ids: readonly string[]): Promise<void>;
}

/** A journal of another writer, to read. */
export interface OtherJournal extends Pick<TaskStore, "peek" | "read" | "readLists" | "getOutput" | "outputPlace"> {
  /** Name of the journal. */
  readonly name: string;
  /** A text that changes when a writer has written to the journal, or taken it. */
  readonly version: string;
  /** The process that has the journal, or had it last. */
  readonly writer: Runtime;
  /** Whether no process has the journal: its lease has lapsed, or its writer gave it back. */
  readonly isFree: boolean;
}

/** A seized journal: it belongs to this writer until its tasks are in the first journal. */
export interface SeizedJournal extends OtherJournal {
  /**
   * Compacts the first journal with a snapshot that has the tasks of both. In the same transaction this journal is
   * removed, and its outputs belong to the first. With `left` it stays, with that snapshot and those outputs, and no
   * process has it.
   */
  absorb(snapshot: Json, seq: number, left?: LeftBehind): Promise<void>;
}
