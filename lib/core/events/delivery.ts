// Delivery: something the outside sees, in its place in the loop's queue.
//
// The queue is a chain of its deliveries, so that queueing one makes nothing.

export abstract class Delivery {
  next: Delivery | undefined;

  /** It must not throw. */
  abstract deliver(): void;

  /** It will not be: its manager is closed, and what it tells of could not be stored (D8). */
  drop(_why: Error): void {}
}

/** A promise of a value that is decided. */
export class Told<T> extends Delivery {
  readonly promise: Promise<T>;
  readonly #value: T;
  #resolve: (value: T) => void = () => {};
  #reject: (why: Error) => void = () => {};

  constructor(value: T) {
    super();
    this.#value = value;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  deliver(): void {
    this.#resolve(this.#value);
  }

  override drop(why: Error): void {
    this.promise.catch(() => {});
    this.#reject(why);
  }
}

/** One that is no more than a call. */
export class Call extends Delivery {
  readonly deliver: () => void;

  constructor(deliver: () => void) {
    super();
    this.deliver = deliver;
  }

  /** It only wakes somebody, who sees for himself. */
  override drop(): void {
    this.deliver();
  }
}
