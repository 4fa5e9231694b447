// Room: places in the bounded line, given to those who asked for one (L6).
//
// Whoever is told that there is room spawns a little later, so a place told of counts as taken for the rest of the turn. What was
// not used is told of again in the next one: no producer is told of a place that another was told of, and none is forgotten.

import type { OpenWait } from "./task.js";

export class Room {
  /** In order of asking. */
  readonly seekers = new Set<OpenWait<void>>();
  readonly #free: () => number;
  /** Places told of in this turn. */
  #told = 0;
  #isLooking = false;

  constructor(free: () => number) {
    this.#free = free;
  }

  /** A place, if there is one and nobody asked before. */
  take(): boolean {
    if (this.seekers.size > 0 || this.#free() <= this.#told) return false;
    this.#told++;
    this.look();
    return true;
  }

  /** Places may have become free: they are given out in the next turn, when those told of have been used. */
  look(): void {
    if (this.#isLooking || (this.seekers.size === 0 && this.#told === 0)) return;
    this.#isLooking = true;
    setImmediate(() => {
      this.#isLooking = false;
      this.#told = 0;
      for (const seeker of this.seekers) {
        if (this.#free() <= this.#told) break;
        this.#told++;
        seeker.resolve();
      }
      if (this.#told > 0) this.look();
    });
  }

  close(error: Error): void {
    for (const seeker of this.seekers) seeker.reject(error);
  }
}
