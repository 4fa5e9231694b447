// Counted ids: ids that a test knows before they are made: `task_1`, `task_2`, `request_1`, ….

import type { Ids } from "../core/values/ids.js";

/** Creates a source of ids that counts each sort of id from 1: `task_1`, `task_2`, `request_1`, and so on. */
export function countedIds(): Ids {
  const made = new Map<string, number>();
  return {
    next(what) {
      const count = (made.get(what) ?? 0) + 1;
      made.set(what, count);
      return `${what}_${count}`;
    },
  };
}
