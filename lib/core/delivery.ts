// Delivery: something the outside sees, in its place in the loop's queue.
//
// The queue is a chain of its deliveries, so that queueing one makes nothing.

export abstract class Delivery {
  next: Delivery | undefined;

  /** It must not throw. */
  abstract deliver(): void;
}

/** One that is no more than a call. */
export class Call extends Delivery {
  readonly deliver: () => void;

  constructor(deliver: () => void) {
    super();
    this.deliver = deliver;
  }
}
