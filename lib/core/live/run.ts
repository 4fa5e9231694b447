// Run: everything that a task needs only while it lives.
//
// Owns the parts that the end of a task drops as one object: the async context of the spawn (H0), the function, the
// place in line with the slot, and the newest attempt. It is also the delivery that starts the function. A task that
// ends keeps its record and lets go of its run, so thousands of kept records are small. `RunOf` is an `AsyncResource`
// itself: a second object for the context would cost 72 bytes more, and `AsyncLocalStorage.snapshot` thirty times the
// time. Written by the spawner, the slots and the runner.

import type { Delivery } from "../events/delivery.js";
import type { Slotted } from "../lanes/lane-item.js";
import type { Start } from "../lanes/rate-limiter.js";
import type { Holder } from "../lanes/slots.js";
import type { TaskCancelledError } from "../task/errors.js";
import type { Work } from "../task/kind-parts.js";
import type { Wait, Weight } from "../task/record.js";
import type { Stop, TaskState, TaskTraits } from "../task/state.js";
import { reported } from "../task/wait.js";
import { AsyncResource } from "../values/node.js";
import { type Extras, extrasOf } from "./extras.js";
import type { Grace } from "./grace.js";
import type { SessionAccount } from "./session-account.js";
import type { PendingOf, WaitKeeperOf } from "./wait-keeper.js";

/** The part of a task that its run reads. */
interface Runnable {
  readonly traits: TaskTraits;
  readonly state: TaskState;
  readonly account: SessionAccount | undefined;
  extras: Extras | undefined;
}

/** Calls the function of a run whose turn has come. */
export interface Starter<T extends Runnable> {
  /** Starts the next attempt of `run`, unless it may not start any more. */
  start(run: RunOf<T>): void;
}

/** The name that tools for async hooks show; nothing has to be destroyed by hand. */
const RESOURCE = "errand.task";
const RESOURCE_OPTIONS = { requireManualDestroy: true };

/** The living part of the task `T`. Its async context is that of the call that makes it. */
export class RunOf<T extends Runnable> extends AsyncResource implements Slotted, Delivery {
  /** The task. */
  readonly task: T;
  /** The function of the task. */
  work: Work;
  /** The newest attempt; `undefined` before its start and between two attempts. */
  attempt: AttemptOf<T> | undefined = undefined;
  readonly #starter: Starter<T>;
  /** See `Delivery.isQueued`. */
  isQueued = false;

  // ── the slots ──
  /** The rank in line: a lower rank starts earlier. */
  rank = 0;
  /** Breaks ties of the rank. */
  order = 0;
  /** The position in line; −1 when it stands in none. */
  place = -1;
  /** Whether the task has a slot. */
  holdsSlot = false;

  constructor(task: T, work: Work, starter: Starter<T>) {
    super(RESOURCE, RESOURCE_OPTIONS);
    this.task = task;
    this.work = work;
    this.#starter = starter;
  }

  /** Starts the next attempt. See `Delivery.deliver`. */
  deliver(): void {
    this.#starter.start(this);
  }

  /** A function that cannot start is over with its manager. See `Delivery.drop`. */
  drop(): void {}

  /** See `SpawnOptions.laneKey`. */
  get laneKey(): string | undefined {
    return this.task.traits.laneKey;
  }
  /** The amounts that a start takes from the windows of the lane. */
  get weight(): Weight | undefined {
    return this.task.traits.weight;
  }
  /** The newest start, as the windows of a lane with a rate count it. Most lanes have none, so it is an extra. */
  get start(): Start | undefined {
    return this.task.extras?.start;
  }
  set start(start: Start | undefined) {
    if (start !== undefined || this.task.extras !== undefined) extrasOf(this.task).start = start;
  }
  /** The account of the task's session. */
  get account(): SessionAccount | undefined {
    return this.task.account;
  }
  /** Whether the task stands in line to return from a wait, and not for its start. */
  get isResume(): boolean {
    return this.attempt !== undefined;
  }
}

/** One run of a task's function: whether it may still write and wait, and its pending waits. */
export class AttemptOf<T extends Runnable> {
  /** The task of the attempt. */
  readonly task: T;
  /** The run of the task, whose slot the attempt uses. */
  readonly run: RunOf<T>;
  /** The number of the attempt, from 1. */
  readonly number: number;
  /** The waits of the task's manager. */
  readonly waits: WaitKeeperOf<AttemptOf<T>>;
  /** `open` until the function settles or is abandoned (S2). */
  phase: "open" | "settled" | "abandoned" = "open";
  /** `seq` of the fact that started the attempt. */
  readonly startSeq: number;
  /** Whether the attempt retries a failed one. */
  readonly isRetry: boolean;
  /** The pending waits, in order of beginning; made with the first wait. Written by the waits. */
  pending: Set<PendingOf<AttemptOf<T>>> | undefined = undefined;
  /** The last wait, which is decided and waits for a slot. Written by the waits. */
  returning: PendingOf<AttemptOf<T>> | undefined = undefined;

  /** The controller of the signal, made when the signal is first read. Written by `attempt-signal.ts`. */
  controller: AbortController | undefined = undefined;
  /** The error of a stopped attempt. Written by `attempt-signal.ts`. */
  cancelError: TaskCancelledError | undefined = undefined;
  /** The grace that the attempt shares with all that were stopped together with it. Written by the runner. */
  grace: Grace | undefined = undefined;
  /** Set when another attempt follows: the stop of this attempt, and the holder of its slot. Written by the runner. */
  past: { readonly stop: Stop | undefined; readonly holder: Holder } | undefined = undefined;

  constructor(run: RunOf<T>, startSeq: number, isRetry: boolean, waits: WaitKeeperOf<AttemptOf<T>>) {
    this.task = run.task;
    this.run = run;
    this.number = run.task.state.attempt;
    this.startSeq = startSeq;
    this.isRetry = isRetry;
    this.waits = waits;
  }

  /** The stop of the attempt: that of the task, while this is its newest attempt. */
  get stop(): Stop | undefined {
    return this.past === undefined ? this.task.state.stop : this.past.stop;
  }

  /** The holder of the slot: the run, while this is its newest attempt. */
  get holder(): Holder {
    return this.past?.holder ?? this.run;
  }

  /** Whether the function returned, and no stop came before. */
  get hasReturned(): boolean {
    const { stop, ending } = this.task.state;
    return this.past === undefined && stop === undefined && ending?.status === "succeeded";
  }

  /** Whether the attempt waits, or returns from a wait to a slot. */
  get isWaiting(): boolean {
    return this.returning !== undefined || (this.pending !== undefined && this.pending.size > 0);
  }

  /** The pending waits as the record shows them. */
  *[Symbol.iterator](): Iterator<Wait> {
    if (this.returning !== undefined) yield { on: "slot" };
    for (const wait of reported(this.pending ?? [])) yield wait.describe();
  }
}
