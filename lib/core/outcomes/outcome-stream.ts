// Outcome stream: the outcomes of tasks, one by one, in order of ending (`outcomes`).
//
// Owns the set of watched tasks. Each task is watched once, from the first step on. A step is O(1), and is a wait of
// the caller that takes it. Leaving the loop, or withdrawing a step, unwatches all tasks (W3). Called by the awaiter.
// Calls the watchers and the waits.

import type { OpenWait } from "../live/open-wait.js";
import type { Attempt, Task, Watcher } from "../live/task.js";
import { refuseCycle } from "../live/wait-cycles.js";
import { unwatch, watch } from "../live/watchers.js";
import { OutcomeClaims, type Receiver } from "../notices/outcome-claims.js";
import type { TaskOutcome, Wait } from "../task/record.js";
import { reported } from "../task/wait.js";
import { keeperOf, type Waits } from "../waits/waits.js";
import { outcomeOf } from "./await-one.js";
import { othersOf } from "./await-tasks.js";

type Step = IteratorResult<TaskOutcome, undefined>;

/** An iterator over outcomes in order of ending. */
export class OutcomeReader implements Watcher, AsyncIterableIterator<TaskOutcome> {
  readonly #waits: Waits;
  /** The waits of the manager that has a task. */
  readonly #homeOf: (task: Task) => Waits;
  readonly #find: () => readonly Task[];
  readonly #waiterOf: () => Attempt | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #receiverFor: (attempt: Attempt | undefined) => Receiver;
  readonly #ended: Task[] = [];
  #watched: Set<Task> | undefined;
  /** The number of watched tasks of each manager. Each step reads it, so it is counted and not collected. */
  readonly #homes = new Map<Waits, number>();
  #read = 0;
  #step: OpenWait<Step> | undefined;
  /** The attempt that waits for the step. */
  #stepper: Attempt | undefined;
  /** The task that waits for the step. */
  waiting: Task | undefined;

  constructor(
    waits: Waits,
    homeOf: (task: Task) => Waits,
    find: () => readonly Task[],
    waiterOf: () => Attempt | undefined,
    signal: AbortSignal | undefined,
    receiverFor: (attempt: Attempt | undefined) => Receiver,
  ) {
    this.#receiverFor = receiverFor;
    this.#waits = waits;
    this.#homeOf = homeOf;
    this.#find = find;
    this.#waiterOf = waiterOf;
    this.#signal = signal;
  }

  /** The reader is its own iterator. */
  [Symbol.asyncIterator](): this {
    return this;
  }

  /** The next outcome; `done` when all are read. A second call while one is pending rejects with a `TypeError`. */
  next(): Promise<Step> {
    let watched: Set<Task>;
    try {
      watched = this.#watched ??= this.#begin();
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#read < this.#ended.length) {
      const task = this.#take();
      const attempt = this.#waiterOf();
      const handing = new OutcomeClaims(this.#receiverFor(attempt), task === undefined ? [] : [task]);
      const home = task === undefined ? this.#waits : this.#homeOf(task);
      const needs = task?.endSeq ?? 0;
      return home.answer(attempt, () => stepOf(task), { needs, handing, signal: this.#signal });
    }
    if (watched.size === 0) return Promise.resolve({ done: true, value: undefined });
    if (this.#step !== undefined)
      return Promise.reject(new TypeError("outcomes() takes one step at a time: await next() before the next call"));
    const attempt = this.#waiterOf();
    try {
      refuseCycle(attempt, (task) => watched.has(task));
    } catch (error) {
      this.#unwatch();
      return Promise.reject(error);
    }
    const describe = (): Wait => ({ on: "tasks", taskIds: Array.from(reported(watched), ({ id }) => id) });
    const keeper = keeperOf(attempt, this.#waits);
    const homes = othersOf(keeper, this.#homes.keys());
    const arrange = (wait: OpenWait<Step>) => {
      this.#step = wait;
      this.#stepper = attempt;
      this.waiting = attempt?.task;
      return () => {
        // The step was withdrawn. `for await` does not close an iterator whose step rejected, so the reader closes
        // itself.
        if (this.#step === wait) this.#unwatch();
        this.#step = undefined;
        this.waiting = undefined;
      };
    };
    const step = keeper.open<Step>(attempt, describe, this.#signal, arrange, { homes });
    // The step was refused and never began.
    if (this.#step === undefined) this.#unwatch();
    return step;
  }

  /** Ends the iteration: unwatches all tasks. */
  return(): Promise<Step> {
    this.#unwatch();
    this.#settle();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** See `Watcher.taskEnded`. */
  taskEnded(task: Task): void {
    this.#watched?.delete(task);
    this.#count(task, -1);
    this.#ended.push(task);
    this.#settle();
  }

  /** Resolves the pending step, if there is one, with the next outcome. */
  #settle(): void {
    const step = this.#step;
    if (step === undefined) return;
    this.#step = undefined;
    const task = this.#take();
    const handing = task === undefined ? undefined : new OutcomeClaims(this.#receiverFor(this.#stepper), [task]);
    step.resolve(stepOf(task), handing);
  }

  #unwatch(): void {
    for (const task of this.#watched ?? []) unwatch(task, this);
    this.#watched = new Set();
    this.#read = this.#ended.length;
  }

  #begin(): Set<Task> {
    const watched = new Set<Task>();
    for (const task of new Set(this.#find())) {
      if (task.isOver) this.#ended.push(task);
      else {
        watched.add(task);
        watch(task, this);
        this.#count(task, 1);
      }
    }
    this.#ended.sort((a, b) => a.endOrder - b.endOrder);
    return watched;
  }

  #count(task: Task, more: number): void {
    const home = this.#homeOf(task);
    const count = (this.#homes.get(home) ?? 0) + more;
    if (count === 0) this.#homes.delete(home);
    else this.#homes.set(home, count);
  }

  #take(): Task | undefined {
    const task = this.#ended[this.#read];
    if (task !== undefined) this.#read++;
    return task;
  }
}

function stepOf(task: Task | undefined): Step {
  return task === undefined ? { done: true, value: undefined } : { done: false, value: outcomeOf(task) };
}
