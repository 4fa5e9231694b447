// Watchers: the waits for the end of one task, removed in any order (W3).

import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { Lane } from "../../../lib/core/lanes/lane.js";
import { type Run, Task } from "../../../lib/core/live/task.js";
import { tellWatchers, unwatch, watch } from "../../../lib/core/live/watchers.js";
import { NO_DETAILS, NO_TRAITS, newState } from "../../../lib/core/task/state.js";
import { Timekeeper } from "../../../lib/core/time/clock.js";

function task(): Task {
  const lane = new Lane<Run>("default", { concurrency: 1 }, 1_000, new Timekeeper(manualClock()));
  const place = { parent: undefined, sessionId: undefined };
  return new Task("task_1", 1, place, lane, 0, NO_TRAITS, newState(NO_DETAILS));
}

describe("the watchers of one task", () => {
  const NAMES = ["a", "b", "c"];
  const orders = NAMES.flatMap((first) =>
    NAMES.filter((name) => name !== first).map((second): readonly [string, string] => [first, second]),
  );

  test.each(orders)("W3 unwatching %s, twice, and then %s leaves the third alone", (first, second) => {
    const watched = task();
    const told: string[] = [];
    const watchers = new Map(
      NAMES.map((name) => [name, { waiting: undefined, taskEnded: () => void told.push(name) }]),
    );
    for (const watcher of watchers.values()) watch(watched, watcher);
    for (const name of [first, first, second, first]) {
      const watcher = watchers.get(name);
      if (watcher !== undefined) unwatch(watched, watcher);
    }
    tellWatchers(watched);
    expect(told).toEqual(NAMES.filter((name) => name !== first && name !== second));
    expect(watched.watchers).toBeUndefined();
  });
});
