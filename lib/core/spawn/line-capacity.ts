// Room: places in the bounded line, given to those who asked for one (L6).
//
// Whoever is told that there is room spawns a little later, so a place told of counts as taken for the rest of the turn. What was
// not used is told of again in the next one: no producer is told of a place that another was told of, and none is forgotten.

import type { Lane } from "../lanes/lane.js";
import type { OpenWait } from "../live/open-wait.js";
import type { Task } from "../live/task.js";
import { nextTurn } from "../time/turn.js";

/** Where somebody wants to spawn. `lent`: slots of that lane that are free only while they wait for room. */
interface Sought {
  readonly lane: Lane<Task>;
  readonly lent: number;
}

export class LineCapacity {
  /** In order of asking. */
  readonly #seekers = new Map<OpenWait<void>, Sought>();
  readonly #freeIn: (lane: Lane<Task>, lent: number) => number;
  /** No known caller seeks a place in the lane. */
  readonly #onLeft: (lane: Lane<Task>) => void;
  /** Places told of in this turn. */
  #told = 0;
  #isLooking = false;

  constructor(freeIn: (lane: Lane<Task>, lent: number) => number, onLeft: (lane: Lane<Task>) => void) {
    this.#freeIn = freeIn;
    this.#onLeft = onLeft;
  }

  /** A place, if there is one and nobody asked before. */
  take(lane: Lane<Task>): boolean {
    if (this.#seekers.size > 0 || this.#freeIn(lane, 0) <= this.#told) return false;
    this.#told++;
    this.look();
    return true;
  }

  /** `wait` is told when there is a place, until the returned off is called. */
  seek(wanted: Sought, wait: OpenWait<void>): () => void {
    this.#seekers.set(wait, wanted);
    this.look();
    return () => {
      this.#seekers.delete(wait);
      this.#onLeft(wanted.lane);
      // The others are still to hear of it.
      this.look();
    };
  }

  /** Places may have become free: they are given out in the next turn, when those told of have been used. */
  look(): void {
    if (this.#isLooking || (this.#seekers.size === 0 && this.#told === 0)) return;
    this.#isLooking = true;
    nextTurn(() => {
      this.#isLooking = false;
      this.#told = 0;
      for (const [seeker, { lane, lent }] of this.#seekers) {
        if (this.#freeIn(lane, lent) <= this.#told) continue;
        this.#told++;
        seeker.resolve();
      }
      if (this.#told > 0) this.look();
    });
  }

  close(error: Error): void {
    for (const seeker of this.#seekers.keys()) seeker.reject(error);
  }
}
