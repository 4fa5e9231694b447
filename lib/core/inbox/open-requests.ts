// Open requests: the requests that are not closed, and the callers that learn when another one opens.
//
// Owns the set of the open requests, and the callers that watch some tasks. A question about some tasks costs as many
// steps as there are open requests or as there are such tasks, whichever are fewer; an opened request costs one step
// for each task above its task. So many loops in one manager do not pay for each other. Called by `requests.ts`.

import { childrenOf } from "../live/family.js";
import type { Task } from "../live/task.js";

/** The part of a request that is read here. */
interface Opened {
  /** The task that asked. */
  readonly task: Task;
  /** The number among all requests, in order of opening. */
  readonly order: number;
}

/** A caller that learns of the requests of some tasks. */
interface Watcher<E> {
  readonly tell: (entry: E) => void;
  /** The number among all watchers, in order of coming: the caller that waits longest learns of a question first. */
  readonly order: number;
}

/** The open requests of one manager. */
export class OpenRequests<E extends Opened> {
  readonly #open = new Set<E>();
  readonly #ofTask: (task: Task) => readonly E[];
  readonly #watchers = new Map<Task, Set<Watcher<E>>>();
  #came = 0;

  /** `ofTask`: the open requests of one task. */
  constructor(ofTask: (task: Task) => readonly E[]) {
    this.#ofTask = ofTask;
  }

  /** The open requests, in order of opening. */
  get all(): ReadonlySet<E> {
    return this.#open;
  }

  /** A request is open. Has no effect when it is open already. */
  add(entry: E): void {
    this.#open.add(entry);
  }

  /** A request is closed. */
  delete(entry: E): void {
    this.#open.delete(entry);
  }

  /** The open requests of `tasks`, in order of opening. */
  of(tasks: ReadonlySet<Task>): readonly E[] {
    if (this.#open.size < tasks.size) return [...this.#open].filter(({ task }) => tasks.has(task));
    return [...tasks].flatMap(this.#ofTask).sort((a, b) => a.order - b.order);
  }

  /** The open requests of `tasks` and of the tasks below them, in order of opening. */
  *below(tasks: ReadonlySet<Task>): Generator<E> {
    const within = withThoseBelow(tasks, this.#open.size - 1);
    if (within !== undefined) return yield* this.of(within);
    for (const entry of this.#open) if (isBelow(entry.task, tasks)) yield entry;
  }

  // ── watching ─────────────────────────────────────────────────────────────

  /** Calls `tell` with each request that one of `tasks`, or a task below them, opens, until the function is called. */
  watch(tasks: ReadonlySet<Task>, tell: (entry: E) => void): () => void {
    const watcher = { tell, order: ++this.#came };
    for (const task of tasks) {
      const known = this.#watchers.get(task);
      if (known === undefined) this.#watchers.set(task, new Set([watcher]));
      else known.add(watcher);
    }
    return () => {
      for (const task of tasks) {
        const known = this.#watchers.get(task);
        if (known?.delete(watcher) && known.size === 0) this.#watchers.delete(task);
      }
    };
  }

  /** Calls each watcher of the task or of a task above it once, in order of coming. */
  announce(entry: E): void {
    if (this.#watchers.size === 0) return;
    const concerned = new Set<Watcher<E>>();
    for (let task: Task | undefined = entry.task; task !== undefined; task = task.parent)
      for (const watcher of this.#watchers.get(task) ?? []) concerned.add(watcher);
    for (const { tell } of [...concerned].sort((a, b) => a.order - b.order)) tell(entry);
  }
}

/** `tasks` and the kept tasks below them; `undefined` when they are more than `most`. */
function withThoseBelow(tasks: ReadonlySet<Task>, most: number): ReadonlySet<Task> | undefined {
  if (tasks.size > most) return undefined;
  const found = new Set(tasks);
  // The set grows as it is walked.
  for (const task of found) {
    for (const child of childrenOf(task)) {
      if (found.size >= most) return undefined;
      found.add(child);
    }
  }
  return found;
}

function isBelow(asker: Task, tasks: ReadonlySet<Task>): boolean {
  for (let task: Task | undefined = asker; task !== undefined; task = task.parent) if (tasks.has(task)) return true;
  return false;
}
