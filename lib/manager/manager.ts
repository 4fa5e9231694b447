// Manager: the front of errand. Takes the options, names the verbs, and hands them to the rooms.

import { Core } from "../core/core.js";
import type { TaskStore } from "../core/durable/store.js";
import { checkStore } from "../core/durable/store-methods.js";
import type { Inbox } from "../core/inbox/inbox.js";
import type { AnyTaskKind } from "../core/kinds/kind.js";
import type { Lane } from "../core/lanes/lane.js";
import { checkLane, checkLaneChange, type LaneChange, type LaneOptions } from "../core/lanes/lane-options.js";
import { treeOf } from "../core/live/family.js";
import type { Task } from "../core/live/task.js";
import type { Retention } from "../core/run/retention.js";
import { type Stats } from "../core/run/stats.js";
import { checkLimits, type Limits } from "../core/spawn/limits.js";
import type { SessionOptions } from "../core/spawn/session-bounds.js";
import { ambientParent, DEFAULT_LANE, type SpawnScope } from "../core/spawn/spawn.js";
import { EVENT_TYPES, type ManagerEventMap, type TaskEvent } from "../core/task/events.js";
import type { Runtime, TaskTree } from "../core/task/record.js";
import type { Clock } from "../core/time/clock.js";
import {
  checkCount,
  checkFinite,
  checkKnown,
  checkMethod,
  checkMs,
  checkOneOf,
  checkOptions,
  checkSignal,
  checkText,
  checkType,
  show,
} from "../core/values/checks.js";
import type { Ids } from "../core/values/ids.js";
import { checkLogger, type Logger } from "../core/values/logger.js";
import { runOutside } from "../core/values/outside.js";
import { ambientAttempt } from "../core/waits/ambient.js";
import type { WaitOptions } from "../core/waits/waits.js";
import { Context, callWork, type Session, type Spawn, type TaskContext } from "../session/context.js";
import { Scope, type SpawnOptions } from "../session/scope.js";
import { NamedSession } from "../session/session.js";
import { openStore } from "./open-store.js";

export interface TaskManagerOptions {
  /** Keeps tasks over restarts; use `TaskManager.open`. Without a store everything is in memory. One manager at a time has a store, unless processes can share it. */
  store?: TaskStore | undefined;
  /** The kinds that can be started by name, and resumed after a restart. Two kinds of one name are a `TypeError`. */
  kinds?: readonly AnyTaskKind[] | undefined;
  /**
   * `"strict"` (default): operations that add state wait for the store: a start, a promise, an event. `"relaxed"`: nothing waits, and a crash may
   * lose what was delivered in the last moments. Only a task with an `id`, in a store that several processes share,
   * starts once that id is stored. `handle.stored()` resolves once the state is stored either way.
   */
  durability?: "strict" | "relaxed" | undefined;
  /** Slots of the whole manager, an integer ≥ 1; without it only lanes limit. */
  concurrency?: number | undefined;
  /** The lanes, by name. A task that names no lane is in `"default"`, which has the manager's `concurrency` unless it is declared here. */
  lanes?: { readonly [lane: string]: LaneOptions } | undefined;
  /** Bounds the number of tasks: depth, children, descendants, the line. A spawn above one is `LimitExceededError` or `QueueFullError`. */
  limits?: Limits | undefined;
  /** Which ended tasks are kept, and for how long. Default the newest 1 000, for 30 days. */
  retention?: Retention | undefined;
  /** Where time comes from. Default the platform's; `manualClock` of `errand/testing` for tests. */
  clock?: Clock | undefined;
  /** Where ids come from. Default random ids; `countedIds` of `errand/testing` for tests. */
  ids?: Ids | undefined;
  /** Receives faults for which no caller waits: of listeners without `listener.failed`, hooks, schemas and stores, and failed roots whose outcome no caller has read within 5 s. A logger that fails changes nothing. */
  logger?: Logger | undefined;
  /** How long a stopped function may take to settle before it is abandoned. Milliseconds ≥ 0; default 5 000. */
  graceMs?: number | undefined;
  /** Default true: inside a task's function, `manager.spawn` makes its child and any wait is its wait. */
  ambient?: boolean | undefined;
  /** Milliseconds in line that one step of priority is worth, and that a resume or a child of a started task is ahead. Finite, ≥ 0; default 1 000. */
  agingMs?: number | undefined;
}

/** Spawns tasks, limits them, and knows all of them. In memory; with `TaskManager.open`, and a store, also across restarts. */
export class TaskManager extends Scope {
  /** Where people answer what tasks ask. */
  readonly inbox: Inbox;
  protected readonly caller = undefined;
  protected readonly closes = undefined;

  /** In memory. `TypeError` or `RangeError` names an option that does not fit; a `store` is a `TypeError`: use `open`. */
  constructor(options: TaskManagerOptions = {}) {
    checkManagerOptions(options);
    if (options.store !== undefined) throw new TypeError("store must be opened: use TaskManager.open");
    super(
      new Core({
        concurrency: options.concurrency ?? Number.POSITIVE_INFINITY,
        lanes: options.lanes ?? {},
        limits: options.limits ?? {},
        retention: options.retention ?? {},
        clock: options.clock,
        ids: options.ids,
        logger: options.logger,
        graceMs: options.graceMs ?? 5_000,
        isAmbient: options.ambient ?? true,
        agingMs: options.agingMs ?? 1_000,
        kinds: options.kinds ?? [],
        call: callWork,
      }),
    );
    this.inbox = this.core.inbox;
  }

  /**
   * Restores the state of the store, then resumes or ends each task that a process left which is gone: a task whose kind `canReattach` is
   * `queued` again as its next attempt; one that was asked to stop ends as if it had; every other is `interrupted`, which names the process. A task
   * whose kind or lane this manager does not know is parked: it stays active, `blockedOn` names what is missing, and `logger.warn` names the task.
   * All of it is stored when this resolves, and resumed tasks start after the turn in which it did. Without a `store` it is the constructor.
   * Rejects with `StoreLockedError` (another process has it open), `JournalCorruptError`, `StoreUnavailableError`, or as the constructor throws.
   */
  static async open(options: TaskManagerOptions): Promise<TaskManager> {
    checkType("options", options, "object");
    const { store, ...rest } = options;
    if (store !== undefined) checkStore("store", store);
    const manager = new TaskManager(rest);
    if (store === undefined) return manager;
    await runOutside(() => openStore(manager.core, store, options.durability !== "relaxed"));
    return manager;
  }

  /**
   * Starts work and returns at once; the function runs later in the same turn, when a slot is free, never inside this call.
   * Inside a task's function it makes a child of that task, unless `root` or `parent` says otherwise; outside it makes a root.
   * Throws what `Spawn` says, and starts nothing then.
   */
  readonly spawn: Spawn = (work: unknown, options?: SpawnOptions & { input?: unknown }) => this.start(work, options);

  protected spawnScope(): SpawnScope {
    const parent = this.#ambientParent();
    return { parent, sessionId: parent?.sessionId };
  }

  /** H0: a task of another manager is nobody's parent here. */
  #ambientParent(): Task | undefined {
    return ambientAttempt()?.waits === this.core.waits ? ambientParent() : undefined;
  }

  protected owns(): boolean {
    return true;
  }
  protected isChild(task: Task): boolean {
    return task.parent === undefined;
  }

  /** Every root with what is kept below it, or the one tree under `id`. Empty when unknown. */
  tree(id?: string): readonly TaskTree[] {
    if (id === undefined) {
      const tops = this.core.list(
        {},
        (task) => task.parent === undefined || this.core.registry.byId(task.parent.id) === undefined,
      );
      return tops.map(treeOf);
    }
    checkType("id", id, "string");
    const task = this.core.registry.byId(id);
    return task === undefined ? [] : [treeOf(task)];
  }

  /**
   * One owner loop by its name: the same id is the same session in each call. `options` bound what all tasks of the session take together. They
   * count from this call on, for each handle of the session; a later call changes the fields that it names. They are not stored: give them
   * again after a restart. A session of which no record is kept is forgotten
   * `retention.ttlMs` later, its usage included. `TypeError`, `RangeError`: an option does not fit.
   */
  session(id: string, options?: SessionOptions): Session {
    checkType("id", id, "string");
    checkText("id", id);
    return new NamedSession(this.core, id, () => this.#ambientParent(), options);
  }

  /**
   * The context of the task whose function makes this call: for code that did not receive it, such as a tool deep in another library. `undefined`
   * outside tasks, in a task of another manager, with `ambient: false`, and once that function is over.
   */
  get current(): TaskContext | undefined {
    const attempt = ambientAttempt();
    if (attempt?.phase !== "open" || attempt.waits !== this.core.waits) return undefined;
    return new Context(this.core, attempt);
  }

  /**
   * Calls `listener` with each event of that type once the event is stored, outside any task. Returns a function that removes the listener; calling
   * it twice has no further effect. A listener that throws changes nothing else: its error is the event `listener.failed`.
   */
  on<K extends keyof ManagerEventMap>(type: K, listener: (event: ManagerEventMap[K]) => unknown): () => void {
    checkOneOf("type", type, EVENT_TYPES);
    checkType("listener", listener, "function");
    return this.core.loop.listeners.on(type, listener, this.core.loop.nextSeq);
  }

  /** Removes a listener that `on` added. No effect when it is not there. */
  off<K extends keyof ManagerEventMap>(type: K, listener: (event: ManagerEventMap[K]) => unknown): void {
    checkOneOf("type", type, EVENT_TYPES);
    this.core.loop.listeners.off(type, listener);
  }

  /**
   * The kept events from the `seq` `from` on (default: the oldest kept), then live; ends when `signal` aborts or the manager closes. Buffers
   * nothing. `taskId` gives the events of that task alone, and does not end with it.
   *
   * `from: 0` and `from: 1` are the beginning of the journal. `from: "now"` is the next event. A reader that kept the `seq` of its last event
   * passes that `seq` + 1, also when that event is still to come. A larger `from` is a `RangeError` that names the newest `seq`.
   *
   * With a store, all that its journal keeps; in memory, from the first call on the newest 10 000. A reader whose `from` is behind the oldest
   * kept event gets `EventsCompactedError`, which names that event.
   */
  events(
    options: {
      from?: number | "now" | undefined;
      taskId?: string | undefined;
      sessionId?: string | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): AsyncIterable<TaskEvent> {
    checkOptions("events", options, "from", "taskId", "sessionId", "signal");
    const { taskId, sessionId, signal } = options;
    checkText("taskId", taskId);
    checkText("sessionId", sessionId);
    checkSignal("signal", signal);
    const from = this.#firstSeq(options.from);
    const matches = (event: TaskEvent) =>
      (taskId === undefined || event.taskId === taskId) && (sessionId === undefined || event.sessionId === sessionId);
    return this.core.events(from, matches, signal);
  }

  /** `seq` of the first event that a reader wants; `undefined`: the oldest kept. */
  #firstSeq(from: unknown): number | undefined {
    const { nextSeq } = this.core.loop;
    if (from === "now") return nextSeq;
    if (typeof from === "string") throw new TypeError(`from must be a seq or "now", got ${show(from)}`);
    checkCount("from", from, 0);
    if (typeof from !== "number") return undefined;
    if (from > nextSeq)
      throw new RangeError(
        `from must be at most ${nextSeq}, the seq of the next event, got ${from}: the newest event is ${nextSeq - 1}`,
      );
    return Math.max(1, from);
  }

  /** This manager's own instance: what the `runtime` of a record names when the task runs here. */
  get runtime(): Runtime {
    return this.core.runtime;
  }

  /** Counts of the moment. */
  stats(): Stats {
    return this.core.stats();
  }

  /**
   * Resolves when `spawn` would not be `QueueFullError`, in the lane given (default `"default"`). Each free place is reported to one caller.
   * `UnknownLaneError`; `ManagerClosedError`, also when it closes meanwhile.
   */
  room(options: WaitOptions & { lane?: string | undefined } = {}): Promise<void> {
    try {
      checkOptions("room", options, "signal", "lane");
      checkSignal("signal", options.signal);
      return this.core.room(this.core.spawner.laneOf(options.lane ?? DEFAULT_LANE), options.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Resolves when every task is over, at once when there is none. Inside a task it is `AwaitCycleError`. */
  idle(options: WaitOptions = {}): Promise<void> {
    try {
      checkOptions("idle", options, "signal");
      checkSignal("signal", options.signal);
      return this.core.idle(options.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Stops starts, of one lane or all, until `resume`; never the way back of started tasks. A task whose function has not started yet is held too, also
   * one that was spawned in the same turn and was granted its slot: it goes back to its place in line.
   *
   * With `untilAt`, in epoch milliseconds (for example from a `Retry-After`), the lane resumes at that instant without another call, and at once
   * when it is past. Of several pauses the longest counts, and one without `untilAt` lasts until `resume`. A pause is not stored.
   * `UnknownLaneError`.
   */
  pause(lane?: string, options: { untilAt?: number | undefined } = {}): void {
    checkOptions("pause", options, "untilAt");
    if (lane !== undefined) checkType("lane", lane, "string");
    checkFinite("untilAt", options.untilAt);
    this.core.slots.pause(this.#laneNamed(lane), options.untilAt ?? Number.POSITIVE_INFINITY);
  }
  /** Resumes starts, of one lane or all, however they were paused. No effect when nothing is paused. `UnknownLaneError`. */
  resume(lane?: string): void {
    this.core.slots.resume(this.#laneNamed(lane));
  }

  #laneNamed(name: string | undefined): Lane<Task> | undefined {
    return name === undefined ? undefined : this.core.spawner.laneOf(name);
  }

  /**
   * Changes a lane while it runs: `setLane("model", { rate: { limit: 20, periodMs: 60_000 } })`. What is left out stays as it is, and `null` for
   * `rate` or `perKey` takes that bound away. More slots start more tasks at once. Fewer slots stop nothing that has started, and the next
   * starts wait. The starts that the old windows still knew count in the new ones. A task in line that weighs more than a new limit starts when
   * nothing else counts in that window.
   * Not stored: a restart has the lanes that its options declare. `UnknownLaneError`; `TypeError` or `RangeError` names an option that does not
   * fit, and nothing has changed then.
   */
  setLane(name: string, change: LaneChange): void {
    checkType("name", name, "string");
    const lane = this.core.spawner.laneOf(name);
    checkLaneChange(change);
    this.core.laneChanges.setLane(lane, change);
  }

  /**
   * Changes the slots of the whole manager while it runs, as `setLane` does those of a lane: an integer ≥ 1, or `Infinity`. The default lane
   * has as many, unless it was declared, or given its own by `setLane`.
   */
  setConcurrency(concurrency: number): void {
    checkType("concurrency", concurrency, "number");
    checkCount("concurrency", concurrency, 1);
    this.core.laneChanges.setConcurrency(concurrency);
  }

  /**
   * Refuses new work, aborts every signal with `shutdown`, and gives it `graceMs`: a return is `succeeded`, a rejection or silence `interrupted`.
   * Then promises still out reject with `ManagerClosedError`. Calling it twice has no further effect. To let work finish, `await manager.idle()` first.
   * Inside a task it is `AwaitCycleError`, and closes nothing.
   */
  close(options: { graceMs?: number | undefined } = {}): Promise<void> {
    try {
      checkOptions("close", options, "graceMs");
      checkMs("graceMs", options.graceMs);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.core.close(options.graceMs ?? this.core.graceMs);
  }

  /** `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

export const MANAGER_OPTIONS: ReadonlySet<string> = new Set<keyof TaskManagerOptions>([
  ...([
    "store",
    "kinds",
    "durability",
    "concurrency",
    "lanes",
    "limits",
    "retention",
    "clock",
    "ids",
    "logger",
    "graceMs",
    "ambient",
    "agingMs",
  ] as const),
]);

function checkManagerOptions(options: TaskManagerOptions): void {
  checkType("options", options, "object");
  checkKnown("TaskManager", options, MANAGER_OPTIONS);
  const { lanes = {}, limits, retention, clock, ids, logger } = options;
  checkCount("concurrency", options.concurrency, 1);
  checkType("lanes", lanes, "object");
  for (const [name, lane] of Object.entries(lanes)) {
    checkText("the name of a lane", name);
    checkLane(`lanes.${name}`, lane);
  }
  if (options.kinds !== undefined && !Array.isArray(options.kinds))
    throw new TypeError(`kinds must be a list of kinds, got ${show(options.kinds)}`);
  checkOneOf("durability", options.durability, ["strict", "relaxed"]);
  if (limits !== undefined) checkLimits(limits);
  if (retention !== undefined) {
    checkOptions("retention", retention, "maxFinished", "ttlMs");
    checkCount("retention.maxFinished", retention.maxFinished, 0);
    checkMs("retention.ttlMs", retention.ttlMs);
  }
  if (clock !== undefined) {
    for (const method of ["now", "setTimeout", "clearTimeout"]) checkMethod("clock", clock, method);
    for (const method of ["monotonic", "onSet"] as const)
      if (clock[method] !== undefined) checkMethod("clock", clock, method);
  }
  if (ids !== undefined) checkMethod("ids", ids, "next");
  checkLogger(logger);
  checkMs("graceMs", options.graceMs);
  checkMs("agingMs", options.agingMs);
  checkFinite("agingMs", options.agingMs);
  if (options.ambient !== undefined) checkType("ambient", options.ambient, "boolean");
}
