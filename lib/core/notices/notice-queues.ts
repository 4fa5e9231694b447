// Notice queues: which owner has which queue, and who is above it.
//
// A task's queue lives as long as its function; a session's until it is forgotten. Those of one family, a session or a root without one, are found
// together: who asks about one family does not walk over all others.

import { NoticeQueue } from "../live/notice-queue.js";
import type { Task } from "../live/task.js";
import { isBelow, type NoticeOwner } from "./notice-owner.js";

export type Queue = NoticeQueue<Task>;

export class NoticeQueues {
  readonly #ofSessions = new Map<string, Queue>();
  /** Queues of tasks whose functions are not over. */
  readonly #ofTasks = new Map<Task, Queue>();
  /** The queues of tasks, by family. */
  readonly #families = new Map<string | Task, Set<Queue>>();

  /** Some task has a queue. */
  get hasTasks(): boolean {
    return this.#ofTasks.size > 0;
  }

  find(owner: NoticeOwner): Queue | undefined {
    return typeof owner === "string" ? this.#ofSessions.get(owner) : this.#ofTasks.get(owner);
  }

  /** Made when it is not there. */
  of(owner: NoticeOwner): Queue {
    const known = this.find(owner);
    if (known !== undefined) return known;
    const queue = new NoticeQueue<Task>(owner);
    if (typeof owner === "string") this.#ofSessions.set(owner, queue);
    else {
      this.#ofTasks.set(owner, queue);
      const family = this.#families.get(kinOf(owner));
      if (family === undefined) this.#families.set(kinOf(owner), new Set([queue]));
      else family.add(queue);
    }
    return queue;
  }

  /** The function of `task` is over. */
  drop(task: Task): void {
    const queue = this.#ofTasks.get(task);
    if (queue === undefined) return;
    this.#ofTasks.delete(task);
    const family = this.#families.get(kinOf(task));
    family?.delete(queue);
    if (family?.size === 0) this.#families.delete(kinOf(task));
  }

  /** A session whose queue has nothing to lose: `false` when it has. */
  forget(sessionId: string): boolean {
    const queue = this.#ofSessions.get(sessionId);
    if (queue?.isIdle === false) return false;
    this.#ofSessions.delete(sessionId);
    return true;
  }

  /** Queues to which that of `owner` could be passed on, the nearest first (N3). */
  *above(owner: NoticeOwner): Generator<Queue> {
    if (typeof owner === "string") return;
    for (let task = owner.parent; task !== undefined; task = task.parent) {
      const queue = this.#ofTasks.get(task);
      if (queue !== undefined) yield queue;
    }
    const session = owner.sessionId === undefined ? undefined : this.#ofSessions.get(owner.sessionId);
    if (session !== undefined) yield session;
  }

  /** Queues that could be passed on to `owner`. */
  *below(owner: NoticeOwner): Generator<Queue> {
    const family = this.#families.get(typeof owner === "string" ? owner : kinOf(owner));
    for (const queue of family ?? []) if (isBelow(queue.owner, owner)) yield queue;
  }
}

/** Children are of the session of their parent. */
function kinOf(task: Task): string | Task {
  return task.sessionId ?? task.root;
}
