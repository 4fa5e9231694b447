// Listeners: the listeners of a manager, each isolated from the others.
//
// eventemitter3 delivers. When a listener throws, or its promise rejects, that becomes
// `listener.failed` and nothing else is affected. A listener receives events that are decided after it was added.

import { EventEmitter } from "eventemitter3";
import type { ManagerEventMap } from "../task/events.js";
import type { GuardedLogger } from "../values/logger.js";

type EventType = keyof ManagerEventMap;

/** Reports that a listener threw, or that its promise rejected. */
type ReportFailure = (type: EventType, error: unknown) => void;

/** One listener, isolated from the others. */
class Added {
  readonly listener: (event: never) => unknown;
  readonly #type: EventType;
  /** `seq` of the first event that the listener receives. */
  readonly #from: number;
  /** Order of adding: a listener that is added while an event is delivered does not receive that event. */
  readonly number: number;
  readonly #failed: ReportFailure;
  isOff = false;

  constructor(
    listener: (event: never) => unknown,
    type: EventType,
    from: number,
    number: number,
    failed: ReportFailure,
  ) {
    this.listener = listener;
    this.#type = type;
    this.#from = from;
    this.number = number;
    this.#failed = failed;
  }

  /** Calls the listener with an event of its type: the emitter delivers no other. */
  hear(event: unknown): void {
    const { seq } = event as { readonly seq?: number };
    // Events of the manager have no `seq`.
    if (seq !== undefined && seq < this.#from) return;
    try {
      const { listener } = this;
      const answer = listener(event as never);
      if ((typeof answer === "object" && answer !== null) || typeof answer === "function")
        Promise.resolve(answer).then(undefined, (error: unknown) => this.#failed(this.#type, error));
    } catch (error) {
      this.#failed(this.#type, error);
    }
  }
}

/** The listeners of one type. Adding and removing one is O(1). */
class OfType {
  readonly all = new Set<Added>();
  /** The same, by function, so that `off` finds them. */
  readonly of = new Map<unknown, Set<Added>>();
  readonly #newest: () => number;

  /** `newest`: the number of the listener that was added last. */
  constructor(newest: () => number) {
    this.#newest = newest;
  }

  /** Called by the emitter once for an event; it calls each of `all`. */
  readonly deliver = (event: unknown): void => {
    const newest = this.#newest();
    for (const added of this.all) if (added.number <= newest && !added.isOff) added.hear(event);
  };

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

/** The listeners of one manager. */
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

  /** Whether any listener receives events of this type. */
  has(type: EventType): boolean {
    return this.#types.size > 0 && this.#types.has(type);
  }

  /** Calls the listeners of the event. */
  emit<K extends EventType>(event: ManagerEventMap[K] & { readonly type: K }): void {
    this.#emitter.emit(event.type, event);
  }

  /**
   * Adds a listener, and returns a function that removes it. `from` is the `seq` of the first event that it receives.
   */
  on<K extends EventType>(type: K, listener: (event: ManagerEventMap[K]) => unknown, from: number): () => void {
    const added = new Added(listener, type, from, ++this.#added, this.#failed);
    this.#ofType(type).add(added);
    return () => this.#off(type, added);
  }

  /** Removes every registration of `listener` for this type. */
  off<K extends EventType>(type: K, listener: (event: ManagerEventMap[K]) => unknown): void {
    for (const added of [...(this.#types.get(type)?.of.get(listener) ?? [])]) this.#off(type, added);
  }

  #ofType(type: EventType): OfType {
    const known = this.#types.get(type);
    if (known !== undefined) return known;
    const made = new OfType(() => this.#added);
    this.#types.set(type, made);
    this.#emitter.on(type, made.deliver);
    return made;
  }

  /** Removes a listener. A second call has no effect. */
  #off(type: EventType, added: Added): void {
    if (added.isOff) return;
    added.isOff = true;
    const ofType = this.#types.get(type);
    ofType?.remove(added);
    if (ofType === undefined || ofType.all.size > 0) return;
    this.#types.delete(type);
    this.#emitter.off(type, ofType.deliver);
  }

  readonly #failed: ReportFailure = (event, error) => {
    // A failing listener of `listener.failed` is reported to the logger only, so that there is no loop.
    if (event !== "listener.failed" && this.has("listener.failed")) {
      this.emit({ type: "listener.failed", at: this.#now(), error, event });
      return;
    }
    this.#logger.error(`A listener of ${event} failed`, { error });
  };
}
