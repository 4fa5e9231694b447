// Registry: how a task is found: by id, by its name among the living, by the call that spawned it.
//
// Owns the three indexes. Ids never collide; a name is free again when its task has ended; a call stays as long as its record.
// §10: a call is its id together with the kind and the input, because some providers number their calls anew in each turn.

import { createHash } from "node:crypto";
import { NameTakenError, ReservedNameError } from "../task/errors.js";
import { canonicalText, type Json } from "../values/json.js";
import type { Task } from "./task.js";

const RESERVED_NAMES: readonly string[] = ["parent", "self", "all", "broadcast"];

/** A call of a spawn: where it was made, its id, and what it starts. */
export interface Call {
  readonly parentId: string | undefined;
  readonly sessionId: string | undefined;
  readonly runId: string | undefined;
  readonly callId: string;
  /** `undefined`: a plain function, of which the call id alone counts. */
  readonly kind: string | undefined;
  readonly input: Json | undefined;
}

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
  byCall(call: Call): Task | undefined {
    return this.#calls.get(callKey(call));
  }

  /** The living task of the session that has the name. */
  byName(sessionId: string | undefined, name: string): Task | undefined {
    return this.#names.get(nameKey(sessionId, name));
  }

  /** Names are unique among the living tasks of one session; tasks of no session share one scope. */
  checkName(sessionId: string | undefined, name: string): void {
    if (RESERVED_NAMES.includes(name)) throw new ReservedNameError(name);
    const named = this.#names.get(nameKey(sessionId, name));
    if (named !== undefined) throw new NameTakenError(name, named.id);
    // The id of a living task of the session is its address already.
    const sameId = this.#tasks.get(name);
    if (sameId !== undefined && !sameId.isOver && sameId.sessionId === sessionId)
      throw new NameTakenError(name, sameId.id);
  }

  add(task: Task): void {
    const { id, sessionId, traits } = task;
    this.#tasks.set(id, task);
    if (traits.name !== undefined) this.#names.set(nameKey(sessionId, traits.name), task);
    const call = callOf(task);
    if (call !== undefined) this.#calls.set(callKey(call), task);
  }

  /** Nothing when another has it by now, as when both are made anew after a restart. */
  freeName(task: Task): void {
    const { sessionId, traits } = task;
    if (traits.name === undefined) return;
    const name = nameKey(sessionId, traits.name);
    if (this.#names.get(name) === task) this.#names.delete(name);
  }

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

/** A long input counts by its digest, so that no index holds inputs a second time. */
function contentKey(input: Json | undefined): string | undefined {
  if (input === undefined) return undefined;
  const text = canonicalText(input);
  return text.length <= LONGEST_PLAIN ? text : createHash("sha256").update(text).digest("base64");
}
const LONGEST_PLAIN = 128;
