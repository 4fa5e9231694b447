// Shutdown: the end of a manager (D8).
//
// Owns the phase of the manager, and is its one writer:
// - open: the manager accepts every call.
// - closing: `close` was called. The manager spawns and answers nothing. Every task has been asked to stop, and those
//   that do not stop within the grace are abandoned. Tasks that the next process can resume stay active.
// - closed: every other task has ended; an abandoned function may still run. Every decided fact is stored and
//   delivered, or dropped with an error.
// Called by the manager, and by the core when another process has taken the store. Calls all parts that stop.

import { NOT_STORED } from "../durable/committer.js";
import type { Requests } from "../inbox/requests.js";
import type { Slots } from "../lanes/slots.js";
import type { Registry } from "../live/registry.js";
import type { SessionUsage } from "../live/session-usage.js";
import type { Task } from "../live/task.js";
import type { UnreadFailures } from "../live/unread.js";
import type { Loop } from "../loop.js";
import type { LineCapacity } from "../spawn/line-capacity.js";
import { ManagerClosedError } from "../task/errors.js";
import { Alarm } from "../time/clock.js";
import type { Waits } from "../waits/waits.js";
import type { Handoff } from "./handoff.js";
import type { Idle } from "./idle.js";
import type { Retainer } from "./retention.js";
import type { Runner } from "./runner.js";

/** The parts that a shutdown stops. */
export interface ShutdownDeps {
  readonly loop: Loop;
  readonly slots: Slots<Task>;
  readonly waits: Waits;
  readonly registry: Registry;
  readonly requests: Requests;
  readonly runner: Runner;
  readonly capacity: LineCapacity;
  readonly retainer: Retainer;
  readonly sessions: SessionUsage;
  readonly handoff: Handoff;
  readonly idle: Idle;
  readonly unread: UnreadFailures;
  /** Stores and delivers everything that is decided, within `graceMs`. */
  readonly settle: (graceMs: number) => Promise<unknown>;
}

type Phase = "open" | "closing" | "closed";

/** The phase of one manager. */
export class Shutdown {
  readonly #deps: () => ShutdownDeps;
  #phase: Phase = "open";
  #closing: Promise<void> | undefined;
  #graceMs = Number.POSITIVE_INFINITY;

  constructor(deps: () => ShutdownDeps) {
    this.#deps = deps;
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#phase !== "open";
  }

  /** The longest that a function may still take to settle; `Infinity` while the manager is open. */
  get graceMs(): number {
    return this.#graceMs;
  }

  /** Closes the manager. A second call has no further effect and returns the same promise. */
  close(graceMs: number): Promise<void> {
    this.#closing ??= this.#close(graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    const deps = this.#deps();
    const { loop, waits, requests, retainer, sessions, unread } = deps;
    this.#phase = "closing";
    this.#graceMs = graceMs;
    const stopping = this.#stopAll(deps, graceMs);
    // Without a living task all of this happens inside the call.
    if (stopping !== undefined) await stopping;
    waits.close();
    requests.closeAll();
    retainer.close();
    sessions.close();
    // The last step delivers, and with a store also stores, everything that is decided, within a grace of its own.
    try {
      await deps.settle(graceMs);
    } finally {
      loop.drop(new ManagerClosedError(NOT_STORED));
      loop.closeRecentEvents();
      unread.close();
      this.#phase = "closed";
    }
  }

  /** Resolves when every task has ended or is left for the next process; `undefined` when that is so already. */
  #stopAll(deps: ShutdownDeps, graceMs: number): Promise<void> | undefined {
    const { loop, slots, registry, requests, runner, capacity, handoff, idle } = deps;
    capacity.close(new ManagerClosedError("no room will come free"));
    for (const task of handoff.all) {
      // A task that is left for the next process has no timers here: that process counts its limits and questions.
      task.extras?.deadlines?.cancel();
      task.extras?.retryDelay?.cancel();
      requests.park(task);
    }
    const living = [...registry.all()].filter((task) => !task.isOver && !handoff.has(task));
    runner.shutDown(living);
    slots.rest();
    if (idle.isIdle) return undefined;
    const grace = new Alarm(loop.clock, graceMs, () => {
      for (const task of living.toReversed()) if (task.attempt !== undefined) runner.abandon(task.attempt);
    });
    // A wait would be delivered only once its facts are stored. The last end must be seen before that.
    return new Promise<void>((resolve) => idle.wait({ resolve })).then(() => grace.cancel());
  }
}
