// Emitted: the newest custom events of one task, for a model that reads on where a notice was cut (N1).
//
// Bounded, in memory alone: the newest MOST_KEPT, and no more than MOST_CHARS of payload besides the newest one. Events are numbered from 1.

import type { Json } from "../values/json.js";

export interface EmittedEvent {
  readonly name: string;
  readonly payload?: Json;
}

const MOST_KEPT = 100;
const MOST_CHARS = 64 * 1024;

interface Kept {
  readonly event: EmittedEvent;
  readonly chars: number;
}

export class Emitted {
  #kept: Kept[] = [];
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

  add(event: EmittedEvent): void {
    const chars = event.payload === undefined ? 0 : charsOf(event.payload, MOST_CHARS);
    this.#kept.push({ event, chars });
    this.#newest++;
    this.#chars += chars;
    while (this.#size > MOST_KEPT || (this.#chars > MOST_CHARS && this.#size > 1)) this.#evict();
  }

  at(number: number): EmittedEvent | undefined {
    return number < this.oldest ? undefined : this.#kept[this.#gone + number - this.oldest]?.event;
  }

  /** O(1) an event: the array is cut when half of it is evicted. */
  #evict(): void {
    this.#chars -= this.#kept[this.#gone]?.chars ?? 0;
    this.#gone++;
    if (this.#gone < MOST_KEPT) return;
    this.#kept = this.#kept.slice(this.#gone);
    this.#gone = 0;
  }
}

/** About so many characters as JSON; no further than `most`. */
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
