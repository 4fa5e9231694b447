// Counted ids: `task_1`, `task_2`, `request_1`, …: ids a test can name before they are made.

import type { Ids } from "../core/values/ids.js";

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
