// Core: the rooms of one manager, put together, and the verbs that need several of them.
//
// Manager, sessions, contexts and handles are views of it: they name the verbs and check what comes in; what happens, happens here
// and in the rooms.

import { type Committer, NOT_STORED } from "./durable/committer.js";
import { newestEvents, readEvents } from "./durable/event-reader.js";
import { isKeptApart } from "./durable/large-outputs.js";
import type { Lease } from "./durable/lease.js";
import { ReplayedStarts } from "./durable/stored-starts.js";
import { Listeners } from "./events/listeners.js";
import { Messages } from "./inbox/messages.js";
import { Requests } from "./inbox/requests.js";
import { type AnyTaskKind } from "./kinds/kind.js";
import { Kinds } from "./kinds/kind-registry.js";
import { Lane } from "./lanes/lane.js";
import type { LaneChange, LaneOptions } from "./lanes/lane-options.js";
import type { LaneStats } from "./lanes/lane-stats.js";
import { Slots } from "./lanes/slots.js";
import { addUsage, forget } from "./live/family.js";
import { fits } from "./live/filter.js";
import { Registry } from "./live/registry.js";
import { NO_BOUNDS, type SessionAccount, type SessionBounds } from "./live/session-account.js";
import { SessionUsage } from "./live/session-usage.js";
import type { Attempt, OpenWait, Task } from "./live/task.js";
import { UnreadFailures } from "./live/unread.js";
import { Loop } from "./loop.js";
import { Notices } from "./notices/notices.js";
import type { Receiver } from "./notices/outcome-claims.js";
import {
  type AwaitCaller,
  type Awaited,
  type AwaitOptions,
  awaitOne,
  awaitTasks,
  type EndAsked,
  outcomeOf,
  refuseCycle,
} from "./outcomes/await-tasks.js";
import { OutcomeReader } from "./outcomes/outcome-stream.js";
import { windDown } from "./recovery/recovery.js";
import { type Beside, Replay, type ReplayDeps } from "./recovery/replay.js";
import type { Standbys } from "./recovery/standbys.js";
import { Handoff, isResumable } from "./run/handoff.js";
import { Retainer, type Retention } from "./run/retention.js";
import { Runner } from "./run/runner.js";
import { overspenders } from "./spawn/budget.js";
import { LineCapacity } from "./spawn/line-capacity.js";
import { isOverspent, type SessionOptions, takeBounds } from "./spawn/session-bounds.js";
import { DEFAULT_LANE, type Limits, Spawner } from "./spawn/spawn.js";
import { ManagerClosedError, type StoreLockedError } from "./task/errors.js";
import type { TaskEvent } from "./task/events.js";
import type { KindParts, Work } from "./task/kind-parts.js";
import type { Runtime, TaskFilter, TaskOutcome, UsageReport } from "./task/record.js";
import type { StopReason } from "./task/status.js";
import { Alarm, type Clock, Timekeeper } from "./time/clock.js";
import { LOOK_MS } from "./time/instants.js";
import { systemClock } from "./time/system-clock.js";
import { show } from "./values/checks.js";
import { handled } from "./values/handled.js";
import { type Ids, instanceIds } from "./values/ids.js";
import { GuardedLogger, type Logger } from "./values/logger.js";
import { runOutside } from "./values/outside.js";
import { idInWords } from "./values/safe-read.js";
import { waiterOf } from "./waits/ambient.js";
import { keeperOf, type WaitOptions, Waits } from "./waits/waits.js";

/** Through what tasks are asked for: `undefined` of one that is not of another manager, or of no session. */
interface Asking {
  readonly sessionOf: (task: Task) => string | undefined;
  readonly coreOf: (task: Task) => Core | undefined;
}

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

/** Counts of the moment: how many tasks are where. */
export interface Stats {
  /** Tasks in line for a first slot of their attempt: the sum of `queued` over all lanes. Tasks that wait for their rate are among them. */
  readonly queued: number;
  /** Tasks with status `queued` that have been granted their slot: their function is called next, or once their spawn is stored. */
  readonly starting: number;
  /** Tasks with status `queued` that stand in no line: in the pause before a retry. */
  readonly retrying: number;
  /** Tasks with status `running`. */
  readonly running: number;
  /** Tasks with status `blocked`. They hold no slot. */
  readonly blocked: number;
  /** Given up, but their function has not ended yet. */
  readonly abandoned: number;
  /** Writes of functions that were over, superseded or abandoned; such a write changes nothing. */
  readonly droppedWrites: number;
  readonly lanes: { readonly [lane: string]: LaneStats };
}

export class Core {
  readonly runtime: Runtime;
  readonly kinds: Kinds;
  readonly logger: GuardedLogger;
  readonly loop: Loop;
  readonly slots: Slots<Task>;
  readonly waits: Waits;
  readonly registry = new Registry();
  readonly requests: Requests;
  readonly messages: Messages;
  readonly notices: Notices;
  readonly runner: Runner;
  readonly spawner: Spawner;
  readonly graceMs: number;
  readonly #retainer: Retainer;
  readonly #unread: UnreadFailures;
  /** Sessions and tasks whose `cancelAll()` is under way (H3). */
  readonly #cancelling = new Map<Task | string, number>();
  readonly #idlers = new Set<Pick<OpenWait<void>, "resolve">>();
  readonly sessions: SessionUsage;
  readonly #capacity: LineCapacity;
  /** The default lane, while its concurrency is that of the manager. */
  #follower: Lane<Task> | undefined;
  #living = 0;
  /** Kinds, by name, of which the logger was warned. */
  readonly #unregistered = new Set<string>();
  readonly #handoff = new Handoff(() => this.#gone());
  /** The committer of the store, when there is a store. Written by `open-store.ts`. */
  committer: Committer | undefined;
  /** Resumes a parked task whose kind a spawn has brought. Written by `open-store.ts`. */
  resume: ((task: Task, kind: KindParts) => void) | undefined;
  /** Present with a shared store. Written by `open-store.ts`. */
  lease: Lease | undefined;
  /** With a store: ids of tasks that are not kept any more and had a long output. The committer deletes those. */
  evictedOutputs: Set<string> | undefined;
  /** Given ids of tasks that were evicted. The committer frees them in a store where ids are shared. */
  readonly evictedIds = new Set<string>();
  /** Present with a shared store. Written by `open-store.ts`. */
  standbys: Standbys | undefined;
  isClosed = false;
  #closing: Promise<void> | undefined;
  #closeGraceMs = Number.POSITIVE_INFINITY;

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
    if (!Object.hasOwn(options.lanes, DEFAULT_LANE)) {
      this.#follower = new Lane<Task>(DEFAULT_LANE, { concurrency: options.concurrency }, agingMs, clock);
      lanes.unshift(this.#follower);
    }
    this.graceMs = options.graceMs;
    this.loop = new Loop(clock, new Listeners(() => clock.now(), this.logger));
    this.slots = new Slots<Task>(
      options.concurrency,
      lanes,
      (task) => this.runner.granted(task),
      () => this.#capacity.look(),
    );
    this.waits = new Waits(this.loop, this.slots);
    this.requests = new Requests({
      loop: this.loop,
      waits: this.waits,
      ids,
      isClosed: () => this.isClosed,
      taskOf: (id) => this.registry.byId(id),
      isKindMissing: (task) => task.traits.kind !== undefined && this.kinds.of(task) === undefined,
    });
    this.messages = new Messages({
      loop: this.loop,
      waits: this.waits,
      requests: this.requests,
      ids,
      kindOf: (task) => this.kinds.of(task),
      onSent: (task) => this.notices.messageCame(task),
      onFailed: (what, error) => this.logger.warn(what, { error }),
    });
    this.notices = new Notices({
      loop: this.loop,
      waits: this.waits,
      isClosed: () => this.isClosed,
      warn: (what) => this.logger.warn(what),
      onTold: (task) => this.#retainer.look(task),
      isParked: (task) => this.isParked(task),
    });
    this.loop.onFact = (task, fact, seq, at) => {
      if (this.notices.hears(task, fact)) this.notices.hear(task, fact, seq, at);
    };
    this.runner = new Runner({
      loop: this.loop,
      slots: this.slots,
      waits: this.waits,
      runtime: this.runtime,
      isAmbient: options.isAmbient,
      graceMs: options.graceMs,
      call: (attempt, work) => options.call(this, attempt, work),
      parkDesk: (task, errorOf) => {
        this.requests.park(task);
        task.extras?.mailbox?.close(errorOf);
      },
      clearDesk: (task, errorOf) => {
        this.requests.handOver(task);
        task.extras?.mailbox?.close(errorOf);
      },
      retryOf: (task) => this.kinds.retryOf(task),
      onRetryFailed: (task, error) => this.logger.warn(`retryIf threw: task ${task.id} is not tried again`, { error }),
      onBackoffFailed: (task, error) =>
        this.logger.warn(`backoffMs gave no pause: task ${task.id} is tried again after the default one`, { error }),
      enter: (task) => this.spawner.enter(task),
      onStarted: (task) => this.messages.started(task),
      closeDesk: (task, errorOf) => {
        this.requests.withdraw(task);
        task.extras?.mailbox?.close(errorOf);
      },
      onEnd: (task) => {
        this.#unread.ended(task);
        this.#ended(task);
      },
      staysActive: (task) => this.committer !== undefined && isResumable(task, this.kinds),
      onParked: (task) => this.#handoff.handOff(task),
      isParked: (task) => this.isParked(task),
      durable: (seq) => this.committer?.durable(seq) ?? Promise.resolve(),
      onReturned: (task) => this.#handoff.look(task),
    });
    this.spawner = new Spawner({
      loop: this.loop,
      slots: this.slots,
      registry: this.registry,
      ids,
      limits,
      kinds: this.kinds,
      cancelling: this.#cancelling,
      stop: (task, reason, words) => this.stop(task, reason, words),
      isClosed: () => this.isClosed,
      storeFailure: () => this.committer?.failure,
      accountOf: (sessionId) => this.sessions.find(sessionId),
      onCreated: (task) => {
        this.#living++;
        this.sessions.spawned(task);
        this.sessions.count(task);
        this.notices.made(task);
        if (task.kind !== undefined && this.committer !== undefined) this.#warnOfUnregistered(task.kind);
      },
      onFound: (task, kind) => {
        if (this.#handoff.has(task)) this.resume?.(task, kind);
      },
      onReplaced: (task) => {
        // The old end is no news: the work is done once more.
        this.notices.acknowledge([...(task.noticed ?? [])]);
        this.#retainer.replaced(task);
      },
    });
    this.#capacity = new LineCapacity(
      (lane, lent) => this.spawner.roomIn(lane, lent),
      (lane) => this.slots.unsought(lane),
    );
    this.#unread = new UnreadFailures({
      clock: this.loop.clock,
      logger: this.logger,
      isHeard: () => this.loop.listeners.has("task.failed"),
      hasStored: (task) => task.endSeq <= this.loop.storedSeq,
      hasStore: () => this.committer !== undefined,
    });
    this.#retainer = new Retainer(clock, options.retention, (task) => this.#forget(task));
    this.sessions = new SessionUsage(clock, this.#retainer.ttlMs, (sessionId) => this.notices.forget(sessionId));
  }

  /** D4: what it starts could be resumed, and no restart will know it. */
  #warnOfUnregistered({ name, canReattach }: KindParts): void {
    if (canReattach === undefined || this.kinds.find(name) !== undefined || this.#unregistered.has(name)) return;
    this.#unregistered.add(name);
    this.logger.warn(
      `The kind ${show(name)} can reattach and is not registered: after a restart its tasks are parked. Add it to \`kinds\` of the manager`,
      { kind: name },
    );
  }

  #ended(task: Task): void {
    if (task.state.details.isLeft && task.state.stop !== undefined) void runOutside(() => windDown(this, task));
    this.registry.freeName(task);
    this.sessions.ended(task);
    this.#retainer.ended(task);
    // One that was parked was nothing of this process before.
    if (!this.#handoff.leave(task)) this.#gone();
    if (task.isAttached) this.#handoff.look(task.parent);
  }

  /** D4: it stays active, and nothing here waits for it. */
  park(task: Task): void {
    this.#handoff.handOff(task);
  }

  unpark(task: Task): void {
    if (this.#handoff.leave(task)) this.#living++;
  }

  isParked(task: Task): boolean {
    return this.#handoff.has(task);
  }

  /** One less that this process has to do with. */
  #gone(): void {
    this.#living--;
    if (this.#living === 0) for (const idler of [...this.#idlers]) idler.resolve();
  }

  #forget(task: Task): void {
    if (this.evictedOutputs !== undefined && isKeptApart(task.state.output)) this.evictedOutputs.add(task.id);
    if (this.standbys !== undefined && task.traits.hasGivenId) this.evictedIds.add(task.id);
    this.registry.remove(task);
    this.requests.forget(task);
    this.sessions.forgot(task);
    forget(task);
  }

  // ── waiting ──────────────────────────────────────────────────────────────

  /** `context`: the attempt of the `ctx` the call came through, if it did. Inside a task the caller is that task. */
  awaitTasks(
    context: Attempt | undefined,
    scope: Omit<AwaitCaller, "waits" | "receiver" | "homeOf"> & Asking,
    tasks: readonly Task[],
    options: AwaitOptions,
  ): Promise<Awaited> {
    const attempt = waiterOf(context);
    const { owner, isChild } =
      attempt === undefined ? scope : { owner: attempt.task, isChild: (task: Task) => task.parent === attempt.task };
    const receiver = this.#receiver(attempt, scope);
    const homeOf = this.#homeOf(scope);
    return awaitTasks({ ...scope, waits: this.waits, homeOf, owner, isChild, receiver }, attempt, tasks, options);
  }

  outcomes(
    context: Attempt | undefined,
    asking: Asking,
    find: () => readonly Task[],
    options: WaitOptions,
  ): OutcomeReader {
    const receiverFor = (attempt: Attempt | undefined) => this.#receiver(attempt, asking);
    const homeOf = this.#homeOf(asking);
    return new OutcomeReader(this.waits, homeOf, find, () => waiterOf(context), options.signal, receiverFor);
  }

  #homeOf({ coreOf }: Asking): (task: Task) => Waits {
    return (task) => (coreOf(task) ?? this).waits;
  }

  #receiver(attempt: Attempt | undefined, { sessionOf, coreOf }: Asking): Receiver {
    return { attempt, sessionOf, noticesOf: (task) => (coreOf(task) ?? this).notices };
  }

  awaitOne<R>(task: Task, asked: EndAsked<R>): Promise<R> {
    return awaitOne(this.waits, this.notices, waiterOf(undefined), task, asked);
  }

  sleep(context: Attempt, ms: number, signal: AbortSignal | undefined): Promise<void> {
    const attempt = waiterOf(context);
    const keeper = keeperOf(attempt, this.waits);
    const { clock } = keeper;
    // JSON has no `Infinity`, and a record is JSON.
    const untilAt = Math.min(clock.now() + ms, Number.MAX_SAFE_INTEGER);
    return keeper.open<void>(
      attempt,
      () => ({ on: "time", untilAt }),
      signal,
      (wait) => {
        const alarm = new Alarm(clock, ms, () => wait.resolve());
        return () => alarm.cancel();
      },
    );
  }

  /**
   * As `sleep`, until the wall clock shows `at` (C7). Sooner when the clock was set meanwhile: then the caller asks its schedule anew, because
   * `at` was made from a time that is no more.
   */
  sleepUntil(context: Attempt, at: number): Promise<void> {
    const attempt = waiterOf(context);
    const keeper = keeperOf(attempt, this.waits);
    const { clock } = keeper;
    return keeper.open<void>(
      attempt,
      () => ({ on: "time", untilAt: at }),
      undefined,
      (wait) => {
        const ms = at - clock.now();
        const alarm = Alarm.within(clock, ms, at, () => wait.resolve());
        const unhear = ms > LOOK_MS ? clock.instants.onSet(() => wait.resolve()) : undefined;
        return () => {
          alarm.cancel();
          unhear?.();
        };
      },
    );
  }

  room(lane: Lane<Task>, signal: AbortSignal | undefined): Promise<void> {
    if (this.isClosed) return Promise.reject(new ManagerClosedError("there will be no room"));
    if (this.#capacity.take(lane)) return this.#known(signal);
    const lent = waiterOf(undefined)?.task.lane === lane ? 1 : 0;
    return this.#forSlots(signal, (wait) => this.#capacity.seek({ lane, lent }, wait));
  }

  idle(signal: AbortSignal | undefined): Promise<void> {
    const refused = this.#refuseInside(signal);
    if (refused !== undefined) return refused;
    return this.#living === 0 ? this.#known(signal) : this.#forSlots(signal, (wait) => this.#idler(wait));
  }

  /** Resolves once everything that is decided by now is stored (D1): what is awaited is so already. */
  #known(signal: AbortSignal | undefined): Promise<void> {
    return this.waits.answer<void>(waiterOf(undefined), () => undefined, { needs: this.loop.seq, signal });
  }

  /** L3: a task of this manager, or one that a task of it waits for, cannot wait for all of them. */
  #refuseInside(signal: AbortSignal | undefined): Promise<never> | undefined {
    const attempt = waiterOf(undefined);
    if (attempt === undefined) return undefined;
    try {
      refuseCycle(attempt, (task) => this.registry.byId(task.id) === task);
    } catch (error) {
      return Promise.reject(error);
    }
    return attempt.waits === this.waits ? this.waits.refusal(attempt, signal) : undefined;
  }

  #idler(wait: OpenWait<void>): () => void {
    this.#idlers.add(wait);
    return () => this.#idlers.delete(wait);
  }

  #forSlots(signal: AbortSignal | undefined, arrange: (wait: OpenWait<void>) => () => void): Promise<void> {
    const attempt = waiterOf(undefined);
    return keeperOf(attempt, this.waits).open<void>(attempt, () => ({ on: "slot" }), signal, arrange);
  }

  // ── usage ────────────────────────────────────────────────────────────────

  /** §8: a report adds up along the ancestors, and in the session. */
  #addUp(task: Task, usage: UsageReport): void {
    addUsage(task, usage);
    this.sessions.add(task, usage);
  }

  /** H6: each task that the report leaves over its budget is stopped in this call. */
  report(task: Task, usage: UsageReport): void {
    const { account } = task;
    this.#addUp(task, usage);
    this.slots.used(task.lane, task, (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0));
    for (const over of overspenders(task)) this.stop(over.task, "budget_exceeded", over.words);
    if (account !== undefined && !account.isSpent && isOverspent(account)) this.#stopSession(account);
  }

  /** L6: from now on. */
  boundSession(sessionId: string, options: SessionOptions): SessionBounds {
    const bounds = takeBounds(options, this.sessions.find(sessionId)?.bounds ?? NO_BOUNDS);
    const account = this.sessions.use(sessionId);
    account.bounds = bounds;
    account.isSpent = false;
    return bounds;
  }

  /** H6, L6: all tasks of a session share its budget. Those below a root that is stopped are swept with it. */
  #stopSession(account: SessionAccount): void {
    account.isSpent = true;
    const words = `session ${idInWords(account.id)} has no more to spend`;
    for (const task of this.registry.all())
      if (task.account === account && !task.isOver && !task.isAttached) this.stop(task, "budget_exceeded", words);
  }

  /** D8: were this manager closed now, the next process could go on with it. */
  staysActive(id: string): boolean {
    const task = this.registry.byId(id);
    return task !== undefined && this.committer !== undefined && isResumable(task, this.kinds);
  }

  /** How long its function may take to settle, were it stopped now (C2, D8). */
  graceOf(id: string): number {
    const { graceMs = this.graceMs } = this.registry.byId(id)?.traits.limits ?? {};
    return Math.min(graceMs, this.#closeGraceMs);
  }

  // ── lanes ────────────────────────────────────────────────────────────────

  /** L10. Checked. */
  setLane(lane: Lane<Task>, change: LaneChange): void {
    if (this.#follower === lane && change.concurrency !== undefined) this.#follower = undefined;
    this.slots.setLane(lane, change, this.#granted(lane));
  }

  /** L10. Checked. */
  setConcurrency(concurrency: number): void {
    const granted = this.#granted(undefined).map((item) => ({ lane: item.lane, item }));
    this.slots.setConcurrency(concurrency, this.#follower, granted);
  }

  /** Tasks that have a slot and have not started: few, and asked for seldom. */
  #granted(lane: Lane<Task> | undefined): Task[] {
    const isGranted = (task: Task) => task.holdsSlot && task.state.status === "queued";
    return [...this.registry.all()].filter((task) => isGranted(task) && (lane === undefined || task.lane === lane));
  }

  // ── stopping ─────────────────────────────────────────────────────────────

  stop(task: Task, code: StopReason, reason: string): void {
    this.runner.stop(task, code, reason);
  }

  /** Asks it to stop, and waits for its actual outcome. */
  cancel<R>(task: Task, reason: string, asked: EndAsked<R>): Promise<R> {
    this.stop(task, "cancel", reason);
    return handled(this.awaitOne(task, asked));
  }

  /** Asks all of them to stop, each with what is below it, and waits for how each ended. With a `scope`, it spawns nothing until then. */
  cancelAll(
    context: Attempt | undefined,
    tasks: readonly Task[],
    scope: Task | string | undefined,
    reason: string,
    asking: Asking,
    options: WaitOptions,
  ): Promise<readonly TaskOutcome[]> {
    for (const task of tasks) this.stop(task, "cancel", reason);
    const attempt = waiterOf(context);
    const caller = {
      owner: this,
      isChild: () => false,
      inboxes: NO_INBOXES,
      homeOf: () => this.waits,
      cancel: () => {},
      waits: this.waits,
      receiver: this.#receiver(attempt, asking),
    };
    // Nobody's wait: a caller that is stopped, or gives up, leaves the scope closed until all have ended, and not for longer.
    if (scope !== undefined)
      this.#closeScope(
        scope,
        awaitTasks({ ...caller, receiver: this.#receiver(undefined, NOBODYS) }, undefined, tasks, {}),
      );
    return handled(awaitTasks(caller, attempt, tasks, options).then(() => tasks.map(outcomeOf)));
  }

  #closeScope(scope: Task | string, over: Promise<unknown>): void {
    this.#cancelling.set(scope, (this.#cancelling.get(scope) ?? 0) + 1);
    const open = () => {
      const left = (this.#cancelling.get(scope) ?? 0) - 1;
      if (left > 0) this.#cancelling.set(scope, left);
      else this.#cancelling.delete(scope);
    };
    void over.then(open, open);
  }

  /** D8. A second call has no further effect. */
  close(graceMs: number): Promise<void> {
    const refused = this.#refuseInside(undefined);
    if (refused !== undefined) return refused;
    if (!this.isClosed) this.#closeGraceMs = graceMs;
    this.isClosed = true;
    this.#closing ??= this.#shutDown(graceMs);
    return this.#closing;
  }

  async #shutDown(graceMs: number): Promise<void> {
    this.#capacity.close(new ManagerClosedError("there will be no room"));
    for (const task of this.#handoff.all) this.#stopTimers(task);
    const living = [...this.registry.all()].filter((task) => !task.isOver && !this.#handoff.has(task));
    this.runner.shutDown(living);
    this.slots.rest();
    if (this.#living > 0) {
      const grace = new Alarm(this.loop.clock, graceMs, () => {
        for (const task of living.toReversed()) if (task.attempt !== undefined) this.runner.abandon(task.attempt);
      });
      // Not a wait, which would tell of it: that nothing runs any more is seen before it is stored.
      await new Promise<void>((resolve) => this.#idlers.add({ resolve }));
      grace.cancel();
    }
    this.waits.close();
    this.requests.close();
    this.#retainer.close();
    this.sessions.close();
    // After everything that is still to be delivered, and with a store, stored: within a grace of its own.
    this.lease?.close();
    this.standbys?.close();
    try {
      await (this.committer === undefined ? this.loop.told(undefined) : this.committer.close(graceMs));
    } finally {
      this.loop.drop(new ManagerClosedError(NOT_STORED));
      this.loop.closeRecentEvents();
      this.#unread.close();
    }
  }

  /** A parked task has no timers here: the next process counts its limits and questions. */
  #stopTimers(task: Task): void {
    task.extras?.deadlines?.cancel();
    task.extras?.retryDelay?.cancel();
    this.requests.park(task);
  }

  // ── events ───────────────────────────────────────────────────────────────

  /** From `from` on, or the oldest kept, and then live. */
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

  /** The newest `limit` of one task. */
  async history(task: Task, limit: number): Promise<readonly TaskEvent[]> {
    const matches = (event: TaskEvent) => event.taskId === task.id;
    if (this.committer === undefined) return this.loop.recentEvents().newest(matches, limit);
    await this.committer.readable(this.loop.seq);
    return newestEvents(this.committer.store, matches, limit);
  }

  // ── with a store ─────────────────────────────────────────────────────────

  /** The replay of what another process left. With `beside`, the tasks of that process join the tasks of this one. */
  replay(beside: Beside | undefined): Replay {
    const { loop, registry, requests, sessions: ledger, slots, runner } = this;
    const deps: ReplayDeps = {
      loop,
      registry,
      requests,
      ledger,
      // Lanes are declared anew in each process: nothing starts in one that is not, and its tasks still name it.
      laneOf: (name) => slots.lanes.get(name) ?? new Lane<Task>(name, { concurrency: 1 }, 0, loop.clock),
      onMade: (task) => {
        this.#living++;
        this.sessions.spawned(task);
        this.notices.made(task);
      },
      notices: this.notices,
      starts: new ReplayedStarts(slots.lanes),
      onReplaced: (task) => this.#retainer.replaced(task),
      onOver: (task) => {
        runner.countEnd(task);
        this.#ended(task);
      },
      report: (task, usage) => this.#addUp(task, usage),
    };
    return new Replay(deps, beside);
  }

  /** The store is another's by now: this manager is closed, and tells of nothing any more that it could not store. */
  lost(error: StoreLockedError): void {
    this.storeFailed(error);
    this.lease?.close();
    this.committer?.lose(error);
    this.loop.drop(error);
    void handled(this.close(0));
  }

  storeFailed(error: unknown): void {
    const { clock, listeners } = this.loop;
    const event = { type: "store.failed", at: clock.now(), error } as const;
    if (listeners.has(event.type)) this.loop.call(() => listeners.emit(event), 0);
    else this.logger.error("The store failed", { error });
  }

  // ── reading ──────────────────────────────────────────────────────────────

  /** By creation. `isIn` says which tasks are the caller's. */
  list(filter: TaskFilter, isIn: (task: Task) => boolean): Task[] {
    return [...this.registry.all()].filter((task) => isIn(task) && fits(task, filter));
  }

  stats(): Stats {
    let starting = 0;
    let retrying = 0;
    let running = 0;
    let blocked = 0;
    for (const { state, holdsSlot, place } of this.registry.all()) {
      if (state.status === "running") running++;
      else if (state.status === "blocked") blocked++;
      else if (state.status !== "queued") continue;
      else if (holdsSlot) starting++;
      else if (place < 0 && state.details.notBeforeAt !== undefined) retrying++;
    }
    const lanes = Object.fromEntries([...this.slots.lanes.values()].map((lane) => [lane.name, lane.stats()]));
    return {
      queued: this.slots.queued,
      starting,
      retrying,
      running,
      blocked,
      abandoned: this.runner.abandoned,
      droppedWrites: this.loop.droppedWrites,
      lanes,
    };
  }
}

const NO_INBOXES: ReadonlySet<Requests> = new Set();
const NOBODYS: Asking = { sessionOf: () => undefined, coreOf: () => undefined };
