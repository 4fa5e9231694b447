// Ids: `task_<instance>_<counter>`, unique across restarts by the instance part, in order of creation, cheap, and short
// for a model.

/** The source of ids. With a store, it must return new ids after a restart; the id of an existing task is skipped. */
export interface Ids {
  /**
   * The next id for a task, a request, a message, or the manager instance. Two calls never return the same id, except
   * for `"instance"`.
   */
  next(what: "task" | "request" | "message" | "instance"): string;
}

/** Ids with a random instance part. */
export function instanceIds(): Ids {
  const instance = newInstance();
  const made = { task: 0, request: 0, message: 0 };
  return {
    // Joined, not concatenated: an id lives long, and a string made by `+` keeps its pieces.
    next: (what) => (what === "instance" ? instance : [what, instance, ++made[what]].join("_")),
  };
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
