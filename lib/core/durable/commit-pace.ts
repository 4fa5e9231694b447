// Commit pace: when a commit begins.
//
// A store takes a commit of 256 events in nearly the same time as a commit of one. While the last commit was small and
// events came during it, the next commit therefore waits for more, as long as every turn brings some. An idle manager
// commits at the end of the turn, so a lone answer is stored at once. Owns only the knowledge of the last commit.
// Called by the committer.

import type { Timekeeper } from "../time/clock.js";
import { nextTurn } from "../time/turn.js";

/** A commit with so many events does not wait for more. */
const ENOUGH_EVENTS = 256;
/** The longest time that a commit waits for more events. */
const LONGEST_WAIT_MS = 1;

/** The pace of the commits of one manager. */
export class CommitPace {
  readonly #clock: Timekeeper;
  /** Whether the last commit was small, and events came during it. */
  #isUnderLoad = false;

  constructor(clock: Timekeeper) {
    this.#clock = clock;
  }

  /** The store has taken a commit of `events`, and `waiting` events came during it. */
  committed(events: number, waiting: number): void {
    this.#isUnderLoad = events < ENOUGH_EVENTS && waiting > 0;
  }

  /** Calls `commit` at the end of the turn, under load some turns later. `waiting`: the number of events by then. */
  begin(waiting: () => number, commit: () => void): void {
    const until = this.#isUnderLoad ? this.#clock.monotonic() + LONGEST_WAIT_MS : Number.NEGATIVE_INFINITY;
    nextTurn(() => this.#gather(0, until, waiting, commit));
  }

  /** `before`: the number of events a turn ago. */
  #gather(before: number, until: number, waiting: () => number, commit: () => void): void {
    const count = waiting();
    const isGrowing = count > before && count < ENOUGH_EVENTS;
    if (isGrowing && this.#clock.monotonic() < until) nextTurn(() => this.#gather(count, until, waiting, commit));
    else commit();
  }
}
