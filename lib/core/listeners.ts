// Listeners: who hears which event of a manager, and that none of them can hurt another.
//
// eventemitter3 delivers. Each listener is wrapped: what it throws, or its promise rejects with, becomes `listener.failed` and nobody
// else notices. A listener hears what is decided after it was added, and nothing that was only still to be delivered then.

import { EventEmitter } from "eventemitter3";
import type { ManagerEventMap } from "./events.js";
import type { GuardedLogger } from "./logger.js";

type EventType = keyof ManagerEventMap;

export class Listeners {
  readonly #emitter = new EventEmitter<string>();
  readonly #added: { readonly type: EventType; readonly listener: unknown; readonly off: () => void }[] = [];
  readonly #now: () => number;
  readonly #logger: GuardedLogger;

  constructor(now: () => number, logger: GuardedLogger) {
    this.#now = now;
    this.#logger = logger;
  }

  has(type: EventType): boolean {
    return this.#added.length > 0 && this.#emitter.listenerCount(type) > 0;
  }

  emit<K extends EventType>(event: ManagerEventMap[K] & { readonly type: K }): void {
    this.#emitter.emit(event.type, event);
  }

  /** `from` is the `seq` of the first event it hears. */
  on<K extends EventType>(type: K, listener: (event: ManagerEventMap[K]) => unknown, from: number): () => void {
    const heard = (event: ManagerEventMap[K]) => {
      if (entry.isOff || ("seq" in event && event.seq < from)) return;
      try {
        const answer = listener(event);
        if ((typeof answer === "object" && answer !== null) || typeof answer === "function")
          Promise.resolve(answer).then(undefined, (error: unknown) => this.#failed(type, error));
      } catch (error) {
        this.#failed(type, error);
      }
    };
    const entry = {
      type,
      listener,
      isOff: false,
      off: () => {
        entry.isOff = true;
        this.#emitter.off(type, heard);
        const index = this.#added.indexOf(entry);
        if (index >= 0) this.#added.splice(index, 1);
      },
    };
    this.#emitter.on(type, heard);
    this.#added.push(entry);
    return entry.off;
  }

  off<K extends EventType>(type: K, listener: (event: ManagerEventMap[K]) => unknown): void {
    for (const entry of [...this.#added]) if (entry.type === type && entry.listener === listener) entry.off();
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
