// Items: what `ctx.map` runs over, read one at a time and only when there is room (W4).
//
// Owns the iterator of the user's iterable, sync or async. One read is under way at a time, and the iterator is closed once. What the iterator
// throws or rejects with is the reader's; what closing it gives is ignored, as its reader has gone.

import { show } from "../core/values/checks.js";
import { handled, isThenable } from "../core/values/handled.js";
import { isObject } from "../core/values/safe-read.js";

/** A read that is settled, or one that is under way. */
export type Read<A> = IteratorResult<A> | Promise<IteratorResult<A>>;

export class Items<A> {
  readonly #iterator: Iterator<A> | AsyncIterator<A>;
  #isOver = false;

  /** `TypeError`: `items` is no iterable. */
  constructor(items: Iterable<A> | AsyncIterable<A>) {
    this.#iterator = iteratorOf(items);
  }

  /** The next item, now or later. A throw of the iterator ends it. */
  read(): Read<A> {
    try {
      const read = this.#iterator.next();
      if (!isThenable(read)) return this.#taken(read);
      const taken = Promise.resolve(read).then(
        (step) => this.#taken(step),
        (error: unknown) => this.#failed(error),
      );
      // The reader may be gone when it rejects (C5).
      return handled(taken);
    } catch (error) {
      return this.#failed(error);
    }
  }

  #taken(step: IteratorResult<A>): IteratorResult<A> {
    if (typeof step !== "object" || step === null)
      throw new TypeError(`an iterator gave ${show(step)} in place of a result`);
    if (step.done) this.#isOver = true;
    return step;
  }

  #failed(error: unknown): never {
    this.#isOver = true;
    throw error;
  }

  /** No item is read after this. Does nothing when the iterator has ended, and on a second call. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      const closed: unknown = this.#iterator.return?.();
      if (isThenable(closed)) void handled(Promise.resolve(closed));
    } catch {
      // The fault that stopped the reader is reported, and not this one.
    }
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
