// Idle: how many tasks this process still has to end, and the callers that wait until it has none.
//
// Counted by the consequences of facts. A task that is handed off to the next process is none of this process any more.

import type { OpenWait } from "../live/open-wait.js";

type Caller = Pick<OpenWait<void>, "resolve">;

export class Idle {
  readonly #callers = new Set<Caller>();
  #living = 0;

  get isIdle(): boolean {
    return this.#living === 0;
  }

  /** A task is this process's to end. */
  began(): void {
    this.#living++;
  }

  /** A task has ended, or is handed off. */
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
