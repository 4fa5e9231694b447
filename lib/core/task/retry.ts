// Retry: how often a failed task runs again, and after which delay (§10, C1).
//
// Owns the options of a retry, their checks and the computed delay. `live/retry-delay.ts` waits for it.

import { checkCount, checkFinite, checkMs, checkOptions, checkType } from "../values/checks.js";
import { handled, isThenable } from "../values/handled.js";
import type { TaskFailure } from "./record.js";
import type { RetryLimits } from "./state.js";

/** Milliseconds before the next attempt, when `attempt` attempts are used up. `undefined`: the default delay. */
export type BackoffOf = (error: TaskFailure, attempt: number) => number | undefined;

/**
 * Retry policy of a task. Only failures with the code `error`, `timeout` or `stalled` are retried. A retry is `queued`
 * with `notBeforeAt`; until then it holds no slot and has no place in line.
 *
 * @example
 * ```ts
 * import { type RetryOptions, TaskManager } from "errand";
 *
 * const retry: RetryOptions = { maxAttempts: 3, backoffMs: 10, retryIf: (error) => error.message !== "404" };
 * const task = new TaskManager().spawn(
 *   (ctx) => {
 *     if (ctx.attempt < 3) throw new Error("503");
 *     return `attempt ${ctx.attempt}`;
 *   },
 *   { retry },
 * );
 * console.log(await task.result()); // attempt 3
 * ```
 */
export interface RetryOptions {
  /**
   * Number of attempts in all: an integer ≥ 1, where 1 never retries. An attempt is used up by a failure, or by a
   * process that died while the function ran. `close()` uses none, nor does a process that died while the task was
   * queued or blocked.
   */
  maxAttempts: number;
  /**
   * Milliseconds before the second attempt (default 1 000), or a function that returns the milliseconds before the next
   * attempt.
   *
   * The function is called after each attempt that is retried, with the error and the number of attempts that are used
   * up by then. It may use the `Retry-After` of `error.cause`, for example. Its result is used unchanged: `factor` and
   * `jitter` do not apply. `undefined` gives the default delay. So does a throw, a promise, or anything else that is no
   * finite number ≥ 0, and `logger.warn` reports it. A function passed to `spawn` belongs to this process: after a
   * restart a delay that had begun continues, and the delays of later attempts are the default ones. A kind keeps its
   * function.
   */
  backoffMs?: number | BackoffOf | undefined;
  /** Each later delay is the one before times this number: a number ≥ 1 (default 2). */
  factor?: number | undefined;
  /** True (default): each delay is between half and all of its length, by the id and the attempt of the task. */
  jitter?: boolean | undefined;
  /**
   * Decides whether a failed attempt is retried. It is called after each failure that may be retried, with the number
   * of attempts that are used up by then (1 after the first). `false`, a throw or a promise ends the task. A function
   * passed to `spawn` belongs to this process: after a restart every such failure is retried.
   */
  retryIf?: ((error: TaskFailure, attempt: number) => boolean) | undefined;
}

/** A checked `retry`: its limits and its functions. */
export interface RetryPolicy extends RetryHooks {
  /** The part that a journal can carry. */
  readonly limits: RetryLimits;
}

/** The functions of a `retry`. A journal cannot carry them. */
export interface RetryHooks {
  /** Decides whether a failed attempt is retried. */
  readonly retryIf: RetryOptions["retryIf"];
  /** Computes the delay. `undefined`: the delay is computed from the limits. */
  readonly backoffOf: BackoffOf | undefined;
}

/** Checks `retry`. Returns `undefined` for `undefined`; throws a `TypeError` or `RangeError` that names the option. */
export function takeRetry(retry: RetryOptions | undefined): RetryPolicy | undefined {
  if (retry === undefined) return undefined;
  checkOptions("retry", retry, "maxAttempts", "backoffMs", "factor", "jitter", "retryIf");
  const { maxAttempts, factor = 2, jitter = true, retryIf } = retry;
  const value = typeof retry.backoffMs === "function" ? retry.backoffMs : undefined;
  const backoffMs =
    typeof retry.backoffMs === "function" ? DEFAULT_BACKOFF_MS : (retry.backoffMs ?? DEFAULT_BACKOFF_MS);
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
  return { limits: Object.freeze({ maxAttempts: most, backoffMs, factor, jitter }), retryIf, backoffOf: value };
}

const DEFAULT_BACKOFF_MS = 1_000;

/** The delay that `backoffMs` returned, when it is valid. `undefined`: the default delay applies. */
export function checkedBackoff(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  refusePromise("backoffMs", value);
  checkType("what backoffMs returns", value, "number");
  checkMs("what backoffMs returns", value);
  checkFinite("what backoffMs returns", value);
  return Math.min(Number(value), Number.MAX_SAFE_INTEGER);
}

/**
 * The answer of `retryIf`. A promise is refused: it would count as true whatever its value, and no caller handles its
 * rejection (C5).
 */
export function checkedAnswer(value: unknown): boolean {
  refusePromise("retryIf", value);
  return Boolean(value);
}

function refusePromise(option: string, value: unknown): void {
  if (!isThenable(value)) return;
  void handled(Promise.resolve(value));
  throw new TypeError(`${option} must answer at once, got a promise`);
}

/**
 * Milliseconds between the end of `attempt` of the task `id` and the start of the next. The spread separates tasks that
 * fail together. It is computed from the id, so a simulation is the same each time.
 */
export function backoffOf({ backoffMs, factor, jitter }: RetryLimits, id: string, attempt: number): number {
  const whole = Math.min(backoffMs * factor ** (attempt - 1), Number.MAX_SAFE_INTEGER);
  return Math.round(jitter ? whole * (0.5 + shareOf(`${id} ${attempt}`) / 2) : whole);
}

/** A number from 0 to 1 for a text. FNV-1a with one more mix, so that similar texts give distant numbers. */
function shareOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
