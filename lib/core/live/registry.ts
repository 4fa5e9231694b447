// Registry: finds a task by its id, by its name among the living, or by the call that spawned it.
//
// Owns the three indexes. Ids never collide. A name is free again when its task has ended; a call stays as long as its
// record. A call is its id with the kind and the input, because some providers number their calls anew in each turn
// (§10). Written by the consequences.

import { createHash } from "node:crypto";
import { NameTakenError, ReservedNameError } from "../task/errors.js";
import { canonicalText, type Json } from "../values/json.js";
import type { Task } from "./task.js";

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
  /** Some spawner gave an id, so a generated id might collide. */
  hasGivenIds = false;
  /** The tasks by id, in order of creation. */
  readonly #tasks = new Map<string, Task>();
  readonly #names = new Map<string, Task>();
  readonly #calls = new Map<string, Task>();

  /** All tasks, in order of creation. */
  all(): IterableIterator<Task> {
    return this.#tasks.values();
  }

  /** The task with this id. */
  byId(id: string): Task | undefined {
    return this.#tasks.get(id);
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
    const sameId = this.#tasks.get(name);
    if (sameId !== undefined && !sameId.isOver && sameId.sessionId === sessionId)
      throw new NameTakenError(name, sameId.id);
  }

  /** Adds a task to the indexes. */
  add(task: Task): void {
    const { id, sessionId, traits } = task;
    this.#tasks.set(id, task);
    if (traits.name !== undefined) this.#names.set(nameKey(sessionId, traits.name), task);
    const call = callOf(task);
    if (call !== undefined) this.#calls.set(callKey(call), task);
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
    if (this.#tasks.get(task.id) === task) this.#tasks.delete(task.id);
    const call = callOf(task);
    if (call === undefined) return;
    const key = callKey(call);
    if (this.#calls.get(key) === task) this.#calls.delete(key);
  }
}

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
  return text.length <= LONGEST_PLAIN ? text : createHash("sha256").update(text).digest("base64");
}
const LONGEST_PLAIN = 128;
