// Fan-out: one child for each item, so many at a time (`ctx.map`).
//
// p-limit bounds how many children there are; what is waited for is one wait of the mapping task. The first child that does not
// succeed stops new ones and cancels the others; a wait that is given up starts no more, and leaves no link on those that go on (W3).

import pLimit from "p-limit";
import { outcomeOf } from "./await-tasks.js";
import { TaskOutcomeError } from "./errors.js";
import type { TaskOutcome } from "./record.js";
import type { Attempt, Link, Task, Watcher } from "./task.js";
import { unwatch, watch } from "./watchers.js";

interface FanOut<A> {
  readonly items: readonly A[];
  readonly concurrency: number;
  readonly signal: AbortSignal | undefined;
  /** Spawns the child of one item. A throw is the fan-out's. */
  readonly spawn: (item: A, index: number) => Task;
  readonly cancel: (child: Task) => void;
}

/** The values of all children, in the order of their items. */
export function fanOut<A>(
  attempt: Attempt,
  { items, concurrency, signal, spawn, cancel }: FanOut<A>,
): Promise<unknown[]> {
  const children = new Children(attempt);
  const describe = () => ({ on: "tasks" as const, taskIds: children.told });
  return attempt.waits.open<unknown[]>(attempt, describe, signal, (wait) => {
    const limit = pLimit({ concurrency, rejectOnClear: true });
    let isOver = false;
    const runOne = async (item: A, index: number): Promise<unknown> => {
      // p-limit takes an item out of its queue a little before it runs it: clearing the queue does not reach that one.
      if (isOver) return undefined;
      try {
        const child = spawn(item, index);
        const outcome = await children.endOf(child);
        if (outcome.status === "succeeded") return outcome.value;
        throw new TaskOutcomeError(outcome, child.state.details.title);
      } catch (error) {
        isOver = true;
        throw error;
      }
    };
    Promise.all(items.map((item, index) => limit(runOne, item, index))).then(
      (values) => wait.resolve(values),
      (error: unknown) => {
        for (const child of children.living) cancel(child);
        wait.reject(error);
      },
    );
    return () => {
      isOver = true;
      limit.clearQueue();
      children.leave();
    };
  });
}

/** Those that live: the mapping task has one wait for all of them, and an edge to each (L3). */
class Children implements Watcher {
  readonly #attempt: Attempt;
  readonly #ends = new Map<Task, { readonly link: Link; readonly resolve: (outcome: TaskOutcome) => void }>();
  /** The ids of those that lived when the record was last told: it is when some were spawned, those of one turn together. */
  told: readonly string[] = [];
  #isTelling = false;

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  get waiting(): Task {
    return this.#attempt.task;
  }
  get living(): readonly Task[] {
    return [...this.#ends.keys()];
  }

  endOf(child: Task): Promise<TaskOutcome> {
    if (child.isOver) return Promise.resolve(outcomeOf(child));
    return new Promise((resolve) => {
      this.#ends.set(child, { link: watch(child, this), resolve });
      if (!this.#isTelling) void Promise.resolve().then(this.#tell);
      this.#isTelling = true;
    });
  }

  readonly #tell = (): void => {
    this.#isTelling = false;
    this.told = this.living.map(({ id }) => id);
    this.#attempt.waits.changed(this.#attempt);
  };

  taskEnded(task: Task): void {
    this.#ends.get(task)?.resolve(outcomeOf(task));
    this.#ends.delete(task);
  }

  leave(): void {
    for (const { link } of this.#ends.values()) unwatch(link);
    this.#ends.clear();
  }
}
