// Pending wait: one wait in flight, decided once (C6).
//
// The first of `resolve`, `reject` and `withdraw` fixes what the wait gives; its keeper then says when that is delivered. What a wait is
// hooked to, and how it is unhooked, is its own: a class where waits are many, two closures (`ArrangedWait`) where they are few.
// W2: a time limit and a signal end a wait also when its answer is decided and the store does not take it. What they give reports nothing
// that would have to be stored.

import { Delivery } from "../events/delivery.js";
import type { Held } from "../events/held-deliveries.js";
import type { Claims, Limit, OpenWait } from "../live/open-wait.js";
import type { Attempt, Pending, StoredIn, WaitKeeper } from "../live/task.js";
import type { Wait } from "../task/record.js";
import { Alarm } from "../time/clock.js";
import { handled, ignore } from "../values/handled.js";

export type Given<T> = { readonly value: T } | { readonly error: unknown };

/** What few waits have: a limit, other managers that must have stored what the wait reports, a place among what is held for a store. */
class Terms<T> {
  limit: Limit<T> | undefined;
  alarm: Alarm | undefined;
  /** The limit passed while the answer was decided and the task waited for its slot. */
  isLate = false;
  homes: StoredIn[] | undefined;
  held: Held | undefined;
  wasHeld = false;
}

export abstract class PendingWait<T> extends Delivery implements OpenWait<T>, Pending {
  readonly promise: Promise<T>;
  readonly keeper: WaitKeeper;
  readonly attempt: Attempt | undefined;
  unfollow: (() => void) | undefined;
  tells = true;
  #terms: Terms<T> | undefined;
  /** Of what it gives, until that is given. */
  #handing: Claims | undefined;
  #resolve: (value: T) => void = ignore;
  #reject: (error: unknown) => void = ignore;
  #given: Given<T> | undefined;
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

  abstract describe(): Wait;
  abstract hook(): void;
  protected abstract unhook(): void;

  /** The wait ends with what `limit` gives, `limit.ms` from now, unless its answer is delivered before. */
  limitTo(limit: Limit<T>): void {
    if (this.#isDelivered) return;
    const terms = (this.#terms ??= new Terms());
    terms.limit = limit;
    terms.alarm = new Alarm(this.keeper.clock, limit.ms, () => this.#expire(terms, limit));
  }

  /** D1: these managers must have stored what the wait reports, too. */
  alsoStoredIn(homes: StoredIn[]): void {
    this.#terms ??= new Terms();
    this.#terms.homes = homes;
  }

  resolve(value: T, handing?: Claims): void {
    this.#decide({ value }, handing);
  }

  reject(error: unknown, handing?: Claims): void {
    this.#decide({ error }, handing);
  }

  abort(reason: unknown): void {
    if (this.#isDecided) return;
    this.#override({ error: reason });
  }

  /** Decided for good: by its source, and nothing keeps that from being delivered. */
  get #isDecided(): boolean {
    return this.#isDelivered || (this.#given !== undefined && this.#terms?.held === undefined);
  }

  #expire(terms: Terms<T>, limit: Limit<T>): void {
    terms.isLate = true;
    if (this.#isDecided) return;
    const { value, handing } = limit.late();
    this.#override({ value }, handing);
  }

  /** The store does not have what the wait reports. A limit that passed while the task waited for its slot counts once more from here. */
  hold(held: Held): void {
    const terms = (this.#terms ??= new Terms());
    terms.held = held;
    terms.wasHeld = true;
    if (!terms.isLate || terms.limit === undefined) return;
    terms.isLate = false;
    this.limitTo(terms.limit);
  }

  #decide(given: Given<T>, handing?: Claims): void {
    if (this.#given !== undefined) return;
    this.fix(given, handing);
    this.unhook();
    // No store can hold the answer back: neither the limit nor the signal has anything left to end.
    if (!this.keeper.hasStore && this.#terms?.homes === undefined) this.#release();
    this.keeper.over(this);
  }

  protected fix(given: Given<T>, handing: Claims | undefined): void {
    this.#given = given;
    this.#handing = handing;
    handing?.claim();
  }

  /** Replaces what was decided, if anything was. Reports nothing that would have to be stored, and so waits for no store (D1, W2). */
  #override(given: Given<T>, handing?: Claims): void {
    const wasDecided = this.#given !== undefined;
    this.#lose();
    this.#release();
    this.tells = false;
    this.fix(given, handing);
    if (!wasDecided) this.unhook();
    this.keeper.over(this);
  }

  withdraw(error: Error): void {
    if (this.#isDelivered) return;
    void handled(this.promise);
    this.#override({ error });
  }

  #lose(): void {
    this.#handing?.release();
    this.#handing = undefined;
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
    this.#given = { error: why };
    this.tells = false;
    void handled(this.promise);
    this.deliver();
  }

  deliver(): void {
    if (this.#given === undefined || this.#isDelivered) return;
    if (this.#terms !== undefined && this.#isHeldElsewhere(this.#terms)) return;
    this.#isDelivered = true;
    this.#release();
    if (this.#terms?.wasHeld) this.keeper.delivered(this);
    // A function that is over since has no use for it, and its loop is not told by it (S2).
    if (this.attempt === undefined || this.attempt.phase === "open") this.#handing?.commit();
    else this.#handing?.release();
    this.#handing = undefined;
    if ("error" in this.#given) this.#reject(this.#given.error);
    else this.#resolve(this.#given.value);
  }

  /** D1: the managers of the tasks have stored what they decided by now, or the wait is held until they have. */
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

/** An answer that is known when it is asked for, and whose facts the store does not have yet. No slot changes for it (L2). */
export class Answer<T> extends PendingWait<T> {
  /** Fixes what it gives. Its keeper holds it until the facts are stored. */
  known(given: Given<T>, handing: Claims | undefined): void {
    this.fix(given, handing);
  }

  /** An answer is no wait of its task: no record shows this. */
  describe(): Wait {
    return { on: "time", untilAt: this.keeper.clock.now() };
  }
  hook(): void {}
  protected unhook(): void {}
}

/** One whose source is given as closures. */
export class ArrangedWait<T> extends PendingWait<T> {
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

  hook(): void {
    this.#unhook = this.#arrange(this);
  }

  protected unhook(): void {
    this.#unhook();
  }
}
