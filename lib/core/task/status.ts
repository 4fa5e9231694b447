// Status: the seven statuses of a task, their three classes, and the codes that say why a task stopped or ended (§1).
//
// Owns types and lists only. A code says why something happened, and never becomes a status.

/** The statuses of a task that waits for a slot, or holds one. */
const ACTIVE = ["queued", "running"] as const;
/** The status of a started task without a slot. */
const WAITING = ["blocked"] as const;
/** The statuses of a task that has ended. */
const TERMINAL = ["succeeded", "failed", "cancelled", "interrupted"] as const;
/** Every status of a task. */
export const TASK_STATUSES = [...ACTIVE, ...WAITING, ...TERMINAL] as const;

/** The task waits for a slot (`queued`), or holds a slot (`running`). */
export type ActiveStatus = (typeof ACTIVE)[number];
/** The task has started and holds no slot. `blockedOn` of its record says for what it waits. */
export type WaitingStatus = (typeof WAITING)[number];
/** The task has ended. A terminal status never changes. */
export type TerminalStatus = (typeof TERMINAL)[number];
/** Status of a task. */
export type TaskStatus = (typeof TASK_STATUSES)[number];

/** Every code of a failure. */
export const FAILURE_CODES = [
  "error",
  "timeout",
  "total_timeout",
  "stalled",
  "budget_exceeded",
  "no_result",
  "schema_mismatch",
  "rejected",
  "orphaned",
] as const;
/**
 * Why a task is `failed`.
 *
 * - `error`: the function threw.
 * - `timeout`, `total_timeout`, `stalled`, `budget_exceeded`: a limit stopped the task.
 * - `no_result`, `schema_mismatch`: the result of a kind is missing, or does not fit its schema.
 * - `rejected`: a question of the task was rejected, or expired.
 * - `orphaned`: the system that did the work elsewhere has lost it, as `reconcile` of the kind reports.
 */
export type FailureCode = (typeof FAILURE_CODES)[number];
/** Why a task is `interrupted`: its process was lost, or its manager shut down. */
export type InterruptReason = "process_lost" | "shutdown";
/** Cause of a stop. The first stop of a task is kept and decides the outcome. */
export type StopReason = "cancel" | "timeout" | "total_timeout" | "stalled" | "budget_exceeded" | "shutdown";

/** Whether a task of this status has ended (S1). */
export function isTerminal(status: TaskStatus): status is TerminalStatus {
  return status === "succeeded" || status === "failed" || status === "cancelled" || status === "interrupted";
}
