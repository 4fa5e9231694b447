// Retry: how often a failed task runs again, and after how long (§10, C1).
//
// Owns what a `retry` may say and the pause before the next attempt: H7 lets it start when its time has come and what the last attempt
// left below it is over.

import { Alarm, type Clock } from "./clock.js";
import { checkCount, checkFinite, checkMs, checkOptions, checkType } from "./options.js";
import type { TaskFailure } from "./record.js";
import type { RetryLimits } from "./state.js";
import type { Link, Task, Watcher } from "./task.js";
import { unwatch, watch } from "./watchers.js";

/** Only `error`, `timeout` and `stalled` retry. A retry is `queued` with `notBeforeAt`; it holds no slot and has no place in line until then. */
export interface RetryOptions {
  /** Runs in all, the first and those a crash ended included: an integer ≥ 1. 1 never retries. */
  maxAttempts: number;
  /** Milliseconds before the second run (default 1 000). */
  backoffMs?: number | undefined;
  /** Each later wait is so many times as long: a number ≥ 1 (default 2). */
  factor?: number | undefined;
  /** Spread each wait at random between half and all of it (default true). */
  jitter?: boolean | undefined;
  /**
   * Asked after each attempt that failed, with its number; `false`, or a throw, ends the task. Given at `spawn`, it is of this process: after a
   * restart every such failure is tried again.
   */
  retryIf?: ((error: TaskFailure, attempt: number) => boolean) | undefined;
}

export interface RetryPolicy {
  readonly limits: RetryLimits;
  readonly retryIf: RetryOptions["retryIf"];
}

/** Checked. `undefined` stays so. */
export function takeRetry(retry: RetryOptions | undefined): RetryPolicy | undefined {
  if (retry === undefined) return undefined;
  checkOptions("retry", retry, "maxAttempts", "backoffMs", "factor", "jitter", "retryIf");
  const { maxAttempts, backoffMs = 1_000, factor = 2, jitter = true, retryIf } = retry;
  checkType("retry.maxAttempts", maxAttempts, "number");
  checkCount("retry.maxAttempts", maxAttempts, 1);
  checkMs("retry.backoffMs", backoffMs);
  checkFinite("retry.backoffMs", backoffMs);
  checkFinite("retry.factor", factor);
  if (factor < 1) throw new RangeError(`retry.factor must be a number ≥ 1, got ${factor}`);
  checkType("retry.jitter", jitter, "boolean");
  if (retryIf !== undefined) checkType("retry.retryIf", retryIf, "function");
  // JSON has no `Infinity`.
  const most = Math.min(maxAttempts, Number.MAX_SAFE_INTEGER);
  return { limits: Object.freeze({ maxAttempts: most, backoffMs, factor, jitter }), retryIf };
}

/** Milliseconds between the end of `attempt` and the start of the next. */
export function backoffOf({ backoffMs, factor, jitter }: RetryLimits, attempt: number): number {
  const whole = Math.min(backoffMs * factor ** (attempt - 1), Number.MAX_SAFE_INTEGER);
  return Math.round(jitter ? whole * (0.5 + Math.random() / 2) : whole);
}

/** Until the next attempt may stand in line: `ms` have passed, and `below` are over. */
export class Pause implements Watcher {
  readonly waiting = undefined;
  readonly #alarm: Alarm;
  readonly #links: Link[] = [];
  readonly #onOver: () => void;
  #left = 1;

  constructor(clock: Clock, ms: number, below: Iterable<Task>, onOver: () => void) {
    this.#onOver = onOver;
    for (const task of below) {
      this.#left++;
      this.#links.push(watch(task, this));
    }
    this.#alarm = new Alarm(clock, ms, () => this.taskEnded());
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
