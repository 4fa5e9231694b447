// Task requests: the questions of one task: all of them, those that are open, and the one of each key.
//
// Owns the ids alone; `requests.ts` has the requests and writes this. However many questions a task asks, to find one by its key is O(1) (A3).

import type { InboxRequest } from "../task/request.js";

export class TaskRequests {
  readonly all = new Set<string>();
  /** In order of opening. */
  readonly open = new Set<string>();
  readonly #ofKey = new Map<string, string>();

  /** A request as it is by now. */
  put({ id, key, status }: InboxRequest): void {
    this.all.add(id);
    if (status === "open") this.open.add(id);
    else this.open.delete(id);
    if (key === undefined) return;
    // Withdrawn, and asked once more: a new request.
    if (status !== "withdrawn") this.#ofKey.set(key, id);
    else if (this.#ofKey.get(key) === id) this.#ofKey.delete(key);
  }

  /** The request with this key, unless it was withdrawn. */
  ofKey(key: string): string | undefined {
    return this.#ofKey.get(key);
  }
}
