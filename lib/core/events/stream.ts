// Stream: something without an end, read at the reader's own pace (`events()`, `inbox.watch()`).
//
// Holds nothing but the steps that are asked for and not given yet, in order of asking: what there is to read stays with its source.
// Leaving the loop, the end of the source and an aborted signal end every step, and nothing stays hooked to the source (W3).

import { follow } from "../values/abort-signal.js";

type Step<T> = IteratorResult<T, undefined>;

/** Where a stream reads. */
export interface Source<T> {
  /** The next one; `undefined` while there is none. A throw ends the stream with it. */
  next(): { readonly value: T } | undefined;
  /** Nothing comes any more. */
  isOver(): boolean;
  /** Nobody reads any more. */
  left?(): void;
  /** Calls `wake` when there may be more, or the source is over, until the returned off is called. */
  listen(wake: () => void): () => void;
}

interface Asked<T> {
  resolve(step: Step<T>): void;
  reject(error: unknown): void;
}

/** The two interfaces have one form in every version of TypeScript from 5.4 on; that of `AsyncIterableIterator` has changed. */
export class Stream<T> implements AsyncIterable<T>, AsyncIterator<T, undefined> {
  readonly #source: Source<T>;
  readonly #signal: AbortSignal | undefined;
  readonly #asked: Asked<T>[] = [];
  #unhook: (() => void) | undefined;
  #isLeft = false;

  constructor(source: Source<T>, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step<T>> {
    return new Promise((resolve, reject) => {
      this.#asked.push({ resolve, reject });
      this.#serve();
    });
  }

  return(): Promise<Step<T>> {
    this.#isLeft = true;
    this.#serve();
    this.#source.left?.();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Gives what there is to those who asked, and waits for more while one of them got nothing. */
  readonly #serve = (): void => {
    for (let asked = this.#asked[0]; asked !== undefined; asked = this.#asked[0]) {
      try {
        const step = this.#step();
        if (step === undefined) break;
        if (step.done) this.#source.left?.();
        asked.resolve(step);
      } catch (error) {
        this.#isLeft = true;
        asked.reject(error);
      }
      this.#asked.shift();
    }
    if (this.#asked.length > 0) this.#unhook ??= this.#hook();
    else {
      this.#unhook?.();
      this.#unhook = undefined;
    }
  };

  #step(): Step<T> | undefined {
    if (this.#isLeft || this.#signal?.aborted) return { done: true, value: undefined };
    const next = this.#source.next();
    if (next !== undefined) return { done: false, value: next.value };
    return this.#source.isOver() ? { done: true, value: undefined } : undefined;
  }

  #hook(): () => void {
    const unlisten = this.#source.listen(this.#serve);
    const unfollow = this.#signal === undefined ? undefined : follow(this.#signal, this.#serve);
    return () => {
      unlisten();
      unfollow?.();
    };
  }
}
