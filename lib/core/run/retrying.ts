// Retrying: whether a failed attempt is followed by another, and what becomes of the old one (C1, H7).
//
// Owns nothing: the delay is in the task's extras, the count of attempts in its state. Called by the runner when a function has
// settled or was abandoned; calls the hooks of the user's `retry`, outside any task.

import type { Slots } from "../lanes/slots.js";
import { extrasOf } from "../live/extras.js";
import { attachedChildrenOf } from "../live/family.js";
import { RetryDelay } from "../live/retry-delay.js";
import type { Attempt, Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import { retriable } from "../task/decide.js";
import type { TaskFailure } from "../task/record.js";
import { backoffOf, checkedAnswer, checkedBackoff, type RetryPolicy } from "../task/retry.js";
import type { Settled } from "../task/settled.js";
import { runOutside } from "../values/outside.js";
import { overError, type Waits } from "../waits/waits.js";

export interface RetryingDeps {
  readonly loop: Loop;
  readonly slots: Slots<Task>;
  readonly waits: Waits;
  /**
   * The attempt of `task` is over: it receives no more messages and answers. Its open questions are withdrawn; or those with a key
   * stay open for the next attempt (`handOver`); or all stay open for the next process (`park`).
   */
  readonly endCorrespondence: (task: Task, then: "withdraw" | "handOver" | "park", errorOf: () => Error) => void;
  /** Whether a failed attempt of it is to be followed by another. */
  readonly retryOf: (task: Task) => RetryPolicy | undefined;
  /** `retryIf` threw: the task is not tried again. */
  readonly onRetryFailed: (task: Task, error: unknown) => void;
  /** `backoffMs` threw, or said nothing that can be waited for: the task is tried again after the default pause. */
  readonly onBackoffFailed: (task: Task, error: unknown) => void;
  /** It stands in line again. */
  readonly enter: (task: Task) => void;
  /** Cancels everything that lives below `task`. */
  readonly stopBelow: (task: Task, reason: string) => void;
}

export const NO_CHILDREN: readonly string[] = Object.freeze([]);

export class Retrying {
  readonly #deps: RetryingDeps;

  constructor(deps: RetryingDeps) {
    this.#deps = deps;
  }

  /** When the task may run again, if this end of its function is one to try again after (C1, §10). */
  retryAt(task: Task, settled: Settled): number | undefined {
    const { loop, retryOf, onRetryFailed } = this.#deps;
    const failure = retriable(task.id, task.state, settled);
    const retry = failure === undefined ? undefined : retryOf(task);
    if (failure === undefined || retry === undefined) return undefined;
    const attempt = task.state.details.used + 1;
    if (attempt >= retry.limits.maxAttempts) return undefined;
    try {
      const isRefused =
        retry.retryIf !== undefined && !checkedAnswer(runOutside(() => retry.retryIf?.(failure, attempt)));
      if (isRefused) return undefined;
    } catch (error) {
      onRetryFailed(task, error);
      return undefined;
    }
    return loop.clock.now() + (this.#backoffSaid(task, retry, failure) ?? backoffOf(retry.limits, task.id, attempt));
  }

  /** The pause that the user's function returned; `undefined`: none, or none that can be waited for. */
  #backoffSaid(task: Task, retry: RetryPolicy, failure: TaskFailure): number | undefined {
    if (retry.backoffOf === undefined) return undefined;
    try {
      return checkedBackoff(runOutside(() => retry.backoffOf?.(failure, task.state.details.used + 1)));
    } catch (error) {
      this.#deps.onBackoffFailed(task, error);
      return undefined;
    }
  }

  /** H7: the next attempt stands in line when its time has come, and what this one left below it has ended. */
  retry(attempt: Attempt, settled: Settled, notBeforeAt: number, code: string): void {
    const { task, number, stop } = attempt;
    const { loop, slots, waits, endCorrespondence, enter, stopBelow } = this.#deps;
    const errorOf = () => overError(task.id, false, "its function has settled");
    waits.rejectAll(attempt, errorOf);
    if (task.extras !== undefined) endCorrespondence(task, "handOver", errorOf);
    const command = {
      type: "settle",
      id: task.id,
      attempt: number,
      settled,
      living: NO_CHILDREN,
      notBeforeAt,
    } as const;
    loop.apply(task, command);
    task.madeSeq = loop.seq;
    task.attempt = undefined;
    // Whatever the old function still does, it is not with the slot of the next one.
    attempt.past = { stop, holder: slots.handOver(task) };
    if (attempt.phase !== "abandoned" || !task.lane.holdAbandoned) slots.release(task.lane, attempt.holder);
    task.extras?.deadlines?.again();
    stopBelow(task, code);
    const extras = extrasOf(task);
    const left = { ms: notBeforeAt - loop.clock.now(), at: notBeforeAt };
    extras.retryDelay = new RetryDelay(loop.clock, left, attachedChildrenOf(task), () => {
      extras.retryDelay = undefined;
      enter(task);
    });
  }
}
