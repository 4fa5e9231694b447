// Errors: the closed family of errand's errors, and how any copy of errand recognises them (§12).
//
// Owns the list of the classes. Each class is in the file of its subject.

import { ERROR_BRAND, type ErrandErrorCode } from "./errand-error.js";
import type {
  AlreadyAnsweredError,
  RequestExpiredError,
  RequestNotFoundError,
  RequestRejectedError,
} from "./request-errors.js";
import type {
  IdConflictError,
  InvalidInputError,
  LimitExceededError,
  NameTakenError,
  QueueFullError,
  ReservedNameError,
  UnknownKindError,
  UnknownLaneError,
} from "./spawn-errors.js";
import type {
  EventsCompactedError,
  JournalCorruptError,
  ManagerClosedError,
  OutputLostError,
  StoreLockedError,
  StoreUnavailableError,
} from "./store-errors.js";
import type {
  AwaitCycleError,
  ScopeCancelledError,
  TaskCancelledError,
  TaskElsewhereError,
  TaskNotFoundError,
  TaskOutcomeError,
  TaskTerminatedError,
} from "./task-errors.js";

export { ErrandError, type ErrandErrorCode } from "./errand-error.js";
export * from "./request-errors.js";
export * from "./spawn-errors.js";
export * from "./store-errors.js";
export * from "./task-errors.js";

/** Any error of errand. A test of `code` narrows it to its class. */
export type AnyErrandError =
  | TaskCancelledError
  | TaskOutcomeError
  | TaskNotFoundError
  | TaskTerminatedError
  | TaskElsewhereError
  | AwaitCycleError
  | QueueFullError
  | LimitExceededError
  | ScopeCancelledError
  | UnknownLaneError
  | UnknownKindError
  | RequestNotFoundError
  | AlreadyAnsweredError
  | InvalidInputError
  | IdConflictError
  | NameTakenError
  | ReservedNameError
  | RequestRejectedError
  | RequestExpiredError
  | ManagerClosedError
  | StoreLockedError
  | StoreUnavailableError
  | JournalCorruptError
  | OutputLostError
  | EventsCompactedError;

/** The codes. The compiler refuses the default when a code has no class. */
type CodeOfClass<C extends AnyErrandError["code"] = ErrandErrorCode> = C;

/**
 * Whether `value` is an error of errand, of this copy or of another copy of errand in the process. `err.code === "…"`
 * then narrows it to its class; the argument `code` tests both at once.
 *
 * @example
 * ```ts
 * import { isErrandError, TaskManager } from "errand";
 *
 * const manager = new TaskManager({ lanes: { model: { concurrency: 2 } } });
 * try {
 *   manager.spawn(() => "done", { lane: "modell" });
 * } catch (error) {
 *   if (isErrandError(error, "UNKNOWN_LANE")) console.log(error.lane); // modell
 * }
 * ```
 */
export function isErrandError(value: unknown): value is AnyErrandError;
export function isErrandError<C extends CodeOfClass>(
  value: unknown,
  code: C,
): value is Extract<AnyErrandError, { code: C }>;
export function isErrandError(value: unknown, code?: ErrandErrorCode): boolean {
  if (typeof value !== "object" || value === null || !(ERROR_BRAND in value)) return false;
  return code === undefined || ("code" in value && value.code === code);
}
