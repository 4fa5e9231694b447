// Retry: how often a failed task runs again, and after how long (§10, C1).
//
// Owns what a `retry` may say. The pause itself is in `retry-delay.ts`.

import { checkCount, checkFinite, checkMs, checkOptions, checkType } from "../values/checks.js";
import { handled, isThenable } from "../values/handled.js";
import type { TaskFailure } from "./record.js";
import type { RetryLimits } from "./state.js";

/** Milliseconds before the next attempt, once `attempt` attempts are used up; `undefined`: the default pause. */
export type BackoffOf = (error: TaskFailure, attempt: number) => number | undefined;

/** Only `error`, `timeout` and `stalled` retry. A retry is `queued` with `notBeforeAt`; it holds no slot and has no place in line until then. */
export interface RetryOptions {
  /**
   * Attempts in all: an integer ≥ 1, and 1 never retries. An attempt is used up by a failure, or by a process that died while the function ran.
   * `close()` uses none, nor does a process that died while the task was queued or blocked.
   */
  maxAttempts: number;
  /**
   * Milliseconds before the second run (default 1 000); or a function that is asked after each attempt that is tried again, with its error and
   * the number of attempts that are used up by then, and returns the milliseconds before the next one, for example from the `Retry-After` of
   * `error.cause`. What it returns is kept as it is: `factor` and `jitter` are not applied. `undefined` gives the default pause. So does a throw, a
   * promise, or anything else that is no finite number ≥ 0; `logger.warn` says so. Given at `spawn`, the function is of this process: a pause goes on after a restart, and the pauses of later
   * attempts are the default ones. A kind keeps its function.
   */
  backoffMs?: number | BackoffOf | undefined;
  /** Each later wait is so many times as long: a number ≥ 1 (default 2). */
  factor?: number | undefined;
  /** Spread each wait between half and all of it, by the task's id and attempt (default true). */
  jitter?: boolean | undefined;
  /**
   * Called after each attempt that failed, with the number of attempts that are used up by then (1 after the first); `false`, a throw or a promise
   * ends the task. Given at `spawn`, it is of this process: after a restart every such failure is tried again.
   */
  retryIf?: ((error: TaskFailure, attempt: number) => boolean) | undefined;
}

export interface RetryPolicy extends RetryHooks {
  readonly limits: RetryLimits;
}

/** The functions of a `retry`, which no journal can carry. */
export interface RetryHooks {
  readonly retryIf: RetryOptions["retryIf"];
  readonly backoffOf: BackoffOf | undefined;
}

/** Checked. `undefined` stays so. */
export function takeRetry(retry: RetryOptions | undefined): RetryPolicy | undefined {
  if (retry === undefined) return undefined;
  checkOptions("retry", retry, "maxAttempts", "backoffMs", "factor", "jitter", "retryIf");
  const { maxAttempts, factor = 2, jitter = true, retryIf } = retry;
  const said = typeof retry.backoffMs === "function" ? retry.backoffMs : undefined;
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
  return { limits: Object.freeze({ maxAttempts: most, backoffMs, factor, jitter }), retryIf, backoffOf: said };
}

const DEFAULT_BACKOFF_MS = 1_000;

/** The pause that `backoffOf` returned, if it can be waited for. `undefined`: the default applies. */
export function checkedBackoff(said: unknown): number | undefined {
  if (said === undefined) return undefined;
  refusePromise("backoffMs", said);
  checkType("what backoffMs returns", said, "number");
  checkMs("what backoffMs returns", said);
  checkFinite("what backoffMs returns", said);
  return Math.min(Number(said), Number.MAX_SAFE_INTEGER);
}

/** The answer of `retryIf`. A promise is refused: it would be true whatever it gives, and no caller handles its rejection (C5). */
export function checkedAnswer(said: unknown): boolean {
  refusePromise("retryIf", said);
  return Boolean(said);
}

function refusePromise(option: string, said: unknown): void {
  if (!isThenable(said)) return;
  void handled(Promise.resolve(said));
  throw new TypeError(`${option} must answer at once, got a promise`);
}

/**
 * Milliseconds between the end of `attempt` of the task `id` and the start of the next. What is spread is what fails together, so the id is
 * chance enough, and a simulation is the same each time.
 */
export function backoffOf({ backoffMs, factor, jitter }: RetryLimits, id: string, attempt: number): number {
  const whole = Math.min(backoffMs * factor ** (attempt - 1), Number.MAX_SAFE_INTEGER);
  return Math.round(jitter ? whole * (0.5 + shareOf(`${id} ${attempt}`) / 2) : whole);
}

/** FNV-1a, mixed once more: alike texts are far apart. From 0 to 1. */
function shareOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x45d9f3b);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
