// Ring: a queue in a circle of places. Adding and taking an item allocates nothing, unless the circle has to grow.
//
// The places are kept when the queue is empty, because the next turn needs as many again. A queue that was very long
// gives its places back.

/** The places of a new queue, and of one that gives its places back: a power of two. */
const FEW = 64;
/** An empty queue with more places than this gives them back. */
const MANY = 65_536;

/** Items in order of arrival. */
export class Ring<T> {
  #places: (T | undefined)[] = Array.from({ length: FEW });
  #first = 0;
  #size = 0;

  /** The number of items. */
  get size(): number {
    return this.#size;
  }

  /** Adds an item at the end. */
  push(item: T): void {
    if (this.#size === this.#places.length) this.#grow();
    this.#places[(this.#first + this.#size) & (this.#places.length - 1)] = item;
    this.#size++;
  }

  /** Takes the oldest item; `undefined` when there is none. */
  shift(): T | undefined {
    if (this.#size === 0) return undefined;
    const item = this.#places[this.#first];
    this.#places[this.#first] = undefined;
    this.#first = (this.#first + 1) & (this.#places.length - 1);
    this.#size--;
    if (this.#size === 0 && this.#places.length > MANY) this.#reset();
    return item;
  }

  #reset(): void {
    this.#places = Array.from({ length: FEW });
    this.#first = 0;
  }

  #grow(): void {
    const old = this.#places;
    const places: (T | undefined)[] = [];
    for (let at = 0; at < 2 * old.length; at++)
      places.push(at < this.#size ? old[(this.#first + at) & (old.length - 1)] : undefined);
    this.#places = places;
    this.#first = 0;
  }
}
