// Idle: the number of tasks that this process still has to end, and the callers that wait for zero.
//
// Owns the count. Called by the consequences of facts, the shutdown and the core. A task that is left for the next
// process does not count.

import type { OpenWait } from "../live/open-wait.js";

type Caller = Pick<OpenWait<void>, "resolve">;

/** The count of living tasks. */
export class Idle {
  readonly #callers = new Set<Caller>();
  #living = 0;

  /** Whether no task is left to end. */
  get isIdle(): boolean {
    return this.#living === 0;
  }

  /** A task was made or taken back, and this process has to end it. */
  began(): void {
    this.#living++;
  }

  /** A task has ended, or is left for the next process. */
  ended(): void {
    this.#living--;
    if (this.isIdle) for (const caller of [...this.#callers]) caller.resolve();
  }

  /** Resolves `caller` once no task is left, unless the returned function is called first. */
  wait(caller: Caller): () => void {
    this.#callers.add(caller);
    return () => this.#callers.delete(caller);
  }
}
