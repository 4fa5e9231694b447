// Core: the parts of one manager, connected, and the verbs that need several of them.
//
// Owns the parts. Managers, sessions, contexts and handles are views of the core: they check what comes in and call the
// verbs. The parts know each other only through the dependencies that the constructor gives them.

import { Consequences } from "./consequences.js";
import { newestEvents, readEvents } from "./durable/event-reader.js";
import { isKeptApart } from "./durable/large-outputs.js";
import type { Lease } from "./durable/lease.js";
import { storeFailure } from "./durable/store-failure.js";
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
import type { StopReason } from "./task/status.js";
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

/** The parts of one manager. */
export class Core {
  /** This process. */
  readonly runtime: Runtime;
  /** The registered kinds. */
  readonly kinds: Kinds;
  /** The logger of the manager; an error that it throws is ignored. */
  readonly logger: GuardedLogger;
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
  /** Places in the bounded line. */
  readonly capacity: LineCapacity;
  /** The tasks that are left for the next process. */
  readonly handoff: Handoff;
  readonly #idle = new Idle();
  readonly #shutdown: Shutdown;
  /** Resumes a parked task whose kind a spawn has brought. Written by `open-store.ts`. */
  resume: ((task: Task, kind: KindParts) => void) | undefined;
  /** Present with a shared store. Written by `open-store.ts`. */
  lease: Lease | undefined;
  /** Present with a shared store. Written by `open-store.ts`. */
  standbys: Standbys | undefined;
  /**
   * Ids of evicted tasks whose output the store keeps separately; `undefined` without a store. The committer deletes
   * these outputs.
   */
  evictedOutputs: Set<string> | undefined;
  /** Ids that a spawner gave and whose tasks were evicted. The committer frees them in a store with shared ids. */
  readonly evictedIds = new Set<string>();

  constructor(options: CoreOptions) {
    const { ids = new NumberedIds(), limits, graceMs, isAmbient } = options;
    const clock = new Timekeeper(options.clock ?? systemClock);
    const logger = new GuardedLogger(options.logger);
    const kinds = new Kinds(options.kinds, logger);
    const runtime = Object.freeze({ instanceId: ids.next("instance"), pid: process.pid, startedAt: clock.now() });
    const registry = new Registry(ids instanceof NumberedIds ? ids : undefined);
    const { lanes, follower } = declaredLanes(options, clock);

    // The part of a closure is made further below, or by `open-store.ts`.
    const stop = (task: Task, code: StopReason, reason: string) => this.runner.stop(task, code, reason);
    const sharedIds = () => this.standbys;
    const windDownOutside = (task: Task) => void runOutside(() => windDown({ kinds, logger }, task));

    const loop = new Loop(clock, new Listeners(() => clock.now(), logger));
    const slots = new Slots<Run>(
      options.concurrency,
      lanes,
      (run) => this.runner.granted(run),
      () => this.capacity.offer(),
    );
    const waits = new Waits(loop, slots);
    const handoff = new Handoff(this.#idle);
    const retainer = new Retainer(clock, options.retention, (task) => this.#forget(task));
    const requests = new Requests(loop, registry);
    const answering = new Answering({ loop, waits, requests, kinds });
    const messages = new Messages({ loop, waits, requests, answering, ids, kinds, logger, sharedIds });
    const notices = new Notices({
      ...{ loop, waits, logger },
      onAcknowledged: (task) => retainer.release(task),
      isHandedOff: (task) => handoff.has(task),
    });
    const sessions = new SessionUsage(clock, retainer.ttlMs, (sessionId) => notices.forget(sessionId));
    const unread = new UnreadFailures(loop, logger);
    const consequences = new Consequences({
      ...{ loop, registry, sessions, requests, messages, notices, retainer, handoff, unread, sharedIds },
      idle: this.#idle,
      windDown: windDownOutside,
    });
    loop.consequences = consequences;
    const runner = new Runner({
      ...{ loop, slots, waits, requests, messages, kinds, logger, handoff, runtime, isAmbient, graceMs, sharedIds },
      windDown: windDownOutside,
      call: (attempt, work) => options.call(this, attempt, work),
      enter: (run) => this.spawner.enter(run),
      onEnd: (task) => {
        consequences.endedHere(task);
        if (this.#idle.isIdle) options.onIdle(this);
      },
    });
    const awaiter = new Awaiter({ waits, notices, registry, stop });
    const spawner = new Spawner({
      ...{ loop, slots, registry, ids, limits, kinds, sessions, notices, consequences, stop, logger },
      starter: runner,
      closedScopes: awaiter.closedScopes,
      onFound: (task, kind) => {
        if (handoff.has(task)) this.resume?.(task, kind);
      },
    });
    const capacity = new LineCapacity({ loop, waits, slots, spawner });
    this.#shutdown = new Shutdown({
      ...{ loop, slots, waits, registry, requests, runner, capacity, retainer, sessions, handoff, unread },
      idle: this.#idle,
      settle: (ms) => this.#settle(ms),
    });

    this.runtime = runtime;
    this.registry = registry;
    this.kinds = kinds;
    this.logger = logger;
    this.loop = loop;
    this.slots = slots;
    this.laneChanges = new LaneChanges(slots, registry, follower);
    this.waits = waits;
    this.requests = requests;
    this.asking = new Asking({ loop, waits, requests, ids });
    this.inbox = new RequestInbox({ loop, requests, answering });
    this.messages = messages;
    this.notices = notices;
    this.runner = runner;
    this.spawner = spawner;
    this.graceMs = graceMs;
    this.awaiter = awaiter;
    this.budgets = new BudgetGuard({ slots, registry, sessions, stop });
    this.consequences = consequences;
    this.sessions = sessions;
    this.capacity = capacity;
    this.handoff = handoff;
  }

  #forget(task: Task): void {
    if (this.evictedOutputs !== undefined && isKeptApart(task.state.output)) this.evictedOutputs.add(task.id);
    if (this.standbys !== undefined && task.traits.hasGivenId) this.evictedIds.add(task.id);
    this.consequences.forgotten(task);
  }

  // ── waiting ──────────────────────────────────────────────────────────────

  /** Resolves when no task of this process is left. */
  idle(signal: AbortSignal | undefined): Promise<void> {
    const refused = this.awaiter.refusalInside(signal);
    if (refused !== undefined) return refused;
    if (this.#idle.isIdle) return metAlready(this.waits, signal);
    return waitForSlot(this.waits, signal, (wait) => this.#idle.wait(wait));
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
  #settle(graceMs: number): Promise<unknown> {
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
    const { committer } = this.loop;
    if (committer === undefined) return recent.read(from ?? recent.oldest, matches, signal);
    return readEvents({ store: committer.store, recent, mark: this.loop.stored }, from, matches, signal);
  }

  /** The newest `limit` events of one task. */
  async history(task: Task, limit: number): Promise<readonly TaskEvent[]> {
    const matches = (event: TaskEvent) => event.taskId === task.id;
    const { committer } = this.loop;
    if (committer === undefined) return this.loop.recentEvents().newest(matches, limit);
    await this.loop.stored.readable(this.loop.seq);
    return newestEvents(committer.store, matches, limit);
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
