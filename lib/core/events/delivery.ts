// Delivery: one call to the outside, in its place in the queue of the loop.
//
// Most deliveries are objects that exist anyway, such as a wait or the run of a task: queueing one allocates nothing.

/** One call to the outside. */
export abstract class Delivery {
  /** Whether the delivery stands in the queue. Written by the loop. */
  isQueued = false;

  /** Makes the call. It must not throw. */
  abstract deliver(): void;

  /** Called in place of `deliver` when the manager is closed and the facts of the delivery could not be stored (D8). */
  drop(_why: Error): void {}
}

/** A promise of a value that is decided already. */
export class Told<T> extends Delivery {
  /** Resolves with the value when it is delivered. Rejects when it is dropped. */
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

/** A delivery that calls a function. */
export class Call extends Delivery {
  /** The function. */
  readonly deliver: () => void;

  constructor(deliver: () => void) {
    super();
    this.deliver = deliver;
  }

  /** The function is called also here: it wakes a waiter, which then reads the state itself. */
  override drop(): void {
    this.deliver();
  }
}
