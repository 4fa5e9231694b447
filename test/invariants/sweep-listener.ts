// Sweep listener: one that hears everything and, once told to, fails at the next event it hears.
//
// It was added before the witness of the run, so that a failure that were not isolated would hide events from that witness.

import type { ManagerEventMap, TaskManager } from "errand";
import { EVENT_TYPES } from "../../lib/core/task/events.js";

export class FailingListener {
  #how: "throws" | "rejects" | undefined;
  /** What it failed with, and at which event. */
  readonly failures: { readonly error: Error; readonly event: string }[] = [];
  /** What was said of it. */
  readonly reported: ManagerEventMap["listener.failed"][] = [];

  listenTo(manager: TaskManager): void {
    manager.on("listener.failed", (event) => void this.reported.push(event));
    for (const type of EVENT_TYPES) {
      if (type !== "listener.failed") manager.on(type as keyof ManagerEventMap, ({ type }) => this.#hear(type));
    }
  }

  /** From now on: once. */
  fail(how: "throws" | "rejects"): void {
    this.#how = how;
  }

  #hear(event: string): unknown {
    const how = this.#how;
    if (how === undefined) return undefined;
    this.#how = undefined;
    const error = new Error(`the listener of ${event} ${how}`);
    this.failures.push({ error, event });
    if (how === "throws") throw error;
    return Promise.reject(error);
  }
}
