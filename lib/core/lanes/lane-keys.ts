// Lane keys: the slots and the starts of each `laneKey` of one lane, and their bounds (L6 `perKey`).
//
// Owns the held slots of each key, and a rate limiter for each key with recent starts. A key without held slots and
// with empty windows is forgotten, because there may be as many keys as hosts or tenants. A task without a key is
// bounded by its lane only.

import type { Weight } from "../task/record.js";
import { Fifo, type Placed } from "../values/fifo.js";
import type { LaneChange } from "./lane-options.js";
import { RateLimiter, rulesOf, type Start, type WindowRule } from "./rate-limiter.js";

/** The bounds of each key of a lane. */
export interface KeyRules {
  /** How many slots a key may hold. */
  readonly concurrency: number;
  /** The windows of each key. */
  readonly windows: readonly WindowRule[];
}
/** The bounds of a lane without `perKey`. */
export const NO_KEY_RULES: KeyRules = Object.freeze({
  concurrency: Number.POSITIVE_INFINITY,
  windows: Object.freeze([]),
});

/**
 * The bounds after `change`: a field that is left out stays, `null` removes it. `null` in place of the object removes
 * all.
 */
export function changedRules(before: KeyRules, change: NonNullable<LaneChange["perKey"]> | null): KeyRules {
  if (change === null) return NO_KEY_RULES;
  const { concurrency, rate } = change;
  return {
    concurrency: concurrency === undefined ? before.concurrency : (concurrency ?? Number.POSITIVE_INFINITY),
    windows: rate === undefined ? before.windows : rulesOf(rate ?? []),
  };
}

class KeyLimiter extends RateLimiter implements Placed {
  readonly key: string;
  place = -1;

  constructor(key: string, rules: readonly WindowRule[], keptMs: number) {
    super(rules, keptMs);
    this.key = key;
  }
}

/** The keys of one lane. */
export class LaneKeys {
  #rules = NO_KEY_RULES;
  /** The longest period that a window has had. */
  #longestMs = 0;
  readonly #held = new Map<string, number>();
  readonly #limiters = new Map<string, KeyLimiter>();
  /** The limiters in the order of their newest starts, so that the first is the first to be forgotten. */
  readonly #byAge = new Fifo<KeyLimiter>();

  /** The bounds of each key. */
  get rules(): KeyRules {
    return this.#rules;
  }
  /** Whether each key has a rate. */
  get isRated(): boolean {
    return this.#rules.windows.length > 0;
  }
  /** Whether a key may be at a bound while its lane is not. */
  get isBounding(): boolean {
    return this.isRated || this.#rules.concurrency < Number.POSITIVE_INFINITY;
  }
  /** Number of keys that hold a slot, or whose windows are not known to be empty. */
  get size(): number {
    return Math.max(this.#held.size, this.#limiters.size);
  }

  /** Replaces the bounds. Known starts count in the new windows too. No grant is pending at this moment. */
  setRules(rules: KeyRules, now: number): void {
    this.#rules = rules;
    this.#longestMs = rules.windows.reduce((longest, { periodMs }) => Math.max(longest, periodMs), this.#longestMs);
    for (const limiter of [...this.#limiters.values()]) {
      limiter.setRules(rules.windows, now);
      if (limiter.isEmpty(now)) this.#forget(limiter);
    }
  }

  // ── slots ────────────────────────────────────────────────────────────────

  /** Records one more slot of the key. */
  hold(key: string | undefined): void {
    if (key !== undefined) this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }

  /** Records one slot less of the key. */
  free(key: string | undefined): void {
    if (key === undefined) return;
    const held = (this.#held.get(key) ?? 0) - 1;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
  }

  /** Whether the key may hold one more slot. */
  hasSlot(key: string | undefined): boolean {
    return key === undefined || (this.#held.get(key) ?? 0) < this.#rules.concurrency;
  }

  // ── starts ───────────────────────────────────────────────────────────────

  /** Whether a start of `weight` fits into every window of the key now. */
  allows(key: string | undefined, weight: Weight | undefined, now: number): boolean {
    return this.limiterOf(key)?.allows(weight, now) ?? true;
  }

  /** The rate limiter of the key. `undefined`: no start of the key counts. */
  limiterOf(key: string | undefined): RateLimiter | undefined {
    return key === undefined ? undefined : this.#limiters.get(key);
  }

  /** Reserves a start that will happen. */
  grant(start: Start, now: number): void {
    const { key } = start;
    if (key === undefined || this.#longestMs === 0) return;
    this.#forgetEmpty(now);
    this.#limiter(key).grant(start);
  }

  /** Gives back the reservation of a start that does not happen. */
  refund(start: Start): void {
    this.limiterOf(start.key)?.refund(start);
  }

  /** Records a reserved start that has happened. */
  happened(start: Start): void {
    const limiter = start.key === undefined ? undefined : this.#limiters.get(start.key);
    if (limiter === undefined) return;
    limiter.happened(start);
    this.#byAge.remove(limiter);
    this.#byAge.push(limiter);
  }

  /** Replaces the tokens of `start` by those that were used. */
  correct(start: Start, tokens: number, now: number): void {
    this.limiterOf(start.key)?.correct(start, tokens, now);
  }

  /** Adds the starts of an earlier process. */
  restore(starts: readonly Start[], now: number): void {
    if (this.#longestMs === 0) return;
    const byKey = new Map<string, Start[]>();
    for (const start of starts) {
      if (start.key === undefined) continue;
      const known = byKey.get(start.key);
      if (known === undefined) byKey.set(start.key, [start]);
      else known.push(start);
    }
    for (const [key, ofKey] of byKey) this.#limiter(key).restore(ofKey, now);
    this.#forgetEmpty(now);
  }

  /** The starts that count in a window of some key, or would count if it were set again. */
  starts(now: number): readonly Start[] {
    return [...this.#limiters.values()].flatMap((limiter) => limiter.starts(now));
  }

  #limiter(key: string): KeyLimiter {
    const known = this.#limiters.get(key);
    if (known !== undefined) return known;
    const limiter = new KeyLimiter(key, this.#rules.windows, this.#longestMs);
    this.#limiters.set(key, limiter);
    this.#byAge.push(limiter);
    return limiter;
  }

  /**
   * Forgets keys with empty windows, at O(1) a start: each call examines two keys. A key that has only grants goes to
   * the back.
   */
  #forgetEmpty(now: number): void {
    for (let examined = 0; examined < 2; examined++) {
      const oldest = this.#byAge.first();
      if (oldest === undefined) return;
      if (oldest.isEmpty(now)) this.#forget(oldest);
      else if (oldest.isCounting(now)) return;
      else {
        this.#byAge.remove(oldest);
        this.#byAge.push(oldest);
      }
    }
  }

  #forget(limiter: KeyLimiter): void {
    this.#limiters.delete(limiter.key);
    this.#byAge.remove(limiter);
  }
}
