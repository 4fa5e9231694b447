// Lane keys: what each `laneKey` of one lane holds, and may hold and start (L6 `perKey`).
//
// Owns the slots held by each key and a rate limiter for each key that started something lately. A key that holds nothing and whose
// windows are empty is forgotten: there may be as many keys as there are hosts, or tenants. A task without a key is bounded by its lane alone.

import type { Weight } from "../task/record.js";
import { Fifo, type Placed } from "../values/fifo.js";
import { RateLimiter, type Start, type WindowRule } from "./rate-limiter.js";

/** The bounds of each key of a lane. */
export interface KeyRules {
  readonly concurrency: number;
  readonly windows: readonly WindowRule[];
}
export const NO_KEY_RULES: KeyRules = Object.freeze({
  concurrency: Number.POSITIVE_INFINITY,
  windows: Object.freeze([]),
});

class KeyLimiter extends RateLimiter implements Placed {
  readonly key: string;
  place = -1;

  constructor(key: string, rules: readonly WindowRule[]) {
    super(rules);
    this.key = key;
  }
}

export class LaneKeys {
  #rules = NO_KEY_RULES;
  readonly #held = new Map<string, number>();
  readonly #limiters = new Map<string, KeyLimiter>();
  /** The limiters in the order of their newest starts, so that the first is the first to be forgotten. */
  readonly #byAge = new Fifo<KeyLimiter>();

  get rules(): KeyRules {
    return this.#rules;
  }
  get isRated(): boolean {
    return this.#rules.windows.length > 0;
  }
  /** A key may be at a bound while its lane is not. */
  get isBounding(): boolean {
    return this.isRated || this.#rules.concurrency < Number.POSITIVE_INFINITY;
  }
  /** Keys that hold a slot, and keys whose windows are not known to be empty. */
  get size(): number {
    return Math.max(this.#held.size, this.#limiters.size);
  }

  /** Starts that are known count in the new windows too. Nothing is granted at this moment. */
  setRules(rules: KeyRules, now: number): void {
    this.#rules = rules;
    for (const limiter of [...this.#limiters.values()]) {
      limiter.setRules(rules.windows, now);
      if (limiter.isEmpty(now)) this.#forget(limiter);
    }
  }

  // ── slots ────────────────────────────────────────────────────────────────

  hold(key: string | undefined): void {
    if (key !== undefined) this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }

  free(key: string | undefined): void {
    if (key === undefined) return;
    const held = (this.#held.get(key) ?? 0) - 1;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
  }

  hasSlot(key: string | undefined): boolean {
    return key === undefined || (this.#held.get(key) ?? 0) < this.#rules.concurrency;
  }

  // ── starts ───────────────────────────────────────────────────────────────

  allows(key: string | undefined, weight: Weight | undefined, now: number): boolean {
    return this.limiterOf(key)?.allows(weight, now) ?? true;
  }

  /** `undefined`: nothing of the key counts. */
  limiterOf(key: string | undefined): RateLimiter | undefined {
    return key === undefined ? undefined : this.#limiters.get(key);
  }

  grant(start: Start, now: number): void {
    const { key } = start;
    if (key === undefined || !this.isRated) return;
    this.#forgetEmpty(now);
    this.#limiter(key).grant(start);
  }

  refund(start: Start): void {
    this.limiterOf(start.key)?.refund(start);
  }

  happened(start: Start): void {
    const limiter = start.key === undefined ? undefined : this.#limiters.get(start.key);
    if (limiter === undefined) return;
    limiter.happened(start);
    this.#byAge.remove(limiter);
    this.#byAge.push(limiter);
  }

  correct(start: Start, tokens: number, now: number): void {
    this.limiterOf(start.key)?.correct(start, tokens, now);
  }

  restore(starts: readonly Start[], now: number): void {
    if (!this.isRated) return;
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

  /** The starts that count in a window of some key. */
  starts(now: number): readonly Start[] {
    return [...this.#limiters.values()].flatMap((limiter) => limiter.starts(now));
  }

  #limiter(key: string): KeyLimiter {
    const known = this.#limiters.get(key);
    if (known !== undefined) return known;
    const limiter = new KeyLimiter(key, this.#rules.windows);
    this.#limiters.set(key, limiter);
    this.#byAge.push(limiter);
    return limiter;
  }

  /** O(1) a start: each forgets as many as there were. One that is only granted goes to the back. */
  #forgetEmpty(now: number): void {
    for (let looked = 0; looked < 2; looked++) {
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
