// Lane: one line of tasks with its own limit, rates and pause.
//
// Owns what is held in it, who stands in its line, its windows, until when it is paused, and one alarm: for the instant at which the first in
// line may start, set only while a task or a caller waits for that and a slot of the lane is free. Grants nothing: `slots.ts` does.
// L1, L6: held <= concurrency, and per key as `perKey` says. L7: a start is counted when its function is called. L10: all of it may change.

import type { Weight } from "../task/record.js";
import { Alarm, type Timekeeper } from "../time/clock.js";
import { DRIFT_MS } from "../time/instants.js";
import { type KeyRules, LaneKeys, NO_KEY_RULES } from "./lane-keys.js";
import type { LaneChange, LaneOptions } from "./lane-options.js";
import { type KeyBounds, LaneQueue, type QueueEntry } from "./lane-queue.js";
import { RateLimiter, rulesOf, Start, type WindowRule } from "./rate-limiter.js";

/** One window of a lane, as it is now. */
export interface WindowStats {
  readonly unit: string;
  /** Absent of a window without a limit. */
  readonly limit?: number;
  readonly periodMs: number;
  /** Amount that counts in the window now, tasks that are about to start included. More than `limit` when tasks reported more than was expected. */
  readonly used: number;
}

export interface LaneStats {
  /** Absent of a lane without a limit, as `free` is: JSON has no `Infinity`. */
  readonly concurrency?: number;
  /** Slots out, those of tasks about to start too. */
  readonly held: number;
  /** `concurrency` less `held`, at least 0; the manager's own `concurrency` may leave less. */
  readonly free?: number;
  /** Tasks in line for a first slot of their attempt. */
  readonly queued: number;
  readonly paused: boolean;
  /** When the lane resumes by itself; of a lane that is paused until an instant. */
  readonly resumesAt?: number;
  /** Present for a lane that has a rate, or a rate for each key. */
  readonly rate?: {
    /** The lane's own windows, in the order given. */
    readonly windows: readonly WindowStats[];
    /** Tasks in line that wait for the rate, of the lane or of their key. */
    readonly waiting: number;
    /** The earliest instant at which the rate lets one of them start; absent while it holds none back. */
    readonly nextAt?: number;
  };
}

/** An owner of tasks that stand in lines. */
export interface Queuing {
  /** First starts of it in line, over all lanes (L6). */
  queued: number;
}

export interface Slotted extends QueueEntry {
  holdsSlot: boolean;
  /** `undefined`: of no session. */
  readonly account: Queuing | undefined;
  readonly weight: Weight | undefined;
  /** The newest start in a lane with a rate, granted or happened. */
  start: Start | undefined;
}

export class Lane<S extends Slotted> implements KeyBounds<S> {
  readonly name: string;
  readonly agingMs: number;
  readonly holdAbandoned: boolean;
  readonly queue = new LaneQueue<S>(this);
  readonly keys = new LaneKeys();
  concurrency: number;
  held = 0;
  /** Something counts its starts. */
  isRated = false;
  /** The keys of the lane have bounds. */
  isBounding = false;
  readonly #clock: Timekeeper;
  #limiter: RateLimiter | undefined;
  /** `Infinity`: until it is resumed. */
  #pausedUntil: number | undefined;
  /** A caller waits for a place in the lane, and is woken when the rate lets a task start. */
  #isSought = false;
  #alarm: { readonly at: number; readonly isPause: boolean; readonly alarm: Alarm } | undefined;
  /** The difference between the wall clock and the one that cannot be set, as it was shown last. */
  #apart = 0;

  /** The options are checked. */
  constructor(name: string, options: LaneOptions, agingMs: number, clock: Timekeeper) {
    const { concurrency, rate, perKey } = options;
    this.name = name;
    this.concurrency = concurrency;
    this.agingMs = options.agingMs ?? agingMs;
    this.holdAbandoned = options.holdAbandoned ?? false;
    this.#clock = clock;
    if (rate !== undefined || perKey !== undefined) this.change({ rate, perKey });
  }

  /** Checked, and nothing is granted that has not started. */
  change({ concurrency, rate, perKey }: LaneChange): void {
    if (concurrency !== undefined) this.concurrency = concurrency;
    if (rate !== undefined) this.#setWindows(rulesOf(rate ?? []));
    if (perKey !== undefined) this.keys.setRules(changed(this.keys.rules, perKey), this.#now());
    this.isRated = this.#limiter !== undefined || this.keys.isRated;
    this.isBounding = this.keys.isBounding;
    this.queue.allChanged();
  }

  #setWindows(rules: readonly WindowRule[]): void {
    if (rules.length === 0) this.#limiter = undefined;
    else if (this.#limiter === undefined) this.#limiter = new RateLimiter(rules);
    else this.#limiter.setRules(rules, this.#now());
  }

  /** Every window that counts a start of `key`. */
  windowsFor(key: string | undefined): readonly WindowRule[] {
    return key === undefined ? (this.#limiter?.rules ?? []) : this.allWindows;
  }

  get allWindows(): readonly WindowRule[] {
    return [...(this.#limiter?.rules ?? []), ...this.keys.rules.windows];
  }

  #now(): number {
    return this.#clock.monotonic();
  }

  // ── may it start? ────────────────────────────────────────────────────────

  /** The item that may have the next slot of this lane, if a slot of the manager is free. */
  next(): S | undefined {
    if (this.held >= this.concurrency) return undefined;
    const isOpen = !this.paused;
    if (this.isRated) this.queue.wake(this.#now());
    const first = this.queue.first(isOpen);
    if (first === undefined || first.isResume || this.#allows(first.weight)) return first;
    return this.queue.first(false);
  }

  /** Whether `item`, which stands in no line, goes before everybody who does. Were a slot free in the manager. */
  isFree(item: Pick<Slotted, "laneKey" | "isResume" | "weight">): boolean {
    const { laneKey, isResume, weight } = item;
    if (this.held >= this.concurrency || !this.queue.isClear(laneKey) || !this.keys.hasSlot(laneKey)) return false;
    if (isResume) return true;
    if (this.paused) return false;
    return !this.isRated || (this.#allows(weight) && this.keys.allows(laneKey, weight, this.#now()));
  }

  /** How many starts that say nothing of themselves would go at once. */
  get startable(): number {
    if (this.paused || this.held >= this.concurrency || !this.queue.isClear(undefined)) return 0;
    const free = this.concurrency - this.held;
    return this.#limiter === undefined ? free : Math.min(free, this.#limiter.room(this.#now()));
  }

  #allows(weight: Weight | undefined): boolean {
    return this.#limiter === undefined || this.#limiter.allows(weight, this.#now());
  }

  hasSlot(key: string | undefined): boolean {
    return this.keys.hasSlot(key);
  }

  startsAt({ laneKey, weight }: S): number | undefined {
    const limiter = this.keys.limiterOf(laneKey);
    if (limiter === undefined) return undefined;
    const now = this.#now();
    return limiter.allows(weight, now) ? undefined : (limiter.dueAt(weight, now) ?? Number.POSITIVE_INFINITY);
  }

  // ── what happens ─────────────────────────────────────────────────────────

  /** `item` has a slot. */
  granted(item: S): void {
    const { laneKey, isResume, weight } = item;
    item.holdsSlot = true;
    this.held++;
    if (this.isRated && !isResume) {
      const start = (item.start = new Start(laneKey, weight));
      this.#limiter?.grant(start);
      this.keys.grant(start, this.#now());
    }
    if (laneKey === undefined) return;
    this.keys.hold(laneKey);
    this.#keyChanged(laneKey);
  }

  /** The function of `item`, which was granted its slot, is called. */
  started(item: S): void {
    const { start } = item;
    if (start === undefined || start.at !== undefined) return;
    start.at = this.#now();
    this.#limiter?.happened(start);
    this.keys.happened(start);
    this.#keyChanged(start.key);
    if (this.queue.starts > 0) this.arm();
  }

  /** `item` has given its slot back. A grant that did not start counts for nothing. */
  freed(item: Pick<Slotted, "laneKey" | "start" | "holdsSlot">): void {
    const { laneKey, start } = item;
    item.holdsSlot = false;
    this.held--;
    if (start !== undefined && start.at === undefined) {
      item.start = undefined;
      this.#limiter?.refund(start);
      this.keys.refund(start);
    }
    if (laneKey === undefined) return;
    this.keys.free(laneKey);
    this.#keyChanged(laneKey);
  }

  #keyChanged(key: string | undefined): void {
    if (key !== undefined && this.isBounding) this.queue.changed(key);
  }

  /** Records the tokens that the attempt of `start` has used so far. */
  used(start: Start, tokens: number): void {
    const now = this.#now();
    this.#limiter?.correct(start, tokens, now);
    this.keys.correct(start, tokens, now);
    start.tokens = tokens;
    this.#keyChanged(start.key);
  }

  // ── pausing ──────────────────────────────────────────────────────────────

  /** An instant that has come ends the pause whenever it is asked. */
  get paused(): boolean {
    if (this.#pausedUntil === undefined) return false;
    if (this.#clock.now() < this.#pausedUntil) return true;
    this.#pausedUntil = undefined;
    return false;
  }

  /** Pauses the lane; if it is paused already, until the later of the two instants. */
  pause(untilAt: number): void {
    this.#pausedUntil = this.paused ? Math.max(untilAt, this.#pausedUntil ?? untilAt) : untilAt;
  }

  resume(): void {
    this.#pausedUntil = undefined;
  }

  // ── the alarm ────────────────────────────────────────────────────────────

  /** Called when the alarm has rung. Written by the slots. */
  onRing: () => void = () => {};

  /** Whoever is first in line is called for when he may start, and nothing is called for when nobody waits for that. */
  arm(): void {
    if (!this.isRated && this.#pausedUntil === undefined && this.#alarm === undefined) return;
    if ((this.queue.starts === 0 && !this.#isSought) || this.held >= this.concurrency) return this.disarm();
    if (this.paused) return this.#ring(this.#pausedUntil ?? Number.POSITIVE_INFINITY, true);
    this.#ring(this.#dueAt() ?? Number.POSITIVE_INFINITY, false);
  }

  /** Same as `arm`, for a caller who waits for a place, until `unseek`. */
  seek(): void {
    this.#isSought = true;
    this.arm();
  }

  unseek(): void {
    this.#isSought = false;
    this.arm();
  }

  disarm(): void {
    this.#isSought = false;
    this.#alarm?.alarm.cancel();
    this.#alarm = undefined;
  }

  #ring(at: number, isPause: boolean): void {
    if (this.#alarm?.at === at && this.#alarm.isPause === isPause) return;
    this.#alarm?.alarm.cancel();
    this.#alarm = undefined;
    if (at === Number.POSITIVE_INFINITY) return;
    const ring = () => {
      this.#alarm = undefined;
      // A caller who still waits for a place asks again.
      this.#isSought = false;
      this.onRing();
    };
    const alarm = isPause
      ? Alarm.at(this.#clock, at, ring)
      : new Alarm(this.#clock, Math.max(0, at - this.#now()), ring);
    this.#alarm = { at, isPause, alarm };
  }

  /** When the rate lets the next one start whom it holds back now: `undefined` when it holds nobody, or when that is not known yet. */
  #dueAt(): number | undefined {
    const first = this.queue.first(true);
    const weight = first?.isResume ? undefined : first?.weight;
    const now = this.#now();
    const isHeld = (first !== undefined || this.#isSought) && !this.#allows(weight);
    const laneAt = isHeld ? this.#limiter?.dueAt(weight, now) : undefined;
    const keyAt = this.queue.dueAt;
    return laneAt === undefined || keyAt === undefined ? (laneAt ?? keyAt) : Math.min(laneAt, keyAt);
  }

  // ── what is said of it ───────────────────────────────────────────────────

  /** An item in line may wait for the rate: what its record says of that changes by itself. */
  get isTimed(): boolean {
    return this.isRated && this.queue.starts > 0;
  }

  /** Instant until which the rate holds `item` back, in epoch milliseconds; `undefined`: it does not, or `item` stands in no line. */
  heldUntil(item: S): number | undefined {
    if (!this.isRated || item.place < 0 || item.isResume || this.paused) return undefined;
    const keyAt = this.queue.heldUntil(item.laneKey);
    const first = this.queue.first(true);
    const now = this.#now();
    if (keyAt !== undefined) return this.#instant(keyAt, now, this.keys.rules.windows);
    if (this.#limiter === undefined || first === undefined || first.isResume || this.#allows(first.weight))
      return undefined;
    return this.#instant(this.#limiter.dueAt(first.weight, now) ?? Infinity, now, this.#limiter.rules);
  }

  /** Reading it twice says the same, though the clocks drift. What is not known yet is at least the shortest period away. */
  #instant(dueAt: number, now: number, rules: readonly WindowRule[]): number {
    const at = dueAt === Infinity ? now + Math.min(...rules.map(({ periodMs }) => periodMs)) : dueAt;
    const { apart } = this;
    if (Math.abs(apart - this.#apart) > DRIFT_MS) this.#apart = apart;
    return Math.ceil(this.#apart + at);
  }

  stats(): LaneStats {
    const { concurrency, held, paused } = this;
    return {
      ...(concurrency === Infinity ? {} : { concurrency }),
      held,
      ...(concurrency === Infinity ? {} : { free: Math.max(0, concurrency - held) }),
      queued: this.queue.starts,
      paused,
      ...(paused && this.#pausedUntil !== Infinity && this.#pausedUntil !== undefined
        ? { resumesAt: this.#pausedUntil }
        : {}),
      ...(this.isRated ? { rate: this.#rateStats() } : {}),
    };
  }

  #rateStats(): NonNullable<LaneStats["rate"]> {
    const now = this.#now();
    const first = this.queue.first(true);
    const isHeld = first !== undefined && !first.isResume && !this.#allows(first.weight);
    const waiting = this.paused ? 0 : isHeld ? this.queue.starts : this.queue.heldBack;
    const nextAt = waiting === 0 ? undefined : this.#dueAt();
    return {
      windows: (this.#limiter?.used(now) ?? []).map(({ limit, ...window }) =>
        limit === Infinity ? window : { ...window, limit },
      ),
      waiting,
      ...(waiting === 0 ? {} : { nextAt: this.#instant(nextAt ?? Infinity, now, this.allWindows) }),
    };
  }

  // ── what a store keeps of it ─────────────────────────────────────────────

  /** The starts that some window of it counts. */
  get starts(): readonly Start[] {
    const now = this.#now();
    return [...new Set([...(this.#limiter?.starts(now) ?? []), ...this.keys.starts(now)])];
  }

  /** The wall clock is so far ahead of the one that cannot be set. */
  get apart(): number {
    return this.#clock.now() - this.#now();
  }

  /** Starts of an earlier process, by the wall clock. One that is still before us by that clock happened now. */
  restore(starts: readonly Start[]): void {
    const now = this.#now();
    const { apart } = this;
    for (const start of starts) start.at = Math.min((start.at ?? now) - apart, now);
    this.#limiter?.restore(starts, now);
    this.keys.restore(starts, now);
    this.queue.allChanged();
  }
}

function changed(before: KeyRules, change: NonNullable<LaneChange["perKey"]> | null): KeyRules {
  if (change === null) return NO_KEY_RULES;
  const { concurrency, rate } = change;
  return {
    concurrency: concurrency === undefined ? before.concurrency : (concurrency ?? Number.POSITIVE_INFINITY),
    windows: rate === undefined ? before.windows : rulesOf(rate ?? []),
  };
}
