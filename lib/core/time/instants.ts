// Instants: the instants that a manager awaits, compared with the wall clock while they are far away (C7).
//
// A timer counts the time in which the machine is awake, and a wall clock may be set. So all instants that are more
// than 30 s away stand in one heap, and one timer compares the first of them with the wall clock every 30 s. It also
// finds out that the clock was set, for callers that depend on that. A clock that reports when it is set needs no such
// timer.

import { Heap, type Ranked } from "../values/heap.js";
import { AsyncResource } from "../values/node.js";

/** The part of a clock that is read here. */
interface WallClock {
  now(): number;
  monotonic(): number;
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** How late an instant may be noticed, in milliseconds. */
export const LOOK_MS = 30_000;

/** Milliseconds by which the two clocks may drift apart between two readings before the wall clock counts as set. */
export const DRIFT_MS = 1_000;

/** The awaited instants of one clock. */
export class Instants {
  readonly #clock: WallClock;
  readonly #reportSet: ((fn: () => void) => () => void) | undefined;
  readonly #awaited = new Heap<Instant>();
  /** A context of its own: the timer sets itself again, and would keep the context of the first caller for ever. */
  readonly #context = new AsyncResource("errand.instants", { requireManualDestroy: true });
  readonly #listeners = new Set<{ readonly fn: () => void }>();
  #order = 0;
  /** Wall clock less monotonic clock, at the last comparison. */
  #offset = 0;
  /** Ends the comparisons; `undefined` while no caller awaits anything. */
  #stop: (() => void) | undefined;

  /** `reportSet`: a clock that reports when it is set calls the function that it gets. */
  constructor(clock: WallClock, reportSet: ((fn: () => void) => () => void) | undefined) {
    this.#clock = clock;
    this.#reportSet = reportSet;
  }

  /** Calls `fn` once the wall clock has reached `at`, until the returned function is called. */
  add(at: number, fn: () => void): () => void {
    const instant: Instant = { rank: at, order: ++this.#order, place: -1, fn };
    this.#awaited.add(instant);
    this.#startChecking();
    return () => {
      if (this.#awaited.has(instant)) this.#awaited.remove(instant);
      this.#stopWhenIdle();
    };
  }

  /** Calls `fn` whenever the wall clock was set, or the machine has slept, until the returned function is called. */
  onSet(fn: () => void): () => void {
    const listener = { fn };
    this.#listeners.add(listener);
    this.#startChecking();
    return () => {
      this.#listeners.delete(listener);
      this.#stopWhenIdle();
    };
  }

  #startChecking(): void {
    this.#stop ??= this.#context.runInAsyncScope(() => this.#begin());
  }

  #stopWhenIdle(): void {
    if (this.#awaited.size > 0 || this.#listeners.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #begin(): () => void {
    const clock = this.#clock;
    if (this.#reportSet !== undefined) return this.#reportSet(() => this.#check(true));
    this.#offset = clock.now() - clock.monotonic();
    let timer: unknown;
    let isOver = false;
    const wait = () => {
      timer = clock.setTimeout(() => {
        this.#check(this.#wasSet());
        if (!isOver) wait();
      }, LOOK_MS);
      // Each instant has a timer of its own that keeps the process alive, unless that is not needed.
      unref(timer);
    };
    wait();
    return () => {
      isOver = true;
      clock.clearTimeout(timer);
    };
  }

  #wasSet(): boolean {
    const before = this.#offset;
    this.#offset = this.#clock.now() - this.#clock.monotonic();
    return Math.abs(this.#offset - before) > DRIFT_MS;
  }

  #check(wasSet: boolean): void {
    const now = this.#clock.now();
    for (let first = this.#awaited.first(); first !== undefined && first.rank <= now; first = this.#awaited.first()) {
      this.#awaited.remove(first);
      first.fn();
    }
    if (wasSet) for (const { fn } of [...this.#listeners]) fn();
  }
}

interface Instant extends Ranked {
  readonly fn: () => void;
}

/** Lets the process end before the timer fires, if the timer can. */
export function unref(timer: unknown): void {
  if (hasUnref(timer)) timer.unref();
}

function hasUnref(timer: unknown): timer is { unref(): void } {
  return typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function";
}
