// Stream: an endless source, read at the pace of its reader (`events()`, `inbox.watch()`).
//
// Owns the steps that were requested and not delivered yet, in order. The source keeps the items. Leaving the loop, the
// end of the source and an aborted signal end every step, and nothing stays attached to the source (W3).

import { follow } from "../values/abort-signal.js";

type Step<T> = IteratorResult<T, undefined>;

/** The source of a stream. */
export interface Source<T> {
  /** The next item; `undefined` while there is none. A throw ends the stream with that error. */
  next(): { readonly value: T } | undefined;
  /** Whether no item will follow. */
  isOver(): boolean;
  /** Called when the reader leaves, or the stream has ended. */
  left?(): void;
  /** Calls `wake` when there may be an item, or the source has ended, until the returned function is called. */
  listen(wake: () => void): () => void;
}

interface PendingStep<T> {
  resolve(step: Step<T>): void;
  reject(error: unknown): void;
}

/**
 * A source as an async iterable. These two interfaces have one form in every version of TypeScript from 5.4 on;
 * `AsyncIterableIterator` has changed.
 */
export class Stream<T> implements AsyncIterable<T>, AsyncIterator<T, undefined> {
  readonly #source: Source<T>;
  readonly #signal: AbortSignal | undefined;
  readonly #steps: PendingStep<T>[] = [];
  #unhook: (() => void) | undefined;
  #isLeft = false;

  constructor(source: Source<T>, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  /** The stream itself: all loops over it share its place. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next step. Several may be requested at once. */
  next(): Promise<Step<T>> {
    return new Promise((resolve, reject) => {
      this.#steps.push({ resolve, reject });
      this.#serve();
    });
  }

  /** Ends the stream and every open step. */
  return(): Promise<Step<T>> {
    this.#isLeft = true;
    this.#serve();
    this.#source.left?.();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** Delivers items to the requested steps, and listens for more while a step is open. */
  readonly #serve = (): void => {
    for (let pending = this.#steps[0]; pending !== undefined; pending = this.#steps[0]) {
      try {
        const step = this.#step();
        if (step === undefined) break;
        if (step.done) this.#source.left?.();
        pending.resolve(step);
      } catch (error) {
        this.#isLeft = true;
        pending.reject(error);
      }
      this.#steps.shift();
    }
    if (this.#steps.length > 0) this.#unhook ??= this.#hook();
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
