// Pending wait: one wait in flight, which is decided once (C6).
//
// The first of `resolve`, `reject` and `withdraw` fixes the result; the keeper of the wait then says when it is
// delivered. Each wait knows how it attaches to its source: a class where waits are many, two closures (`ArrangedWait`)
// where they are few. W2: a time limit and a signal end a wait also while its answer is decided and the store does not
// accept it. The result that they give reports no fact, so it needs no store.

import { Delivery } from "../events/delivery.js";
import type { Held } from "../events/held-deliveries.js";
import type { Claims, Limit, OpenWait } from "../live/open-wait.js";
import type { Attempt } from "../live/task.js";
import type { PendingOf, StoredInOf, WaitKeeperOf } from "../live/wait-keeper.js";
import type { Wait } from "../task/record.js";
import { Alarm } from "../time/clock.js";
import { handled, ignore } from "../values/handled.js";

/** A pending wait as its keeper sees it. */
export type Pending = PendingOf<Attempt>;
/** A manager whose facts a wait reports. */
export type StoredIn = StoredInOf<Attempt>;
/** The waits of an attempt's own manager. */
export type WaitKeeper = WaitKeeperOf<Attempt>;

/** The result of a wait. */
export type Settlement<T> =
  | {
      /** The value with which the wait resolves. */
      readonly value: T;
    }
  | {
      /** The error with which the wait rejects. */
      readonly error: unknown;
    };

/**
 * The optional parts of a wait: a limit, other managers that must have stored what the wait reports, a place among the
 * held deliveries.
 */
class Terms<T> {
  limit: Limit<T> | undefined;
  alarm: Alarm | undefined;
  /** Whether the limit passed while the answer was decided and the task waited for its slot. */
  isLate = false;
  homes: StoredIn[] | undefined;
  held: Held | undefined;
  wasHeld = false;
}

/** One wait in flight. */
export abstract class PendingWait<T> extends Delivery implements OpenWait<T>, Pending {
  /** The promise of the caller. */
  readonly promise: Promise<T>;
  /** The waits of the manager that keeps this wait. */
  readonly keeper: WaitKeeper;
  /** The attempt that waits. `undefined` outside tasks. */
  readonly attempt: Attempt | undefined;
  /** Ends the following of the caller's signal. */
  unfollow: (() => void) | undefined;
  /** Whether the result reports facts that must be stored first. */
  tells = true;
  #terms: Terms<T> | undefined;
  /** The claim on the outcomes in the result, until the result is delivered. */
  #claims: Claims | undefined;
  #resolve: (value: T) => void = ignore;
  #reject: (error: unknown) => void = ignore;
  #settlement: Settlement<T> | undefined;
  #isDelivered = false;

  constructor(keeper: WaitKeeper, attempt: Attempt | undefined) {
    super();
    this.keeper = keeper;
    this.attempt = attempt;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** The wait, as a record shows it. */
  abstract describe(): Wait;
  /** Attaches the wait to its source. */
  abstract hook(): void;
  /** Detaches the wait from its source. */
  protected abstract unhook(): void;

  /** Ends the wait with the result of `limit`, `limit.ms` from now, unless its answer is delivered before. */
  limitTo(limit: Limit<T>): void {
    if (this.#isDelivered) return;
    const terms = (this.#terms ??= new Terms());
    terms.limit = limit;
    terms.alarm = new Alarm(this.keeper.clock, limit.ms, () => this.#expire(terms, limit));
  }

  /** Other managers that must also have stored the facts which the wait reports (D1). */
  alsoStoredIn(homes: StoredIn[]): void {
    this.#terms ??= new Terms();
    this.#terms.homes = homes;
  }

  /** Decides the wait with a value. Has no effect on a decided wait. */
  resolve(value: T, claims?: Claims): void {
    this.#decide({ value }, claims);
  }

  /** Decides the wait with an error. Has no effect on a decided wait. */
  reject(error: unknown, claims?: Claims): void {
    this.#decide({ error }, claims);
  }

  /** Ends the wait with the reason of the caller's signal. Has no effect on a final result. */
  abort(reason: unknown): void {
    if (this.#isDecided) return;
    this.#override({ error: reason });
  }

  /** Whether the result is final: its source decided it, and no store holds it back. */
  get #isDecided(): boolean {
    return this.#isDelivered || (this.#settlement !== undefined && this.#terms?.held === undefined);
  }

  #expire(terms: Terms<T>, limit: Limit<T>): void {
    terms.isLate = true;
    if (this.#isDecided) return;
    const { value, handing: claims } = limit.late();
    this.#override({ value }, claims);
  }

  /**
   * The store does not have the facts that the wait reports yet. A limit that passed while the task waited for its slot
   * runs once more from here.
   */
  hold(held: Held): void {
    const terms = (this.#terms ??= new Terms());
    terms.held = held;
    terms.wasHeld = true;
    if (!terms.isLate || terms.limit === undefined) return;
    terms.isLate = false;
    this.limitTo(terms.limit);
  }

  #decide(given: Settlement<T>, claims?: Claims): void {
    if (this.#settlement !== undefined) return;
    this.fix(given, claims);
    this.unhook();
    // No store can hold the answer back: neither the limit nor the signal has anything left to end.
    if (!this.keeper.hasStore && this.#terms?.homes === undefined) this.#release();
    this.keeper.over(this);
  }

  /** Stores the result and claims its outcomes. */
  protected fix(given: Settlement<T>, claims: Claims | undefined): void {
    this.#settlement = given;
    this.#claims = claims;
    claims?.claim();
  }

  /** Replaces the result, if there is one. The new result reports no fact, and so waits for no store (D1, W2). */
  #override(given: Settlement<T>, claims?: Claims): void {
    const wasDecided = this.#settlement !== undefined;
    this.#lose();
    this.#release();
    this.tells = false;
    this.fix(given, claims);
    if (!wasDecided) this.unhook();
    this.keeper.over(this);
  }

  /** Rejects the wait with `error`, whatever it was decided to give. Has no effect after its delivery. */
  withdraw(error: Error): void {
    if (this.#isDelivered) return;
    void handled(this.promise);
    this.#override({ error });
  }

  #lose(): void {
    this.#claims?.release();
    this.#claims = undefined;
  }

  #release(): void {
    this.unfollow?.();
    this.unfollow = undefined;
    const terms = this.#terms;
    if (terms === undefined) return;
    terms.alarm?.cancel();
    terms.held?.cancel();
    terms.held = undefined;
  }

  override drop(why: Error): void {
    if (this.#isDelivered) return;
    this.#lose();
    this.#settlement = { error: why };
    this.tells = false;
    void handled(this.promise);
    this.deliver();
  }

  /** Settles the promise, unless another manager must store its facts first. */
  deliver(): void {
    if (this.#settlement === undefined || this.#isDelivered) return;
    if (this.#terms !== undefined && this.#isHeldElsewhere(this.#terms)) return;
    this.#isDelivered = true;
    this.#release();
    if (this.#terms?.wasHeld) this.keeper.delivered(this);
    // A function that has ended since does not use the result, and its loop does not learn the outcomes from it (S2).
    if (this.attempt === undefined || this.attempt.phase === "open") this.#claims?.commit();
    else this.#claims?.release();
    this.#claims = undefined;
    if ("error" in this.#settlement) this.#reject(this.#settlement.error);
    else this.#resolve(this.#settlement.value);
  }

  /**
   * Whether the managers of the tasks have not stored yet what they have decided by now; the wait is then held until
   * they have (D1).
   */
  #isHeldElsewhere(terms: Terms<T>): boolean {
    terms.held = undefined;
    if (!this.tells) return false;
    for (let home = terms.homes?.pop(); home !== undefined; home = terms.homes?.pop()) {
      const held = home.deliverWhenStored(this);
      if (held === undefined) continue;
      this.keeper.remember(this, held);
      return true;
    }
    return false;
  }
}

/** An answer that is known at the call, while the store does not have its facts yet. No slot changes for it (L2). */
export class Answer<T> extends PendingWait<T> {
  /** Fixes the result. The keeper holds it until the facts are stored. */
  known(given: Settlement<T>, claims: Claims | undefined): void {
    this.fix(given, claims);
  }

  /** An answer is no wait of its task: no record shows this. */
  describe(): Wait {
    return { on: "time", untilAt: this.keeper.clock.now() };
  }
  /** An answer has no source. */
  hook(): void {}
  /** Detaches the wait from its source. */
  protected unhook(): void {}
}

/** A wait whose source is given as closures. */
export class ArrangedWait<T> extends PendingWait<T> {
  /** The wait, as a record shows it. */
  readonly describe: () => Wait;
  readonly #arrange: (wait: OpenWait<T>) => () => void;
  #unhook: () => void = ignore;

  constructor(
    keeper: WaitKeeper,
    attempt: Attempt | undefined,
    describe: () => Wait,
    arrange: (wait: OpenWait<T>) => () => void,
  ) {
    super(keeper, attempt);
    this.describe = describe;
    this.#arrange = arrange;
  }

  /** Attaches the wait to its source. */
  hook(): void {
    this.#unhook = this.#arrange(this);
  }

  /** Detaches the wait from its source. */
  protected unhook(): void {
    this.#unhook();
  }
}
