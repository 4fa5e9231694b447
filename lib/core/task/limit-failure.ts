// Limit failure: the failure of a task that one of its limits stopped (C1, C6). Its message names the limit.
//
// Pure. Called by `decide.ts`; the runner passes the limit itself, because a state has no traits.

import { withCause } from "./failure.js";
import type { TaskFailure } from "./record.js";
import type { Settled } from "./settled.js";
import type { Stop } from "./state.js";
import type { StopReason } from "./status.js";
import type { TaskLimits } from "./traits.js";

/** Code of a stop by a limit. */
export type LimitCode = Exclude<StopReason, "cancel" | "shutdown">;

/** Reason of a stop by `elapsedTimeoutMs`. Its code is `timeout`. */
export const ELAPSED_TIMEOUT = "elapsed_timeout";

/** A task that may have been stopped, with its limits. */
interface Limited {
  readonly state: { readonly stop: Stop | undefined };
  readonly traits: { readonly limits: TaskLimits | undefined };
  readonly createdAt: number;
}

/** The time limit that stopped a task, in milliseconds; `undefined` for any other stop. */
export function limitMsOf({ state: { stop }, traits: { limits }, createdAt }: Limited): number | undefined {
  switch (stop?.code) {
    case "timeout":
      return stop.reason === ELAPSED_TIMEOUT ? limits?.elapsedTimeoutMs : limits?.timeoutMs;
    case "total_timeout":
      return limits?.totalDeadlineAt === undefined ? undefined : limits.totalDeadlineAt - createdAt;
    case "stalled":
      return limits?.stallTimeoutMs;
    default:
      return undefined;
  }
}

/** The failure of a task that the limit `code` stopped. What its function threw then may be the reason. */
export function limitFailure(
  code: LimitCode,
  reason: string,
  limitMs: number | undefined,
  settled: Settled,
): TaskFailure {
  const failure = { code, message: messageOf(code, reason, limitMs === undefined ? "" : ` (${limitMs} ms)`) };
  if (settled.how !== "threw") return Object.freeze(failure);
  const { error, causes } = settled;
  return withCause(causes === undefined ? failure : { ...failure, causes }, error);
}

function messageOf(code: LimitCode, reason: string, limit: string): string {
  switch (code) {
    case "timeout":
      if (reason === ELAPSED_TIMEOUT) return `took longer than its elapsedTimeoutMs${limit}, waits included`;
      return `ran for longer than its timeoutMs${limit}`;
    case "total_timeout":
      return `was not over within its totalTimeoutMs${limit}`;
    case "stalled":
      return `gave no sign of life within its stallTimeoutMs${limit}: ${SIGNS}`;
    case "budget_exceeded":
      return reason;
  }
}
const SIGNS = "ctx.heartbeat() is one, so are progress, output and messages";
