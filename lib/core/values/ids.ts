// Ids: `task_<instance>_<number>`, unique across restarts by the instance part, in order of creation, cheap, and short
// for a model.

/** The source of ids. With a store, it must return new ids after a restart; the id of an existing task is skipped. */
export interface Ids {
  /**
   * The next id for a task, a request, a message, or the manager instance. Two calls never return the same id, except
   * for `"instance"`.
   */
  next(what: "task" | "request" | "message" | "instance"): string;
}

/**
 * The ids of a manager that got none: their instance part is random. The id of a task follows from its number, so it is
 * made only when a reader asks for it; a text for each task, and its entry in a Map, would cost a fifth of the task.
 */
export class NumberedIds implements Ids {
  readonly #instance = newInstance();
  readonly #beforeNumber = `task_${this.#instance}_`;
  #requests = 0;
  #messages = 0;
  #tasks = 0;

  /** See `Ids.next`. A manager numbers its tasks itself. */
  next(what: "task" | "request" | "message" | "instance"): string {
    switch (what) {
      case "instance":
        return this.#instance;
      case "task":
        return this.ofTask(++this.#tasks);
      case "request":
        return `request_${this.#instance}_${++this.#requests}`;
      default:
        return `message_${this.#instance}_${++this.#messages}`;
    }
  }

  /** The id of the task with this number. */
  ofTask(number: number): string {
    return this.#beforeNumber + number;
  }

  /** The number that the id names; `undefined` when these ids do not name it so. */
  numberIn(id: string): number | undefined {
    if (!id.startsWith(this.#beforeNumber)) return undefined;
    const number = Number(id.slice(this.#beforeNumber.length));
    return this.ofTask(number) === id ? number : undefined;
  }
}

/** The number of instance names: eight digits of base 36. */
const NAMES = 36 ** 8;

/**
 * A random name of this instance. `node:crypto` would add a fifth to the time from the start of a process to the end of
 * its first task. A program may have seeded `Math.random`, so that it gives the same number in each process: the
 * nanoseconds of the platform's clock differ then too.
 */
function newInstance(): string {
  const nanoseconds = Number(process.hrtime.bigint() % BigInt(NAMES));
  const number = (Math.floor(Math.random() * NAMES) + nanoseconds) % NAMES;
  return number.toString(36).padStart(8, "0");
}
