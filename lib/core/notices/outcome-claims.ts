// Outcome claims: the outcomes that one wait delivers, and the loop that gets them (N2).
//
// Owns the claims of one wait. From the decision of the wait to its end, the notices of its owner leave those outcomes
// out; delivered outcomes are acknowledged. Called by the waits. Calls the notices.

import type { Claims } from "../live/open-wait.js";
import type { Attempt, Task } from "../live/task.js";
import type { Notices } from "./notices.js";
import { outcomeRead } from "./unread.js";

/** The caller that gets the result of a wait. */
export interface Receiver {
  /** The attempt whose code waits; `undefined` outside tasks. */
  readonly attempt: Attempt | undefined;
  /** The session through which the caller asked for this task. */
  readonly sessionOf: (task: Task) => string | undefined;
  /** The notices of the manager that has the task. */
  readonly noticesOf: (task: Task) => Notices;
}

/** The claims of a wait on the outcomes of ended tasks. */
export class OutcomeClaims implements Claims {
  readonly #receiver: Receiver;
  readonly #ended: readonly Task[];
  #claimed: readonly Task[] = [];

  constructor(receiver: Receiver, ended: readonly Task[]) {
    this.#receiver = receiver;
    this.#ended = ended;
  }

  /** The wait is decided: claims the outcomes whose notices belong to the receiver. */
  claim(): void {
    const { attempt, sessionOf, noticesOf } = this.#receiver;
    this.#claimed = this.#ended.filter((task) => noticesOf(task).isOwners(task, attempt, sessionOf(task)));
    for (const task of this.#claimed) noticesOf(task).claim(task);
  }

  /** The wait has delivered its result: acknowledges the claimed outcomes. */
  commit(): void {
    for (const task of this.#ended) outcomeRead(task);
    for (const task of this.#claimed) {
      const notices = this.#receiver.noticesOf(task);
      notices.handed(task);
      notices.unclaim(task);
    }
  }

  /** The wait ended without a delivery: the notices may be delivered again. */
  release(): void {
    for (const task of this.#claimed) this.#receiver.noticesOf(task).unclaim(task);
  }
}
