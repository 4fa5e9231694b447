// Pending wait: one wait in flight, decided once (C6).
//
// The first of `resolve`, `reject` and `withdraw` fixes what it gives; its keeper then says when that is delivered. What a wait is
// hooked to, and how it is unhooked, is its own: a class where waits are many, two closures (`ArrangedWait`) where they are few.

import { Delivery } from "./delivery.js";
import type { Wait } from "./record.js";
import type { Attempt, Handing, OpenWait, Pending, WaitKeeper } from "./task.js";

type Given<T> = { readonly value: T } | { readonly error: unknown };

export abstract class PendingWait<T> extends Delivery implements OpenWait<T>, Pending {
  readonly promise: Promise<T>;
  readonly keeper: WaitKeeper;
  readonly attempt: Attempt | undefined;
  unfollow: (() => void) | undefined;
  tells = true;
  /** Of what it gives, until that is given. */
  #handing: Handing | undefined;
  #resolve: (value: T) => void = ignore;
  #reject: (error: unknown) => void = ignore;
  #given: Given<T> | undefined;

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

  resolve(value: T, handing?: Handing): void {
    this.#decide({ value }, handing);
  }

  reject(error: unknown, handing?: Handing): void {
    this.#decide({ error }, handing);
  }

  abort(reason: unknown): void {
    if (this.#given !== undefined) return;
    this.tells = false;
    this.#decide({ error: reason });
  }

  #decide(given: Given<T>, handing?: Handing): void {
    if (this.#given !== undefined) return;
    this.#given = given;
    this.#handing = handing;
    handing?.taken();
    this.#end();
    this.keeper.over(this);
  }

  withdraw(error: Error): void {
    if (this.#given === undefined) this.#end();
    this.#lose();
    this.#given = { error };
    this.tells = false;
    void handled(this.promise);
    this.keeper.over(this);
  }

  #end(): void {
    this.unhook();
    this.unfollow?.();
  }

  #lose(): void {
    this.#handing?.lost();
    this.#handing = undefined;
  }

  override drop(why: Error): void {
    this.#lose();
    this.#given = { error: why };
    void handled(this.promise);
    this.deliver();
  }

  deliver(): void {
    if (this.#given === undefined) return;
    // A function that is over since has no use for it, and its loop is not told by it (S2).
    if (this.attempt === undefined || this.attempt.phase === "open") this.#handing?.given();
    else this.#handing?.lost();
    this.#handing = undefined;
    if ("error" in this.#given) this.#reject(this.#given.error);
    else this.#resolve(this.#given.value);
  }
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

/** A rejection that nobody may be there to see (C5). */
export function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(ignore);
  return promise;
}

function ignore(): void {}
