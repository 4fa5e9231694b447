// Emitted: the newest custom events of one task, for a model that reads more than its notice showed (N1).
//
// Owns at most MOST_KEPT events with at most MOST_CHARS of payload (one long event is always kept), in memory only. The
// first event has number 1. Written by `notice-queue.ts`; read by the tools of a model.

import type { Json } from "../values/json.js";

/** One custom event. */
export interface EmittedEvent {
  /** The name of the event. */
  readonly name: string;
  /** The payload of the event. */
  readonly payload?: Json;
}

const MOST_KEPT = 100;
const MOST_CHARS = 64 * 1024;

interface KeptEvent {
  readonly event: EmittedEvent;
  readonly chars: number;
}

/** The newest custom events of one task. */
export class Emitted {
  #kept: KeptEvent[] = [];
  /** Number of evicted events at the front of `#kept`. */
  #gone = 0;
  #newest = 0;
  #chars = 0;

  /** Number of the newest event; 0 when there is none. */
  get newest(): number {
    return this.#newest;
  }

  /** Number of the oldest event that is kept. */
  get oldest(): number {
    return this.#newest - this.#size + 1;
  }
  get #size(): number {
    return this.#kept.length - this.#gone;
  }

  /** Adds an event and evicts the oldest ones over the limits. */
  add(event: EmittedEvent): void {
    const chars = event.payload === undefined ? 0 : charsOf(event.payload, MOST_CHARS);
    this.#kept.push({ event, chars });
    this.#newest++;
    this.#chars += chars;
    while (this.#size > MOST_KEPT || (this.#chars > MOST_CHARS && this.#size > 1)) this.#evict();
  }

  /** The event with this number; `undefined` when it was evicted. */
  at(number: number): EmittedEvent | undefined {
    return number < this.oldest ? undefined : this.#kept[this.#gone + number - this.oldest]?.event;
  }

  /** Evicts the oldest event in O(1): the array is cut when half of it is evicted. */
  #evict(): void {
    this.#chars -= this.#kept[this.#gone]?.chars ?? 0;
    this.#gone++;
    if (this.#gone < MOST_KEPT) return;
    this.#kept = this.#kept.slice(this.#gone);
    this.#gone = 0;
  }
}

/** The approximate length as JSON; counting stops at `most`. */
function charsOf(json: Json, most: number): number {
  if (typeof json === "string") return json.length + 2;
  if (typeof json !== "object" || json === null) return 8;
  let chars = 2;
  for (const [key, value] of Object.entries(json)) {
    if (chars > most) break;
    chars += key.length + 4 + charsOf(value, most - chars);
  }
  return chars;
}
