// Sweep stage: what a scenario plays on, and what the sweep holds of it afterwards.
//
// A scenario is a short program over the public surface. It keeps time by the stage's clock, hands over each promise that somebody
// outside holds, and takes from the stage the signals that the sweep may abort.

import { getEventListeners } from "node:events";
import {
  type Ids,
  isErrandError,
  type TaskContext,
  type TaskEvent,
  TaskManager,
  type TaskManagerOptions,
  type TaskStatus,
} from "errand";
import { countedIds, type ManualClock } from "errand/testing";
import { facts, type Seen } from "../support/basics.js";
import { type SweepClock, sweepClock } from "./sweep-clock.js";
import { FailingListener } from "./sweep-listener.js";

export interface Scenario {
  readonly name: string;
  readonly options?: TaskManagerOptions;
  /** How many of its tasks end how when nobody disturbs it. */
  readonly ends: { readonly [S in TaskStatus]?: number };
  play(stage: Stage): void;
}

export interface Managed {
  readonly manager: TaskManager;
  readonly concurrency: number;
  readonly told: readonly TaskEvent[];
}

/** A promise in the hands of somebody outside. */
export interface Kept {
  readonly what: string;
  /** When it has settled at the latest. */
  readonly until: "all is over" | "closed";
  seen: Seen<unknown>;
  /** How many events each manager had told when it settled. */
  told: readonly number[];
}

const GRACE_MS = 50;

export class Stage {
  readonly #clock: SweepClock;
  readonly managers: Managed[] = [];
  readonly kept: Kept[] = [];
  readonly controllers: AbortController[] = [];
  readonly failing = new FailingListener();
  readonly manager: TaskManager;

  /** `onPause` is called whenever only time can go on. */
  constructor(options: TaskManagerOptions, onPause: () => void) {
    this.#clock = sweepClock(onPause);
    this.manager = this.another(options);
  }

  get time(): ManualClock {
    return this.#clock.time;
  }

  /** One more manager on the same clock. */
  readonly another = (options: TaskManagerOptions = {}): TaskManager => {
    const { counted } = this.#clock;
    const kept = { ttlMs: Number.POSITIVE_INFINITY, ...options.retention };
    const manager = new TaskManager({
      graceMs: GRACE_MS,
      ...options,
      retention: kept,
      clock: counted,
      ids: this.managers.length === 0 ? countedIds() : idsOf(`manager${this.managers.length + 1}`),
    });
    this.failing.listenTo(manager);
    const { concurrency = Number.POSITIVE_INFINITY } = options;
    this.managers.push({ manager, concurrency, told: facts(manager) });
    return manager;
  };

  /** A signal that the sweep may abort. */
  readonly signal = (): AbortSignal => {
    const controller = new AbortController();
    this.controllers.push(controller);
    return controller.signal;
  };

  /** A promise that somebody outside every task holds. It settles once everything has ended. */
  readonly keep = (what: string, promise: Promise<unknown>): void => this.#keep(what, promise, "all is over");

  /** One that goes on as long as the manager does, such as that of a reader. */
  readonly keepOpen = (what: string, promise: Promise<unknown>): void => this.#keep(what, promise, "closed");

  readonly #keep = (what: string, promise: Promise<unknown>, until: Kept["until"]): void => {
    const entry: Kept = { what, until, seen: { is: "pending" }, told: [] };
    this.kept.push(entry);
    const settle = (seen: Seen<unknown>): void => {
      entry.seen = seen;
      entry.told = this.managers.map(({ told }) => told.length);
    };
    promise.then(
      (value) => settle({ is: "fulfilled", value }),
      (error: unknown) => settle({ is: "rejected", error }),
    );
  };

  /** What somebody outside does; a refusal is theirs to bear. */
  readonly attempt = (what: string, act: () => unknown): void => {
    try {
      const answer = act();
      if (answer instanceof Promise) this.keep(what, answer);
    } catch (error) {
      if (!isErrandError(error)) throw error;
    }
  };

  /** Somebody outside acts at that instant. */
  readonly at = (ms: number, act: () => unknown): void => {
    this.time.setTimeout(() => this.attempt(`what was done at ${ms} ms`, act), ms - this.time.now());
  };

  /** Answers each question `ms` after it was seen: an approval with yes. */
  readonly answering = (answer: string, ms: number, manager: TaskManager = this.manager): void => {
    const watching = async (): Promise<void> => {
      for await (const { id, kind } of manager.inbox.watch()) {
        const value = kind === "approval" ? true : answer;
        this.at(this.time.now() + ms, () => manager.inbox.answer(id, value, { by: "ann" }));
      }
    };
    this.keepOpen("the loop over the inbox", watching());
  };

  /** Works `ms` without a wait, and obeys its signal. */
  readonly compute = (ctx: TaskContext, ms: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const { signal } = ctx;
      const stop = (): void => reject(signal.reason);
      if (signal.aborted) stop();
      else signal.addEventListener("abort", stop, { once: true });
      this.time.setTimeout(() => resolve(ms), ms);
    });

  /** Works `ms` without a wait, and hears nothing. */
  readonly deaf = (ms: number): Promise<void> => this.time.sleep(ms);

  /** The managers' timers that are set. */
  timers(): readonly number[] {
    return this.#clock.pending();
  }

  /** How many listeners each of the stage's signals has. */
  signals(): readonly number[] {
    return this.controllers.map(({ signal }) => getEventListeners(signal, "abort").length);
  }
}

/** No two managers of a run have a task of the same id. */
function idsOf(manager: string): Ids {
  const ids = countedIds();
  return { next: (what) => `${manager}_${ids.next(what)}` };
}
