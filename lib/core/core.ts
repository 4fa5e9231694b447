// Core: the parts of one manager, connected, and the verbs that need several of them.
//
// Owns the parts. Managers, sessions, contexts and handles are views of the core: they check what comes in and call the
// verbs. The parts know each other only through the dependencies that the constructor gives them.

import { Consequences } from "./consequences.js";
import type { Committer } from "./durable/committer.js";
import { newestEvents, readEvents } from "./durable/event-reader.js";
import { isKeptApart } from "./durable/large-outputs.js";
import type { Lease } from "./durable/lease.js";
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
import type { Attempt, Task } from "./live/task.js";
import { UnreadFailures } from "./live/unread.js";
import { Loop } from "./loop.js";
import { Notices } from "./notices/notices.js";
import { Awaiter } from "./outcomes/awaiter.js";
import { type OtherJournal, Replay, type ReplayDeps } from "./recovery/replay.js";
import type { Standbys } from "./recovery/standbys.js";
import { windDown } from "./recovery/unresumed.js";
import { Handoff, isResumable } from "./run/handoff.js";
import { Idle } from "./run/idle.js";
import { LaneChanges } from "./run/lane-changes.js";
import { Retainer, type Retention } from "./run/retention.js";
import { Runner } from "./run/runner.js";
import { Shutdown, type ShutdownDeps } from "./run/shutdown.js";
import { type Stats, statsOf } from "./run/stats.js";
import { BudgetGuard } from "./spawn/budget-guard.js";
import { type Limits } from "./spawn/limits.js";
import { LineCapacity } from "./spawn/line-capacity.js";
import { DEFAULT_LANE, Spawner } from "./spawn/spawn.js";
import { ManagerClosedError, type StoreLockedError } from "./task/errors.js";
import type { TaskEvent } from "./task/events.js";
import type { KindParts, Work } from "./task/kind-parts.js";
import type { Runtime, TaskFilter } from "./task/record.js";
import type { StopReason } from "./task/status.js";
import { type Clock, Timekeeper } from "./time/clock.js";
import { systemClock } from "./time/system-clock.js";
import { show } from "./values/checks.js";
import { handled } from "./values/handled.js";
import { type Ids, instanceIds } from "./values/ids.js";
import { GuardedLogger, type Logger } from "./values/logger.js";
import { runOutside } from "./values/outside.js";
import { waiterOf } from "./waits/ambient.js";
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
}

/** The parts of one manager. */
export class Core {
  /** This process. */
  readonly runtime: Runtime;
  /** The registered kinds. */
  readonly kinds: Kinds;
  /** The logger of the manager; an error that it throws is ignored. */
  readonly logger: GuardedLogger;
  /** The only writer of tasks' states. */
  readonly loop: Loop;
  /** The lanes and their slots. */
  readonly slots: Slots<Task>;
  /** Changes of lanes while tasks run. */
  readonly laneChanges: LaneChanges;
  /** The pending waits. */
  readonly waits: Waits;
  /** The tasks by id, name and call. */
  readonly registry = new Registry();
  /** The questions of tasks. */
  readonly requests: Requests;
  /** The asking side of questions. */
  readonly asking: Asking;
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
  /** The default grace of a stopped function, in milliseconds. */
  readonly graceMs: number;
  /** Waits for ends of tasks. */
  readonly awaiter: Awaiter;
  /** Stops tasks that are over a budget. */
  readonly budgets: BudgetGuard;
  /** The consequences of each fact. */
  readonly consequences: Consequences;
  /** The accounts of named sessions. */
  readonly sessions: SessionUsage;
  readonly #retainer: Retainer;
  readonly #unread: UnreadFailures;
  readonly #capacity: LineCapacity;
  readonly #idle = new Idle();
  readonly #handoff = new Handoff(() => this.#idle.ended());
  readonly #shutdown = new Shutdown(() => this.#shutdownDeps());
  /** Names of kinds for which a warning was logged. */
  readonly #unregistered = new Set<string>();
  /** The committer of the store, when there is a store. Written by `open-store.ts`. */
  committer: Committer | undefined;
  /** Resumes a parked task whose kind a spawn has brought. Written by `open-store.ts`. */
  resume: ((task: Task, kind: KindParts) => void) | undefined;
  /** Present with a shared store. Written by `open-store.ts`. */
  lease: Lease | undefined;
  /**
   * Ids of evicted tasks whose output the store keeps separately; `undefined` without a store. The committer deletes
   * these outputs.
   */
  evictedOutputs: Set<string> | undefined;
  /** Ids that a spawner gave and whose tasks were evicted. The committer frees them in a store with shared ids. */
  readonly evictedIds = new Set<string>();
  /** Present with a shared store. Written by `open-store.ts`. */
  standbys: Standbys | undefined;

  constructor(options: CoreOptions) {
    const { ids = instanceIds(), agingMs, limits } = options;
    const clock = new Timekeeper(options.clock ?? systemClock);
    this.kinds = new Kinds(options.kinds);
    this.logger = new GuardedLogger(options.logger);
    this.runtime = Object.freeze({
      instanceId: ids.next("instance"),
      pid: process.pid,
      startedAt: clock.now(),
    });
    const lanes = Object.entries(options.lanes).map(([name, lane]) => new Lane<Task>(name, lane, agingMs, clock));
    const follower = Object.hasOwn(options.lanes, DEFAULT_LANE)
      ? undefined
      : new Lane<Task>(DEFAULT_LANE, { concurrency: options.concurrency }, agingMs, clock);
    if (follower !== undefined) lanes.unshift(follower);
    this.graceMs = options.graceMs;
    this.loop = new Loop(clock, new Listeners(() => clock.now(), this.logger));
    this.slots = new Slots<Task>(
      options.concurrency,
      lanes,
      (task) => this.runner.granted(task),
      () => this.#capacity.offer(),
    );
    this.laneChanges = new LaneChanges(this.slots, this.registry, follower);
    this.waits = new Waits(this.loop, this.slots);
    const { loop, slots, waits, registry, kinds, logger } = this;
    const isClosed = () => this.isClosed;
    const requests = new Requests({ loop, taskOf: (id) => registry.byId(id) });
    this.requests = requests;
    this.asking = new Asking({ loop, waits, requests, ids });
    const answering = new Answering({
      ...{ loop, waits, requests, isClosed },
      isKindMissing: (task) => task.traits.kind !== undefined && kinds.of(task) === undefined,
    });
    this.inbox = new RequestInbox({ loop, requests, answering, isClosed });
    this.messages = new Messages({
      ...{ loop, waits, requests, answering, ids },
      kindOf: (task) => kinds.of(task),
      claimed: (task) => this.standbys?.known(task),
      processOf: (task) => this.standbys?.processOf(task),
      onSent: (task) => this.notices.messageCame(task),
      onFailed: (what, error) => logger.warn(what, { error }),
    });
    this.notices = new Notices({
      ...{ loop, waits, isClosed },
      warn: (what) => logger.warn(what),
      onAcknowledged: (task) => this.#retainer.release(task),
      isParked: (task) => this.isParked(task),
    });
    this.#retainer = new Retainer(clock, options.retention, (task) => this.#forget(task));
    this.sessions = new SessionUsage(clock, this.#retainer.ttlMs, (sessionId) => this.notices.forget(sessionId));
    const stop = (task: Task, code: StopReason, reason: string) => this.runner.stop(task, code, reason);
    this.consequences = new Consequences({
      ...{ loop, registry },
      sessions: this.sessions,
      requests,
      notices: this.notices,
      retainer: this.#retainer,
      handoff: this.#handoff,
      idle: this.#idle,
      windDown: (task) => void runOutside(() => windDown(this, task)),
    });
    loop.onFact = (task, fact, seq, at) => this.consequences.follow(task, fact, seq, at);
    this.awaiter = new Awaiter({ waits, notices: this.notices, registry, stop });
    this.budgets = new BudgetGuard({ slots, registry, sessions: this.sessions, stop });
    this.runner = new Runner({
      ...{ loop, slots, waits },
      runtime: this.runtime,
      isAmbient: options.isAmbient,
      graceMs: options.graceMs,
      call: (attempt, work) => options.call(this, attempt, work),
      endCorrespondence: (task, then, errorOf) => {
        this.requests[then](task);
        task.extras?.mailbox?.close(errorOf);
      },
      retryOf: (task) => kinds.retryOf(task),
      onRetryFailed: (task, error) => logger.warn(`retryIf threw: task ${task.id} is not tried again`, { error }),
      onBackoffFailed: (task, error) =>
        logger.warn(`backoffMs gave no pause: task ${task.id} is tried again after the default one`, { error }),
      enter: (task) => this.spawner.enter(task),
      onStarted: (task) => this.messages.started(task),
      onEnd: (task) => {
        this.standbys?.leave(task);
        this.consequences.ended(task);
        this.#unread.ended(task);
      },
      staysActive: (task) => this.committer !== undefined && isResumable(task, this.kinds),
      onHandedOff: (task) => this.#handoff.handOff(task),
      isParked: (task) => this.isParked(task),
      durable: (seq) => this.committer?.durable(seq) ?? Promise.resolve(),
      claimed: (task) => this.standbys?.claimed(task),
      onReturned: (task) => this.#handoff.handOffReturned(task),
    });
    this.spawner = new Spawner({
      ...{ loop, slots, registry, ids, limits, kinds },
      closedScopes: this.awaiter.closedScopes,
      ...{ stop, isClosed },
      storeFailure: () => this.committer?.failure,
      accountOf: (sessionId) => this.sessions.find(sessionId),
      onPlaced: (task, before) => this.consequences.placed(task, before),
      onCreated: (task) => {
        this.consequences.created(task, true);
        if (task.kind !== undefined && this.committer !== undefined) this.#warnOfUnregistered(task.kind);
      },
      onFound: (task, kind) => {
        if (this.#handoff.has(task)) this.resume?.(task, kind);
      },
      onReplaced: (task) => {
        // The notice of the old end is obsolete: the work is done once more.
        this.notices.acknowledge([...(task.noticed ?? [])]);
        this.#retainer.replaced(task);
      },
    });
    this.#capacity = new LineCapacity(
      (lane, lent) => this.spawner.roomIn(lane, lent),
      (lane) => slots.unsought(lane),
    );
    this.#unread = new UnreadFailures({
      clock: loop.clock,
      logger,
      isHeard: () => loop.listeners.has("task.failed"),
      hasStored: (task) => task.endSeq <= loop.storedSeq,
      hasStore: () => this.committer !== undefined,
    });
  }

  /** Warns about a kind that could resume its tasks and is not registered, so a restart does not know it (D4). */
  #warnOfUnregistered({ name, canReattach }: KindParts): void {
    if (canReattach === undefined || this.kinds.find(name) !== undefined || this.#unregistered.has(name)) return;
    this.#unregistered.add(name);
    this.logger.warn(
      `The kind ${show(name)} can reattach and is not registered: after a restart its tasks are parked. Add it to \`kinds\` of the manager`,
      { kind: name },
    );
  }

  /** The task stays active, and nothing here waits for it (D4). */
  park(task: Task): void {
    this.#handoff.handOff(task);
  }

  /** The task belongs to this process again. */
  unpark(task: Task): void {
    if (this.#handoff.leave(task)) this.#idle.began();
  }

  /** Whether the task is left for another process. */
  isParked(task: Task): boolean {
    return this.#handoff.has(task);
  }

  #forget(task: Task): void {
    if (this.evictedOutputs !== undefined && isKeptApart(task.state.output)) this.evictedOutputs.add(task.id);
    if (this.standbys !== undefined && task.traits.hasGivenId) this.evictedIds.add(task.id);
    this.consequences.forgotten(task);
  }

  // ── waiting ──────────────────────────────────────────────────────────────

  /** Resolves when the line has a place for a spawn in `lane`. */
  room(lane: Lane<Task>, signal: AbortSignal | undefined): Promise<void> {
    if (this.isClosed) return Promise.reject(new ManagerClosedError("no room will come free"));
    if (this.#capacity.take(lane)) return metAlready(this.waits, signal);
    const lent = waiterOf(undefined)?.task.lane === lane ? 1 : 0;
    return waitForSlot(this.waits, signal, (wait) => this.#capacity.seek({ lane, lent }, wait));
  }

  /** Resolves when no task of this process is left. */
  idle(signal: AbortSignal | undefined): Promise<void> {
    const refused = this.awaiter.refusalInside(signal);
    if (refused !== undefined) return refused;
    if (this.#idle.isIdle) return metAlready(this.waits, signal);
    return waitForSlot(this.waits, signal, (wait) => this.#idle.wait(wait));
  }

  // ── closing ──────────────────────────────────────────────────────────────

  /** Whether the next process could resume the task if this manager closed now (D8). */
  staysActive(id: string): boolean {
    const task = this.registry.byId(id);
    return task !== undefined && this.committer !== undefined && isResumable(task, this.kinds);
  }

  /** The time that the task's function may take to settle if it is stopped now, in milliseconds (C2, D8). */
  graceOf(id: string): number {
    const { graceMs = this.graceMs } = this.registry.byId(id)?.traits.limits ?? {};
    return Math.min(graceMs, this.#shutdown.graceMs);
  }

  /** Whether `close` was called. */
  get isClosed(): boolean {
    return this.#shutdown.isClosed;
  }

  /** Closes the manager (D8). A second call has no further effect. */
  close(graceMs: number): Promise<void> {
    return this.awaiter.refusalInside(undefined) ?? this.#shutdown.close(graceMs);
  }

  #shutdownDeps(): ShutdownDeps {
    const { loop, slots, waits, registry, requests, runner, sessions } = this;
    return {
      ...{ loop, slots, waits, registry, requests, runner, sessions },
      capacity: this.#capacity,
      retainer: this.#retainer,
      handoff: this.#handoff,
      idle: this.#idle,
      unread: this.#unread,
      settle: (graceMs) => {
        this.lease?.close();
        this.standbys?.close();
        return this.committer === undefined ? loop.told(undefined) : this.committer.close(graceMs);
      },
    };
  }

  // ── events ───────────────────────────────────────────────────────────────

  /** Events from `from` on (default the oldest kept one), then live ones. */
  events(
    from: number | undefined,
    matches: (event: TaskEvent) => boolean,
    signal: AbortSignal | undefined,
  ): AsyncIterable<TaskEvent> {
    const recent = this.loop.recentEvents();
    const { committer } = this;
    if (committer === undefined) return recent.read(from ?? recent.oldest, matches, signal);
    const { store } = committer;
    const durable = (seq: number) => committer.durable(seq);
    const deps = { store, recent, storedSeq: committer.storedSeq, durable, isClosed: () => recent.isClosed };
    return readEvents(deps, from, matches, signal);
  }

  /** The newest `limit` events of one task. */
  async history(task: Task, limit: number): Promise<readonly TaskEvent[]> {
    const matches = (event: TaskEvent) => event.taskId === task.id;
    if (this.committer === undefined) return this.loop.recentEvents().newest(matches, limit);
    await this.committer.readable(this.loop.seq);
    return newestEvents(this.committer.store, matches, limit);
  }

  // ── with a store ─────────────────────────────────────────────────────────

  /** A replay of the journal of another process. With `beside`, its tasks join the tasks of this one. */
  replay(beside: OtherJournal | undefined): Replay {
    const { loop, registry, requests, sessions, notices, slots, consequences } = this;
    const deps: ReplayDeps = {
      ...{ loop, registry, requests, sessions, notices, consequences },
      // Each process declares its lanes anew. A task may name a lane that is not declared here; nothing starts in it.
      laneOf: (name) => slots.lanes.get(name) ?? new Lane<Task>(name, { concurrency: 1 }, 0, loop.clock),
      starts: new ReplayedStarts(slots.lanes),
      onReplaced: (task) => this.#retainer.replaced(task),
    };
    return new Replay(deps, beside);
  }

  /** Another process has taken the store: closes this manager, and drops every delivery that could not be stored. */
  lost(error: StoreLockedError): void {
    this.storeFailed(error);
    this.lease?.close();
    this.committer?.lose(error);
    this.loop.drop(error);
    void handled(this.close(0));
  }

  /** Reports a failure of the store as `store.failed`, or to the logger without a listener. */
  storeFailed(error: unknown): void {
    const { clock, listeners } = this.loop;
    const event = { type: "store.failed", at: clock.now(), error } as const;
    if (listeners.has(event.type)) this.loop.call(() => listeners.emit(event), 0);
    else this.logger.error("The store failed", { error });
  }

  // ── reading ──────────────────────────────────────────────────────────────

  /** The tasks that fit, in order of creation. `isIn` selects the caller's tasks. */
  list(filter: TaskFilter, isIn: (task: Task) => boolean): Task[] {
    return [...this.registry.all()].filter((task) => isIn(task) && fits(task, filter));
  }

  /** Counts of tasks at the moment of the call. */
  stats(): Stats {
    return statsOf(this);
  }
}
