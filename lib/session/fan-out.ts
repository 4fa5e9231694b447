// Fan-out: one child for each item, so many at a time (`ctx.map`).
//
// An item is read when there is room for its child, so reading is what bounds them. The mapping task has one wait for all of them. The first child
// that does not succeed stops new ones and cancels the others, and the wait lasts until those have ended (W4). A wait that is given up starts no
// more, closes the items, and leaves no link on the children that continue (W3).

import type { OpenWait } from "../core/live/open-wait.js";
import type { Attempt, Link, Task, Watcher } from "../core/live/task.js";
import { unwatch, watch } from "../core/live/watchers.js";
import { outcomeOf } from "../core/outcomes/await-one.js";
import { TaskOutcomeError } from "../core/task/errors.js";
import type { TaskOutcome } from "../core/task/record.js";
import { nextTurn } from "../core/time/turn.js";
import type { Items, Read } from "./items.js";

/** Items that are read in one turn. */
const MOST_AT_ONCE = 1_000;
/** Children that the record of the mapping task lists. */
const MOST_LISTED = 50;

interface FanOutOptions<A> {
  readonly items: Items<A>;
  /** The result of the first read, which was made to see whether there is any item. */
  readonly first: Read<A>;
  readonly concurrency: number;
  /** Spawns the child of one item. A throw is the fan-out's. */
  readonly spawn: (item: A, index: number) => Task;
  readonly cancel: (child: Task) => void;
}

/** The values of all children, in the order of their items. */
export function fanOut<A>(
  attempt: Attempt,
  signal: AbortSignal | undefined,
  options: FanOutOptions<A>,
): Promise<unknown[]> {
  const children = new Children(attempt);
  const describe = () => ({ on: "tasks" as const, taskIds: children.told });
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
  /** Items that were read. */
  #count = 0;
  /** Children that live. */
  #running = 0;
  #isReading = false;
  #isReadToEnd = false;
  /** Nothing is read or spawned after this. */
  #isOver = false;

  constructor(options: FanOutOptions<A>, children: Children, wait: OpenWait<unknown[]>) {
    this.#options = options;
    this.#children = children;
    this.#wait = wait;
  }

  begin(first: Read<A>): void {
    if (this.#take(first)) this.#more();
  }

  /** Reads as long as there is room for a child, and lets the children run now and then: the first that fails stops the reading. */
  #more(): void {
    let reads = 0;
    while (!this.#isOver && !this.#isReading && !this.#isReadToEnd && this.#running < this.#options.concurrency) {
      if (++reads > MOST_AT_ONCE) return this.#moreLater();
      let read: Read<A>;
      try {
        read = this.#options.items.read();
      } catch (error) {
        return this.#failed(error);
      }
      if (!this.#take(read)) return;
    }
  }

  #moreLater(): void {
    this.#isReading = true;
    nextTurn(() => {
      this.#isReading = false;
      this.#more();
      this.#endWhenIdle();
    });
  }

  /** `false`: the item comes later, and reading continues then. */
  #take(read: Read<A>): boolean {
    if (!("then" in read)) {
      this.#taken(read);
      return true;
    }
    this.#isReading = true;
    read.then(this.#came, this.#failed);
    return false;
  }

  readonly #came = (step: IteratorResult<A>): void => {
    this.#isReading = false;
    this.#taken(step);
    this.#more();
  };

  #taken(step: IteratorResult<A>): void {
    if (this.#isOver) return;
    if (step.done) {
      this.#isReadToEnd = true;
      this.#endWhenIdle();
      return;
    }
    const index = this.#count++;
    let child: Task;
    try {
      child = this.#options.spawn(step.value, index);
    } catch (error) {
      return this.#failed(error);
    }
    this.#running++;
    void this.#children.endOf(child).then((outcome) => this.#ended(child, index, outcome));
  }

  #ended(child: Task, index: number, outcome: TaskOutcome): void {
    if (outcome.status !== "succeeded") return this.#failed(new TaskOutcomeError(outcome, child.state.details.title));
    this.#values[index] = outcome.value;
    this.#running--;
    this.#more();
    this.#endWhenIdle();
  }

  #endWhenIdle(): void {
    if (!this.#isOver && this.#isReadToEnd && this.#running === 0) this.#wait.resolve(this.#values);
  }

  /** W4: the first failure. It is reported once those that it stopped have ended. */
  readonly #failed = (error: unknown): void => {
    if (this.#isOver) return;
    this.#stop();
    for (const child of this.#children.living) this.#options.cancel(child);
    this.#children.onAllEnded(() => this.#wait.reject(error));
  };

  #stop(): void {
    this.#isOver = true;
    this.#options.items.close();
  }

  /** The wait is over. */
  leave(): void {
    this.#stop();
    this.#children.leave();
  }
}

/** Those that live: the mapping task has one wait for all of them, and an edge to each (L3). */
class Children implements Watcher {
  readonly #attempt: Attempt;
  readonly #ends = new Map<Task, { readonly link: Link; readonly resolve: (outcome: TaskOutcome) => void }>();
  /** The oldest that lived when the record was last changed, which is after a turn that spawned some. A list of all would be quadratic in their number. */
  told: readonly string[] = [];
  #isTelling = false;
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
      this.#ends.set(child, { link: watch(child, this), resolve });
      if (!this.#isTelling) void Promise.resolve().then(this.#tell);
      this.#isTelling = true;
    });
  }

  readonly #tell = (): void => {
    this.#isTelling = false;
    const listed: string[] = [];
    for (const { id } of this.#ends.keys()) if (listed.push(id) === MOST_LISTED) break;
    if (listed.length === this.told.length && listed.every((id, index) => id === this.told[index])) return;
    this.told = listed;
    this.#attempt.waits.changed(this.#attempt);
  };

  taskEnded(task: Task): void {
    this.#ends.get(task)?.resolve(outcomeOf(task));
    this.#ends.delete(task);
    if (this.#ends.size === 0) this.#onAllEnded();
  }

  /** Calls `done` when none lives: at once, or in the call in which the last one ends. */
  onAllEnded(done: () => void): void {
    if (this.#ends.size === 0) done();
    else this.#onAllEnded = done;
  }

  leave(): void {
    for (const { link } of this.#ends.values()) unwatch(link);
    this.#ends.clear();
  }
}
