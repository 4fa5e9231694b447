// Phase: how far the end of one manager has come (D8).
//
// Owns the phase. `shutdown.ts` is its one writer; every part that refuses calls of a closed manager reads it through
// the loop.

/**
 * The phase of one manager:
 *
 * - `open`: the manager accepts every call.
 * - `closing`: `close` was called. The manager spawns, answers and acknowledges nothing. Every task has been asked to
 *   stop, and those that do not stop within the grace are abandoned. Tasks that the next process can resume stay
 *   active. Their functions still wait and write.
 * - `settling`: every other task has ended, so no wait begins. The store takes what is decided.
 * - `closed`: every decided fact is stored and delivered, or dropped with an error. An abandoned function may still
 *   run.
 */
type PhaseName = "open" | "closing" | "settling" | "closed";

/** The phase of one manager. */
export class Phase {
  #now: PhaseName = "open";

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#now !== "open";
  }

  /** Whether every task has ended since `close` was called. */
  get hasNoTask(): boolean {
    return this.#now === "settling" || this.#now === "closed";
  }

  /** Whether nothing is delivered any more. */
  get isOver(): boolean {
    return this.#now === "closed";
  }

  /** The next phase begins. Called by the shutdown alone. */
  begin(phase: Exclude<PhaseName, "open">): void {
    this.#now = phase;
  }
}
