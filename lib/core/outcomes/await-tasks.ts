// awaitTasks: waiting for tasks to end (§6).
//
// Two forms of one thing: a group of tasks with a count (`awaitTasks`), and one task (`result`, `outcome`, `cancel`). State is read,
// then watched, in one turn (W1); links are taken away when the wait is over (W3); a wait that could never end is refused before it
// begins (L3).

import type { Owner, Requests } from "../inbox/requests.js";
import type { Attempt, Handing, Link, StoredIn, Task, WaitKeeper, Watcher } from "../live/task.js";
import { outcomeRead } from "../live/unread.js";
import { findCycle, needsNoSearch } from "../live/wait-cycles.js";
import { unwatch, watch } from "../live/watchers.js";
import type { Notices } from "../notices/notices.js";
import { Handout, type Receiver } from "../notices/outcome-claims.js";
import { AwaitCycleError } from "../task/errors.js";
import type { TaskOutcome, TaskRecord, Wait } from "../task/record.js";
import { PendingWait } from "../waits/pending-wait.js";
import { keeperOf, type WaitOptions, type Waits } from "../waits/waits.js";

export interface AwaitOptions extends WaitOptions {
  /** `"all"` ended (default) · `"any"` one ended · that many ended · `"success"` one succeeded, or none can · `"failure"` one ended otherwise, or all succeeded. */
  until?: "all" | "any" | "success" | "failure" | number | undefined;
  /** Milliseconds ≥ 0; default no limit. When they have passed, the call resolves with `reason: "timeout"`; the tasks continue. */
  timeoutMs?: number | undefined;
  /** Also return when one of them, or a task below, asks a question: once per request. */
  stopOnRequest?: boolean | undefined;
  /**
   * On `done`, cancels those of the caller's own children that have not ended and for which no other caller waits. The call returns when they
   * have ended, within their grace.
   */
  cancelRest?: boolean | undefined;
}

/** What `awaitTasks` gives, before its types are put to the positions. */
export interface Awaited {
  readonly reason: "done" | "timeout" | "request";
  readonly outcomes: readonly (TaskOutcome | undefined)[];
  readonly ended: readonly TaskOutcome[];
  readonly pending: readonly TaskRecord[];
}

/** Who calls `awaitTasks`, and what it may touch. */
export interface AwaitCaller {
  /** Of the manager that was asked: keeps the wait when no task makes the call. */
  readonly waits: Waits;
  /** The waits of the manager that has a task. */
  readonly homeOf: (task: Task) => Waits;
  /** Of every manager that has one of the tasks. */
  readonly inboxes: ReadonlySet<Requests>;
  /** Whose "once per request" it is (W4). */
  readonly owner: Owner;
  /** Whether a task is the caller's own child, which `cancelRest` may cancel. */
  readonly isChild: (task: Task) => boolean;
  readonly cancel: (task: Task, words: string) => void;
  /** N2: who is given the outcomes. */
  readonly receiver: Receiver;
}

/** L3, for a wait about to begin for one of `tasks`, or for all of them. */
function refuseCycles(attempt: Attempt | undefined, tasks: Iterable<Task>): void {
  if (attempt === undefined) return;
  const targets = new Set<Task>();
  for (const task of tasks) if (!needsNoSearch(attempt.task, task)) targets.add(task);
  if (targets.size > 0) refuseCycle(attempt, (task) => targets.has(task));
}

/** Same as `refuseCycles`, for targets that are known when they are met. */
export function refuseCycle(attempt: Attempt | undefined, isTarget: (task: Task) => boolean): void {
  // A stopped task's wait rejects with its own cancel (C3), and reports no cycle.
  if (attempt === undefined || attempt.phase !== "open" || attempt.task.state.stop !== undefined) return;
  const cycle = findCycle(attempt.task, isTarget);
  if (cycle !== undefined) throw new AwaitCycleError(cycle);
}

// ── several ────────────────────────────────────────────────────────────────

class Group implements Watcher {
  readonly waiting: Task | undefined;
  readonly #tasks: readonly Task[];
  readonly #distinct: ReadonlySet<Task>;
  readonly #until: NonNullable<AwaitOptions["until"]>;
  /** Those that had not ended when the wait began, by the order given. */
  readonly #awaited: Task[] = [];
  readonly #links: Link[] = [];
  /** Tasks that the wait stopped when it was done, and that have not ended. */
  #stopped: Set<Task> | undefined;
  #succeeded = 0;
  #ended = 0;
  onDone: () => void = () => {};

  constructor(
    tasks: readonly Task[],
    distinct: ReadonlySet<Task>,
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
  }

  #count(task: Task): void {
    this.#ended++;
    if (task.state.status === "succeeded") this.#succeeded++;
  }

  get isDone(): boolean {
    return this.#isDoneBy(this.#ended, this.#succeeded);
  }

  #isDoneBy(ended: number, succeeded: number): boolean {
    const all = ended === this.#distinct.size;
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
    for (const task of this.#stopped ?? this.#awaited) this.#links.push(watch(task, this));
  }

  unwatch(): void {
    for (const link of this.#links) unwatch(link);
    this.#links.length = 0;
  }

  taskEnded(task: Task): void {
    if (this.#stopped === undefined) this.#count(task);
    else this.#stopped.delete(task);
    if (this.isDone && (this.#stopped === undefined || this.#stopped.size === 0)) this.onDone();
  }

  /**
   * W4: asks those of the caller's own children to stop that have not ended and that no other caller waits for. The wait lasts until they have
   * ended: `false` when none is left. A second call stops nothing more.
   */
  stopRest({ isChild, cancel }: AwaitCaller): boolean {
    if (this.#stopped === undefined) {
      this.unwatch();
      const own = this.living().filter((task) => isChild(task) && task.watchers === undefined);
      for (const task of own) cancel(task, "not needed any more");
      this.#stopped = new Set(own.filter((task) => !task.isOver));
    }
    return this.#stopped.size > 0;
  }

  get ended(): readonly Task[] {
    return [...this.#distinct].filter((task) => task.isOver);
  }

  /** `seq` of the newest fact of `home` by which one of its tasks ended. */
  newestEndIn(home: Waits, homeOf: (task: Task) => Waits): number {
    let newest = 0;
    for (const task of this.#distinct) if (task.isOver && homeOf(task) === home) newest = Math.max(newest, task.endSeq);
    return newest;
  }

  living(): Task[] {
    return this.#awaited.filter((task) => !task.isOver);
  }

  /** Whether a request of `task` concerns one of the group. */
  covers(task: Task): boolean {
    for (let each: Task | undefined = task; each !== undefined; each = each.parent)
      if (this.#distinct.has(each)) return true;
    return false;
  }

  /** W2: when the limit has passed, by the ends that are stored. */
  late(stored: readonly Task[]): Awaited {
    const succeeded = stored.filter((task) => task.state.status === "succeeded").length;
    return this.result(this.#isDoneBy(stored.length, succeeded) ? "done" : "timeout", stored);
  }

  /** The result with the outcomes of the tasks `ended`; the remaining ones are pending. */
  result(reason: Awaited["reason"], ended: readonly Task[] = this.ended): Awaited {
    const isAll = ended.length === this.#distinct.size;
    const reported: ReadonlySet<Task> = isAll ? this.#distinct : new Set(ended);
    const pending = isAll ? [] : [...this.#distinct].filter((task) => !reported.has(task));
    return {
      reason,
      outcomes: this.#tasks.map((task) => (reported.has(task) ? task.state.outcome : undefined)),
      ended: ended.toSorted((a, b) => a.endOrder - b.endOrder).map(outcomeOf),
      pending: pending.map((task) => task.record),
    };
  }
}

/**
 * Waits for `tasks` as `options` say.
 * The returned promise is the wait's own: a stop of the waiting task marks it as handled (C5).
 */
export function awaitTasks(
  caller: AwaitCaller,
  attempt: Attempt | undefined,
  tasks: readonly Task[],
  options: AwaitOptions,
): Promise<Awaited> {
  const { waits, homeOf, inboxes, owner, receiver } = caller;
  const { until, timeoutMs, signal, stopOnRequest = false, cancelRest = false } = options;
  const distinct = new Set(tasks);
  const group = new Group(tasks, distinct, until, attempt?.task);
  const mustWait = () => cancelRest && group.stopRest(caller);
  // W2: a passed limit reports the ends that are stored.
  const late = () => {
    const stored = group.ended.filter((task) => homeOf(task).hasStored(task));
    return { value: group.late(stored), handing: new Handout(receiver, stored) };
  };
  const limit = timeoutMs === undefined ? undefined : { ms: timeoutMs, late };
  const answer = (given: Awaited, needs: number) => {
    const { ended } = group;
    const homes = othersOf(waits, homesOf(ended, homeOf));
    const handing = new Handout(receiver, ended);
    return waits.answer(attempt, () => given, { needs, homes, handing, signal, limit });
  };
  if (group.isDone) {
    if (!mustWait() || timeoutMs === 0) return answer(group.result("done"), group.newestEndIn(waits, homeOf));
  } else {
    if (stopOnRequest) {
      for (const inbox of inboxes) {
        for (const { task, seenBy } of inbox.opened()) {
          if (!group.covers(task) || seenBy.has(owner)) continue;
          seenBy.add(owner);
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
      const give = (given: Awaited) => wait.resolve(given, new Handout(receiver, group.ended));
      group.onDone = () => {
        if (mustWait()) group.watch();
        else give(group.result("done"));
      };
      group.watch();
      const onOpened = (task: Task, seenBy: Set<Owner>) => {
        if (group.isDone || !group.covers(task) || seenBy.has(owner)) return;
        seenBy.add(owner);
        give(group.result("request"));
      };
      const offs = stopOnRequest ? Array.from(inboxes, (inbox) => inbox.onOpened(onOpened)) : [];
      return () => {
        group.unwatch();
        for (const off of offs) off();
      };
    },
    { limit, homes: othersOf(keeper, homesOf(tasks, homeOf).add(waits)) },
  );
}

/** D1: `keeper` delivers a wait once its own facts are stored; the answer was decided by the managers of the tasks. */
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

// ── one ────────────────────────────────────────────────────────────────────

/** What is given of one task's end. A throw of it is what the wait rejects with. */
export type ReadEnd<R> = (outcome: TaskOutcome, task: Task) => R;

/** The wait for one task's end, and its watcher: most waits are this one. */
class EndWait<R> extends PendingWait<R> implements Watcher, Handing {
  readonly #task: Task;
  readonly #ask: EndAsked<R>;
  /** Of the manager that has the task. */
  readonly #notices: Notices;
  #link: Link | undefined;
  #isOwners = false;

  constructor(keeper: WaitKeeper, notices: Notices, attempt: Attempt | undefined, task: Task, ask: EndAsked<R>) {
    super(keeper, attempt);
    this.#notices = notices;
    this.#task = task;
    this.#ask = ask;
  }

  get waiting(): Task | undefined {
    return this.attempt?.task;
  }

  describe(): Wait {
    return { on: "tasks", taskIds: [this.#task.id] };
  }

  hook(): void {
    this.#link = watch(this.#task, this);
  }

  protected unhook(): void {
    if (this.#link !== undefined) unwatch(this.#link);
  }

  taskEnded(task: Task): void {
    try {
      this.resolve(this.#ask.read(outcomeOf(task), task), this);
    } catch (error) {
      this.reject(error, this);
    }
  }

  taken(): void {
    this.#isOwners = this.#notices.isOwners(this.#task, this.attempt, this.#ask.sessionId);
    if (this.#isOwners) this.#notices.claim(this.#task);
  }

  given(): void {
    outcomeRead(this.#task);
    if (!this.#isOwners) return;
    this.#notices.handed(this.#task);
    this.#notices.unclaim(this.#task);
  }

  lost(): void {
    if (this.#isOwners) this.#notices.unclaim(this.#task);
  }
}

/** What is asked of the end of one task. */
export interface EndAsked<R> {
  readonly read: ReadEnd<R>;
  readonly signal: AbortSignal | undefined;
  /** What to give when `ms` passes first. */
  readonly timeout?: { readonly ms: number; readonly late: R } | undefined;
  /** The session through which it was asked for (N2). */
  readonly sessionId: string | undefined;
}

/** Waits for the end of one task of the manager of `waits`, and gives what `read` makes of it. */
export function awaitOne<R>(
  waits: Waits,
  notices: Notices,
  attempt: Attempt | undefined,
  task: Task,
  asked: EndAsked<R>,
): Promise<R> {
  const { read, signal, timeout, sessionId } = asked;
  const limit = timeout === undefined ? undefined : { ms: timeout.ms, late: () => ({ value: timeout.late }) };
  if (task.isOver) {
    const receiver = { attempt, sessionOf: () => sessionId, noticesOf: () => notices };
    const handing = new Handout(receiver, [task]);
    return waits.answer(attempt, () => read(outcomeOf(task), task), { needs: task.endSeq, handing, signal, limit });
  }
  if (timeout?.ms === 0) return Promise.resolve(timeout.late);
  try {
    refuseCycles(attempt, [task]);
  } catch (error) {
    return Promise.reject(error);
  }
  const keeper = keeperOf(attempt, waits);
  const refused = keeper.refusal(attempt, signal);
  if (refused !== undefined) return refused;
  const wait = new EndWait(keeper, notices, attempt, task, asked);
  if (keeper !== waits) wait.alsoStoredIn([waits]);
  keeper.begin(wait, signal);
  if (limit !== undefined) wait.limitTo(limit);
  return wait.promise;
}

/** The outcome of a task that is over. */
export function outcomeOf(task: Task): TaskOutcome {
  const { outcome } = task.state;
  if (outcome === undefined) throw new TypeError(`Task ${task.id} has not ended`);
  return outcome;
}
