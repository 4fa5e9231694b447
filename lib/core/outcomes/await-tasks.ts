// awaitTasks: a wait for several tasks, with a count of those that have ended (W1-W4).
//
// Owns the count of each wait. The state is read and the tasks are watched in one turn (W1); links are removed when the
// wait is over (W3); a wait that could never end is refused before it begins (L3). Called by the awaiter. Calls the
// watchers, the waits and the requests.

import { isNewTo, type Owner, type RequestEntry, type Requests } from "../inbox/requests.js";
import type { Attempt, Task, Watcher } from "../live/task.js";
import { refuseCycles } from "../live/wait-cycles.js";
import { unwatch, watch } from "../live/watchers.js";
import { OutcomeClaims, type Receiver } from "../notices/outcome-claims.js";
import type { TaskOutcome, TaskRecord, Wait } from "../task/record.js";
import type { StoredIn, WaitKeeper } from "../waits/pending-wait.js";
import { keeperOf, type WaitOptions, type Waits } from "../waits/waits.js";
import { outcomeOf } from "./await-one.js";

/** Options of `awaitTasks`. */
export interface AwaitOptions extends WaitOptions {
  /**
   * The condition that ends the wait. `"all"` (default): all tasks have ended. `"any"`: one has ended. A number: so
   * many have ended. `"success"`: one has succeeded, or all have ended. `"failure"`: one has ended without success, or
   * all have ended.
   */
  until?: "all" | "any" | "success" | "failure" | number | undefined;
  /** Milliseconds ≥ 0 until the call resolves with `reason: "timeout"`; the tasks continue. Default no limit. */
  timeoutMs?: number | undefined;
  /**
   * Also ends the wait when one of the tasks, or a task below it, asks a question. Each request ends only one wait of
   * the same caller. Default false.
   */
  stopOnRequest?: boolean | undefined;
  /**
   * Cancels the caller's own children among the tasks that have not ended and for which no other caller waits, once the
   * condition of `until` is met. The call resolves when they have ended. Default false.
   */
  cancelRest?: boolean | undefined;
}

/** The result of `awaitTasks`, before it gets the types of the single tasks. */
export interface Awaited {
  /** The reason why the wait ended. */
  readonly reason: "done" | "timeout" | "request";
  /** The outcomes by position; `undefined` for a task that has not ended. */
  readonly outcomes: readonly (TaskOutcome | undefined)[];
  /** The outcomes in order of ending, each task once. */
  readonly ended: readonly TaskOutcome[];
  /** The records of the tasks that have not ended. */
  readonly pending: readonly TaskRecord[];
}

/** The caller of `awaitTasks` and its rights. */
export interface AwaitCaller {
  /** The waits of the manager that was called: they keep the wait when no task makes the call. */
  readonly waits: Waits;
  /** The waits of the manager that has a task. */
  readonly homeOf: (task: Task) => Waits;
  /** Whether another manager has some of the tasks. */
  readonly hasForeign: boolean;
  /** The requests of every manager that has one of the tasks. */
  readonly inboxes: ReadonlySet<Requests>;
  /** The owner to which each request is reported once (W4). */
  readonly owner: Owner;
  /** Whether a task is the caller's own child, which `cancelRest` may cancel. */
  readonly isChild: (task: Task) => boolean;
  /** Asks a task to stop. */
  readonly cancel: (task: Task, reason: string) => void;
  /** The receiver of the outcomes (N2). */
  readonly receiver: Receiver;
}

/** The count of one wait for several tasks. */
export class Group implements Watcher {
  readonly waiting: Task | undefined;
  readonly #tasks: readonly Task[];
  /** The same, each once. */
  readonly #distinct: readonly Task[];
  readonly #until: NonNullable<AwaitOptions["until"]>;
  /** The tasks that had not ended when the wait began, in the given order. */
  readonly #awaited: Task[] = [];
  /** The tasks that have ended, in that order. */
  readonly #ended: Task[] = [];
  /** Tasks that the wait stopped when it was done, and that have not ended. */
  #stopped: Set<Task> | undefined;
  #succeeded = 0;
  onDone: () => void = () => {};

  constructor(
    tasks: readonly Task[],
    distinct: readonly Task[],
    until: AwaitOptions["until"],
    waiting: Task | undefined,
  ) {
    this.#tasks = tasks;
    this.#distinct = distinct;
    this.#until = until ?? "all";
    this.waiting = waiting;
    for (const task of distinct) {
      if (task.isOver) this.#count(task);
      else this.#awaited.push(task);
    }
    this.#ended.sort((a, b) => a.endOrder - b.endOrder);
  }

  #count(task: Task): void {
    this.#ended.push(task);
    if (task.state.status === "succeeded") this.#succeeded++;
  }

  get isDone(): boolean {
    return this.#isDoneBy(this.#ended.length, this.#succeeded);
  }

  #isDoneBy(ended: number, succeeded: number): boolean {
    const all = ended === this.#distinct.length;
    switch (this.#until) {
      case "all":
        return all;
      case "any":
        return all || ended > 0;
      case "success":
        return all || succeeded > 0;
      case "failure":
        return all || ended > succeeded;
      default:
        return all || ended >= this.#until;
    }
  }

  describe(): Wait {
    return { on: "tasks", taskIds: this.#awaited.map((task) => task.id) };
  }

  watch(): void {
    for (const task of this.#stopped ?? this.#awaited) watch(task, this);
  }

  unwatch(): void {
    // The end of a task has removed its watchers.
    if (this.#ended.length < this.#distinct.length) for (const task of this.#awaited) unwatch(task, this);
  }

  taskEnded(task: Task): void {
    this.#count(task);
    this.#stopped?.delete(task);
    if (this.isDone && (this.#stopped === undefined || this.#stopped.size === 0)) this.onDone();
  }

  /**
   * Stops the caller's own children that have not ended and for which no other caller waits. The wait continues until
   * they have ended; returns `false` when none is left. A second call stops nothing more (W4).
   */
  stopRest({ isChild, cancel }: AwaitCaller): boolean {
    if (this.#stopped === undefined) {
      this.unwatch();
      const own = this.living().filter((task) => isChild(task) && task.watchers === undefined);
      for (const task of own) cancel(task, "no longer needed");
      this.#stopped = new Set(own.filter((task) => !task.isOver));
    }
    return this.#stopped.size > 0;
  }

  /** The tasks that have ended, in that order. After `stopRest` some that are not watched may have ended too. */
  get ended(): readonly Task[] {
    if (this.#stopped === undefined || this.#ended.length === this.#distinct.length) return this.#ended;
    return this.#distinct.filter((task) => task.isOver).sort((a, b) => a.endOrder - b.endOrder);
  }

  /** `seq` of the newest fact of `home` by which one of its tasks ended. */
  newestEndIn(home: Waits, homeOf: (task: Task) => Waits): number {
    let newest = 0;
    for (const task of this.ended) if (homeOf(task) === home) newest = Math.max(newest, task.endSeq);
    return newest;
  }

  living(): Task[] {
    return this.#awaited.filter((task) => !task.isOver);
  }

  /** The result when the limit has passed: only stored ends count (W2). */
  late(stored: readonly Task[]): Awaited {
    const succeeded = stored.filter((task) => task.state.status === "succeeded").length;
    return this.result(this.#isDoneBy(stored.length, succeeded) ? "done" : "timeout", stored);
  }

  /** The result with the outcomes of the tasks `ended`; the remaining ones are pending. */
  result(reason: Awaited["reason"], ended: readonly Task[] = this.ended): Awaited {
    if (ended.length === this.#distinct.length)
      return { reason, outcomes: this.#tasks.map(outcomeOf), ended: ended.map(outcomeOf), pending: [] };
    const reported: ReadonlySet<Task> = new Set(ended);
    return {
      reason,
      outcomes: this.#tasks.map((task) => (reported.has(task) ? task.outcome : undefined)),
      ended: ended.map(outcomeOf),
      pending: this.#distinct.flatMap((task) => (reported.has(task) ? [] : task.record)),
    };
  }
}

/**
 * Waits for `tasks` according to `options`. The returned promise is the wait's own: a stop of the waiting task marks it
 * as handled (C5).
 */
export function awaitTasks(
  caller: AwaitCaller,
  attempt: Attempt | undefined,
  tasks: readonly Task[],
  options: AwaitOptions,
): Promise<Awaited> {
  const { waits, homeOf, hasForeign, inboxes, owner, receiver } = caller;
  const { until, timeoutMs, signal, stopOnRequest = false, cancelRest = false } = options;
  const distinct = distinctOf(tasks);
  const group = new Group(tasks, distinct, until, attempt?.task);
  const mustWait = () => cancelRest && group.stopRest(caller);
  // A passed limit reports only the ends that are stored (W2).
  const late = () => {
    const stored = group.ended.filter((task) => homeOf(task).hasStored(task));
    return { value: group.late(stored), handing: new OutcomeClaims(receiver, stored) };
  };
  const limit = timeoutMs === undefined ? undefined : { ms: timeoutMs, late };
  const answer = (given: Awaited, needs: number) => {
    const { ended } = group;
    const homes = hasForeign ? othersOf(waits, homesOf(ended, homeOf)) : undefined;
    const handing = new OutcomeClaims(receiver, ended);
    return waits.answer(attempt, () => given, { needs, homes, handing, signal, limit });
  };
  if (group.isDone) {
    if (!mustWait() || timeoutMs === 0) return answer(group.result("done"), group.newestEndIn(waits, homeOf));
  } else {
    if (stopOnRequest) {
      for (const inbox of inboxes) {
        for (const entry of inbox.openedBelow(new Set(distinct))) {
          if (!isNewTo(entry, owner)) continue;
          return answer(group.result("request"), waits.seq);
        }
      }
    }
    if (limit?.ms === 0) {
      const { value, handing } = limit.late();
      return waits.answer(attempt, () => value, { needs: 0, handing });
    }
    try {
      refuseCycles(attempt, distinct);
    } catch (error) {
      return Promise.reject(error);
    }
  }
  const keeper = keeperOf(attempt, waits);
  return keeper.open<Awaited>(
    attempt,
    () => group.describe(),
    signal,
    (wait) => {
      const give = (given: Awaited) => wait.resolve(given, new OutcomeClaims(receiver, group.ended));
      group.onDone = () => {
        if (mustWait()) group.watch();
        else give(group.result("done"));
      };
      group.watch();
      const onOpened = (entry: RequestEntry) => {
        if (group.isDone || !isNewTo(entry, owner)) return;
        give(group.result("request"));
      };
      const offs = stopOnRequest ? Array.from(inboxes, (inbox) => inbox.onOpened(new Set(distinct), onOpened)) : [];
      return () => {
        group.unwatch();
        for (const off of offs) off();
      };
    },
    { limit, homes: othersOf(keeper, hasForeign ? homesOf(tasks, homeOf).add(waits) : [waits]) },
  );
}

/** The tasks, each once. Tasks in order of creation, as most callers have them, need no set for that. */
function distinctOf(tasks: readonly Task[]): readonly Task[] {
  let newest = 0;
  for (const { number } of tasks) {
    if (number <= newest) return [...new Set(tasks)];
    newest = number;
  }
  return tasks;
}

/** The managers other than the keeper's whose facts must be stored before the wait is delivered (D1). */
export function othersOf(keeper: WaitKeeper, homes: Iterable<Waits>): StoredIn[] | undefined {
  const others = new Set<Waits>();
  for (const home of homes) if (home !== keeper) others.add(home);
  return others.size === 0 ? undefined : [...others];
}

function homesOf(tasks: readonly Task[], homeOf: (task: Task) => Waits): Set<Waits> {
  const homes = new Set<Waits>();
  for (const task of tasks) homes.add(homeOf(task));
  return homes;
}
