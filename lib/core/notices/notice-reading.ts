// Notice reading: the callers that wait for notices, and when each is woken (N2, N3).
//
// Owns the set of queues that are read. A caller wakes at the end of a turn, once the facts of the turn are stored, so
// a thousand ends make one batch. Called by `notices.ts` whenever a queue has changed; calls the waits.

import type { NoticeReader } from "../live/notice-queue.js";
import type { Limit } from "../live/open-wait.js";
import type { Attempt, Task } from "../live/task.js";
import { findCycle, needsNoSearch } from "../live/wait-cycles.js";
import type { Loop } from "../loop.js";
import { isEnd } from "../task/notice.js";
import { Alarm } from "../time/clock.js";
import { nextTurn } from "../time/turn.js";
import type { GuardedLogger } from "../values/logger.js";
import { runOutside } from "../values/outside.js";
import { waiterOf } from "../waits/ambient.js";
import { keeperOf, type WaitOptions, type Waits } from "../waits/waits.js";
import type { NoticeQueues, Queue } from "./notice-queues.js";
import { type ChosenNotices, ReadyNotices, type TaskNotice } from "./ready-notices.js";

type Reader = NoticeReader<Task>;

/** Options of `nextNotices`. */
export interface NoticeOptions extends WaitOptions {
  /**
   * Milliseconds ≥ 0 until the call resolves with an empty batch; 0 returns the notices that are there. Default no
   * limit.
   */
  timeoutMs?: number | undefined;
  /**
   * Milliseconds ≥ 0 to wait for more notices after the first one. Default 0: a batch still has all notices of one
   * turn.
   */
  coalesceMs?: number | undefined;
}

/** The parts that reading notices needs. */
export interface ReadingDeps {
  readonly loop: Loop;
  readonly waits: Waits;
  readonly logger: GuardedLogger;
  /** The task waits for another process: it cannot make a notice here. */
  readonly handoff: { has(task: Task): boolean };
}

/** The number of equal batches after which a loop is warned that it does not acknowledge. */
const STORM = 10;

/** The waits for notices of all owners of one manager. */
export class NoticeReading {
  readonly #deps: ReadingDeps;
  readonly #queues: NoticeQueues;
  /** Queues at which a caller waits. */
  readonly #read = new Set<Queue>();
  /** Ids of notices from a journal that is being taken over: they are not delivered until this process owns them. */
  withheldIds: Set<string> | undefined;

  constructor(deps: ReadingDeps, queues: NoticeQueues) {
    this.#deps = deps;
    this.#queues = queues;
  }

  /** The rejection of a call that may not wait; `undefined` when it may. */
  refusal(context: Attempt | undefined, signal: AbortSignal | undefined): Promise<never> | undefined {
    const { waits } = this.#deps;
    const attempt = waiterOf(context);
    if (context === undefined) return keeperOf(attempt, waits).refusal(attempt, signal);
    return waits.refusalThrough(context, attempt, signal);
  }

  /**
   * Waits for notices in `queue` and resolves with the batch that `choose` takes, as soon as there is one. Resolves
   * with an empty batch when `timeoutMs` passes first, and with `undefined` when no living task can add a notice.
   * `context`: the attempt of the `ctx` through which the call came.
   */
  next<C extends ChosenNotices>(
    queue: Queue,
    context: Attempt | undefined,
    { timeoutMs, coalesceMs = 0, signal }: NoticeOptions,
    choose: (ready: ReadyNotices) => C,
  ): Promise<C | undefined> {
    const { loop, waits } = this.#deps;
    const attempt = waiterOf(context);
    const batch = () => this.#delivering(queue, choose(this.#ready(queue)));
    const limit: Limit<C | undefined> | undefined =
      timeoutMs === undefined ? undefined : { ms: timeoutMs, late: () => ({ value: batch() }) };
    // Ready notices are stored, and an empty batch reports nothing: neither waits for the store (D1, W2).
    const isReady = !this.#ready(queue).isEmpty;
    if (isReady && (coalesceMs === 0 || timeoutMs === 0)) return Promise.resolve(batch());
    if (!this.#mayWake(queue, attempt?.task))
      return waits.answer(attempt, () => undefined, { needs: loop.seq, signal, limit });
    if (timeoutMs === 0) return Promise.resolve(batch());
    const keeper = keeperOf(attempt, waits);
    return keeper.open<C | undefined>(
      attempt,
      () => ({ on: "notice" }),
      signal,
      (wait) => {
        const reader: Reader = {
          waiting: attempt?.task,
          coalesceMs,
          give: () => wait.resolve(batch()),
          giveUp: () => wait.resolve(undefined),
          refuse: (error) => wait.reject(error),
          company: undefined,
        };
        queue.readers.add(reader);
        this.#read.add(queue);
        if (isReady) this.#give(queue, reader);
        else if (hasAny(queue)) this.wake(queue);
        return () => {
          queue.readers.delete(reader);
          if (queue.readers.size === 0) this.#read.delete(queue);
          reader.company?.cancel();
        };
      },
      { limit },
    );
  }

  /** Records that a batch is about to be delivered. An empty batch changes nothing. */
  #delivering<C extends ChosenNotices>(queue: Queue, chosen: C): C {
    const newest = chosen.covered.at(-1)?.id;
    if (newest === undefined) return chosen;
    this.#warnOfStorm(queue, newest);
    // The model can read the tasks of the previous batch until now (N1).
    const { covered, counted, number } = chosen;
    queue.lastBatch = { tasks: tasksOf(covered), counted: tasksOf(counted), number };
    return chosen;
  }

  /** Warns a loop that gets the same batch repeatedly: without an acknowledgement it never waits. */
  #warnOfStorm(queue: Queue, newest: string): void {
    queue.timesDelivered = newest === queue.lastDelivered ? queue.timesDelivered + 1 : 0;
    queue.lastDelivered = newest;
    if (queue.timesDelivered !== STORM) return;
    const whose = typeof queue.owner === "string" ? `session ${queue.owner}` : `task ${queue.owner.id}`;
    this.#deps.logger.warn(
      `The loop of ${whose} has had the same notices ${STORM} times: call ack() on a batch once it is used`,
    );
  }

  // ── waking ───────────────────────────────────────────────────────────────

  #ready(queue: Queue): ReadyNotices {
    const { deliverable } = this.#deps.loop.stored;
    return new ReadyNotices(queue, (notice) => notice.seq <= deliverable && !this.#isWithheld(notice));
  }

  /**
   * Whether the notice must not be delivered now: a wait is about to deliver the same outcome, or another process still
   * owns its journal.
   */
  #isWithheld({ id, task, what }: TaskNotice): boolean {
    return (task.claims > 0 && isEnd(what)) || this.withheldIds?.has(id) === true;
  }

  /**
   * Whether a reader may still get a notice: the queue has one, or a living task can add one and does not itself wait
   * for the reader's end (L3).
   */
  #mayWake(queue: Queue, waiting: Task | undefined): boolean {
    if (hasAny(queue)) return true;
    for (const source of queue.sources) {
      if (this.#deps.handoff.has(source)) continue;
      if (waiting === undefined || needsNoSearch(waiting, source)) return true;
      if (findCycle(waiting, (task) => task === source) === undefined) return true;
    }
    // The notices of a task below, which has a loop of its own, pass up when its function ends.
    for (const { size, sources } of this.#queues.below(queue.owner)) if (size > 0 || sources.size > 0) return true;
    return false;
  }

  /** Wakes the readers of `queue` and of the queues above it: they may have become unable to get a notice. */
  wakeAbove(queue: Queue): void {
    this.wake(queue);
    if (this.#read.size > 0) for (const above of this.#queues.above(queue.owner)) this.wake(above);
  }

  /** Wakes the readers of `queue` at the end of the turn, once everything that is decided by now is stored. */
  wake(queue: Queue): void {
    if (queue.readers.size === 0 || queue.isWaitingForStore) return;
    queue.isWaitingForStore = true;
    this.#deps.loop.call(() => {
      // Later notices are stored later and schedule their own wake.
      queue.isWaitingForStore = false;
      if (queue.isWakeScheduled) return;
      queue.isWakeScheduled = true;
      runOutside(() =>
        nextTurn(() => {
          queue.isWakeScheduled = false;
          this.#giveReaders(queue);
        }),
      );
    });
  }

  #giveReaders(queue: Queue): void {
    const isReady = !this.#ready(queue).isEmpty;
    for (const reader of [...queue.readers]) {
      if (isReady) this.#give(queue, reader);
      else if (!this.#mayWake(queue, reader.waiting)) reader.giveUp();
    }
  }

  #give(queue: Queue, reader: Reader): void {
    if (reader.coalesceMs === 0) return reader.give();
    reader.company ??= new Alarm(this.#deps.loop.clock, reader.coalesceMs, () => {
      reader.company = undefined;
      // A wait may have delivered the notices meanwhile.
      if (!this.#ready(queue).isEmpty) reader.give();
      else if (!this.#mayWake(queue, reader.waiting)) reader.giveUp();
    });
  }

  /** Wakes all readers. */
  wakeAll(): void {
    for (const queue of this.#read) this.wake(queue);
  }
}

function tasksOf(notices: readonly TaskNotice[]): ReadonlyMap<string, Task> {
  return new Map(notices.map(({ task }) => [task.id, task]));
}

/** Whether the queue has a notice, or its task has an unread message; stored or not. */
function hasAny({ size, owner }: Queue): boolean {
  return size > 0 || (typeof owner !== "string" && owner.extras?.mailbox?.hasUnread === true);
}
