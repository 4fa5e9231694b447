// Handled: promises whose rejection may have no handler (C5), and the test for a promise of any library.
//
// Pure. Imports nothing, so that every module may use it.

/** Returns the same promise. Its rejection does not end the process when no caller handles it. */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore);
  return promise;
}

/** Whether a value is a promise, of any library. Throws the error of a getter. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

/** Ignores its argument. */
export function ignore(): void {}
