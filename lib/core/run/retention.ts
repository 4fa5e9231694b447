// Retention: which records of ended tasks are kept (D6).
//
// Owns the queue of ended tasks: the newest `maxFinished`, each at most `ttlMs`. The record of an ended task is also
// kept while it has kept children, whose tree needs it; while its owner has not acknowledged its notices (N2); and
// while its parent lives and the same spawn would find it, so the parent's next attempt repeats no finished work. A
// living task is never evicted. Eviction removes a record from the indexes; a handle still reads it. Called by the
// consequences and the notices.

import { childrenOf } from "../live/family.js";
import type { Task } from "../live/task.js";
import { Alarm, type Timekeeper } from "../time/clock.js";
import { Fifo } from "../values/fifo.js";

/**
 * Bounds on the records of ended tasks. Living tasks, and ended tasks with notices that their owner has not
 * acknowledged, are always kept. A handle still reads a record that was evicted.
 */
export interface Retention {
  /** The number of ended tasks that are kept, newest first: an integer ≥ 0. Default 1 000. */
  maxFinished?: number | undefined;
  /**
   * The longest time that an ended task is kept. A session without kept tasks keeps its usage and its bounds for the
   * same time. Milliseconds ≥ 0; default 30 days.
   */
  ttlMs?: number | undefined;
}

const THIRTY_DAYS = 30 * 24 * 60 * 60 * 1000;

/** Evicts the records of ended tasks. */
export class Retainer {
  readonly #clock: Timekeeper;
  readonly #evict: (task: Task) => void;
  readonly #maxFinished: number;
  /** See `Retention.ttlMs`. */
  readonly ttlMs: number;
  /** Ended tasks, oldest end first. */
  readonly #finished = new Fifo<Task>();
  /**
   * Tasks that are due for eviction and stay only for their children, their notices or their parent. The last reason
   * that ends evicts them.
   */
  readonly #pinned = new Set<Task>();
  #sweep: Alarm | undefined;

  constructor(clock: Timekeeper, retention: Retention, evict: (task: Task) => void) {
    this.#clock = clock;
    this.#evict = evict;
    this.#maxFinished = retention.maxFinished ?? 1_000;
    this.ttlMs = retention.ttlMs ?? THIRTY_DAYS;
  }

  /** The task has ended: its record is evicted when its turn comes. `now`: a reading of the wall clock. */
  ended(task: Task, now: number): void {
    task.endedAt = this.#clock.monotonicAt(now);
    if (this.#pinned.size > 0) for (const child of this.#pinnedBelow(task)) this.#drop(child);
    this.#finished.push(task);
    while (this.#finished.size > this.#maxFinished) this.#dropOldest();
    if (this.#sweep === undefined) this.#sweepLater(task, this.#leftOf(task));
  }

  /** The time that `task` is still kept. The larger of the measured time and the wall-clock time counts (C7). */
  #leftOf({ endedAt, state: { finishedAt } }: Task): number {
    const passed = this.#clock.monotonic() - endedAt;
    const since = finishedAt === undefined ? 0 : this.#clock.now() - finishedAt;
    return this.ttlMs - Math.max(passed, since);
  }

  #sweepLater({ state: { finishedAt } }: Task, left: number): void {
    const at = (finishedAt ?? this.#clock.now()) + this.ttlMs;
    this.#sweep = Alarm.within(this.#clock, Math.max(0, left), at, this.#sweepOld).unref();
  }

  /** Another task has taken the id: evicts the old record. */
  replaced(task: Task): void {
    this.#pinned.delete(task);
    if (task.place >= 0) this.#finished.remove(task);
    this.#evict(task);
  }

  /** All notices of the task are acknowledged: evicts the record if it was due. */
  release(task: Task): void {
    if (this.#pinned.has(task)) this.#drop(task);
  }

  /** The pinned tasks directly below `parent`, which has ended. */
  #pinnedBelow(parent: Task): readonly Task[] {
    return [...childrenOf(parent)].filter((child) => this.#pinned.has(child));
  }

  #dropOldest(): void {
    const oldest = this.#finished.shift();
    if (oldest !== undefined) this.#drop(oldest);
  }

  #drop(first: Task): void {
    for (let task: Task | undefined = first; task !== undefined; ) {
      if (isWanted(task) || task.family.firstChild !== undefined || (task.noticed?.size ?? 0) > 0) {
        this.#pinned.add(task);
        return;
      }
      const { parent }: Task = task;
      this.#pinned.delete(task);
      this.#evict(task);
      task = parent !== undefined && this.#pinned.has(parent) ? parent : undefined;
    }
  }

  readonly #sweepOld = (): void => {
    this.#sweep = undefined;
    for (let oldest = this.#finished.first(); oldest !== undefined; oldest = this.#finished.first()) {
      const left = this.#leftOf(oldest);
      if (left > 0) return this.#sweepLater(oldest, left);
      this.#dropOldest();
    }
  };

  /** The manager closes: stops the timer. */
  close(): void {
    this.#sweep?.cancel();
  }
}

/** Whether the living parent would find the task by the same spawn (D6). */
function isWanted({ parent, isReturnable }: Task): boolean {
  return isReturnable && parent !== undefined && !parent.isOver;
}
