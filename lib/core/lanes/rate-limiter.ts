// Rate limiter: the windows of one lane, or of one key of a lane, over the starts that happened (L7).
//
// Owns a log of starts. For each window it keeps the sum of the starts that still count, and the sum of granted starts
// that have not happened yet. Callers pass the instants, of the clock that cannot be set. Knows no timer, no task and
// no line. A start stays known for the longest period that a window has had, so that windows which are removed and set
// again count it (L10). L7: a grant never lets the counted and granted starts of a window exceed its limit. A start
// counts from the call of its function until `periodMs` later. A grant that starts nothing counts for nothing.

import type { Weight } from "../task/record.js";
import { STARTS, TOKENS, weightIn } from "./weight.js";

/** One window of a rate: at most `limit` of `unit` in any `periodMs`. */
export interface Rate {
  /** Largest amount in any `periodMs`: an integer ≥ 1. */
  limit: number;
  /** Length of the window in milliseconds: a finite number ≥ 1. */
  periodMs: number;
  /**
   * The unit that the window counts. `"starts"` (default): each start counts 1. `"tokens"`, or any other name: each
   * start counts the amount in its `weight`, and 0 without one. `ctx.reportUsage` replaces the `tokens` of its attempt
   * by the tokens that were used. A window whose unit is nearly `"starts"` or `"tokens"`, or another word for them such
   * as `"requests"`, and which no kind and no spawn weighs, counts nothing: `logger.warn` says so at the first spawn.
   */
  unit?: "starts" | "tokens" | (string & {}) | undefined;
}

/** One window, as it is declared. */
export interface WindowRule {
  /** Largest amount in any `periodMs`. */
  readonly limit: number;
  /** Length of the window in milliseconds. */
  readonly periodMs: number;
  /** The unit that the window counts. */
  readonly unit: string;
}

/** The windows of a rate. The caller has checked the rate. */
export function rulesOf(rate: Rate | readonly Rate[]): readonly WindowRule[] {
  const rates: readonly Rate[] = Array.isArray(rate) ? rate : [rate];
  return rates.map(({ limit, periodMs, unit = STARTS }) => ({ limit, periodMs, unit }));
}

/**
 * One start of a function, as the windows count it. It is granted first, and has no time until the function is called.
 */
export class Start {
  /** Key of the start within its lane. */
  readonly key: string | undefined;
  /** Weight of the start. */
  readonly weight: Weight | undefined;
  /** Instant of the call of the function. `undefined`: not yet. */
  at: number | undefined;
  /** Tokens that the attempt reported, in place of those of the weight. */
  tokens: number | undefined;

  constructor(key: string | undefined, weight: Weight | undefined, at?: number) {
    this.key = key;
    this.weight = weight;
    this.at = at;
  }

  /** Amount of the start in a unit. */
  in(unit: string): number {
    return unit === TOKENS && this.tokens !== undefined ? this.tokens : weightIn(this.weight, unit);
  }
}

/** A start that has happened, and is in the log. */
type Stamped = Start & { at: number };

class Window {
  readonly rule: WindowRule;
  /** Index in the log of the oldest start that counts. */
  head = 0;
  /** Sum of the starts that count. */
  sum = 0;
  /** Sum of the starts that are granted. */
  granted = 0;
  /** Starts that had left the window by this instant are subtracted. */
  slidTo = Number.NEGATIVE_INFINITY;

  constructor(rule: WindowRule) {
    this.rule = rule;
  }

  has({ at }: Stamped): boolean {
    return at + this.rule.periodMs > this.slidTo;
  }

  /**
   * Amount by which a start of `weight` exceeds the limit. A start that is larger than the limit may go when no other
   * start counts.
   */
  excess(weight: Weight | undefined): number {
    const { limit, unit } = this.rule;
    const excess = this.sum + this.granted + Math.min(weightIn(weight, unit), limit) - limit;
    return Math.abs(excess) <= this.rounding ? 0 : excess;
  }

  /** Amounts that differ by less are the same: a hundred starts of 0.01 are 1, whatever their binary sum is. */
  get rounding(): number {
    return this.rule.limit * 1e-9;
  }
}

/**
 * Starts that are kept although no window counts them. A lane without a rate may start any number of tasks in the
 * period of its former window.
 */
const MOST_UNCOUNTED = 10_000;

/** The windows of one lane, or of one key. */
export class RateLimiter {
  #windows: readonly Window[];
  /** The longest period that a window has had. */
  #longestMs: number;
  /** The starts in order of time. Starts that are not kept are removed now and then. */
  #log: Stamped[] = [];
  /** Index in the log of the oldest start that is kept. */
  #kept = 0;
  /** Counts the changes that let a start go earlier than `dueAt` computed. */
  #eased = 0;
  #grants = 0;
  #known: { readonly weight: Weight | undefined; readonly eased: number; readonly at: number } | undefined;

  /** `keptMs`: starts stay known for at least this time. */
  constructor(rules: readonly WindowRule[], keptMs = 0) {
    this.#windows = rules.map((rule) => new Window(rule));
    this.#longestMs = longestOf(rules, keptMs);
  }

  /** The windows, as they are declared. */
  get rules(): readonly WindowRule[] {
    return this.#windows.map(({ rule }) => rule);
  }

  /** Replaces the windows. Known starts count in the new ones. No grant is pending at this moment. */
  setRules(rules: readonly WindowRule[], now: number): void {
    this.#slide(now);
    this.#windows = rules.map((rule) => new Window(rule));
    this.#longestMs = longestOf(rules, this.#longestMs);
    this.#forgetOld();
    this.#refill(now);
  }

  /** Adds the starts of an earlier process, in any order. */
  restore(starts: readonly Start[], now: number): void {
    this.#forgetOld();
    for (const start of starts) if (isStamped(start)) this.#log.push(start);
    this.#log.sort((a, b) => a.at - b.at);
    this.#refill(now);
  }

  /** Removes the starts that are not kept. The caller refills the windows. */
  #forgetOld(): void {
    this.#log = this.#log.slice(this.#kept);
    this.#kept = 0;
  }

  #refill(now: number): void {
    this.#eased++;
    for (const window of this.#windows) {
      window.head = 0;
      window.sum = this.#log.reduce((sum, start) => sum + start.in(window.rule.unit), 0);
      window.slidTo = Number.NEGATIVE_INFINITY;
    }
    this.#slide(now);
  }

  // ── may it start? ────────────────────────────────────────────────────────

  /** Whether a start of `weight` fits into every window now. */
  allows(weight: Weight | undefined, now: number): boolean {
    this.#slide(now);
    return this.#windows.every((window) => window.excess(weight) <= 0);
  }

  /** How many starts without a weight fit now. */
  capacity(now: number): number {
    this.#slide(now);
    let capacity = Number.POSITIVE_INFINITY;
    for (const window of this.#windows) {
      const left = window.rounding - window.excess(NOTHING);
      if (window.rule.unit === STARTS) capacity = Math.min(capacity, Math.max(0, Math.floor(left)));
      else if (left < 0) return 0;
    }
    return capacity;
  }

  /**
   * The earliest instant at which a start of `weight` that does not fit now may fit; `undefined` while that depends on
   * when a granted start happens. It is read often and computed seldom: a start that happened meanwhile may make it
   * later, and the caller finds that out when the instant has come.
   */
  dueAt(weight: Weight | undefined, now: number): number | undefined {
    this.#slide(now);
    const known = this.#known;
    if (known !== undefined && known.weight === weight && known.eased === this.#eased && known.at > now)
      return known.at;
    let latest = now;
    for (const window of this.#windows) {
      const at = this.#fitsAt(window, weight);
      if (at === undefined) return undefined;
      latest = Math.max(latest, at);
    }
    this.#known = { weight, eased: this.#eased, at: latest };
    return latest;
  }

  #fitsAt(window: Window, weight: Weight | undefined): number | undefined {
    const { unit, periodMs } = window.rule;
    const excess = window.excess(weight);
    if (excess <= 0) return Number.NEGATIVE_INFINITY;
    if (excess > window.sum && window.granted > 0) return undefined;
    let freed = 0;
    let at = Number.NEGATIVE_INFINITY;
    for (let index = window.head; index < this.#log.length && freed + window.rounding < excess; index++) {
      const start = this.#log[index];
      if (start === undefined) break;
      freed += start.in(unit);
      at = start.at + periodMs;
    }
    return at;
  }

  // ── what happens ─────────────────────────────────────────────────────────

  /** Reserves `start`, which will happen. */
  grant(start: Start): void {
    this.#grants++;
    for (const window of this.#windows) window.granted += start.in(window.rule.unit);
  }

  /** Gives back the reservation of `start`, which does not happen. */
  refund(start: Start): void {
    this.#eased++;
    this.#ungrant(start);
  }

  #ungrant(start: Start): void {
    this.#grants--;
    // Sums of fractions drift, so the sum of no grant is set to 0.
    for (const window of this.#windows)
      window.granted = this.#grants === 0 ? 0 : window.granted - start.in(window.rule.unit);
  }

  /** Records that `start`, which was granted, happened at its `at`: now, and after every start before it. */
  happened(start: Start): void {
    if (!isStamped(start)) return;
    this.#ungrant(start);
    this.#log.push(start);
    for (const window of this.#windows) window.sum += start.in(window.rule.unit);
    // Without a window no question about a start removes old ones.
    if (this.#windows.length === 0) this.#slide(start.at);
  }

  /** Replaces the tokens of `start` by those that were used. */
  correct(start: Start, tokens: number, now: number): void {
    this.#slide(now);
    const change = tokens - start.in(TOKENS);
    if (!isStamped(start) || change === 0) return;
    if (change < 0) this.#eased++;
    for (const window of this.#windows)
      if (window.rule.unit === TOKENS && window.has(start)) window.sum = Math.max(0, window.sum + change);
  }

  // ── what counts ──────────────────────────────────────────────────────────

  /** Whether no start is kept and none is granted, as in a new limiter. */
  isEmpty(now: number): boolean {
    this.#slide(now);
    return this.#log.length === 0 && this.#grants === 0;
  }

  /** Whether some start is kept. */
  isCounting(now: number): boolean {
    this.#slide(now);
    return this.#kept < this.#log.length;
  }

  /** The amount that counts in each window, granted starts included. */
  used(now: number): readonly (WindowRule & { readonly used: number })[] {
    this.#slide(now);
    return this.#windows.map(({ rule, sum, granted }) => ({ ...rule, used: sum + granted }));
  }

  /** The starts that are kept, in order of time: those that a window counts, or would count if it were set again. */
  starts(now: number): readonly Stamped[] {
    this.#slide(now);
    return this.#log.slice(this.#kept);
  }

  get #head(): number {
    return this.#windows.reduce((least, { head }) => Math.min(least, head), this.#log.length);
  }

  #slide(now: number): void {
    const log = this.#log;
    for (const window of this.#windows) {
      const { unit } = window.rule;
      window.slidTo = now;
      for (let start = log[window.head]; start !== undefined && !window.has(start); start = log[window.head]) {
        window.sum -= start.in(unit);
        window.head++;
      }
      // Sums of fractions drift, so the sum of no start is set to 0.
      if (window.head === log.length) window.sum = 0;
    }
    const isOld = (start: Stamped | undefined) => start !== undefined && start.at + this.#longestMs <= now;
    while (isOld(log[this.#kept])) this.#kept++;
    // No window has a start that is older than the longest period, so the oldest kept one is before every head.
    this.#kept = Math.max(this.#kept, Math.min(this.#head, log.length - MOST_UNCOUNTED));
    this.#cut();
  }

  /** Removes old starts from the log, at O(1) a start: it removes at least as many as it keeps. */
  #cut(): void {
    const kept = this.#kept;
    if (kept === 0 || (kept < this.#log.length && kept * 2 < this.#log.length)) return;
    this.#log = this.#log.slice(kept);
    this.#kept = 0;
    for (const window of this.#windows) window.head -= kept;
  }
}

function longestOf(rules: readonly WindowRule[], known: number): number {
  return rules.reduce((longest, { periodMs }) => Math.max(longest, periodMs), known);
}

const NOTHING: Weight = Object.freeze({ [STARTS]: 0 });

function isStamped(start: Start): start is Stamped {
  return start.at !== undefined;
}
