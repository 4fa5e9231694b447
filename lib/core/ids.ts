// Ids: `task_<instance>_<counter>`. Unique across restarts by the instance part, in order of making, cheap, and short for a model.

import { customAlphabet } from "nanoid";

export interface Ids {
  next(what: "task" | "request" | "message" | "instance"): string;
}

const instanceName = customAlphabet("0123456789abcdefghijklmnopqrstuvwxyz", 8);

export function instanceIds(): Ids {
  const instance = instanceName();
  const made = { task: 0, request: 0, message: 0 };
  return {
    next: (what) => (what === "instance" ? instance : `${what}_${instance}_${++made[what]}`),
  };
}
