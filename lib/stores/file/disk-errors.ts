// Disk errors: the errors of a store in a directory, made from the errors of the disk.

import { isErrandError, StoreLockedError, StoreUnavailableError } from "../../core/task/errors.js";
import { fieldOf, readText } from "../../core/values/safe-read.js";
import { isMissing } from "./disk.js";

/** Turns an error of the disk into a `StoreUnavailableError`. Errors of errand and `RangeError`s stay as they are. */
export function toStoreError(directory: string, error: unknown): unknown {
  if (isErrandError(error) || error instanceof RangeError) return error;
  if (isMissing(error)) return new StoreUnavailableError(`there is no ${directory}: check the path`, { cause: error });
  const why = readText(() => fieldOf(error, "message")) ?? "the disk refused";
  return new StoreUnavailableError(`${directory}: ${why}. Check the disk, its free space and its permissions`, {
    cause: error,
  });
}

/** The error of a store whose files were deleted while it was open. */
export function deletedError(directory: string, cause: unknown): StoreUnavailableError {
  const why = `${directory}, or the journal in it, was deleted: store a snapshot, which makes it again`;
  return new StoreUnavailableError(why, { needsSnapshot: true, cause });
}

/** The error of a writer that does not hold its lock any longer. */
export function lockLostError(directory: string): StoreLockedError {
  const why = "its lock was removed or replaced, or its directory was moved, and another process may write it";
  return new StoreLockedError(directory, "another process", undefined, why);
}
