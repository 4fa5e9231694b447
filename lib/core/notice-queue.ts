// Notice queue: what one owner has not acknowledged, and who may add to it.
//
// Owns the places alone; `notices.ts` writes them. `T` is the task, which has its own place in one of these.

import type { Happening } from "./notice.js";

/** One that is not acknowledged yet. */
export interface PendingNotice<T> {
  readonly id: string;
  readonly task: T;
  readonly at: number;
  /** Its place among all notices. */
  readonly order: number;
  /** It is told of once this is stored (D1). */
  readonly seq: number;
  readonly what: Happening;
}

/** Who waits for notices. */
export interface NoticeReader<T> {
  /** The task whose wait it is: the edge of L3. */
  readonly waiting: T | undefined;
  readonly coalesceMs: number;
  /** Gives the batch; `undefined`: nothing can come any more. */
  readonly give: (batch: readonly PendingNotice<T>[] | undefined) => void;
  /** The loop whose notices these are is over. */
  readonly refuse: (error: Error) => void;
  /** Until the first notice has had company. */
  company: { cancel(): void } | undefined;
}

/** Of an owner: a task, or a session by its id. */
export class NoticeQueue<T> {
  readonly owner: T | string;
  #pending = new Map<string, PendingNotice<T>>();
  /** Some came from elsewhere, and are older than what was here. */
  #isMixed = false;
  /** Living tasks whose doings go here. */
  readonly sources = new Set<T>();
  readonly readers = new Set<NoticeReader<T>>();
  /** What is decided is not stored yet: then its readers are told. */
  isLooking = false;
  /** They are told at the end of this turn. */
  isTelling = false;
  /** The newest of the last batch that was asked for, and how often it came again. */
  lastGiven: string | undefined;
  timesGiven = 0;
  /** Somebody has asked for its notices. */
  isRead = false;

  constructor(owner: T | string) {
    this.owner = owner;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Oldest first. */
  get pending(): Iterable<PendingNotice<T>> {
    if (this.#isMixed)
      this.#pending = new Map([...this.#pending].toSorted(([, a], [, b]) => a.at - b.at || a.order - b.order));
    this.#isMixed = false;
    return this.#pending.values();
  }

  add(notice: PendingNotice<T>): void {
    this.#pending.set(notice.id, notice);
  }

  /** As `add`, of one that may be older than others here. */
  mix(notice: PendingNotice<T>): void {
    this.add(notice);
    this.#isMixed = true;
  }

  remove(id: string): void {
    this.#pending.delete(id);
  }
}

/** Of a task that may wake its owner: where its notices go, and which of them are there. */
export class Noticed<T> {
  queue: NoticeQueue<T>;
  /** How many it has made: they are numbered, so that a replay numbers them alike. */
  made = 0;
  /** Few, and mostly one. */
  pending: readonly PendingNotice<T>[] = NONE;

  constructor(queue: NoticeQueue<T>) {
    this.queue = queue;
  }

  has(id: string): boolean {
    return this.pending.some((notice) => notice.id === id);
  }

  add(notice: PendingNotice<T>): void {
    this.pending = [...this.pending, notice];
    this.queue.add(notice);
  }

  /** As `add`, of one that may be older than others in the queue. */
  mix(notice: PendingNotice<T>): void {
    this.pending = [...this.pending, notice];
    this.queue.mix(notice);
  }

  remove(id: string): void {
    this.pending = this.pending.length === 1 && this.has(id) ? NONE : this.pending.filter((notice) => notice.id !== id);
    this.queue.remove(id);
  }
}

const NONE: readonly never[] = Object.freeze([]);
