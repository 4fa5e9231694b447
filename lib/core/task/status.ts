// Status: the seven values a task can have, and the three classes they fall into (§1).
//
// Owns the words alone. A code says why something happened; it never becomes a status.

const ACTIVE = ["queued", "running"] as const;
const WAITING = ["blocked"] as const;
const TERMINAL = ["succeeded", "failed", "cancelled", "interrupted"] as const;
export const TASK_STATUSES = [...ACTIVE, ...WAITING, ...TERMINAL] as const;

/** Wants a slot, or holds one. */
export type ActiveStatus = (typeof ACTIVE)[number];
/** Has started and holds no slot: `blockedOn` says for what it waits. */
export type WaitingStatus = (typeof WAITING)[number];
/** A status that is final: a task that has ended never gets another one. */
export type TerminalStatus = (typeof TERMINAL)[number];
export type TaskStatus = (typeof TASK_STATUSES)[number];

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
/** Why a task is `failed`. `orphaned`: what did the work elsewhere has lost it, as a kind's `reconcile` reports. */
export type FailureCode = (typeof FAILURE_CODES)[number];
/** Why a task is `interrupted`: its process, or its manager, ended first. */
export type InterruptReason = "process_lost" | "shutdown";
/** Why a task was stopped. errand keeps the first reason, which decides the outcome; later stops change nothing. */
export type StopReason = "cancel" | "timeout" | "total_timeout" | "stalled" | "budget_exceeded" | "shutdown";

export function isTerminal(status: TaskStatus): status is TerminalStatus {
  return status === "succeeded" || status === "failed" || status === "cancelled" || status === "interrupted";
}
