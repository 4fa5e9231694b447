// Fan-out: one child for each item, so many at a time (`ctx.map`).
//
// p-limit bounds how many children there are; what is waited for is one wait of the mapping task. The first child that does not
// succeed stops new ones and cancels the others.

import pLimit from "p-limit";
import { outcomeOf } from "./await-tasks.js";
import { TaskOutcomeError } from "./errors.js";
import type { TaskOutcome } from "./record.js";
import type { Attempt, Task } from "./task.js";
import { watch } from "./watchers.js";

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
  const limit = pLimit({ concurrency, rejectOnClear: true });
  const living = new Set<Task>();
  /** As the record tells it: told anew when children were spawned, those of one turn together. */
  let taskIds: readonly string[] = [];
  let isTold = true;
  const spawned = (child: Task) => {
    living.add(child);
    if (isTold) queueMicrotask(tell);
    isTold = false;
  };
  const tell = () => {
    isTold = true;
    taskIds = Array.from(living, ({ id }) => id);
    attempt.waits.changed(attempt);
  };
  /** What the first child that did not succeed failed with; the emptied queue rejects with aborts of its own. */
  let failure: { readonly error: unknown } | undefined;

  const runOne = async (item: A, index: number): Promise<unknown> => {
    try {
      const child = spawn(item, index);
      spawned(child);
      const outcome = await endOf(child, attempt.task);
      living.delete(child);
      if (outcome.status === "succeeded") return outcome.value;
      throw new TaskOutcomeError(outcome, child.state.details.title);
    } catch (error) {
      failure ??= { error };
      limit.clearQueue();
      throw error;
    }
  };

  const describe = () => ({ on: "tasks" as const, taskIds });
  return attempt.waits.open<unknown[]>(attempt, describe, signal, (wait) => {
    Promise.all(items.map((item, index) => limit(runOne, item, index))).then(
      (values) => wait.resolve(values),
      (error: unknown) => {
        if (failure !== undefined) for (const child of living) cancel(child);
        wait.reject(failure === undefined ? error : failure.error);
      },
    );
    return () => limit.clearQueue();
  });
}

/** The end of a child; `waiting` has one wait for all of them, and an edge to each (L3). */
function endOf(task: Task, waiting: Task): Promise<TaskOutcome> {
  return new Promise((resolve) => {
    const tell = () => resolve(outcomeOf(task));
    if (task.isOver) tell();
    else watch(task, { waiting, taskEnded: tell });
  });
}
