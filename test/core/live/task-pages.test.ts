// Task pages: the kept tasks by number, over the borders of pages.

import { manualClock } from "errand/testing";
import { describe, expect, test } from "vitest";
import { Lane } from "../../../lib/core/lanes/lane.js";
import { type Run, Task } from "../../../lib/core/live/task.js";
import { TaskPages } from "../../../lib/core/live/task-pages.js";
import { NO_DETAILS, NO_TRAITS, newState } from "../../../lib/core/task/state.js";
import { Timekeeper } from "../../../lib/core/time/clock.js";

const lane = new Lane<Run>("default", { concurrency: 1 }, 1_000, new Timekeeper(manualClock()));
const place = { parent: undefined, sessionId: undefined };
const numbered = (number: number) =>
  new Task(`task_${number}`, number, place, lane, 0, NO_TRAITS, newState(NO_DETAILS));

describe("the tasks of a manager by number", () => {
  test("are found, in order of creation, over the borders of pages and of gaps", () => {
    const pages = new TaskPages();
    const tasks = [1, 2, 1_023, 1_024, 1_025, 2_048, 70_000, 2 ** 32 + 5].map(numbered);
    for (const task of tasks) pages.add(task);
    expect([...pages]).toEqual(tasks);
    for (const task of tasks) expect(pages.get(task.number)).toBe(task);
    for (const number of [0, 3, 1_022, 1_026, 69_999, 2 ** 32 + 4, 5]) expect(pages.get(number)).toBeUndefined();
  });

  test("are removed once, and a page without tasks takes others", () => {
    const pages = new TaskPages();
    const [first, second] = [numbered(1), numbered(2)];
    pages.add(first);
    pages.add(second);
    for (const task of [first, first, second, second]) pages.remove(task);
    expect([...pages]).toEqual([]);
    expect(pages.get(1)).toBeUndefined();
    const third = numbered(3);
    pages.add(third);
    pages.remove(numbered(3));
    expect([...pages]).toEqual([third]);
  });

  test("a task that is removed while they are read is left out", () => {
    const pages = new TaskPages();
    const tasks = [1, 2, 3, 2_000].map(numbered);
    for (const task of tasks) pages.add(task);
    const read: number[] = [];
    for (const { number } of pages) {
      read.push(number);
      const [, second] = tasks;
      if (number === 1 && second !== undefined) pages.remove(second);
    }
    expect(read).toEqual([1, 3, 2_000]);
  });
});
