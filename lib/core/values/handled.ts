// Handled: promises whose rejection no caller may be there to see (C5), and how a promise of a user's is known.
//
// Pure: keeps nothing. A leaf, so that every module may use it.

/** The same promise. Its rejection, should no caller see it, does not end the process. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore);
  return promise;
}

/** Whether a value is a promise, of whichever library. Throws what reading it throws. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Does nothing with what it is given. */
export function ignore(): void {}
