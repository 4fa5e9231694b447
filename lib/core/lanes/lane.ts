// Lane: one line of tasks with its own limit, rates and pause.
//
// Owns the held slots, the queue, the windows, the pause, and one alarm. The alarm is set only while a task or a caller
// waits for a start and a slot of the lane is free. Grants nothing: `slots.ts` does. L1, L6: held <= concurrency, and
// per key as `perKey` says. L7: a start is counted when its function is called. L10: all of it may change.

import type { Weight } from "../task/record.js";
import type { Timekeeper } from "../time/clock.js";
import { DRIFT_MS } from "../time/instants.js";
import { LaneAlarm } from "./lane-alarm.js";
import type { Slotted } from "./lane-item.js";
import { changedRules, LaneKeys } from "./lane-keys.js";
import type { LaneChange, LaneOptions } from "./lane-options.js";
import { type KeyBounds, LaneQueue } from "./lane-queue.js";
import { type LaneReading, type LaneStats, toLaneStats } from "./lane-stats.js";
import { RateLimiter, rulesOf, Start, type WindowRule } from "./rate-limiter.js";

export type { Slotted } from "./lane-item.js";

/** One lane. */
export class Lane<S extends Slotted> implements KeyBounds<S> {
  /** Name of the lane. */
  readonly name: string;
  /** Milliseconds in line that one step of priority is worth. */
  readonly agingMs: number;
  /** Whether an abandoned function keeps its slot until it ends. */
  readonly holdAbandoned: boolean;
  /** The items that wait for a slot. */
  readonly queue = new LaneQueue<S>(this);
  /** The bounds and the starts of each key. */
  readonly keys = new LaneKeys();
  /** How many slots may be held at once. */
  concurrency: number;
  /** How many slots are held. */
  held = 0;
  /** Whether a window counts the starts of the lane, or of a key. */
  isRated = false;
  /** Whether the starts are recorded: the lane, or its keys, have or had a rate. */
  isRecording = false;
  /** Whether the keys of the lane have bounds. */
  isBounding = false;
  readonly #clock: Timekeeper;
  #limiter: RateLimiter | undefined;
  /** Instant at which the pause ends. `Infinity`: the lane is paused until a caller resumes it. */
  #pausedUntil: number | undefined;
  /** Whether a caller waits for a place in the lane. The alarm wakes it when the rate lets a task start. */
  #isSought = false;
  readonly #alarm: LaneAlarm;
  /** The difference between the wall clock and the clock that cannot be set, as a record showed it last. */
  #apart = 0;

  /** The caller has checked the options. */
  constructor(name: string, options: LaneOptions, agingMs: number, clock: Timekeeper) {
    const { concurrency = Number.POSITIVE_INFINITY, rate, perKey } = options;
    this.name = name;
    this.concurrency = concurrency;
    this.agingMs = options.agingMs ?? agingMs;
    this.holdAbandoned = options.holdAbandoned ?? false;
    this.#clock = clock;
    this.#alarm = new LaneAlarm(clock);
    if (rate !== undefined || perKey !== undefined) this.change({ rate, perKey });
  }

  /** Changes the bounds. The caller has checked the change and taken back every grant that has not started. */
  change({ concurrency, rate, perKey }: LaneChange): void {
    if (concurrency !== undefined) this.concurrency = concurrency;
    if (rate !== undefined) this.#setWindows(rulesOf(rate ?? []));
    if (perKey !== undefined) this.keys.setRules(changedRules(this.keys.rules, perKey), this.#now());
    this.isRated = (this.#limiter?.rules ?? []).length > 0 || this.keys.isRated;
    this.isRecording ||= this.isRated;
    this.isBounding = this.keys.isBounding;
    this.queue.allChanged();
  }

  #setWindows(rules: readonly WindowRule[]): void {
    // A rate that is removed and set again counts the starts of the time between (L10).
    if (this.#limiter !== undefined) this.#limiter.setRules(rules, this.#now());
    else if (rules.length > 0) this.#limiter = new RateLimiter(rules);
  }

  /** Every window that counts a start of `key`. */
  windowsFor(key: string | undefined): readonly WindowRule[] {
    return key === undefined ? (this.#limiter?.rules ?? []) : this.allWindows;
  }

  /** Every window of the lane and of its keys. */
  get allWindows(): readonly WindowRule[] {
    return [...(this.#limiter?.rules ?? []), ...this.keys.rules.windows];
  }

  #now(): number {
    return this.#clock.monotonic();
  }

  // ── may it start? ────────────────────────────────────────────────────────

  /** The item that may have the next slot of this lane, if the manager has a free slot. */
  next(): S | undefined {
    if (this.held >= this.concurrency) return undefined;
    const isOpen = !this.paused;
    if (this.isRated) this.queue.wake(this.#now());
    const first = this.queue.first(isOpen);
    if (first === undefined || first.isResume || this.#allows(first.weight)) return first;
    return this.queue.first(false);
  }

  /** Whether `item`, which stands in no line, may go before every item in line, if the manager has a free slot. */
  isFree(item: Pick<Slotted, "laneKey" | "isResume" | "weight">): boolean {
    const { laneKey, isResume, weight } = item;
    if (this.held >= this.concurrency || !this.queue.isClear(laneKey) || !this.keys.hasSlot(laneKey)) return false;
    if (isResume) return true;
    if (this.paused) return false;
    return !this.isRated || (this.#allows(weight) && this.keys.allows(laneKey, weight, this.#now()));
  }

  /** How many starts without a weight and a key would go at once. */
  get startable(): number {
    if (this.paused || this.held >= this.concurrency || !this.queue.isClear(undefined)) return 0;
    const free = this.concurrency - this.held;
    return Math.min(free, this.#limiter?.capacity(this.#now()) ?? free);
  }

  #allows(weight: Weight | undefined): boolean {
    return this.#limiter === undefined || this.#limiter.allows(weight, this.#now());
  }

  /** Whether the limit of the key allows one more slot. */
  hasSlot(key: string | undefined): boolean {
    return this.keys.hasSlot(key);
  }

  /** The instant at which the rate of its key lets the item start. `undefined`: now. `Infinity`: not known yet. */
  startsAt({ laneKey, weight }: S): number | undefined {
    const limiter = this.keys.limiterOf(laneKey);
    if (limiter === undefined) return undefined;
    const now = this.#now();
    return limiter.allows(weight, now) ? undefined : (limiter.dueAt(weight, now) ?? Number.POSITIVE_INFINITY);
  }

  // ── what happens ─────────────────────────────────────────────────────────

  /** Records that `item` has a slot. */
  granted(item: S): void {
    const { laneKey, isResume, weight } = item;
    item.holdsSlot = true;
    this.held++;
    if (this.isRecording && !isResume) {
      const start = (item.start = new Start(laneKey, weight));
      this.#limiter?.grant(start);
      this.keys.grant(start, this.#now());
    }
    if (laneKey === undefined) return;
    this.keys.hold(laneKey);
    this.#keyChanged(laneKey);
  }

  /** Records that the function of `item`, which was granted its slot, is called. */
  started(item: S): void {
    const { start } = item;
    if (start === undefined || start.at !== undefined) return;
    start.at = this.#now();
    this.#limiter?.happened(start);
    this.keys.happened(start);
    this.#keyChanged(start.key);
    if (this.queue.starts > 0) this.arm();
  }

  /** Records that `item` has given its slot back. A grant that did not start counts in no window. */
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

  /** Whether starts are paused. Reading it ends a pause whose instant has come. */
  get paused(): boolean {
    if (this.#pausedUntil === undefined) return false;
    if (this.#clock.now() < this.#pausedUntil) return true;
    this.#pausedUntil = undefined;
    return false;
  }

  /** Pauses starts. A lane that is paused already stays paused until the later of the two instants. */
  pause(untilAt: number): void {
    this.#pausedUntil = this.paused ? Math.max(untilAt, this.#pausedUntil ?? untilAt) : untilAt;
  }

  /** Ends the pause. */
  resume(): void {
    this.#pausedUntil = undefined;
  }

  // ── the alarm ────────────────────────────────────────────────────────────

  /** Called when the alarm rings. The slots set it. */
  onRing: () => void = () => {};

  /**
   * Sets the alarm for the instant at which the first task in line, or a waiting caller, may start, or cancels it when
   * none waits for an instant.
   */
  arm(): void {
    if (!this.isRated && this.#pausedUntil === undefined && !this.#alarm.isSet) return;
    if ((this.queue.starts === 0 && !this.#isSought) || this.held >= this.concurrency) return this.disarm();
    if (this.paused) return this.#ring(this.#pausedUntil ?? Number.POSITIVE_INFINITY, true);
    this.#ring(this.#dueAt() ?? Number.POSITIVE_INFINITY, false);
  }

  /** Sets the alarm also for a caller that waits for a place, until `unseek`. */
  seek(): void {
    this.#isSought = true;
    this.arm();
  }

  /** No caller waits for a place. */
  unseek(): void {
    this.#isSought = false;
    this.arm();
  }

  /** Cancels the alarm. */
  disarm(): void {
    this.#isSought = false;
    this.#alarm.cancel();
  }

  #ring(at: number, isPause: boolean): void {
    this.#alarm.set(at, isPause, () => {
      // A caller that still waits for a place asks again.
      this.#isSought = false;
      this.onRing();
    });
  }

  /**
   * The instant at which the rate lets the next waiting start go. `undefined`: no start waits, or the instant is not
   * known yet. A start that was refused a moment ago may be allowed by now: its instant is now, so the alarm rings.
   */
  #dueAt(): number | undefined {
    const first = this.queue.first(true);
    const weight = first?.isResume ? undefined : first?.weight;
    const now = this.#now();
    const isWanted = this.#isSought || first?.isResume === false;
    const laneAt = isWanted ? this.#limiter?.dueAt(weight, now) : undefined;
    const keyAt = this.queue.dueAt;
    return laneAt === undefined || keyAt === undefined ? (laneAt ?? keyAt) : Math.min(laneAt, keyAt);
  }

  // ── its state, for readers ───────────────────────────────────────────────

  /** Whether an item in line may wait for the rate: its record then changes without an event. */
  get isTimed(): boolean {
    return this.isRated && this.queue.starts > 0;
  }

  /**
   * Instant until which the rate holds `item` back, in epoch milliseconds. `undefined`: the rate does not hold it back,
   * or `item` stands in no line.
   */
  heldUntil(item: S): number | undefined {
    if (!this.isRated || item.place < 0 || item.isResume || this.paused) return undefined;
    const keyAt = this.queue.heldUntil(item.laneKey);
    const first = this.queue.first(true);
    const now = this.#now();
    if (keyAt !== undefined) return this.#instant(keyAt, now, this.keys.rules.windows);
    if (this.#limiter === undefined || first?.isResume !== false || this.#allows(first.weight)) return undefined;
    return this.#instant(this.#limiter.dueAt(first.weight, now) ?? Infinity, now, this.#limiter.rules);
  }

  /**
   * The instant by the wall clock. Two readings give the same, although the clocks drift. An instant that is not known
   * yet is at least the shortest period away.
   */
  #instant(dueAt: number, now: number, rules: readonly WindowRule[]): number {
    const at = dueAt === Infinity ? now + Math.min(...rules.map(({ periodMs }) => periodMs)) : dueAt;
    const { apart } = this;
    if (Math.abs(apart - this.#apart) > DRIFT_MS) this.#apart = apart;
    return Math.ceil(this.#apart + at);
  }

  /** The lane at this moment. */
  stats(): LaneStats {
    const { concurrency, held, paused } = this;
    const pausedUntil = paused ? this.#pausedUntil : undefined;
    const rate = this.isRated ? this.#rateReading() : undefined;
    return toLaneStats({ concurrency, held, queued: this.queue.starts, pausedUntil, rate });
  }

  #rateReading(): NonNullable<LaneReading["rate"]> {
    const now = this.#now();
    const first = this.queue.first(true);
    const isHeld = first !== undefined && !first.isResume && !this.#allows(first.weight);
    const waiting = this.paused ? 0 : isHeld ? this.queue.starts : this.queue.heldBack;
    const dueAt = waiting === 0 ? undefined : (this.#dueAt() ?? Infinity);
    return {
      windows: this.#limiter?.used(now) ?? [],
      waiting,
      nextAt: dueAt === undefined ? undefined : this.#instant(dueAt, now, this.allWindows),
    };
  }

  // ── the part that a store keeps ──────────────────────────────────────────

  /** The starts that some window of the lane counts, or would count if it were set again. */
  get starts(): readonly Start[] {
    const now = this.#now();
    return [...new Set([...(this.#limiter?.starts(now) ?? []), ...this.keys.starts(now)])];
  }

  /** Milliseconds by which the wall clock is ahead of the clock that cannot be set. */
  get apart(): number {
    return this.#clock.now() - this.#now();
  }

  /**
   * Restores the starts of an earlier process, whose `at` is of the wall clock. A start in the future of that clock
   * counts as a start of now.
   */
  restore(starts: readonly Start[]): void {
    const now = this.#now();
    const { apart } = this;
    for (const start of starts) start.at = Math.min((start.at ?? now) - apart, now);
    this.#limiter?.restore(starts, now);
    this.keys.restore(starts, now);
    this.queue.allChanged();
  }
}
