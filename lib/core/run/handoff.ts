// Parking: tasks that a manager leaves active when it shuts down, for the next process to go on with (D8).
//
// Owns which they are. Only what a restart would go on with is parked, and what has returned and waits for nothing else.

import type { Kinds } from "../kinds/kind-registry.js";
import { attachedChildrenOf } from "../live/family.js";
import type { Task } from "../live/task.js";

export class Handoff {
  readonly #parked = new Set<Task>();
  /** One less that this process has to do with. */
  readonly #onParked: () => void;

  constructor(onParked: () => void) {
    this.#onParked = onParked;
  }

  get all(): readonly Task[] {
    return [...this.#parked];
  }

  has(task: Task): boolean {
    return this.#parked.has(task);
  }

  /** The task is this process's again, or over. `false`: it was not parked. */
  leave(task: Task): boolean {
    return this.#parked.delete(task);
  }

  handOff(task: Task): void {
    this.#add(task);
    if (task.isAttached) this.look(task.parent);
  }

  /** One that has returned, and waits for nothing but what is parked, is parked with it; and so on above. */
  look(returned: Task | undefined): void {
    if (this.#parked.size === 0) return;
    for (let task = returned; task !== undefined; task = task.isAttached ? task.parent : undefined) {
      if (task.isOver || task.state.outcome === undefined || this.#parked.has(task)) return;
      // Nobody is left whom it waits for: it ends.
      if (task.family.attached === 0) return;
      for (const child of attachedChildrenOf(task)) if (!this.#parked.has(child)) return;
      this.#add(task);
    }
  }

  #add(task: Task): void {
    this.#parked.add(task);
    this.#onParked();
  }
}

/** Its kind can go on with it, and so do those above it, whose same spawn finds it again (H7). */
export function isResumable(task: Task, kinds: Kinds): boolean {
  for (let each = task; ; ) {
    if (each.state.outcome !== undefined || kinds.thatReattaches(each) === undefined) return false;
    const { parent } = each;
    if (parent === undefined || !each.isAttached) return true;
    if (!each.isReturnable) return false;
    each = parent;
  }
}
