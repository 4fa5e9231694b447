// Shutdown: the end of a manager (D8).
//
// Owns the order in which the parts of a manager stop, and is the one writer of its phase (`phase.ts`). Called by the
// manager, and by the core when another process has taken the store. Calls all parts that stop.

import type { Requests } from "../inbox/requests.js";
import type { Slots } from "../lanes/slots.js";
import type { Registry } from "../live/registry.js";
import type { SessionUsage } from "../live/session-usage.js";
import type { Run } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { UnreadFailures } from "../notices/unread.js";
import type { LineCapacity } from "../spawn/line-capacity.js";
import { Alarm } from "../time/clock.js";
import type { Waits } from "../waits/waits.js";
import type { Handoff } from "./handoff.js";
import type { Idle } from "./idle.js";
import type { Retainer } from "./retention.js";
import type { Runner } from "./runner.js";

/** The parts that a shutdown stops. */
interface ShutdownDeps {
  readonly loop: Loop;
  readonly slots: Slots<Run>;
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
  settle(graceMs: number): Promise<unknown>;
}

/** The end of one manager. */
export class Shutdown {
  readonly #deps: ShutdownDeps;
  #closing: Promise<void> | undefined;
  #graceMs = Number.POSITIVE_INFINITY;

  constructor(deps: ShutdownDeps) {
    this.#deps = deps;
  }

  /** The longest that a function may still take to settle; `Infinity` while the manager is open. */
  get graceMs(): number {
    return this.#graceMs;
  }

  /** Closes the manager. A second call has no further effect and returns the same promise. */
  close(graceMs: number): Promise<void> {
    if (this.#closing !== undefined) return this.#closing;
    // The promise exists before the first step, because code of the user that runs inside that step may call `close`.
    let begun: (end: Promise<void>) => void = () => {};
    this.#closing = new Promise((resolve) => (begun = resolve));
    begun(this.#close(graceMs));
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    const { loop, waits, requests, retainer, sessions, unread } = this.#deps;
    loop.phase.begin("closing");
    this.#graceMs = graceMs;
    const stopping = this.#stopAll(graceMs);
    // Without a living task all of this happens inside the call.
    if (stopping !== undefined) await stopping;
    loop.phase.begin("settling");
    waits.close();
    requests.closeAll();
    retainer.close();
    sessions.close();
    // The last step delivers, and with a store also stores, everything that is decided, within a grace of its own.
    try {
      await this.#deps.settle(graceMs);
    } finally {
      loop.phase.begin("closed");
      loop.close();
      unread.close();
    }
  }

  /** Resolves when every task has ended or is left for the next process; `undefined` when that is so already. */
  #stopAll(graceMs: number): Promise<void> | undefined {
    const { loop, slots, registry, requests, runner, capacity, handoff, idle } = this.#deps;
    capacity.close();
    for (const task of handoff.all) {
      // A task that is left for the next process has no timers here: that process counts its limits and questions.
      task.extras?.deadlines?.cancel();
      task.extras?.retryDelay?.cancel();
      requests.cancelExpiry(task);
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
