// Retry delay: the time between two attempts of a task, and the end of everything that the last one left below it (H7).
//
// Owns the timer, and watches the tasks below. Made by retrying, and by the spawner after a restart.

import { Alarm, type Timekeeper } from "../time/clock.js";
import type { Task, Watcher } from "./task.js";
import { unwatch, watch } from "./watchers.js";

/**
 * The delay before an attempt stands in line: until `ms` have passed or the instant `at` has come (C7), and the tasks
 * `below` have ended.
 */
export class RetryDelay implements Watcher {
  /** No task waits here. */
  readonly waiting = undefined;
  readonly #alarm: Alarm;
  readonly #below: Task[] = [];
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
      this.#below.push(task);
      watch(task, this);
    }
    this.#alarm = Alarm.within(clock, ms, at, () => this.taskEnded());
  }

  /** One of the tasks below has ended, or the time is over. */
  taskEnded(): void {
    this.#left--;
    if (this.#left === 0) this.#onOver();
  }

  /** Ends the delay without an attempt. */
  cancel(): void {
    this.#alarm.cancel();
    for (const task of this.#below) unwatch(task, this);
  }
}
