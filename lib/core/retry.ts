// Retry: how often a failed task runs again, and after how long (§10, C1).
//
// Owns what a `retry` may say. The pause itself is in `pause.ts`.

import { checkCount, checkFinite, checkMs, checkOptions, checkType } from "./options.js";
import type { TaskFailure } from "./record.js";
import type { RetryLimits } from "./state.js";

/** Only `error`, `timeout` and `stalled` retry. A retry is `queued` with `notBeforeAt`; it holds no slot and has no place in line until then. */
export interface RetryOptions {
  /** Runs in all, the first and those a crash ended included: an integer ≥ 1. 1 never retries. */
  maxAttempts: number;
  /** Milliseconds before the second run (default 1 000). */
  backoffMs?: number | undefined;
  /** Each later wait is so many times as long: a number ≥ 1 (default 2). */
  factor?: number | undefined;
  /** Spread each wait between half and all of it, by the task's id and attempt (default true). */
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
