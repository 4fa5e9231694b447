// Wait keeper: the pending waits of an attempt, as the attempt, its manager and the awaited manager see them.
//
// Owns interfaces alone; `waits/waits.ts` and `waits/pending-wait.ts` implement them. `A` is the attempt, whose class
// refers to its waits.

import type { Delivery } from "../events/delivery.js";
import type { Held } from "../events/held-deliveries.js";
import type { Wait } from "../task/record.js";
import type { Timekeeper } from "../time/clock.js";
import type { Limit, OpenWait } from "./open-wait.js";

/** A manager whose facts a wait reports; the wait may be kept by another manager. */
export interface StoredInOf<A> {
  /**
   * Delivers `wait` once everything that is decided there by now is stored. Does nothing and returns `undefined` when
   * it is stored already.
   */
  deliverWhenStored(wait: PendingOf<A>): Held | undefined;
}

/** A pending wait as its keeper sees it. */
export interface PendingOf<A> extends Delivery, OpenWait<never> {
  /** The attempt whose code began the wait; `undefined` outside tasks. */
  readonly attempt: A | undefined;
  /** The wait as the record shows it; called only when the record is read. */
  describe(): Wait;
  /** Connects the wait to its source, once it has begun. */
  hook(): void;
  /** Stops following the signal that may withdraw it. */
  unfollow: (() => void) | undefined;
  /** Whether the result reports facts. A stopped wait reports none, and does not wait for the store (D1). */
  readonly tells: boolean;
  /** The delivery is held for the store, at this place. */
  hold(held: Held): void;
  /** The signal that may withdraw it has aborted. */
  abort(reason: unknown): void;
  /** Rejects the wait, even one that is decided and only waits for its slot. */
  withdraw(error: Error): void;
}

/**
 * The waits of an attempt's own manager. They keep the attempt's waits, whichever manager the awaited task belongs to.
 */
export interface WaitKeeperOf<A> {
  /** Whether a decided wait may be held for the store (D1). */
  readonly hasStore: boolean;
  /** The clock of the manager. */
  readonly clock: Timekeeper;
  /** The rejection of a wait that may not begin; `undefined` when it may. */
  refusal(attempt: A | undefined, signal: AbortSignal | undefined): Promise<never> | undefined;
  /** Begins a wait that may begin; `signal` withdraws it. */
  begin(wait: PendingOf<A>, signal: AbortSignal | undefined): void;
  /**
   * Begins a wait of `attempt`, or of no task, if it may begin. `arrange` connects the wait to its source and returns
   * the function that disconnects it, which is called once.
   */
  open<T>(
    attempt: A | undefined,
    describe: () => Wait,
    signal: AbortSignal | undefined,
    arrange: (wait: OpenWait<T>) => () => void,
    more?: { readonly limit?: Limit<T> | undefined; readonly homes?: StoredInOf<A>[] | undefined },
  ): Promise<T>;
  /** The tasks that a pending wait of `attempt` waits for have changed. */
  changed(attempt: A): void;
  /** `wait` is decided: it returns at once or with a slot. */
  over(wait: PendingOf<A>): void;
  /** `wait` is decided and held for a store. A stop of its attempt also ends it (C3). */
  remember(wait: PendingOf<A>, held: Held): void;
  /** `wait`, which was held, is delivered. */
  delivered(wait: PendingOf<A>): void;
}
