// Core: the parts of one manager, connected, and the verbs that need several of them.
//
// Owns the parts. Managers, sessions, contexts and handles are views of the core: they check what comes in and call the
// verbs.

import { Consequences } from "./consequences.js";
import { isKeptApart } from "./durable/large-outputs.js";
import type { Lease } from "./durable/lease.js";
import { storeFailure } from "./durable/store-failure.js";
import { StoredEvents } from "./durable/stored-events.js";
import { ReplayedStarts } from "./durable/stored-starts.js";
import { Listeners } from "./events/listeners.js";
import { Answering } from "./inbox/answering.js";
import { Asking } from "./inbox/asking.js";
import { RequestInbox } from "./inbox/inbox.js";
import { Messages } from "./inbox/messages.js";
import { Requests } from "./inbox/requests.js";
import { type AnyTaskKind } from "./kinds/kind.js";
import { Kinds } from "./kinds/kind-registry.js";
import { Lane } from "./lanes/lane.js";
import type { LaneOptions } from "./lanes/lane-options.js";
import { Slots } from "./lanes/slots.js";
import { fits } from "./live/filter.js";
import { Registry } from "./live/registry.js";
import { SessionUsage } from "./live/session-usage.js";
import type { Attempt, Run, Task } from "./live/task.js";
import { Loop } from "./loop.js";
import { Notices } from "./notices/notices.js";
import { UnreadFailures } from "./notices/unread.js";
import { Awaiter } from "./outcomes/awaiter.js";
import { type JoiningJournal, Replay, type ReplayDeps } from "./recovery/replay.js";
import type { Standbys } from "./recovery/standbys.js";
import { windDown } from "./recovery/unresumed.js";
import { Handoff } from "./run/handoff.js";
import { Idle } from "./run/idle.js";
import { declaredLanes, LaneChanges } from "./run/lane-changes.js";
import { Retainer, type Retention } from "./run/retention.js";
import { Runner } from "./run/runner.js";
import { Shutdown } from "./run/shutdown.js";
import { type Stats, statsOf } from "./run/stats.js";
import { BudgetGuard } from "./spawn/budget-guard.js";
import { type Limits } from "./spawn/limits.js";
import { LineCapacity } from "./spawn/line-capacity.js";
import { Spawner } from "./spawn/spawn.js";
import type { StoreLockedError } from "./task/errors.js";
import type { TaskEvent } from "./task/events.js";
import type { KindParts, Work } from "./task/kind-parts.js";
import type { Runtime, TaskFilter } from "./task/record.js";
import { type Clock, Timekeeper } from "./time/clock.js";
import { systemClock } from "./time/system-clock.js";
import { handled } from "./values/handled.js";
import { type Ids, NumberedIds } from "./values/ids.js";
import { GuardedLogger, type Logger } from "./values/logger.js";
import { runOutside } from "./values/outside.js";
import { metAlready, waitForSlot } from "./waits/slot-wait.js";
import { Waits } from "./waits/waits.js";

interface CoreOptions {
  readonly concurrency: number;
  readonly lanes: { readonly [lane: string]: LaneOptions };
  readonly limits: Limits;
  readonly retention: Retention;
  readonly clock: Clock | undefined;
  readonly ids: Ids | undefined;
  readonly logger: Logger | undefined;
  readonly graceMs: number;
  readonly isAmbient: boolean;
  readonly agingMs: number;
  readonly kinds: readonly AnyTaskKind[];
  /** Calls a task's function with the context of its attempt, which is a view of this core. */
  readonly call: (core: Core, attempt: Attempt, work: Work) => unknown;
  /** No task of the manager is left to end. */
  readonly onIdle: (core: Core) => void;
}

/** The tasks of one caller: a manager, a session or a context. */
export interface OwnTasks {
  /** All of them, in order of creation; costs nothing for the tasks of others. */
  readonly tasks: () => Iterable<Task>;
  /** Whether `task` is one of them. */
  readonly owns: (task: Task) => boolean;
}

/**
 * The parts of one manager. The core is itself the port through which the parts know each other: each part declares,
 * as an interface, the few fields and methods that it reads, and reads them when it needs them. A manager makes no
 * closure for a call that every task makes: the engine would compile such calls anew for each manager.
 */
export class Core {
  /** This process. */
  readonly runtime: Runtime;
  /** The registered kinds. */
  readonly kinds: Kinds;
  /** The logger of the manager; an error that it throws is ignored. */
  readonly logger: GuardedLogger;
  /** The source of ids. */
  readonly ids: Ids;
  /** The bounds on families and on the line. */
  readonly limits: Limits;
  /** Whether the functions of tasks run with their task as the ambient one (H0). */
  readonly isAmbient: boolean;
  /** The default grace of a stopped function, in milliseconds. */
  readonly graceMs: number;
  /** Applies commands and facts to tasks, and delivers what follows. */
  readonly loop: Loop;
  /** The lanes and their slots. */
  readonly slots: Slots<Run>;
  /** Changes of lanes while tasks run. */
  readonly laneChanges: LaneChanges;
  /** The pending waits. */
  readonly waits: Waits;
  /** The tasks by id, name and call. */
  readonly registry: Registry;
  /** The questions of tasks. */
  readonly requests: Requests;
  /** The asking side of questions. */
  readonly asking: Asking;
  /** The answering side of questions. */
  readonly answering: Answering;
  /** The public inbox. */
  readonly inbox: RequestInbox;
  /** Messages to and from tasks. */
  readonly messages: Messages;
  /** The notices of owner loops. */
  readonly notices: Notices;
  /** The life of tasks' functions. */
  readonly runner: Runner;
  /** Makes tasks. */
  readonly spawner: Spawner;
  /** Waits for ends of tasks. */
  readonly awaiter: Awaiter;
  /** Stops tasks that are over a budget. */
  readonly budgets: BudgetGuard;
  /** The consequences of each fact. */
  readonly consequences: Consequences;
  /** The accounts of named sessions. */
  readonly sessions: SessionUsage;
  /** Places in the bounded line. */
  readonly capacity: LineCapacity;
  /** The tasks that are left for the next process. */
  readonly handoff: Handoff;
  /** Keeps and evicts the records of ended tasks. */
  readonly retainer: Retainer;
  /** Failures that no caller has read. */
  readonly unread: UnreadFailures;
  /** The count of living tasks. */
  readonly idle = new Idle();
  readonly #shutdown: Shutdown;
  readonly #options: CoreOptions;
  #stored: StoredEvents | undefined = undefined;
  /** Resumes a parked task whose kind a spawn has brought. Written by `open-store.ts`. */
  resume: ((task: Task, kind: KindParts) => void) | undefined = undefined;
  /** Present with a shared store. Written by `open-store.ts`. */
  lease: Lease | undefined = undefined;
  /** Present with a shared store: the ids that this process shares with others. Written by `open-store.ts`. */
  standbys: Standbys | undefined = undefined;
  /**
   * Ids of evicted tasks whose output the store keeps separately; `undefined` without a store. The committer deletes
   * these outputs.
   */
  evictedOutputs: Set<string> | undefined = undefined;
  /** Ids that a spawner gave and whose tasks were evicted. The committer frees them in a store with shared ids. */
  readonly evictedIds = new Set<string>();

  /** Each part is made after the parts that its constructor reads. */
  constructor(options: CoreOptions) {
    const clock = new Timekeeper(options.clock ?? systemClock);
    const logger = new GuardedLogger(options.logger);
    const { lanes, follower } = declaredLanes(options, clock);
    const { ids = new NumberedIds() } = options;
    this.#options = options;
    this.logger = logger;
    this.ids = ids;
    this.limits = options.limits;
    this.isAmbient = options.isAmbient;
    this.graceMs = options.graceMs;
    this.kinds = new Kinds(options.kinds, logger);
    this.runtime = Object.freeze({ instanceId: ids.next("instance"), pid: process.pid, startedAt: clock.now() });
    this.registry = new Registry(ids instanceof NumberedIds ? ids : undefined);
    this.loop = new Loop(clock, new Listeners(() => clock.now(), logger));
    this.slots = new Slots<Run>(options.concurrency, lanes, this);
    this.laneChanges = new LaneChanges(this.slots, this.registry, follower);
    this.waits = new Waits(this.loop, this.slots);
    this.handoff = new Handoff(this.idle);
    this.retainer = new Retainer(clock, options.retention, (task) => this.#forget(task));
    this.requests = new Requests(this.loop, this.registry);
    this.answering = new Answering(this);
    this.messages = new Messages(this);
    this.asking = new Asking(this);
    this.inbox = new RequestInbox(this);
    this.notices = new Notices(this);
    this.sessions = new SessionUsage(clock, this.retainer.ttlMs, (sessionId) => this.notices.forget(sessionId));
    this.unread = new UnreadFailures(this.loop, logger);
    this.consequences = new Consequences(this);
    this.loop.consequences = this.consequences;
    this.runner = new Runner(this);
    this.awaiter = new Awaiter(this);
    this.budgets = new BudgetGuard(this);
    this.spawner = new Spawner(this);
    this.capacity = new LineCapacity(this);
    this.#shutdown = new Shutdown(this);
  }

  // ── what the parts ask of each other ─────────────────────────────────────

  /** The item has a slot. */
  granted(run: Run): void {
    this.runner.granted(run);
  }

  /** A start may find a place in line that it did not find before. */
  placeFreed(): void {
    this.capacity.offer();
  }

  /** Calls the function of a task with the context of its attempt. */
  call(attempt: Attempt, work: Work): unknown {
    return this.#options.call(this, attempt, work);
  }

  /** A spawn has found an existing task and brings its kind. */
  found(task: Task, kind: KindParts): void {
    if (this.handoff.has(task)) this.resume?.(task, kind);
  }

  /** A task of an earlier process was stopped and has ended here: calls `cancel` of its kind. */
  windDown(task: Task): void {
    void runOutside(() => windDown(this, task));
  }

  /** No task of the manager is left to end. */
  rested(): void {
    this.#options.onIdle(this);
  }

  #forget(task: Task): void {
    if (this.evictedOutputs !== undefined && isKeptApart(task.state.output)) this.evictedOutputs.add(task.id);
    if (this.standbys !== undefined && task.traits.hasGivenId) this.evictedIds.add(task.id);
    this.consequences.forgotten(task);
  }

  // ── waiting ──────────────────────────────────────────────────────────────

  /** Resolves when no task of this process is left. */
  whenIdle(signal: AbortSignal | undefined): Promise<void> {
    const refused = this.awaiter.refusalInside(signal);
    if (refused !== undefined) return refused;
    if (this.idle.isIdle) return metAlready(this.waits, signal);
    return waitForSlot(this.waits, signal, (wait) => this.idle.wait(wait));
  }

  // ── closing ──────────────────────────────────────────────────────────────

  /** The time that the task's function may take to settle if it is stopped now, in milliseconds (C2, D8). */
  graceOf(task: Task): number {
    const { graceMs = this.graceMs } = task.traits.limits ?? {};
    return Math.min(graceMs, this.#shutdown.graceMs);
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.loop.phase.isClosed;
  }

  /** Closes the manager (D8). A second call has no further effect. */
  close(graceMs: number): Promise<void> {
    return this.awaiter.refusalInside(undefined) ?? this.#shutdown.close(graceMs);
  }

  /** Stores and delivers everything that is decided, within `graceMs`. */
  settle(graceMs: number): Promise<unknown> {
    this.lease?.close();
    this.standbys?.close();
    return this.loop.committer?.close(graceMs) ?? this.loop.told(undefined);
  }

  // ── events ───────────────────────────────────────────────────────────────

  /** Events from `from` on (default the oldest kept one), then live ones. */
  events(
    from: number | undefined,
    matches: (event: TaskEvent) => boolean,
    signal: AbortSignal | undefined,
  ): AsyncIterable<TaskEvent> {
    const recent = this.loop.recentEvents();
    return this.#storedEvents()?.read(from, matches, signal) ?? recent.read(from ?? recent.oldest, matches, signal);
  }

  /** The newest `limit` events of one task. */
  async history(task: Task, limit: number): Promise<readonly TaskEvent[]> {
    const stored = this.#storedEvents();
    if (stored === undefined) return this.loop.recentEvents().newest((event) => event.taskId === task.id, limit);
    await this.loop.stored.readable(this.loop.seq);
    return stored.history(task.id, !task.traits.hasGivenId, limit);
  }

  #storedEvents(): StoredEvents | undefined {
    const { committer, stored } = this.loop;
    if (committer === undefined) return undefined;
    this.#stored ??= new StoredEvents(committer.store, stored, () => this.loop.recentEvents());
    return this.#stored;
  }

  // ── with a store ─────────────────────────────────────────────────────────

  /** A replay of the journal of another process. With `beside`, its tasks join the tasks of this one. */
  replay(beside: JoiningJournal | undefined): Replay {
    const { loop, registry, requests, messages, sessions, notices, slots, consequences } = this;
    const deps: ReplayDeps = {
      ...{ loop, registry, requests, messages, sessions, notices, consequences },
      // Each process declares its lanes anew. A task may name a lane that is not declared here; nothing starts in it.
      laneOf: (name) => slots.lanes.get(name) ?? new Lane<Run>(name, { concurrency: 1 }, 0, loop.clock),
      starts: new ReplayedStarts(slots.lanes),
    };
    return new Replay(deps, beside);
  }

  /** Another process has taken the store: closes this manager, and drops every delivery that could not be stored. */
  lost(error: StoreLockedError): void {
    this.storeFailed(error);
    this.lease?.close();
    this.loop.committer?.lose(error);
    this.loop.drop(error);
    void handled(this.close(0));
  }

  /** Reports a failure of the store as `store.failed`, or to the logger without a listener. */
  storeFailed(thrown: unknown): void {
    const { clock, listeners } = this.loop;
    const error = storeFailure("work", thrown);
    const event = { type: "store.failed", at: clock.now(), error } as const;
    if (listeners.has(event.type)) this.loop.call(() => listeners.emit(event), 0);
    else this.logger.error("The store failed", { error });
  }

  // ── reading ──────────────────────────────────────────────────────────────

  /** The tasks of the caller that fit, in order of creation. */
  list(filter: TaskFilter, { tasks, owns }: OwnTasks): Task[] {
    return [...(this.registry.narrowed(filter) ?? tasks())].filter((task) => owns(task) && fits(task, filter));
  }

  /** Counts of tasks at the moment of the call. */
  stats(): Stats {
    return statsOf(this);
  }
}
