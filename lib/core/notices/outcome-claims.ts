// Handout: the outcomes that one wait gives, and to whose loop (N2).
//
// From the moment a wait is decided until it is over, its owner's notices leave those outcomes out; given, they are acknowledged.

import type { Claims } from "../live/open-wait.js";
import type { Attempt, Task } from "../live/task.js";
import { outcomeRead } from "../live/unread.js";
import type { Notices } from "./notices.js";

/** Who gets what a wait gives. */
export interface Receiver {
  /** Whose code waits. */
  readonly attempt: Attempt | undefined;
  /** The session through which it asked for this task. */
  readonly sessionOf: (task: Task) => string | undefined;
  /** Of the manager that has it. */
  readonly noticesOf: (task: Task) => Notices;
}

export class OutcomeClaims implements Claims {
  readonly #receiver: Receiver;
  readonly #ended: readonly Task[];
  #claimed: readonly Task[] = [];

  constructor(receiver: Receiver, ended: readonly Task[]) {
    this.#receiver = receiver;
    this.#ended = ended;
  }

  claim(): void {
    const { attempt, sessionOf, noticesOf } = this.#receiver;
    this.#claimed = this.#ended.filter((task) => noticesOf(task).isOwners(task, attempt, sessionOf(task)));
    for (const task of this.#claimed) noticesOf(task).claim(task);
  }

  commit(): void {
    for (const task of this.#ended) outcomeRead(task);
    for (const task of this.#claimed) {
      const notices = this.#receiver.noticesOf(task);
      notices.handed(task);
      notices.unclaim(task);
    }
  }

  release(): void {
    for (const task of this.#claimed) this.#receiver.noticesOf(task).unclaim(task);
  }
}
