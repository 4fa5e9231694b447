// Listeners: who hears which event of a manager, and that none of them can hurt another.
//
// eventemitter3 delivers. Each listener is wrapped: what it throws, or its promise rejects with, becomes `listener.failed` and nobody
// else notices. A listener hears what is decided after it was added, and nothing that was only still to be delivered then.

import { EventEmitter } from "eventemitter3";
import type { ManagerEventMap } from "../task/events.js";
import type { GuardedLogger } from "../values/logger.js";

type EventType = keyof ManagerEventMap;

/** One listener, and from when on it hears. */
interface Added {
  readonly listener: unknown;
  readonly hear: (event: unknown) => void;
  /** Order of adding: a listener that is added while an event is delivered does not hear that event. */
  readonly number: number;
  isOff: boolean;
}

/** All of one type: adding one and taking one away is O(1), however many there are. */
class OfType {
  readonly all = new Set<Added>();
  /** The same, by listener: `off` finds them. */
  readonly of = new Map<unknown, Set<Added>>();
  /** Called by the emitter: once for an event, and then each of `all`. */
  readonly deliver: (event: unknown) => void;

  constructor(deliver: (all: ReadonlySet<Added>, event: unknown) => void) {
    this.deliver = (event) => deliver(this.all, event);
  }

  add(added: Added): void {
    this.all.add(added);
    const same = this.of.get(added.listener);
    if (same === undefined) this.of.set(added.listener, new Set([added]));
    else same.add(added);
  }

  remove(added: Added): void {
    this.all.delete(added);
    const same = this.of.get(added.listener);
    same?.delete(added);
    if (same?.size === 0) this.of.delete(added.listener);
  }
}

export class Listeners {
  readonly #emitter = new EventEmitter<string>();
  readonly #types = new Map<EventType, OfType>();
  #added = 0;
  readonly #now: () => number;
  readonly #logger: GuardedLogger;

  constructor(now: () => number, logger: GuardedLogger) {
    this.#now = now;
    this.#logger = logger;
  }

  has(type: EventType): boolean {
    return this.#types.size > 0 && this.#types.has(type);
  }

  emit<K extends EventType>(event: ManagerEventMap[K] & { readonly type: K }): void {
    this.#emitter.emit(event.type, event);
  }

  /** `from` is the `seq` of the first event it hears. */
  on<K extends EventType>(type: K, listener: (event: ManagerEventMap[K]) => unknown, from: number): () => void {
    const hear = (given: unknown) => {
      // The emitter gives a type its own events alone.
      const event = given as ManagerEventMap[K];
      if ("seq" in event && event.seq < from) return;
      try {
        const answer = listener(event);
        if ((typeof answer === "object" && answer !== null) || typeof answer === "function")
          Promise.resolve(answer).then(undefined, (error: unknown) => this.#failed(type, error));
      } catch (error) {
        this.#failed(type, error);
      }
    };
    const added: Added = { listener, hear, number: ++this.#added, isOff: false };
    this.#ofType(type).add(added);
    return () => this.#off(type, added);
  }

  off<K extends EventType>(type: K, listener: (event: ManagerEventMap[K]) => unknown): void {
    for (const added of [...(this.#types.get(type)?.of.get(listener) ?? [])]) this.#off(type, added);
  }

  #ofType(type: EventType): OfType {
    const known = this.#types.get(type);
    if (known !== undefined) return known;
    const made = new OfType((all, event) => this.#deliver(all, event));
    this.#types.set(type, made);
    this.#emitter.on(type, made.deliver);
    return made;
  }

  #deliver(all: ReadonlySet<Added>, event: unknown): void {
    const newest = this.#added;
    for (const { number, isOff, hear } of all) if (number <= newest && !isOff) hear(event);
  }

  /** A second call changes nothing. */
  #off(type: EventType, added: Added): void {
    if (added.isOff) return;
    added.isOff = true;
    const ofType = this.#types.get(type);
    ofType?.remove(added);
    if (ofType === undefined || ofType.all.size > 0) return;
    this.#types.delete(type);
    this.#emitter.off(type, ofType.deliver);
  }

  #failed(event: EventType, error: unknown): void {
    // A listener of `listener.failed` that fails itself is told to the logger alone: no loop.
    if (event !== "listener.failed" && this.has("listener.failed")) {
      this.emit({ type: "listener.failed", at: this.#now(), error, event });
      return;
    }
    this.#logger.error(`A listener of ${event} failed`, { error });
  }
}
