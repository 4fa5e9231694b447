// Task requests: the questions of one task: all of them, the open ones, and the one of each key.
//
// Owns only ids; `requests.ts` has the requests and writes this. Finding a question by its key is O(1), however many
// questions a task asks (A3).

import type { InboxRequest } from "../task/request.js";

/** The ids of one task's requests. */
export class TaskRequests {
  /** All requests. */
  readonly all = new Set<string>();
  /** The open requests, in order of opening. */
  readonly open = new Set<string>();
  readonly #ofKey = new Map<string, string>();

  /** Adds a request, or updates its state. */
  put({ id, key, status }: InboxRequest): void {
    this.all.add(id);
    if (status === "open") this.open.add(id);
    else this.open.delete(id);
    if (key === undefined) return;
    // A withdrawn question that is asked once more is a new request.
    if (status !== "withdrawn") this.#ofKey.set(key, id);
    else if (this.#ofKey.get(key) === id) this.#ofKey.delete(key);
  }

  /** The request with this key, unless it was withdrawn. */
  ofKey(key: string): string | undefined {
    return this.#ofKey.get(key);
  }
}
