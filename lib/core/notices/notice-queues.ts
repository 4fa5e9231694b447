// Notice queues: the queue of each owner, and the queues above and below it.
//
// Owns the queues. A task's queue lives as long as its function; a session's queue until the session is forgotten. The
// queues of one family (a session, or a root without one) are found together, without a walk over all others. Called by
// `notices.ts` and `notice-reading.ts`.

import { NoticeQueue } from "../live/notice-queue.js";
import type { Task } from "../live/task.js";
import { isBelow, type NoticeOwner } from "./notice-owner.js";

/** The notice queue of one owner. */
export type Queue = NoticeQueue<Task>;

/** All notice queues of one manager. */
export class NoticeQueues {
  readonly #ofSessions = new Map<string, Queue>();
  /** Queues of tasks whose functions are not over. */
  readonly #ofTasks = new Map<Task, Queue>();
  /** The queues of tasks, by family. */
  readonly #families = new Map<string | Task, Set<Queue>>();

  /** Whether some task has a queue. */
  get hasTasks(): boolean {
    return this.#ofTasks.size > 0;
  }

  /** The queue of `owner`; `undefined` when it has none. */
  find(owner: NoticeOwner): Queue | undefined {
    return typeof owner === "string" ? this.#ofSessions.get(owner) : this.#ofTasks.get(owner);
  }

  /** The queue of `owner`, made when it is first needed. */
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

  /** The function of `task` is over: removes its queue. */
  drop(task: Task): void {
    const queue = this.#ofTasks.get(task);
    if (queue === undefined) return;
    this.#ofTasks.delete(task);
    const family = this.#families.get(kinOf(task));
    family?.delete(queue);
    if (family?.size === 0) this.#families.delete(kinOf(task));
  }

  /** Removes the queue of a session; returns `false` and keeps it when it has notices, sources or readers. */
  forget(sessionId: string): boolean {
    const queue = this.#ofSessions.get(sessionId);
    if (queue?.isIdle === false) return false;
    this.#ofSessions.delete(sessionId);
    return true;
  }

  /** The queues to which the notices of `owner` may pass, the nearest first (N3). */
  *above(owner: NoticeOwner): Generator<Queue> {
    if (typeof owner === "string") return;
    for (let task = owner.parent; task !== undefined; task = task.parent) {
      const queue = this.#ofTasks.get(task);
      if (queue !== undefined) yield queue;
    }
    const session = owner.sessionId === undefined ? undefined : this.#ofSessions.get(owner.sessionId);
    if (session !== undefined) yield session;
  }

  /** The queues whose notices may pass to `owner`. */
  *below(owner: NoticeOwner): Generator<Queue> {
    const family = this.#families.get(typeof owner === "string" ? owner : kinOf(owner));
    for (const queue of family ?? []) if (isBelow(queue.owner, owner)) yield queue;
  }
}

/** The family of a task. Children belong to the session of their parent. */
function kinOf(task: Task): string | Task {
  return task.sessionId ?? task.root;
}
