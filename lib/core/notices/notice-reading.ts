// Notice reading: the callers that wait for notices, and when each is woken (N2, N3).
//
// Owns which queues are read. A caller is woken at the end of a turn, once what happened in it is stored, so a thousand ends
// are one batch. Called by `notices.ts` whenever a queue has changed; calls the waits.

import type { NoticeReader } from "../live/notice-queue.js";
import type { Limit } from "../live/open-wait.js";
import type { Attempt, Task } from "../live/task.js";
import { findCycle, needsNoSearch } from "../live/wait-cycles.js";
import type { Loop } from "../loop.js";
import { isEnd } from "../task/notice.js";
import { Alarm } from "../time/clock.js";
import { nextTurn } from "../time/turn.js";
import { runOutside } from "../values/outside.js";
import { waiterOf } from "../waits/ambient.js";
import { keeperOf, type WaitOptions, type Waits } from "../waits/waits.js";
import type { NoticeQueues, Queue } from "./notice-queues.js";
import { type ChosenNotices, ReadyNotices, type TaskNotice } from "./ready-notices.js";

type Reader = NoticeReader<Task>;

export interface NoticeOptions extends WaitOptions {
  /** Milliseconds ≥ 0 until an empty batch; 0 drains what is there. Default: no end. */
  timeoutMs?: number | undefined;
  /** Milliseconds ≥ 0 to wait for more notices after the first one. Default 0: all notices of one turn come together anyhow. */
  coalesceMs?: number | undefined;
}

export interface ReadingDeps {
  readonly loop: Loop;
  readonly waits: Waits;
  /** Warns the author of the loop. */
  readonly warn: (text: string) => void;
  /** The task waits for another process: nothing here makes it wake a loop. */
  readonly isParked: (task: Task) => boolean;
}

/** So many times the same batch: its loop does not acknowledge. */
const STORM = 10;

export class NoticeReading {
  readonly #deps: ReadingDeps;
  readonly #queues: NoticeQueues;
  /** Queues at which a caller waits. */
  readonly #read = new Set<Queue>();
  /** Ids of notices from a journal that is being taken over: not delivered until it is this process's. */
  untaken: Set<string> | undefined;

  constructor(deps: ReadingDeps, queues: NoticeQueues) {
    this.#deps = deps;
    this.#queues = queues;
  }

  /** The rejection of a call that may not wait; `undefined` where it may. */
  refusal(context: Attempt | undefined, signal: AbortSignal | undefined): Promise<never> | undefined {
    const { waits } = this.#deps;
    const attempt = waiterOf(context);
    if (context === undefined) return keeperOf(attempt, waits).refusal(attempt, signal);
    return waits.refusalThrough(context, attempt, signal);
  }

  /**
   * Resolves with what `choose` takes of the notices in `queue`, as soon as there are some; of none when `timeoutMs` passes
   * first; with `undefined` when no living task can add to them. `context`: the attempt of the `ctx` through which the call came.
   */
  next<C extends ChosenNotices>(
    queue: Queue,
    context: Attempt | undefined,
    { timeoutMs, coalesceMs = 0, signal }: NoticeOptions,
    choose: (ready: ReadyNotices) => C,
  ): Promise<C | undefined> {
    const { loop, waits } = this.#deps;
    const attempt = waiterOf(context);
    const batch = () => this.#given(queue, choose(this.#ready(queue)));
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
        else if (hasAny(queue)) this.look(queue);
        return () => {
          queue.readers.delete(reader);
          if (queue.readers.size === 0) this.#read.delete(queue);
          reader.company?.cancel();
        };
      },
      { limit },
    );
  }

  /** A batch is about to be delivered. An empty one wakes no loop. */
  #given<C extends ChosenNotices>(queue: Queue, chosen: C): C {
    const newest = chosen.covered.at(-1)?.id;
    if (newest === undefined) return chosen;
    this.#warnOfStorm(queue, newest);
    // N1: the tasks of the batch before could be read until now.
    const { covered, counted, number } = chosen;
    queue.lastBatch = { tasks: tasksOf(covered), counted: tasksOf(counted), number };
    return chosen;
  }

  /** The same batch, again and again: a loop that does not acknowledge what it was told never sleeps. */
  #warnOfStorm(queue: Queue, newest: string): void {
    queue.timesGiven = newest === queue.lastGiven ? queue.timesGiven + 1 : 0;
    queue.lastGiven = newest;
    if (queue.timesGiven !== STORM) return;
    const whose = typeof queue.owner === "string" ? `session ${queue.owner}` : `task ${queue.owner.id}`;
    this.#deps.warn(
      `The loop of ${whose} has had the same notices ${STORM} times: call ack() on a batch once it is used`,
    );
  }

  // ── waking ───────────────────────────────────────────────────────────────

  #ready(queue: Queue): ReadyNotices {
    const { storedSeq } = this.#deps.loop;
    return new ReadyNotices(queue, (notice) => notice.seq <= storedSeq && !this.#isKeptBack(notice));
  }

  /** A wait is about to hand it out, or the journal it comes from is not this process's yet. */
  #isKeptBack({ id, task, what }: TaskNotice): boolean {
    return (task.claims > 0 && isEnd(what)) || this.untaken?.has(id) === true;
  }

  /** Something is to be told, or some living task can still add to it and does not itself wait for the reader to end (L3). */
  #mayWake(queue: Queue, waiting: Task | undefined): boolean {
    if (hasAny(queue)) return true;
    for (const source of queue.sources) {
      if (this.#deps.isParked(source)) continue;
      if (waiting === undefined || needsNoSearch(waiting, source)) return true;
      if (findCycle(waiting, (task) => task === source) === undefined) return true;
    }
    // A silent task with a loop of its own hands on what that has not been told, or will be.
    for (const { size, sources } of this.#queues.below(queue.owner)) if (size > 0 || sources.size > 0) return true;
    return false;
  }

  /** What a queue loses, those above it will not be handed any more. */
  lookAbove(queue: Queue): void {
    this.look(queue);
    if (this.#read.size > 0) for (const above of this.#queues.above(queue.owner)) this.look(above);
  }

  /** At the end of the turn, once what is decided by now is stored. */
  look(queue: Queue): void {
    if (queue.readers.size === 0 || queue.isLooking) return;
    queue.isLooking = true;
    this.#deps.loop.call(() => {
      // What comes from now on is stored later, and looked at then.
      queue.isLooking = false;
      if (queue.isTelling) return;
      queue.isTelling = true;
      runOutside(() =>
        nextTurn(() => {
          queue.isTelling = false;
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
      // A wait may have given them meanwhile.
      if (!this.#ready(queue).isEmpty) reader.give();
      else if (!this.#mayWake(queue, reader.waiting)) reader.giveUp();
    });
  }

  /** Every reader looks again. */
  lookAll(): void {
    for (const queue of this.#read) this.look(queue);
  }
}

function tasksOf(notices: readonly TaskNotice[]): ReadonlyMap<string, Task> {
  return new Map(notices.map(({ task }) => [task.id, task]));
}

/** A notice, or a message for the task whose loop it is; delivered or not. */
function hasAny({ size, owner }: Queue): boolean {
  return size > 0 || (typeof owner !== "string" && owner.extras?.mailbox?.hasUnread === true);
}
