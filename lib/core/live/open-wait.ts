// Open wait: a pending wait as its source sees it.
//
// Owns nothing: interfaces between the waits and their sources.

/** The outcomes that a wait delivers, so that no notice repeats them (N2). */
export interface Claims {
  /** The wait is decided. */
  claim(): void;
  /** The wait has delivered its result. */
  commit(): void;
  /** The wait was stopped before it delivered its result. */
  release(): void;
}

/** A pending wait as its source sees it. The first call decides the wait (C6). */
export interface OpenWait<T> {
  /** Decides the wait with a value. */
  resolve(value: T, handing?: Claims): void;
  /** Decides the wait with an error. */
  reject(error: unknown, handing?: Claims): void;
}

/** A time limit of a wait (W2). Its result reports only stored facts. */
export interface Limit<T> {
  /** The limit in milliseconds. */
  readonly ms: number;
  /** The result when the limit passes. */
  readonly late: () => { readonly value: T; readonly handing?: Claims | undefined };
}
