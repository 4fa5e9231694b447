// Ids: `task_<instance>_<counter>`, unique across restarts by the instance part, in order of creation, cheap, and short
// for a model.

import { customAlphabet } from "nanoid";

/** The source of ids. With a store, it must return new ids after a restart; the id of an existing task is skipped. */
export interface Ids {
  /**
   * The next id for a task, a request, a message, or the manager instance. Two calls never return the same id, except
   * for `"instance"`.
   */
  next(what: "task" | "request" | "message" | "instance"): string;
}

const instanceName = customAlphabet("0123456789abcdefghijklmnopqrstuvwxyz", 8);

/** Ids with a random instance part. */
export function instanceIds(): Ids {
  const instance = instanceName();
  const made = { task: 0, request: 0, message: 0 };
  return {
    // Joined, not concatenated: an id lives long, and a string made by `+` keeps its pieces.
    next: (what) => (what === "instance" ? instance : [what, instance, ++made[what]].join("_")),
  };
}
