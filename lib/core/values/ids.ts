// Ids: `task_<instance>_<counter>`. Unique across restarts by the instance part, in order of making, cheap, and short for a model.

import { customAlphabet } from "nanoid";

/** Where ids come from. With a store they must be others after a restart; those of tasks that are taken are passed over. */
export interface Ids {
  next(what: "task" | "request" | "message" | "instance"): string;
}

const instanceName = customAlphabet("0123456789abcdefghijklmnopqrstuvwxyz", 8);

export function instanceIds(): Ids {
  const instance = instanceName();
  const made = { task: 0, request: 0, message: 0 };
  return {
    // Joined, not concatenated: an id lives long, and a string put together by `+` keeps its pieces.
    next: (what) => (what === "instance" ? instance : [what, instance, ++made[what]].join("_")),
  };
}
