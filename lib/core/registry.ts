// Registry: how a task is found: by id, by its name among the living, by the call that spawned it.
//
// Owns the three indexes. Ids never collide; a name is free again when its task has ended; a call stays as long as its record.

import { NameTakenError, ReservedNameError } from "./errors.js";
import type { Task } from "./task.js";

const RESERVED_NAMES: readonly string[] = ["parent", "self", "all", "broadcast"];

export class Registry {
  /** Some id was given by a spawner: one that errand makes might meet it. */
  hasGivenIds = false;
  /** By creation. */
  readonly #tasks = new Map<string, Task>();
  readonly #names = new Map<string, Task>();
  readonly #calls = new Map<string, Task>();

  all(): IterableIterator<Task> {
    return this.#tasks.values();
  }

  byId(id: string): Task | undefined {
    return this.#tasks.get(id);
  }

  /** A call is one of its session and run; the children of a task are a session of their own. */
  byCall(
    parentId: string | undefined,
    sessionId: string | undefined,
    runId: string | undefined,
    callId: string,
  ): Task | undefined {
    return this.#calls.get(callKey(parentId, sessionId, runId, callId));
  }

  /** Names are unique among the living tasks of one session; tasks of no session share one scope. */
  checkName(sessionId: string | undefined, name: string): void {
    if (RESERVED_NAMES.includes(name)) throw new ReservedNameError(name);
    const holder = this.#names.get(nameKey(sessionId, name));
    if (holder !== undefined) throw new NameTakenError(name, holder.id);
  }

  add(task: Task): void {
    const { id, parentId, sessionId, traits } = task;
    this.#tasks.set(id, task);
    if (traits.name !== undefined) this.#names.set(nameKey(sessionId, traits.name), task);
    if (traits.callId !== undefined) this.#calls.set(callKey(parentId, sessionId, traits.runId, traits.callId), task);
  }

  /** Nothing when another has it by now, as when both are made anew after a restart. */
  freeName(task: Task): void {
    const { sessionId, traits } = task;
    if (traits.name === undefined) return;
    const name = nameKey(sessionId, traits.name);
    if (this.#names.get(name) === task) this.#names.delete(name);
  }

  remove(task: Task): void {
    const { id, parentId, sessionId, traits } = task;
    if (this.#tasks.get(id) === task) this.#tasks.delete(id);
    if (traits.callId === undefined) return;
    const call = callKey(parentId, sessionId, traits.runId, traits.callId);
    if (this.#calls.get(call) === task) this.#calls.delete(call);
  }
}

function nameKey(sessionId: string | undefined, name: string): string {
  return JSON.stringify([sessionId ?? null, name]);
}
function callKey(...parts: readonly (string | undefined)[]): string {
  return JSON.stringify(parts.map((part) => part ?? null));
}
