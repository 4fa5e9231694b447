// Items: the items of `ctx.map`, read one at a time, and only when a child may start (W4).
//
// Owns the iterator of the user's iterable, sync or async. One read is pending at a time, and the iterator is closed
// once. The reader receives the errors of a read. Errors of closing are ignored, because no reader is left.

import { show } from "../core/values/checks.js";
import { handled, isThenable } from "../core/values/handled.js";
import { isObject } from "../core/values/safe-read.js";

/** The result of a read, or the promise of one that is pending. */
export type Read<A> = IteratorResult<A> | Promise<IteratorResult<A>>;

/** Reads the items of one iterable. */
export class Items<A> {
  readonly #iterator: Iterator<A> | AsyncIterator<A>;
  #isOver = false;

  /** Throws a `TypeError` when `items` is not iterable. */
  constructor(items: Iterable<A> | AsyncIterable<A>) {
    this.#iterator = iteratorOf(items);
  }

  /** Reads the next item. No item is read after the iterator has thrown or rejected. */
  read(): Read<A> {
    try {
      const read = this.#iterator.next();
      if (!isThenable(read)) return this.#checkStep(read);
      const checked = Promise.resolve(read).then(
        (step) => this.#checkStep(step),
        (error: unknown) => this.#failed(error),
      );
      // No reader may be left when it rejects (C5).
      return handled(checked);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #checkStep(step: IteratorResult<A>): IteratorResult<A> {
    if (typeof step !== "object" || step === null)
      throw new TypeError(`next() of items must return an object { value, done }, got ${show(step)}`);
    if (step.done) this.#isOver = true;
    return step;
  }

  #failed(error: unknown): never {
    this.#isOver = true;
    throw error;
  }

  /**
   * Closes the iterator; no item is read after this. Does nothing when the iterator has ended, and on a second call.
   */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    // Later, because the call in which a sweep stops a subtree runs no code of the user (H2). A rejection is ignored:
    // the caller receives the error that stopped the reading.
    void handled(Promise.resolve().then(() => this.#iterator.return?.()));
  }
}

function iteratorOf<A>(items: Iterable<A> | AsyncIterable<A>): Iterator<A> | AsyncIterator<A> {
  for (const symbol of [Symbol.asyncIterator, Symbol.iterator] as const) {
    const begin: unknown =
      items === null || items === undefined ? undefined : Reflect.get(Object(items), symbol, items);
    if (typeof begin !== "function") continue;
    const iterator: unknown = Reflect.apply(begin, items, []);
    if (isIterator<A>(iterator)) return iterator;
    throw new TypeError(`items[${String(symbol)}]() must give an iterator, with a method next, got ${show(iterator)}`);
  }
  throw new TypeError(`items must be an iterable or an async iterable, got ${show(items)}`);
}

function isIterator<A>(value: unknown): value is Iterator<A> | AsyncIterator<A> {
  return isObject(value) && typeof Reflect.get(value, "next") === "function";
}
