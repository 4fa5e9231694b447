// Law: the form of one law of `storeContract`, and the events and checks that several laws share.

import assert from "node:assert/strict";
import type { ReadOptions, TaskStore } from "../../core/durable/store.js";
import { type ErrandErrorCode, isErrandError } from "../../core/task/errors.js";
import type { TaskEvent } from "../../core/task/events.js";
import type { Runtime } from "../../core/task/record.js";
import type { Json } from "../../core/values/json.js";

/** The store that one run of a law uses. */
export interface LawStore {
  /** An empty store that is not open yet. */
  readonly store: TaskStore;
  /** Returns another store on the same data, not open yet. The first store is closed or abandoned. */
  readonly reopen: () => Promise<TaskStore>;
}

/** The title of a law, and a function that rejects when the store breaks the law. */
export type Law = readonly [title: string, law: (given: LawStore) => Promise<void>];

/** The process that opens the stores of the laws. */
export const WRITER: Runtime = { instanceId: "contract", pid: process.pid, startedAt: 1 };

/** Opens `store` as the writer of the laws. */
export function opened(store: TaskStore): ReturnType<TaskStore["open"]> {
  return store.open(WRITER);
}

/** Returns an event with this `seq`. */
export function note(seq: number, payload: Json = { page: seq }): TaskEvent {
  return { type: "custom", seq, at: 1_700_000_000_000 + seq, taskId: `task_${seq}`, attempt: 1, name: "note", payload };
}

/** Returns the events from `first` to `last`. */
export function notes(first: number, last: number): TaskEvent[] {
  return Array.from({ length: last - first + 1 }, (_, index) => note(first + index));
}

/** Reads all events of `store` into a list. */
export async function eventsOf(store: TaskStore, options?: ReadOptions): Promise<TaskEvent[]> {
  const events: TaskEvent[] = [];
  for await (const event of store.read(options)) events.push(event);
  return events;
}

/** Asserts that `promise` rejects with an errand error that has this code and these fields. */
export async function rejectsWith(
  code: ErrandErrorCode,
  promise: Promise<unknown>,
  fields: { readonly [field: string]: unknown },
): Promise<void> {
  await assert.rejects(promise, (error) => {
    assert.ok(isErrandError(error, code), `${String(error)} is no ${code}`);
    for (const [field, value] of Object.entries(fields)) assert.deepEqual(Reflect.get(error, field), value, field);
    return true;
  });
}
