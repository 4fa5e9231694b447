// Spawn: the checks that a task passes before it exists, and how it is made.
//
// Owns the spawner. All checks come first, and a spawn that fails one changes nothing (§12): closed manager, stopped
// scope (H3), limits (H4), lane, names, the bound of the line (L6). Then the task is created, linked to its parent and
// asks for its slot; its function starts later in the same turn, never in this call (L9). Called by scopes, and by
// recovery for a resumed task. Calls the loop, the slots and the consequences.

import type { Kinds } from "../kinds/kind-registry.js";
import type { Lane } from "../lanes/lane.js";
import { rankOf, type Slots } from "../lanes/slots.js";
import { UnitWatch } from "../lanes/unit-watch.js";
import { checkFits, takeWeight } from "../lanes/weight.js";
import { Deadlines } from "../live/deadlines.js";
import { extrasOf } from "../live/extras.js";
import type { Registry } from "../live/registry.js";
import { RetryDelay } from "../live/retry-delay.js";
import { RunOf, type Starter } from "../live/run.js";
import type { SessionUsage } from "../live/session-usage.js";
import { type Run, Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { Notices } from "../notices/notices.js";
import { ManagerClosedError, ScopeCancelledError, TaskTerminatedError, UnknownLaneError } from "../task/errors.js";
import type { KindParts, Work } from "../task/kind-parts.js";
import type { Wake, Weight } from "../task/record.js";
import { takeRetry } from "../task/retry.js";
import { newState, type TaskLimits } from "../task/state.js";
import type { StopReason } from "../task/status.js";
import { follow, reasonOf } from "../values/abort-signal.js";
import { boundedList } from "../values/bounded-list.js";
import { show } from "../values/checks.js";
import { type Ids, NumberedIds } from "../values/ids.js";
import { takeJson } from "../values/json.js";
import type { GuardedLogger } from "../values/logger.js";
import { didYouMean } from "../values/nearest-name.js";
import { idInWords } from "../values/safe-read.js";
import { ambientAttempt } from "../waits/ambient.js";
import { wordsOf } from "../waits/attempt-signal.js";
import { checkBudgets } from "./budget.js";
import { isToRunAgain, refuseOther, stateAfter } from "./identity.js";
import { FamilyLimits, type Limits } from "./limits.js";
import { lineRefusal } from "./line-bound.js";
import { checkAccount } from "./session-bounds.js";
import { type AnySpawnOptions, detailsOf, type KindWork, NO_KIND, NO_OPTIONS, traitsOf } from "./spawn-options.js";

/** The place of a spawn: its parent and its session. */
export interface SpawnScope {
  /** The parent of the new task; `undefined` for a root. */
  readonly parent: Task | undefined;
  /** The session of the new task; `undefined` outside every session. */
  readonly sessionId: string | undefined;
  /** The default `wake` of its spawns. */
  readonly wake?: Wake | undefined;
}

/** The place of a root outside every session. */
export const NO_PLACE: SpawnScope = Object.freeze({ parent: undefined, sessionId: undefined });

/** The part of the core that makes tasks. */
interface SpawnDeps {
  readonly loop: Loop;
  readonly slots: Slots<Run>;
  readonly registry: Registry;
  readonly ids: Ids;
  readonly limits: Limits;
  readonly kinds: Kinds;
  readonly runner: Starter<Task> & {
    /** Asks a task to stop. */
    stop(task: Task, code: StopReason, reason: string): void;
  };
  readonly sessions: SessionUsage;
  readonly notices: Notices;
  readonly logger: GuardedLogger;
  /** Follows the task that is made. */
  readonly consequences: SpawnConsequences;
  /** A spawn has found an existing task and brings its kind. */
  found(task: Task, kind: KindParts): void;
  readonly awaiter: {
    /** Sessions and tasks whose `cancelAll()` is in progress (H3). */
    readonly closedScopes: ReadonlyMap<Task | string, number>;
  };
}

/** The consequences of a spawn; `consequences.ts` has them. */
interface SpawnConsequences {
  /**
   * A task is made and gets its place among the others. `before`: the ended task with the same id, which it replaces.
   */
  placed(task: Task, before: Task | undefined): void;
  /** The task is created: its first fact is recorded. */
  created(task: Task, isNew: true): void;
}

/** The lane of a spawn that names none. */
export const DEFAULT_LANE = "default";

/** Makes the tasks of one manager. */
export class Spawner {
  readonly #deps: SpawnDeps;
  readonly #limits: FamilyLimits;
  readonly #maxQueued: number;
  readonly #units: UnitWatch;

  constructor(deps: SpawnDeps) {
    this.#deps = deps;
    this.#units = new UnitWatch(deps.logger);
    this.#limits = new FamilyLimits(deps.limits, deps.kinds);
    this.#maxQueued = deps.limits.maxQueued ?? 10_000;
  }

  /**
   * How many more tasks the line takes. A full line takes only tasks that need no place because a slot is free (L6);
   * the slots `lent`, which a waiting caller wants back, do not count.
   */
  roomIn(lane: Lane<Run>, lent = 0): number {
    const places = this.#maxQueued - this.#deps.slots.queued;
    return places > 0 ? places : Math.max(0, this.#deps.slots.startable(lane) - lent);
  }

  /** Whether a spawn of the session without options finds a place. If not, the lane wakes the callers that wait. */
  hasPlace(sessionId: string | undefined, lane: Lane<Run>): boolean {
    const { slots, sessions } = this.#deps;
    const account = sessions.find(sessionId);
    if (lineRefusal(slots, this.#maxQueued, sessionId, account, lane) === undefined) return true;
    slots.startable(lane);
    return false;
  }

  /** Checks that the windows count each unit of the weight, and that the weight can ever fit (L7). */
  #checkWeight(weight: Weight, lane: Lane<Run>, laneKey: string | undefined): void {
    checkFits(weight, lane.name, lane.windowsFor(laneKey));
    const unknown = this.#deps.slots.unknownUnit(weight);
    if (unknown === undefined) return;
    const units = boundedList(unknown.units.map(idInWords));
    const guess = didYouMean(unknown.unit, unknown.units);
    throw new TypeError(`weight has no unit ${show(unknown.unit)}${guess}: the windows of this manager count ${units}`);
  }

  /**
   * Makes a task, or returns the existing one with the same id or call. `options` are checked; `made`: the kind and the
   * parsed input.
   */
  spawn(scope: SpawnScope, work: Work, options: AnySpawnOptions = NO_OPTIONS, made: KindWork = NO_KIND): Task {
    const { loop, registry, kinds, notices, consequences, runner } = this.#deps;
    // Options are copied before the manager is checked: copying metadata may run user code.
    const details = detailsOf(options);
    const retry = takeRetry(options.retry);
    const weight = takeWeight(options.weight);
    if (loop.phase.isClosed) throw new ManagerClosedError("it spawns nothing");
    const { parent, sessionId } = scope;
    const known = this.#known(scope, options, made);
    if (known !== undefined) {
      refuseOther(known, scope, options, made);
      if (made.parts !== undefined) this.#deps.found(known, made.parts);
      if (!isToRunAgain(kinds, known, parent)) return known;
    }
    const failure = loop.committer?.failure;
    if (failure !== undefined) throw failure;

    const account = this.#deps.sessions.find(sessionId);
    if (sessionId !== undefined) this.#refuseCancelling(sessionId);
    if (account !== undefined) checkAccount(account);
    if (parent !== undefined) {
      this.#refuseOver(parent);
      this.#limits.check(parent, made.parts);
      checkBudgets(parent);
    }
    const lane = this.laneOf(options.lane ?? DEFAULT_LANE);
    if (options.name !== undefined) registry.checkName(sessionId, options.name);
    if (weight !== undefined) this.#checkWeight(weight, lane, options.laneKey);
    if (lane.isRated) this.#units.spawned(lane, weight, () => kinds.all.map((kind) => kind.weight));
    const { slots } = this.#deps;
    const full = lineRefusal(slots, this.#maxQueued, sessionId, account, lane, options.laneKey, weight);
    if (full !== undefined) throw full;

    const now = loop.clock.now();
    const id = known?.id ?? options.id ?? this.#newId();
    const traits = traitsOf(options, made, scope, weight, retry, now);
    const state = known === undefined ? newState(details) : stateAfter(known, details);
    const task = new Task(id, registry.nextNumber(), scope, lane, now, traits, state);
    if (made.parts !== undefined) task.kind = made.parts;
    const run = new RunOf<Task>(task, work, runner);
    task.run = run;
    // The notice of the old end is obsolete: the work is done once more.
    if (known !== undefined) notices.acknowledge([...(known.noticed ?? [])]);
    consequences.placed(task, known);
    loop.created(task);
    consequences.created(task, true);
    if (made.parts !== undefined && loop.hasStore) kinds.warnIfUnregistered(made.parts);
    if (task.traits.limits !== undefined) this.#limit(task, task.traits.limits);
    if (retry?.retryIf !== undefined || retry?.backoffOf !== undefined) extrasOf(task).retryHooks = retry;
    if (options.signal !== undefined) this.#follow(task, options.signal);
    if (!task.isOver) this.enter(run, now);
    return task;
  }

  /**
   * The task of an earlier process that a spawn by `name` finds, although no kind of this name is registered here: a
   * parked task, or one that has ended (D4, H7). Throws `UnknownKindError` when there is none, or when it would run
   * again.
   */
  found(scope: SpawnScope, name: string, options: AnySpawnOptions, input: unknown): Task {
    const { loop, kinds } = this.#deps;
    if ((options.id ?? options.callId) === undefined) throw kinds.unknown(name);
    const kept = input === undefined ? undefined : takeJson("input", input);
    const made: KindWork = { kind: name, input: kept, parts: undefined };
    if (loop.phase.isClosed) throw new ManagerClosedError("it spawns nothing");
    const known = this.#known(scope, options, made);
    if (known === undefined) throw kinds.unknown(name);
    refuseOther(known, scope, options, made);
    if (isToRunAgain(kinds, known, scope.parent)) throw kinds.unknown(name);
    return known;
  }

  /** Puts a task in line for its first slot. A child of a started task goes first (L4). */
  enter(run: Run, now = this.#deps.loop.clock.now()): void {
    const { lane, parent, traits } = run.task;
    const { slots, loop } = this.#deps;
    const hasHead = parent?.state.startedAt !== undefined;
    slots.enter(lane, run, rankOf(lane, traits.priority, hasHead, loop.clock.monotonicAt(now)));
  }

  /** A new id, or the ids from which it follows. The id of an existing task is skipped. */
  #newId(): string | NumberedIds {
    const { ids, registry } = this.#deps;
    if (ids instanceof NumberedIds) return ids;
    let id = ids.next("task");
    while (registry.byId(id) !== undefined) id = ids.next("task");
    return id;
  }

  /** The declared lane with this name; `UnknownLaneError` otherwise. */
  laneOf(name: string): Lane<Run> {
    const { lanes } = this.#deps.slots;
    const lane = lanes.get(name);
    if (lane === undefined) throw new UnknownLaneError(name, [...lanes.keys()]);
    return lane;
  }

  /** The existing task with the same `id`, or of the same call with the same content (§10). */
  #known({ parent, sessionId }: SpawnScope, options: AnySpawnOptions, made: KindWork): Task | undefined {
    const { registry } = this.#deps;
    const { id, callId, runId = parent?.traits.runId } = options;
    const byId = id === undefined ? undefined : registry.byId(id);
    if (byId !== undefined) return byId;
    if (callId === undefined) return undefined;
    const { kind, input } = made;
    return registry.byCall({ parentId: parent?.id, sessionId, runId, callId, kind, input });
  }

  #refuseCancelling(scope: Task | string): void {
    if (!this.#deps.awaiter.closedScopes.has(scope)) return;
    throw new ScopeCancelledError(
      typeof scope === "string" ? scope : scope.id,
      "it spawns nothing until its tasks have ended",
    );
  }

  /** A task that is stopped or has ended takes no new children (H3). */
  #refuseOver(parent: Task): void {
    const { id, state } = parent;
    if (state.stop !== undefined) throw new ScopeCancelledError(id, "nothing is spawned under it");
    if (state.ending !== undefined) {
      if (state.ending.status !== "succeeded") throw new ScopeCancelledError(id, "nothing is spawned under it");
      throw new TaskTerminatedError(id, "nothing is spawned under it");
    }
    this.#refuseCancelling(parent);
  }

  /** Sets the timers of the task. Of the total time only the remaining part counts. */
  #limit(task: Task, { timeoutMs, stallTimeoutMs, elapsedTimeoutMs, totalDeadlineAt: at }: TaskLimits): void {
    if ((timeoutMs ?? stallTimeoutMs ?? elapsedTimeoutMs ?? at) === undefined) return;
    const { loop, runner } = this.#deps;
    // The remaining part is at most the whole time, also when the wall clock was set back before a restart.
    const total =
      at === undefined ? undefined : { at, ms: Math.max(0, Math.min(at - loop.clock.now(), at - task.createdAt)) };
    const onPassed = (code: StopReason, reason: string) => runner.stop(task, code, reason);
    const options = { timeoutMs, stallTimeoutMs, elapsedTimeoutMs, total };
    extrasOf(task).deadlines = new Deadlines(loop.clock, options, onPassed);
  }

  /** Sets only the total limit: it also counts while the task is parked. */
  limitTotal(task: Task): void {
    const totalDeadlineAt = task.traits.limits?.totalDeadlineAt;
    if (totalDeadlineAt !== undefined) this.#limit(task, { totalDeadlineAt });
  }

  #follow(task: Task, signal: AbortSignal): void {
    const { runner } = this.#deps;
    if (signal.aborted) runner.stop(task, "cancel", wordsOf(reasonOf(signal)));
    else extrasOf(task).unfollow = follow(signal, () => runner.stop(task, "cancel", wordsOf(reasonOf(signal))));
  }

  /**
   * Puts the next attempt of a task of an earlier process in line. Called once its resumption is decided and stored.
   */
  resume(task: Task, work: Work, isSudden: boolean): void {
    // The task was stopped since that decision, or is left for another process.
    if (task.state.stop !== undefined) return;
    const { loop, slots, runner } = this.#deps;
    const { limits, priority } = task.traits;
    const { notBeforeAt } = task.state.details;
    // A task that waited here for another process still has the run of its spawn, with its async context.
    const run = (task.run ??= new RunOf<Task>(task, work, runner));
    run.work = work;
    task.madeSeq = loop.seq;
    task.extras?.deadlines?.cancel();
    if (limits !== undefined) this.#limit(task, limits);
    if (isSudden) extrasOf(task).startsStored = true;
    const { clock } = loop;
    // The rank counts the age of the task, and the age does not follow a wall clock that was set.
    const enqueuedAt = clock.monotonic() - Math.max(0, clock.now() - task.createdAt);
    const enter = () => slots.enter(task.lane, run, rankOf(task.lane, priority, false, enqueuedAt));
    const left = notBeforeAt === undefined ? 0 : notBeforeAt - clock.now();
    if (notBeforeAt !== undefined && left > 0)
      extrasOf(task).retryDelay = new RetryDelay(clock, { ms: left, at: notBeforeAt }, [], enter);
    else enter();
  }
}

/**
 * The parent of a spawn by the place of the call: the running task, or `undefined` outside tasks (H0). Throws
 * `ScopeCancelledError` when the task's function is over and has not returned.
 */
export function ambientParent(): Task | undefined {
  const attempt = ambientAttempt();
  if (attempt === undefined) return undefined;
  const { task, phase } = attempt;
  if (phase === "open") return task;
  if (phase === "settled" && attempt.hasReturned) return undefined;
  throw new ScopeCancelledError(task.id, "nothing is spawned from it");
}
