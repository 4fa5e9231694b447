// Line: who waits for a slot of one lane, and who is next (L4).
//
// Keys with waiters take turns; inside a key the smallest rank goes first. Starts and resumes of one key stand in two queues, so that
// a paused or gated lane can pass over its starts and still let started tasks come back. Knows no slot count, no clock, no promise.

import { isBefore, type Ranked } from "./heap.js";
import { RankQueue } from "./rank-queue.js";

/** Anything that can stand in a line. */
export interface Standing extends Ranked {
  readonly laneKey: string | undefined;
  /** A started task on its way back from a wait. */
  readonly isResume: boolean;
}

class Turn<S extends Standing> {
  readonly starts = new RankQueue<S>();
  readonly resumes = new RankQueue<S>();

  queueOf(isResume: boolean): RankQueue<S> {
    return isResume ? this.resumes : this.starts;
  }

  first(startsToo: boolean): S | undefined {
    const resume = this.resumes.first();
    const start = startsToo ? this.starts.first() : undefined;
    if (resume === undefined || start === undefined) return resume ?? start;
    return isBefore(start, resume) ? start : resume;
  }
}

export class Line<S extends Standing> {
  /** In the order of their turns. */
  readonly #turns = new Map<string, Turn<S>>();
  #starts = 0;
  #resumes = 0;

  /** First starts in line: what `maxQueued` counts (L6). */
  get starts(): number {
    return this.#starts;
  }
  get size(): number {
    return this.#starts + this.#resumes;
  }

  add(item: S): void {
    const key = item.laneKey ?? "";
    let turn = this.#turns.get(key);
    if (turn === undefined) this.#turns.set(key, (turn = new Turn()));
    turn.queueOf(item.isResume).add(item);
    if (item.isResume) this.#resumes++;
    else this.#starts++;
  }

  remove(item: S): void {
    const key = item.laneKey ?? "";
    const turn = this.#turns.get(key);
    if (turn === undefined) return;
    turn.queueOf(item.isResume).remove(item);
    if (item.isResume) this.#resumes--;
    else this.#starts--;
    if (turn.starts.size === 0 && turn.resumes.size === 0) this.#turns.delete(key);
  }

  /** Whose turn it is; with `startsToo: false` the first on its way back. */
  first(startsToo: boolean): S | undefined {
    if (!startsToo && this.#resumes === 0) return undefined;
    for (const turn of this.#turns.values()) {
      const first = turn.first(startsToo);
      if (first !== undefined) return first;
    }
    return undefined;
  }

  /** Takes out whose turn it is; its key goes to the back. */
  take(item: S): void {
    this.remove(item);
    if (this.#turns.size < 2) return;
    const key = item.laneKey ?? "";
    const turn = this.#turns.get(key);
    if (turn === undefined) return;
    this.#turns.delete(key);
    this.#turns.set(key, turn);
  }
}
