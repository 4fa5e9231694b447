// Fan-out: runs one child for each item, a limited number at a time (`ctx.map`).
//
// Owns the values, and one wait of the mapping task for all children. An item is read when its child may start. While
// the line is full, the next child waits for a place, as a caller of `room()` does (L6). The first child that does not
// succeed stops the reading and cancels the other children, and the wait lasts until those have ended (W4). A wait that
// is given up starts no more children, closes the items, and watches no child that continues (W3).

import type { OpenWait } from "../core/live/open-wait.js";
import type { Attempt, Task, Watcher } from "../core/live/task.js";
import { unwatch, watch } from "../core/live/watchers.js";
import { outcomeOf } from "../core/outcomes/await-one.js";
import type { Place } from "../core/spawn/line-capacity.js";
import { isErrandError, TaskOutcomeError } from "../core/task/errors.js";
import type { TaskOutcome } from "../core/task/record.js";
import { reported } from "../core/task/wait.js";
import { nextTurn } from "../core/time/turn.js";
import type { Items, Read } from "./items.js";

/** Items that are read in one turn. */
const MOST_AT_ONCE = 1_000;

interface FanOutOptions<A> {
  readonly items: Items<A>;
  /** The first read. `ctx.map` made it, because a map of no items needs no wait. */
  readonly first: Read<A>;
  readonly concurrency: number;
  /** Spawns the child of one item. A throw fails the fan-out, unless the line is full. */
  readonly spawn: (item: A, index: number) => Task;
  readonly cancel: (child: Task) => void;
  /** The place in line of the next child. */
  readonly place: Place;
}

/** Resolves with the values of all children, in the order of their items. */
export function fanOut<A>(
  attempt: Attempt,
  signal: AbortSignal | undefined,
  options: FanOutOptions<A>,
): Promise<unknown[]> {
  const children = new Children(attempt);
  const describe = () => ({ on: "tasks" as const, taskIds: children.reportedIds });
  let isBegun = false;
  const values = attempt.waits.open<unknown[]>(attempt, describe, signal, (wait) => {
    isBegun = true;
    const fan = new FanOut(options, children, wait);
    fan.begin(options.first);
    return () => fan.leave();
  });
  if (!isBegun) options.items.close();
  return values;
}

class FanOut<A> {
  readonly #options: FanOutOptions<A>;
  readonly #children: Children;
  readonly #wait: OpenWait<unknown[]>;
  readonly #values: unknown[] = [];
  /** The number of items that were read. */
  #count = 0;
  /** The number of children that live. */
  #running = 0;
  #isReading = false;
  #isReadToEnd = false;
  /** An item that was read, and whose child found no place in line. */
  #unplaced: { readonly item: A; readonly index: number } | undefined;
  /** Ends the search for a place. `undefined`: none is sought. */
  #unseek: (() => void) | undefined;
  /** `true`: no item is read and no child is spawned from now on. */
  #isOver = false;

  constructor(options: FanOutOptions<A>, children: Children, wait: OpenWait<unknown[]>) {
    this.#options = options;
    this.#children = children;
    this.#wait = wait;
  }

  begin(first: Read<A>): void {
    if (this.#accept(first)) this.#readMore();
  }

  /** Reads items as long as another child may start. After many reads the children run: a failure stops the reading. */
  #readMore(hasPlace = false): void {
    let reads = 0;
    while (this.#mayRead) {
      // The place that was offered counts as taken, so the first read does not ask for another one.
      if (!(hasPlace && reads === 0) && !this.#options.place.isFree()) return this.#seekPlace();
      if (++reads > MOST_AT_ONCE) return this.#readLater();
      let read: Read<A>;
      try {
        read = this.#options.items.read();
      } catch (error) {
        return this.#failed(error);
      }
      if (!this.#accept(read)) return;
    }
  }

  get #mayRead(): boolean {
    const isWaiting = this.#isReading || this.#unseek !== undefined;
    return !this.#isOver && !isWaiting && !this.#isReadToEnd && this.#running < this.#options.concurrency;
  }

  #readLater(): void {
    this.#isReading = true;
    nextTurn(() => {
      this.#isReading = false;
      this.#readMore();
      this.#endWhenIdle();
    });
  }

  /** Starts the child of a read. `false`: the read is pending, and reading continues when it settles. */
  #accept(read: Read<A>): boolean {
    if (!("then" in read)) {
      this.#startChild(read);
      return true;
    }
    this.#isReading = true;
    read.then(this.#arrived, this.#failed);
    return false;
  }

  readonly #arrived = (step: IteratorResult<A>): void => {
    this.#isReading = false;
    this.#startChild(step);
    this.#readMore();
  };

  #startChild(step: IteratorResult<A>): void {
    if (this.#isOver) return;
    if (step.done) {
      this.#isReadToEnd = true;
      this.#endWhenIdle();
      return;
    }
    this.#place(step.value, this.#count++);
  }

  #place(item: A, index: number): void {
    let child: Task;
    try {
      child = this.#options.spawn(item, index);
    } catch (error) {
      if (!isLineFull(error)) return this.#failed(error);
      this.#unplaced = { item, index };
      return this.#seekPlace();
    }
    this.#running++;
    void this.#children.endOf(child).then((outcome) => this.#ended(child, index, outcome));
  }

  /** Waits for a place in line. The promise keeps the async context of the mapping task for the next spawn (H0). */
  #seekPlace(): void {
    if (this.#unseek !== undefined) return;
    const found = new Promise<void>((resolve, reject) => {
      this.#unseek = this.#options.place.seek({ resolve, reject });
    });
    found.then(this.#placeFound, this.#failed);
  }

  readonly #placeFound = (): void => {
    this.#endSearch();
    const unplaced = this.#unplaced;
    this.#unplaced = undefined;
    if (this.#isOver) return;
    if (unplaced !== undefined) this.#place(unplaced.item, unplaced.index);
    this.#readMore(unplaced === undefined);
    this.#endWhenIdle();
  };

  #endSearch(): void {
    this.#unseek?.();
    this.#unseek = undefined;
  }

  #ended(child: Task, index: number, outcome: TaskOutcome): void {
    if (outcome.status !== "succeeded") return this.#failed(new TaskOutcomeError(outcome, child.state.details.title));
    this.#values[index] = outcome.value;
    this.#running--;
    this.#readMore();
    this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    const isIdle = this.#running === 0 && this.#unplaced === undefined;
    if (!this.#isOver && this.#isReadToEnd && isIdle) this.#wait.resolve(this.#values);
  }

  /** The first failure. The wait rejects with it when the children that it stopped have ended (W4). */
  readonly #failed = (error: unknown): void => {
    if (this.#isOver) return;
    this.#stop();
    for (const child of this.#children.living) this.#options.cancel(child);
    this.#children.onAllEnded(() => this.#wait.reject(error));
  };

  #stop(): void {
    this.#isOver = true;
    this.#endSearch();
    this.#options.items.close();
  }

  /** Stops the reading and unwatches the children, because the wait is over. */
  leave(): void {
    this.#stop();
    this.#children.leave();
  }
}

/** Whether a spawn was refused because its line has no place, in the manager or in the session. */
function isLineFull(error: unknown): boolean {
  return (
    isErrandError(error, "QUEUE_FULL") ||
    (isErrandError(error, "LIMIT_EXCEEDED") && error.limit === "session.maxQueued")
  );
}

/** The living children. The mapping task has one wait for all of them, and watches each (L3). */
class Children implements Watcher {
  readonly #attempt: Attempt;
  readonly #ends = new Map<Task, (outcome: TaskOutcome) => void>();
  /**
   * The ids in the record of the wait: the oldest living children, renewed once in each turn in which children were
   * spawned. A list of all would make the journal quadratic in their number.
   */
  reportedIds: readonly string[] = [];
  #isReportDue = false;
  #onAllEnded: () => void = () => {};

  constructor(attempt: Attempt) {
    this.#attempt = attempt;
  }

  get waiting(): Task {
    return this.#attempt.task;
  }
  get living(): readonly Task[] {
    return [...this.#ends.keys()];
  }

  endOf(child: Task): Promise<TaskOutcome> {
    if (child.isOver) return Promise.resolve(outcomeOf(child));
    return new Promise((resolve) => {
      this.#ends.set(child, resolve);
      watch(child, this);
      if (!this.#isReportDue) void Promise.resolve().then(this.#report);
      this.#isReportDue = true;
    });
  }

  readonly #report = (): void => {
    this.#isReportDue = false;
    const listed = Array.from(reported(this.#ends.keys()), ({ id }) => id);
    if (listed.length === this.reportedIds.length && listed.every((id, index) => id === this.reportedIds[index]))
      return;
    this.reportedIds = listed;
    this.#attempt.waits.changed(this.#attempt);
  };

  taskEnded(task: Task): void {
    this.#ends.get(task)?.(outcomeOf(task));
    this.#ends.delete(task);
    if (this.#ends.size === 0) this.#onAllEnded();
  }

  /** Calls `done` when no child lives: at once, or in the call in which the last child ends. */
  onAllEnded(done: () => void): void {
    if (this.#ends.size === 0) done();
    else this.#onAllEnded = done;
  }

  leave(): void {
    for (const task of this.#ends.keys()) unwatch(task, this);
    this.#ends.clear();
  }
}
