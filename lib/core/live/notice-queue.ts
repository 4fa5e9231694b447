// Notice queue: the notices that one owner has not acknowledged, and the tasks that may add to them.
//
// Owns the places alone; `notices.ts` writes them. A notice has its precedence (N1): those of one precedence stand
// oldest first, and every operation is O(1), or O(log n) for a notice that comes from elsewhere and is older than
// others here. `T` is the task.

import { RankQueue } from "../lanes/rank-queue.js";
import { type Happening, isEnd, PRECEDENCES, type Precedence, precedenceOf } from "../task/notice.js";
import type { Ranked } from "../values/heap.js";
import { Emitted } from "./emitted.js";

/** A notice that is not acknowledged yet. */
export class PendingNotice<T> implements Ranked {
  readonly id: string;
  readonly task: T;
  readonly at: number;
  /** Number among all notices: breaks ties of `rank`. */
  readonly order: number;
  /** The notice is delivered once this is stored (D1). */
  readonly seq: number;
  readonly what: Happening;
  /** Time of the notice; in the queue where it was made never before an earlier one, whatever the clock does (C7). */
  rank: number;
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
  /** The task whose wait it is: the edge of L3. */
  readonly waiting: T | undefined;
  readonly coalesceMs: number;
  /** Delivers a batch of what is ready now. */
  readonly give: () => void;
  /** Nothing can come: delivers `undefined`. */
  readonly giveUp: () => void;
  /** The loop whose notices these are is over. */
  readonly refuse: (error: Error) => void;
  /** Until the first notice has had company. */
  company: { cancel(): void } | undefined;
}

/**
 * The tasks of the newest batch, by id. The model can read them, and list the counted ones, until the next batch, also
 * when they are evicted (N1).
 */
export interface LastBatch<T> {
  readonly tasks: ReadonlyMap<string, T>;
  /** Notices that the text only counts, and the number by which it names them. */
  readonly counted: ReadonlyMap<string, T>;
  readonly number: number | undefined;
}

/** The queue of one owner: a task, or a session by its id. */
export class NoticeQueue<T> {
  readonly owner: T | string;
  readonly #pending = new Map<Precedence, RankQueue<PendingNotice<T>>>();
  #size = 0;
  #newestRank = Number.NEGATIVE_INFINITY;
  /** Living tasks whose doings go here. */
  readonly sources = new Set<T>();
  readonly readers = new Set<NoticeReader<T>>();
  lastBatch: LastBatch<T> | undefined;
  /** What is decided is not stored yet: then its readers are told. */
  isWaitingForStore = false;
  /** They are told at the end of this turn. */
  isWakeScheduled = false;
  /** The newest of the last batch that was asked for, and how often it came again. */
  lastDelivered: string | undefined;
  timesDelivered = 0;
  /** The owner has asked for its notices. */
  isRead = false;

  constructor(owner: T | string) {
    this.owner = owner;
  }

  get size(): number {
    return this.#size;
  }

  /** The queue has no notices, nothing can add one, and nothing waits for one. */
  get isIdle(): boolean {
    return this.#size === 0 && this.sources.size === 0 && this.readers.size === 0;
  }

  /** The notices of one precedence, oldest first. */
  *of(precedence: Precedence): Generator<PendingNotice<T>> {
    const pending = this.#pending.get(precedence);
    if (pending !== undefined) yield* pending.inOrder();
  }

  *all(): Generator<PendingNotice<T>> {
    for (const precedence of PRECEDENCES) yield* this.of(precedence);
  }

  /** The newest of all, made here. */
  add(notice: PendingNotice<T>): void {
    notice.rank = Math.max(notice.rank, this.#newestRank);
    this.#newestRank = notice.rank;
    this.mix(notice);
  }

  /** As `add`, of one that may be older than others here. */
  mix(notice: PendingNotice<T>): void {
    const precedence = precedenceOf(notice.what);
    let pending = this.#pending.get(precedence);
    if (pending === undefined) this.#pending.set(precedence, (pending = new RankQueue()));
    pending.add(notice);
    this.#size++;
  }

  remove(notice: PendingNotice<T>): void {
    this.#pending.get(precedenceOf(notice.what))?.remove(notice);
    this.#size--;
  }
}

/** Of a task that may wake its owner: where its notices go, and which of them are there. */
export class Noticed<T> {
  queue: NoticeQueue<T>;
  /** How many it has made: they are numbered, so that a replay numbers them alike. */
  made = 0;
  /** The newest custom events of the task. */
  emitted: Emitted | undefined;
  /** Most tasks have one notice, and need no index. */
  #only: PendingNotice<T> | undefined;
  #many: Map<string, PendingNotice<T>> | undefined;
  /** The notices of the task's ends: more than one when it was tried again after its end. */
  ends: readonly PendingNotice<T>[] = NONE;

  constructor(queue: NoticeQueue<T>) {
    this.queue = queue;
  }

  get size(): number {
    return this.#many?.size ?? (this.#only === undefined ? 0 : 1);
  }

  /** In order of making. */
  *[Symbol.iterator](): Generator<PendingNotice<T>> {
    if (this.#only !== undefined) yield this.#only;
    if (this.#many !== undefined) yield* this.#many.values();
  }

  add(notice: PendingNotice<T>): void {
    this.#keep(notice);
    this.queue.add(notice);
  }

  /** As `add`, of one that may be older than others in the queue. */
  mix(notice: PendingNotice<T>): void {
    this.#keep(notice);
    this.queue.mix(notice);
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
