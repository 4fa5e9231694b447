// Open wait: the two ends of a wait, as the part that arranged it sees them.

/** What a wait gives may be news that nobody else need tell of (N2): who keeps account of that is told what becomes of it. */
export interface Claims {
  /** It is decided. */
  claim(): void;
  /** It was given. */
  commit(): void;
  /** It was not: the wait was stopped first. */
  release(): void;
}

/** A wait in flight, as its source sees it: the first of the two calls decides it (C6). */
export interface OpenWait<T> {
  resolve(value: T, handing?: Claims): void;
  reject(error: unknown, handing?: Claims): void;
}

/** A limit that ends a wait before what the wait is for (W2). The value reports only what is stored. */
export interface Limit<T> {
  /** Milliseconds. */
  readonly ms: number;
  readonly late: () => { readonly value: T; readonly handing?: Claims | undefined };
}
