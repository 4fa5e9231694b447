// Awaiting: the types of `awaitTasks` and `outcomes`, which infer the outcomes from the handles that they get.

import type { AwaitOptions } from "../core/outcomes/await-tasks.js";
import type { TaskOutcome, TaskRecord } from "../core/task/record.js";
import type { WaitOptions } from "../core/waits/waits.js";
import type { TaskHandle, TaskRef } from "./task-handle.js";

/** The outcome of a task that `R` refers to. A handle carries the type of its result, and an id does not. */
export type OutcomeOf<R> = R extends TaskHandle<infer T> ? TaskOutcome<T> : TaskOutcome;

/** The result of `awaitTasks`. */
export interface AwaitResult<H extends readonly TaskRef[]> {
  /**
   * `done`: `until` is met. `timeout`: `timeoutMs` has passed. `request`: a task asked a question (`stopOnRequest`).
   */
  readonly reason: "done" | "timeout" | "request";
  /** One outcome for each task, in the order of the call; `undefined` for a task that has not ended. */
  readonly outcomes: { readonly [K in keyof H]: OutcomeOf<H[K]> | undefined };
  /** The outcomes of the tasks that have ended, in the order of their ends. */
  readonly ended: readonly OutcomeOf<H[number]>[];
  /** The records of the tasks that have not ended. */
  readonly pending: readonly TaskRecord[];
}

/**
 * Waits until the tasks have ended, as `until` says. A task that has already ended counts, and a failed task is a
 * result. Inside a task the wait lends the slot. Rejects with `TaskNotFoundError` when an id is unknown, with
 * `AwaitCycleError` when the wait could never end, and with the reason of an aborted `signal`. The tasks continue in
 * each of these cases.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 *
 * const manager = new TaskManager();
 * const fast = manager.spawn(() => "fast");
 * const slow = manager.spawn((ctx) => ctx.sleep(60_000));
 * const { reason, ended, pending } = await manager.awaitTasks([fast, slow], { until: "any" });
 * console.log(reason, ended.length, pending.length); // done 1 1
 * await slow.cancel();
 * ```
 */
export interface AwaitTasks {
  /** Waits for `tasks`, which are ids, names or handles. Without options it waits until all of them have ended. */
  <const H extends readonly TaskRef[]>(tasks: H, options?: AwaitOptions): Promise<AwaitResult<H>>;
}

/**
 * Iterates over the outcomes of tasks in the order of their ends. Each step is a wait of its own and costs O(1).
 * Leaving the loop ends the subscription, and the tasks continue. A step rejects with the errors of `awaitTasks`.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 *
 * const manager = new TaskManager();
 * const pages = [400, 10].map((ms) => manager.spawn((ctx) => ctx.sleep(ms), { title: `page of ${ms} ms` }));
 * const titles: (string | undefined)[] = [];
 * for await (const { id } of manager.outcomes(pages)) titles.push(manager.get(id)?.record.title);
 * console.log(titles.join(", ")); // page of 10 ms, page of 400 ms
 * ```
 */
export interface OutcomesOf {
  /** One step at a time: a second `next()` before the first has settled rejects with a `TypeError`. */
  <const H extends readonly TaskRef[]>(tasks: H, options?: WaitOptions): AsyncIterable<OutcomeOf<H[number]>>;
}
