// Handoff: the tasks that a manager leaves active for another process (D4, D8).
//
// Owns the set of those tasks. A manager that shuts down hands off a task that a restart can resume. A manager that has
// opened a store hands off a task that it parks. Both hand off a task that has returned and waits only for such tasks.
// A parked task whose kind answers later is taken back. Called by the runner, the shutdown, the consequences, the core
// and the recovery (`unresumed.ts`, `asking-kinds.ts`, `recovery.ts`).

import { attachedChildrenOf } from "../live/family.js";
import type { Task } from "../live/task.js";
import type { Idle } from "./idle.js";

/** The tasks that this process leaves for the next one. */
export class Handoff {
  readonly #handedOff = new Set<Task>();
  readonly #idle: Idle;

  constructor(idle: Idle) {
    this.#idle = idle;
  }

  /** A copy of the set. */
  get all(): readonly Task[] {
    return [...this.#handedOff];
  }

  /** Whether the task is left for the next process. */
  has(task: Task): boolean {
    return this.#handedOff.has(task);
  }

  /** The task belongs to this process again, which has to end it. */
  takeBack(task: Task): void {
    if (this.leave(task)) this.#idle.began();
  }

  /** The task has ended or is taken back. Returns `false` when it was not in the set. */
  leave(task: Task): boolean {
    return this.#handedOff.delete(task);
  }

  /** Adds the task, and each ancestor that has returned and waits only for tasks of the set. */
  handOff(task: Task): void {
    this.#add(task);
    if (task.isAttached) this.handOffReturned(task.parent);
  }

  /** Adds `returned` if it waits only for tasks of the set, and in the same way each ancestor. */
  handOffReturned(returned: Task | undefined): void {
    if (this.#handedOff.size === 0) return;
    for (let task = returned; task !== undefined; task = task.isAttached ? task.parent : undefined) {
      if (task.isOver || task.state.ending === undefined || this.#handedOff.has(task)) return;
      // The task waits for no child: it ends.
      if (task.family.attached === 0) return;
      for (const child of attachedChildrenOf(task)) if (!this.#handedOff.has(child)) return;
      this.#add(task);
    }
  }

  #add(task: Task): void {
    this.#handedOff.add(task);
    // This process has one task less to end.
    this.#idle.ended();
  }
}
