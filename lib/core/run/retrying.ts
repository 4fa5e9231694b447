// Retrying: whether another attempt follows a failed one, and the end of the failed one (C1, H7).
//
// Owns nothing: the delay is in the task's extras, the count of attempts in its state. Called by the runner when a
// function has settled or was abandoned. Calls the hooks of the user's `retry`, outside any task, and the slots, the
// waits and the loop.

import type { Requests } from "../inbox/requests.js";
import type { Kinds } from "../kinds/kind-registry.js";
import type { Slots } from "../lanes/slots.js";
import { extrasOf } from "../live/extras.js";
import { attachedChildrenOf } from "../live/family.js";
import { RetryDelay } from "../live/retry-delay.js";
import type { Attempt, Run, Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import { retriable } from "../task/decide.js";
import { limitMsOf } from "../task/limit-failure.js";
import type { TaskFailure } from "../task/record.js";
import { backoffOf, checkedAnswer, checkedBackoff, type RetryPolicy } from "../task/retry.js";
import type { Settled } from "../task/settled.js";
import type { GuardedLogger } from "../values/logger.js";
import { runOutside } from "../values/outside.js";
import { overError, type Waits } from "../waits/waits.js";

/** The parts that a retry needs. */
export interface RetryingDeps {
  readonly loop: Loop;
  readonly slots: Slots<Run>;
  readonly waits: Waits;
  readonly requests: Requests;
  readonly kinds: Kinds;
  readonly logger: GuardedLogger;
  readonly spawner: {
    /** Puts the task in line. */
    enter(run: Run): void;
  };
}

/** An empty list of children. */
export const NO_CHILDREN: readonly string[] = Object.freeze([]);

/** Retries of failed attempts. */
export class Retrying {
  readonly #deps: RetryingDeps;
  /** Cancels the living attached tasks below a task. */
  readonly #stopBelow: (task: Task, reason: string) => void;

  constructor(deps: RetryingDeps, stopBelow: (task: Task, reason: string) => void) {
    this.#deps = deps;
    this.#stopBelow = stopBelow;
  }

  /** The instant from which the task may run again, when a retry follows this end of its function (C1, §10). */
  retryAt(task: Task, settled: Settled): number | undefined {
    const { loop, kinds, logger } = this.#deps;
    const failure = retriable(task.state, settled, limitMsOf(task));
    const retry = failure === undefined ? undefined : kinds.retryOf(task);
    if (failure === undefined || retry === undefined) return undefined;
    const attempt = task.state.details.used + 1;
    if (attempt >= retry.limits.maxAttempts) return undefined;
    try {
      const isRefused =
        retry.retryIf !== undefined && !checkedAnswer(runOutside(() => retry.retryIf?.(failure, attempt)));
      if (isRefused) return undefined;
    } catch (error) {
      logger.warn(`retryIf threw: task ${task.id} is not tried again`, { error });
      return undefined;
    }
    return loop.clock.now() + (this.#customBackoff(task, retry, failure) ?? backoffOf(retry.limits, task.id, attempt));
  }

  /** The pause from the user's function; `undefined` when there is no function, or no valid pause. */
  #customBackoff(task: Task, retry: RetryPolicy, failure: TaskFailure): number | undefined {
    if (retry.backoffOf === undefined) return undefined;
    try {
      return checkedBackoff(runOutside(() => retry.backoffOf?.(failure, task.state.details.used + 1)));
    } catch (error) {
      const what = `backoffMs gave no pause: task ${task.id} is tried again after the default one`;
      this.#deps.logger.warn(what, { error });
      return undefined;
    }
  }

  /**
   * Ends the attempt. The next one stands in line when its instant has come and everything that this one left below it
   * has ended (H7).
   */
  retry(attempt: Attempt, settled: Settled, notBeforeAt: number, code: string): void {
    const { task, run, number, stop } = attempt;
    const { loop, slots, waits, requests, spawner } = this.#deps;
    const errorOf = () => overError(task.id, false, "its function has settled");
    waits.rejectAll(attempt, errorOf);
    if (task.extras !== undefined) {
      requests.handOver(task);
      task.extras.mailbox?.close(errorOf);
    }
    const command = {
      type: "settle",
      attempt: number,
      settled,
      living: NO_CHILDREN,
      notBeforeAt,
      limitMs: limitMsOf(task),
    } as const;
    loop.apply(task, command);
    task.madeSeq = loop.seq;
    run.attempt = undefined;
    // The old function may still run: it does not use the slot of the next attempt.
    attempt.past = { stop, holder: slots.handOver(run) };
    if (attempt.phase !== "abandoned" || !task.lane.holdAbandoned) slots.release(task.lane, attempt.holder);
    task.extras?.deadlines?.again();
    this.#stopBelow(task, code);
    const extras = extrasOf(task);
    const left = { ms: notBeforeAt - loop.clock.now(), at: notBeforeAt };
    extras.retryDelay = new RetryDelay(loop.clock, left, attachedChildrenOf(task), () => {
      extras.retryDelay = undefined;
      spawner.enter(run);
    });
  }
}
