// Pause: what a task waits for between two attempts (H7): its time, and the end of all that the last one left below it.

import { Alarm, type Timekeeper } from "../time/clock.js";
import type { Link, Task, Watcher } from "./task.js";
import { unwatch, watch } from "./watchers.js";

/** Lasts until the next attempt may stand in line: `ms` have passed or it is `at` (C7), and `below` are over. */
export class RetryDelay implements Watcher {
  readonly waiting = undefined;
  readonly #alarm: Alarm;
  readonly #links: Link[] = [];
  readonly #onOver: () => void;
  #left = 1;

  constructor(
    clock: Timekeeper,
    { ms, at }: { readonly ms: number; readonly at: number },
    below: Iterable<Task>,
    onOver: () => void,
  ) {
    this.#onOver = onOver;
    for (const task of below) {
      this.#left++;
      this.#links.push(watch(task, this));
    }
    this.#alarm = Alarm.within(clock, ms, at, () => this.taskEnded());
  }

  taskEnded(): void {
    this.#left--;
    if (this.#left === 0) this.#onOver();
  }

  cancel(): void {
    this.#alarm.cancel();
    for (const link of this.#links) unwatch(link);
  }
}
