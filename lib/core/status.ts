// Status: the seven values a task can have, and the three classes they fall into (DESIGN §1).
//
// Owns the words alone. A code says why something happened; it never becomes a status.

/** Wants a slot, or holds one. */
export type ActiveStatus = "queued" | "running";
/** Has started and holds no slot: `blockedOn` says for what it waits. */
export type WaitingStatus = "blocked";
/** Final (S1): nothing leaves it. */
export type TerminalStatus = "succeeded" | "failed" | "cancelled" | "interrupted";
export type TaskStatus = ActiveStatus | WaitingStatus | TerminalStatus;

export const TASK_STATUSES = [
  "queued",
  "running",
  "blocked",
  "succeeded",
  "failed",
  "cancelled",
  "interrupted",
] as const;

/** Why a task is `failed`. */
export type FailureCode = "error" | "timeout" | "total_timeout" | "stalled" | "rejected";
/** Why a task is `interrupted`: its process, or its manager, ended first. */
export type InterruptReason = "shutdown";
/** What stopped a task. The first is kept and decides the outcome (S5). */
export type StopReason = "cancel" | "timeout" | "total_timeout" | "stalled" | "shutdown";

export function isTerminal(status: TaskStatus): status is TerminalStatus {
  return status === "succeeded" || status === "failed" || status === "cancelled" || status === "interrupted";
}
