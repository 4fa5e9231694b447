// Notice queue: the notices that one owner has not acknowledged, and the tasks that may add to them.
//
// Owns the order of the notices; `notices.ts` writes them. A notice has a precedence (N1). Notices of one precedence
// stand oldest first. Every operation is O(1), or O(log n) for a notice that passes from another queue and is older
// than others here. `T` is the task.

import { RankQueue } from "../lanes/rank-queue.js";
import { type Happening, isEnd, PRECEDENCES, type Precedence, precedenceOf } from "../task/notice.js";
import type { Ranked } from "../values/heap.js";
import { Emitted } from "./emitted.js";

/** A notice that is not acknowledged yet. */
export class PendingNotice<T> implements Ranked {
  /** The id of the notice. */
  readonly id: string;
  /** The task that the notice is about. */
  readonly task: T;
  /** The time of the fact, in epoch milliseconds. */
  readonly at: number;
  /** The number among all notices; breaks ties of `rank`. */
  readonly order: number;
  /** The notice is delivered once this fact is stored (D1). */
  readonly seq: number;
  /** The content of the notice. */
  readonly what: Happening;
  /**
   * The time that orders the notice. In the queue where the notice was made it is never before an earlier one, whatever
   * the clock does (C7).
   */
  rank: number;
  /** The position in the queue. */
  place = -1;

  constructor(of: Pick<PendingNotice<T>, "id" | "task" | "at" | "seq" | "what">, order: number) {
    this.id = of.id;
    this.task = of.task;
    this.at = of.at;
    this.seq = of.seq;
    this.what = of.what;
    this.order = order;
    this.rank = of.at;
  }
}

/** A loop that waits for notices. */
export interface NoticeReader<T> {
  /** The task that waits, for the search of wait cycles (L3). */
  readonly waiting: T | undefined;
  /** Milliseconds to wait for more notices after the first one. */
  readonly coalesceMs: number;
  /** Delivers a batch of what is ready now. */
  readonly give: () => void;
  /** No notice can come: delivers `undefined`. */
  readonly giveUp: () => void;
  /** The owner's function is over: rejects the wait. */
  readonly refuse: (error: Error) => void;
  /** The timer that waits for more notices after the first one. */
  company: { cancel(): void } | undefined;
}

/**
 * The tasks of the newest batch, by id. The model can read them, and list the counted ones, until the next batch, even
 * when they are evicted (N1).
 */
export interface LastBatch<T> {
  /** All tasks of the batch. */
  readonly tasks: ReadonlyMap<string, T>;
  /** The tasks whose notices the text only counts. */
  readonly counted: ReadonlyMap<string, T>;
  /** The number by which the text names the counted notices. */
  readonly number: number | undefined;
}

/** The queue of one owner: a task, or a session by its id. */
export class NoticeQueue<T> {
  /** The owner of the notices. */
  readonly owner: T | string;
  readonly #pending = new Map<Precedence, RankQueue<PendingNotice<T>>>();
  #size = 0;
  #newestRank = Number.NEGATIVE_INFINITY;
  /** Living tasks whose notices come here. */
  readonly sources = new Set<T>();
  /** The waits for notices of this queue. */
  readonly readers = new Set<NoticeReader<T>>();
  /** The newest batch that was delivered. */
  lastBatch: LastBatch<T> | undefined;
  /** A wake of the readers waits until the facts are stored. */
  isWaitingForStore = false;
  /** The readers wake at the end of this turn. */
  isWakeScheduled = false;
  /** The newest notice of the last batch. */
  lastDelivered: string | undefined;
  /** How often that batch was delivered again. */
  timesDelivered = 0;
  /** The owner has asked for its notices. */
  isRead = false;

  constructor(owner: T | string) {
    this.owner = owner;
  }

  /** The number of notices. */
  get size(): number {
    return this.#size;
  }

  /** Whether the queue has no notices, no sources and no readers. */
  get isIdle(): boolean {
    return this.#size === 0 && this.sources.size === 0 && this.readers.size === 0;
  }

  /** The notices of one precedence, oldest first. */
  *of(precedence: Precedence): Generator<PendingNotice<T>> {
    const pending = this.#pending.get(precedence);
    if (pending !== undefined) yield* pending.inOrder();
  }

  /** All notices, by precedence. */
  *all(): Generator<PendingNotice<T>> {
    for (const precedence of PRECEDENCES) yield* this.of(precedence);
  }

  /** Adds a notice that was made here, and so is the newest. */
  add(notice: PendingNotice<T>): void {
    notice.rank = Math.max(notice.rank, this.#newestRank);
    this.#newestRank = notice.rank;
    this.insert(notice);
  }

  /** Adds a notice that may be older than others here. */
  insert(notice: PendingNotice<T>): void {
    const precedence = precedenceOf(notice.what);
    let pending = this.#pending.get(precedence);
    if (pending === undefined) this.#pending.set(precedence, (pending = new RankQueue()));
    pending.add(notice);
    this.#size++;
  }

  /** Removes a notice of this queue. */
  remove(notice: PendingNotice<T>): void {
    this.#pending.get(precedenceOf(notice.what))?.remove(notice);
    this.#size--;
  }
}

/** The notices of one task that may wake its owner, and the queue to which they go. */
export class Noticed<T> {
  /** The queue of the task's owner. */
  queue: NoticeQueue<T>;
  /** The number of notices that the task has made. A notice's id has its number, so a replay makes the same ids. */
  made = 0;
  /** The newest custom events of the task. */
  emitted: Emitted | undefined;
  /** Most tasks have one notice, and need no index. */
  #only: PendingNotice<T> | undefined;
  #many: Map<string, PendingNotice<T>> | undefined;
  /** The notices of the task's ends: several after a retry of an ended task. */
  ends: readonly PendingNotice<T>[] = NONE;

  constructor(queue: NoticeQueue<T>) {
    this.queue = queue;
  }

  /** The number of notices of the task. */
  get size(): number {
    return this.#many?.size ?? (this.#only === undefined ? 0 : 1);
  }

  /** The notices in order of making. */
  *[Symbol.iterator](): Generator<PendingNotice<T>> {
    if (this.#only !== undefined) yield this.#only;
    if (this.#many !== undefined) yield* this.#many.values();
  }

  /** Adds a notice that was made now. */
  add(notice: PendingNotice<T>): void {
    this.#keep(notice);
    this.queue.add(notice);
  }

  /** Adds a notice that may be older than others in the queue. */
  insert(notice: PendingNotice<T>): void {
    this.#keep(notice);
    this.queue.insert(notice);
  }

  #keep(notice: PendingNotice<T>): void {
    const { what } = notice;
    if (what.type === "custom") {
      this.emitted ??= new Emitted();
      this.emitted.add(what);
    }
    if (isEnd(notice.what)) this.ends = [...this.ends, notice];
    if (this.#many !== undefined) this.#many.set(notice.id, notice);
    else if (this.#only === undefined) this.#only = notice;
    else {
      this.#many = new Map([this.#only, notice].map((each) => [each.id, each]));
      this.#only = undefined;
    }
  }

  /** Removes the notice with this id. */
  remove(id: string): void {
    const notice = this.#only?.id === id ? this.#only : this.#many?.get(id);
    if (notice === undefined) return;
    if (notice === this.#only) this.#only = undefined;
    else this.#many?.delete(id);
    if (this.#many?.size === 0) this.#many = undefined;
    if (isEnd(notice.what)) this.ends = this.ends.length === 1 ? NONE : this.ends.filter((end) => end !== notice);
    this.queue.remove(notice);
  }
}

const NONE: readonly never[] = Object.freeze([]);
