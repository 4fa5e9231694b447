// Retention: which ended tasks are kept (D6).
//
// The newest `maxFinished`, none longer than `ttlMs`. Never a living one, none that still has kept children: its record is needed
// for their tree; none that its owner has not acknowledged (N2); and no child of a living parent that the same spawn finds again, so that
// the next attempt of that parent does only what was not done. Eviction takes a record out of the index; a handle in hand reads on.

import { childrenOf } from "../live/family.js";
import type { Task } from "../live/task.js";
import { Alarm, type Timekeeper } from "../time/clock.js";
import { Fifo } from "../values/fifo.js";

/** Which ended tasks are kept: never at the cost of live ones, of notices that their owner has not acknowledged, or of a handle in hand. */
export interface Retention {
  /** How many ended tasks are kept, the newest: an integer ≥ 0. Default 1 000. */
  maxFinished?: number | undefined;
  /**
   * How long an ended task is kept, and how long a session without kept tasks keeps its usage and its bounds. Milliseconds ≥ 0; default 30 days.
   */
  ttlMs?: number | undefined;
}

const THIRTY_DAYS = 30 * 24 * 60 * 60 * 1000;

export class Retainer {
  readonly #clock: Timekeeper;
  readonly #evict: (task: Task) => void;
  readonly #maxFinished: number;
  readonly ttlMs: number;
  /** Ended and kept, oldest end first. */
  readonly #finished = new Fifo<Task>();
  /** Those whose turn has come and that are kept for their children, or their notices, alone: the last of these takes them along. */
  readonly #pinned = new Set<Task>();
  #sweep: Alarm | undefined;

  constructor(clock: Timekeeper, retention: Retention, evict: (task: Task) => void) {
    this.#clock = clock;
    this.#evict = evict;
    this.#maxFinished = retention.maxFinished ?? 1_000;
    this.ttlMs = retention.ttlMs ?? THIRTY_DAYS;
  }

  ended(task: Task): void {
    // Whole milliseconds: a number with a fraction is an object of its own.
    task.endedAt = Math.trunc(this.#clock.monotonic());
    if (this.#pinned.size > 0) for (const child of this.#pinnedBelow(task)) this.#drop(child);
    this.#finished.push(task);
    while (this.#finished.size > this.#maxFinished) this.#dropOldest();
    if (this.#sweep !== undefined) return;
    this.#sweepLater(task, this.#leftOf(task));
  }

  /** How long `task` is still kept, by what has passed or by the wall clock, whichever is less (C7). */
  #leftOf({ endedAt, state: { finishedAt } }: Task): number {
    const passed = this.#clock.monotonic() - endedAt;
    const since = finishedAt === undefined ? 0 : this.#clock.now() - finishedAt;
    return this.ttlMs - Math.max(passed, since);
  }

  #sweepLater({ state: { finishedAt } }: Task, left: number): void {
    const at = (finishedAt ?? this.#clock.now()) + this.ttlMs;
    this.#sweep = Alarm.within(this.#clock, Math.max(0, left), at, this.#sweepOld).unref();
  }

  /** Its id was used again, so it was not kept any more when that was. */
  replaced(task: Task): void {
    this.#pinned.delete(task);
    if (task.place >= 0) this.#finished.remove(task);
    this.#evict(task);
  }

  /** Nothing more of it is to be told: one that was kept for that goes. */
  look(task: Task): void {
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

  close(): void {
    this.#sweep?.cancel();
  }
}

/** D6: the same spawn of its parent, which lives, returns it. */
function isWanted({ parent, isReturnable }: Task): boolean {
  return isReturnable && parent !== undefined && !parent.isOver;
}
