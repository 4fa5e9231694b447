// Instants: those that a manager waits for, looked at again while they are far away (C7).
//
// A timer counts the time in which the machine is awake, and a wall clock may be set. So all instants that are more than 30 s away stand in
// one heap, and one timer looks at the first of them every 30 s. It also finds out that the clock was set, for those whose instant depends on
// that. A clock that reports when it is set needs no such timer.

import { AsyncResource } from "node:async_hooks";
import { Heap, type Ranked } from "../values/heap.js";

/** The part of a clock that is read here. */
interface WallClock {
  now(): number;
  monotonic(): number;
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
  onSet?(fn: () => void): () => void;
}

/** How late an instant may be noticed. */
export const LOOK_MS = 30_000;

/** Milliseconds by which the two clocks may drift apart between two readings before the wall clock counts as set. */
export const DRIFT_MS = 1_000;

export class Instants {
  readonly #clock: WallClock;
  readonly #awaited = new Heap<Instant>();
  /** The timer is set again from itself: without a context of its own it would keep for ever the one of the first caller. */
  readonly #context = new AsyncResource("errand.instants", { requireManualDestroy: true });
  readonly #hearers = new Set<{ readonly fn: () => void }>();
  #order = 0;
  /** Wall clock less monotonic clock, at the last look. */
  #offset = 0;
  /** Stops the looking; `undefined` while nothing is awaited. */
  #stop: (() => void) | undefined;

  constructor(clock: WallClock) {
    this.#clock = clock;
  }

  /** Calls `fn` once the wall clock is found to have reached `at`, until the returned off is called. */
  add(at: number, fn: () => void): () => void {
    const instant: Instant = { rank: at, order: ++this.#order, place: -1, fn };
    this.#awaited.add(instant);
    this.#keepLooking();
    return () => {
      if (this.#awaited.has(instant)) this.#awaited.remove(instant);
      this.#stopUnlessWanted();
    };
  }

  /** Calls `fn` whenever the wall clock is found to have been set, or the machine to have slept, until the returned off is called. */
  onSet(fn: () => void): () => void {
    const hearer = { fn };
    this.#hearers.add(hearer);
    this.#keepLooking();
    return () => {
      this.#hearers.delete(hearer);
      this.#stopUnlessWanted();
    };
  }

  #keepLooking(): void {
    this.#stop ??= this.#context.runInAsyncScope(() => this.#begin());
  }

  #stopUnlessWanted(): void {
    if (this.#awaited.size > 0 || this.#hearers.size > 0) return;
    this.#stop?.();
    this.#stop = undefined;
  }

  #begin(): () => void {
    const clock = this.#clock;
    if (clock.onSet !== undefined) return clock.onSet(() => this.#look(true));
    this.#offset = clock.now() - clock.monotonic();
    let timer: unknown;
    let isOver = false;
    const wait = () => {
      timer = clock.setTimeout(() => {
        this.#look(this.#wasSet());
        if (!isOver) wait();
      }, LOOK_MS);
      // Each instant has a timer of its own that keeps the process alive, unless it need not.
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

  #look(wasSet: boolean): void {
    const now = this.#clock.now();
    for (let first = this.#awaited.first(); first !== undefined && first.rank <= now; first = this.#awaited.first()) {
      this.#awaited.remove(first);
      first.fn();
    }
    if (wasSet) for (const { fn } of [...this.#hearers]) fn();
  }
}

interface Instant extends Ranked {
  readonly fn: () => void;
}

/** A timer of any clock lets the process end, if it can. */
export function unref(timer: unknown): void {
  if (hasUnref(timer)) timer.unref();
}

function hasUnref(timer: unknown): timer is { unref(): void } {
  return typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function";
}
