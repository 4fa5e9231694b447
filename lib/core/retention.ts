// Retention: which ended tasks are kept (D6).
//
// The newest `maxFinished`, none longer than `ttlMs`. Never a living one, none that still has kept children: its record is needed
// for their tree; and none that its owner has not acknowledged (N2). Eviction takes a record out of the index; a handle in hand reads on.

import { Alarm, type Clock } from "./clock.js";
import { Fifo } from "./fifo.js";
import type { Task } from "./task.js";

/** Which ended tasks are kept: never at the cost of live ones, of notices that their owner has not acknowledged, or of a handle in hand. */
export interface Retention {
  /** Default 1 000. */
  maxFinished?: number | undefined;
  /** Default 30 days. */
  ttlMs?: number | undefined;
}

const THIRTY_DAYS = 30 * 24 * 60 * 60 * 1000;

export class Retainer {
  readonly #clock: Clock;
  readonly #evict: (task: Task) => void;
  readonly #maxFinished: number;
  readonly #ttlMs: number;
  /** Ended and kept, oldest end first. */
  readonly #finished = new Fifo<Task>();
  /** Those whose turn has come and that are kept for their children, or their notices, alone: the last of these takes them along. */
  readonly #pinned = new Set<Task>();
  #sweep: Alarm | undefined;

  constructor(clock: Clock, retention: Retention, evict: (task: Task) => void) {
    this.#clock = clock;
    this.#evict = evict;
    this.#maxFinished = retention.maxFinished ?? 1_000;
    this.#ttlMs = retention.ttlMs ?? THIRTY_DAYS;
  }

  ended(task: Task): void {
    this.#finished.push(task);
    while (this.#finished.size > this.#maxFinished) this.#dropOldest();
    if (this.#sweep !== undefined) return;
    // It may have ended in an earlier process.
    const now = this.#clock.now();
    const left = Math.max(0, (task.state.finishedAt ?? now) + this.#ttlMs - now);
    this.#sweep = new Alarm(this.#clock, left, this.#sweepOld).unref();
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

  #dropOldest(): void {
    const oldest = this.#finished.shift();
    if (oldest !== undefined) this.#drop(oldest);
  }

  #drop(first: Task): void {
    for (let task: Task | undefined = first; task !== undefined; ) {
      if (task.family.firstChild !== undefined || (task.noticed?.pending.length ?? 0) > 0) {
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
    const now = this.#clock.now();
    this.#sweep = undefined;
    for (let oldest = this.#finished.first(); oldest !== undefined; oldest = this.#finished.first()) {
      const left = (oldest.state.finishedAt ?? now) + this.#ttlMs - now;
      if (left > 0) {
        this.#sweep = new Alarm(this.#clock, left, this.#sweepOld).unref();
        return;
      }
      this.#dropOldest();
    }
  };

  close(): void {
    this.#sweep?.cancel();
  }
}
