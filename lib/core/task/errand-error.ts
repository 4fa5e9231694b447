// Errand error: the base class of errand's errors, their codes and their brand (§12).
//
// Each error has an upper-case `code` for programs. Its message is for people: what happened, to which task, and what
// to do next. The brand makes an error known to every copy of errand.

/** Marks the errors of every copy of errand. */
export const ERROR_BRAND = Symbol.for("errand.error");

/** The code of an error of errand. Each code belongs to one class. */
export type ErrandErrorCode =
  | "TASK_CANCELLED"
  | "TASK_OUTCOME"
  | "TASK_NOT_FOUND"
  | "TASK_TERMINATED"
  | "TASK_ELSEWHERE"
  | "AWAIT_CYCLE"
  | "QUEUE_FULL"
  | "LIMIT_EXCEEDED"
  | "SCOPE_CANCELLED"
  | "UNKNOWN_LANE"
  | "UNKNOWN_KIND"
  | "REQUEST_NOT_FOUND"
  | "ALREADY_ANSWERED"
  | "INVALID_INPUT"
  | "ID_CONFLICT"
  | "NAME_TAKEN"
  | "RESERVED_NAME"
  | "REQUEST_REJECTED"
  | "REQUEST_EXPIRED"
  | "MANAGER_CLOSED"
  | "STORE_LOCKED"
  | "STORE_UNAVAILABLE"
  | "JOURNAL_CORRUPT"
  | "OUTPUT_LOST"
  | "EVENTS_COMPACTED";

/** The base class of all errors of errand. Programs test `code`; people read the message. */
export abstract class ErrandError extends Error {
  /** Code of the error. It decides the class. */
  abstract readonly code: ErrandErrorCode;
  static {
    Object.defineProperty(this.prototype, ERROR_BRAND, { value: true });
  }
  /** Name of the class. */
  override get name(): string {
    return this.constructor.name;
  }
}
