// Registry: finds a task by its id, by its name among the living, or by the call that spawned it; and the tasks of one
// session, or below one task, without a walk over all others.
//
// Owns the indexes, and the numbers of the tasks in order of creation. Ids never collide. A name is free again when
// its task has ended; a call stays as long as its record. A call is its id with the kind and the input, because some
// providers number their calls anew in each turn (§10). Written by the consequences.

import { NameTakenError, ReservedNameError } from "../task/errors.js";
import type { TaskFilter } from "../task/record.js";
import type { NumberedIds } from "../values/ids.js";
import { canonicalText, type Json } from "../values/json.js";
import { digestOf } from "../values/node.js";
import { childrenOf, descendantsOf } from "./family.js";
import type { Task } from "./task.js";
import { TaskPages } from "./task-pages.js";

const RESERVED_NAMES: readonly string[] = ["parent", "self", "all", "broadcast"];

/** The call that spawned a task. */
export interface Call {
  /** The parent of the spawn. */
  readonly parentId: string | undefined;
  /** The session of the spawn. */
  readonly sessionId: string | undefined;
  /** The run of the agent loop. */
  readonly runId: string | undefined;
  /** The id of the model's tool call. */
  readonly callId: string;
  /** The kind; `undefined` for a plain function, for which the call id alone counts. */
  readonly kind: string | undefined;
  /** The input of the kind. */
  readonly input: Json | undefined;
}

/** The tasks of one manager whose records are kept. */
export class Registry {
  /** The kept tasks, in order of creation. */
  readonly #tasks = new TaskPages();
  /** The ids that follow from the number of a task; `undefined`: the user's ids make all of them. */
  readonly #numbered: NumberedIds | undefined;
  /** The tasks whose id does not follow from their number: a spawner, an earlier process or the user's ids gave it. */
  readonly #byGivenId = new Map<string, Task>();
  readonly #names = new Map<string, Task>();
  readonly #calls = new Map<string, Task>();
  /** The tasks of each session, in order of creation. */
  readonly #sessions = new Map<string, Set<Task>>();
  #newest = 0;

  constructor(numbered: NumberedIds | undefined) {
    this.#numbered = numbered;
  }

  /** All tasks, in order of creation. */
  all(): Iterable<Task> {
    return this.#tasks;
  }

  /** The number of the newest task. */
  get newest(): number {
    return this.#newest;
  }

  /** The number of the next task. A number whose id a spawner has given to another task is passed over. */
  nextNumber(): number {
    this.#newest++;
    if (this.#byGivenId.size === 0 || this.#numbered === undefined) return this.#newest;
    while (this.#byGivenId.has(this.#numbered.ofTask(this.#newest))) this.#newest++;
    return this.#newest;
  }

  /** The tasks without a parent, or whose parent is not kept, in order of creation. */
  tops(): Task[] {
    return [...this.all()].filter(({ parent }) => parent === undefined || this.byId(parent.id) === undefined);
  }

  /** The tasks of a session, in order of creation. */
  ofSession(sessionId: string): ReadonlySet<Task> {
    return this.#sessions.get(sessionId) ?? NO_TASKS;
  }

  /** The tasks below `task`, in order of creation. */
  below(task: Task): readonly Task[] {
    return descendantsOf(task).sort((a, b) => a.number - b.number);
  }

  /**
   * The fewest tasks that are known to hold every task that fits `filter`, in order of creation. `undefined`: the
   * filter names no parent, root or session that is known.
   */
  narrowed({ parentId, rootId, sessionId }: TaskFilter): Iterable<Task> | undefined {
    const parent = parentId === undefined ? undefined : this.byId(parentId);
    if (parent !== undefined) return childrenOf(parent);
    const root = rootId === undefined ? undefined : this.byId(rootId);
    if (root !== undefined) return [root, ...this.below(root)].sort((a, b) => a.number - b.number);
    return sessionId === undefined ? undefined : this.ofSession(sessionId);
  }

  /** The task with this id. */
  byId(id: string): Task | undefined {
    const given = this.#byGivenId.size === 0 ? undefined : this.#byGivenId.get(id);
    if (given !== undefined) return given;
    const number = this.#numbered?.numberIn(id);
    const task = number === undefined ? undefined : this.#tasks.get(number);
    return task?.hasNumberedId ? task : undefined;
  }

  /**
   * The task that the same call spawned. A call belongs to its session and run; the children of a task are a scope of
   * their own.
   */
  byCall(call: Call): Task | undefined {
    return this.#calls.get(callKey(call));
  }

  /** The living task of the session with this name. */
  byName(sessionId: string | undefined, name: string): Task | undefined {
    return this.#names.get(nameKey(sessionId, name));
  }

  /**
   * Throws `ReservedNameError` or `NameTakenError` when the name is not free. Tasks without a session share one scope.
   */
  checkName(sessionId: string | undefined, name: string): void {
    if (RESERVED_NAMES.includes(name)) throw new ReservedNameError(name);
    const named = this.#names.get(nameKey(sessionId, name));
    if (named !== undefined) throw new NameTakenError(name, named.id);
    // The id of a living task of the session is its address already.
    const sameId = this.byId(name);
    if (sameId !== undefined && !sameId.isOver && sameId.sessionId === sessionId)
      throw new NameTakenError(name, sameId.id);
  }

  /** Adds a task to the indexes. */
  add(task: Task): void {
    const { sessionId, traits } = task;
    this.#tasks.add(task);
    if (!task.hasNumberedId) this.#byGivenId.set(task.id, task);
    if (sessionId !== undefined) this.#addTo(sessionId, task);
    if (traits.name !== undefined) this.#names.set(nameKey(sessionId, traits.name), task);
    const call = callOf(task);
    if (call !== undefined) this.#calls.set(callKey(call), task);
  }

  #addTo(sessionId: string, task: Task): void {
    const tasks = this.#sessions.get(sessionId);
    if (tasks === undefined) this.#sessions.set(sessionId, new Set([task]));
    else tasks.add(task);
  }

  /** Frees the name of an ended task, unless another task has it by now (as when a restart makes both anew). */
  freeName(task: Task): void {
    const { sessionId, traits } = task;
    if (traits.name === undefined) return;
    const name = nameKey(sessionId, traits.name);
    if (this.#names.get(name) === task) this.#names.delete(name);
  }

  /** Removes an evicted task. */
  remove(task: Task): void {
    const { sessionId } = task;
    this.#tasks.remove(task);
    if (!task.hasNumberedId && this.#byGivenId.get(task.id) === task) this.#byGivenId.delete(task.id);
    const tasks = sessionId === undefined ? undefined : this.#sessions.get(sessionId);
    if (sessionId !== undefined && tasks?.delete(task) && tasks.size === 0) this.#sessions.delete(sessionId);
    const call = callOf(task);
    if (call === undefined) return;
    const key = callKey(call);
    if (this.#calls.get(key) === task) this.#calls.delete(key);
  }
}

const NO_TASKS: ReadonlySet<Task> = new Set();

function nameKey(sessionId: string | undefined, name: string): string {
  return JSON.stringify([sessionId ?? null, name]);
}

/** The call that spawned `task`, if one did. */
function callOf({ parentId, sessionId, traits }: Task): Call | undefined {
  const { runId, callId, kind, input } = traits;
  return callId === undefined ? undefined : { parentId, sessionId, runId, callId, kind, input };
}

function callKey({ parentId, sessionId, runId, callId, kind, input }: Call): string {
  return JSON.stringify([parentId, sessionId, runId, callId, kind, contentKey(input)].map((part) => part ?? null));
}

/** A text for an input. A long input is replaced by its digest, so no index keeps inputs a second time. */
function contentKey(input: Json | undefined): string | undefined {
  if (input === undefined) return undefined;
  const text = canonicalText(input);
  return text.length <= LONGEST_PLAIN ? text : digestOf(text);
}
const LONGEST_PLAIN = 128;
