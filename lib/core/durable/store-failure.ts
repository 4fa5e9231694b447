// Store failure: the rejection of a store as an error of errand (§12).
//
// Owns the translation. A store may be the user's own, and rejects with whatever its driver throws, such as an
// AggregateError without a message. Errors of errand pass as they are. Called wherever a store is called for a user.

import { isErrandError, StoreUnavailableError } from "../task/errors.js";
import { errorInWords } from "../task/failure.js";

/** The error for a user. `doing` says what the store was asked for: `open`, `read`. The cause is the store's error. */
export function storeFailure(doing: string, error: unknown): Error {
  if (isErrandError(error)) return error;
  return new StoreUnavailableError(
    `its ${doing} failed: ${errorInWords(error)}. Mend what the store reports, then call again`,
    { cause: error },
  );
}

/** The result of a call of a store. Rejects with `storeFailure`, also when the call throws. */
export async function fromStore<T>(doing: string, call: () => T | PromiseLike<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw storeFailure(doing, error);
  }
}
