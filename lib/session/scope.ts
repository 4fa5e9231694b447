// Scope: the verbs that a manager, a session and a context share: spawn, list, get, awaitTasks, outcomes, cancelAll.
//
// Owns no state. A scope differs from another by the parent of its spawns and by the tasks that are its own. The
// options of all three are checked here.

import type { Core, OwnTasks } from "../core/core.js";
import type { Owner } from "../core/inbox/requests.js";
import { type AnyTaskKind, Kind, type KindWork, workOf } from "../core/kinds/kind.js";
import { checkFilter } from "../core/live/filter.js";
import type { Attempt, Task } from "../core/live/task.js";
import type { AwaitOptions } from "../core/outcomes/await-tasks.js";
import { takeSpawnOptions } from "../core/spawn/option-table.js";
import type { SpawnScope } from "../core/spawn/spawn.js";
import { NO_OPTIONS, type TakenOptions } from "../core/spawn/spawn-options.js";
import type { Work } from "../core/task/kind-parts.js";
import type { TaskFilter, TaskOutcome, TaskRecord, Wake } from "../core/task/record.js";
import {
  checkCount,
  checkMs,
  checkOneOf,
  checkOptions,
  checkSignal,
  checkText,
  checkType,
  show,
} from "../core/values/checks.js";
import { isThenable } from "../core/values/handled.js";
import { idInWords } from "../core/values/safe-read.js";
import type { WaitOptions } from "../core/waits/waits.js";
import type { AwaitResult, AwaitTasks, OutcomeOf, OutcomesOf } from "./awaiting.js";
import { Handle, taskOf } from "./handle.js";
import type { SpawnOptions } from "./spawn-arguments.js";
import type { Get, TaskHandle, TaskRef } from "./task-handle.js";

/** The tasks that a caller names. */
interface Targets {
  /** The tasks, at the positions of their handles and ids. */
  readonly tasks: readonly Task[];
  /** The cores of the tasks that belong to another manager; `undefined`: this manager has all of them. */
  readonly homes: ReadonlyMap<Task, Core> | undefined;
  /** The sessions that returned the handles; `undefined`: no session did. */
  readonly sessions: ReadonlyMap<Task, string> | undefined;
}
const NO_TARGETS: Targets = Object.freeze({ tasks: Object.freeze([]), homes: undefined, sessions: undefined });

/** The base of `TaskManager`, `NamedSession` and `Context`. */
export abstract class Scope {
  // The members for subclasses are `@internal`: the published types have neither them nor the types of the core.

  /** @internal The core of the manager. */
  protected readonly core: Core;

  /** @internal Only errand makes scopes. */
  constructor(core: Core) {
    this.core = core;
  }

  /** @internal The core of a scope of this copy of errand. */
  static coreBehind(scope: Scope): Core {
    return scope.core;
  }

  /** @internal The attempt of a context; `undefined` for a session and a manager. */
  protected abstract readonly caller: Attempt | undefined;
  /** @internal The parent and the session of a spawn whose options name no parent. */
  protected abstract spawnScope(): SpawnScope;
  /** @internal The owner that a request is reported to once, for a call outside tasks (W4). */
  protected get owner(): Owner {
    return this;
  }
  /** @internal Whether `task` belongs to this scope. */
  protected abstract owns(task: Task): boolean;
  /** @internal The tasks of this scope, in order of creation. */
  protected abstract tasks(): Iterable<Task>;
  /** @internal The session whose task names are addresses here; `undefined`: the names of tasks without a session. */
  protected get homeSession(): string | undefined {
    return undefined;
  }
  /** @internal Whether this scope is the direct owner of `task`, and not only of a task above it. */
  protected abstract isChild(task: Task): boolean;
  /** @internal The session whose loop receives the outcomes that are awaited here, for a call outside tasks (N2). */
  protected get receivingSession(): string | undefined {
    return undefined;
  }
  /** @internal The `wake` of a root that is spawned here, when its options have none. */
  protected get rootWake(): Wake | undefined {
    return undefined;
  }
  /** @internal The task or session that refuses spawns while `cancelAll()` without a filter is under way (H3). */
  protected abstract readonly closes: Task | string | undefined;

  /** @internal Starts work. `Spawn` types the result: a handle of `never` is assignable to each of its handle types. */
  protected start(work: unknown, options: TakenOptions<TaskRef> | undefined): TaskHandle<never> {
    const kind = typeof work === "string" ? this.core.kinds.find(work) : Kind.partsOf("work", work);
    if (kind === undefined && typeof work !== "string") checkWork(work);
    // The scope comes first: a function that is over or was abandoned spawns nothing, whatever the options say (H0).
    const place = this.spawnScope();
    const given = options === undefined ? NO_OPTIONS : takeSpawnOptions(options);
    const scope = given === NO_OPTIONS ? place : this.#scopeOf(place, given);
    if (kind === undefined && typeof work === "string") return this.#found(work, scope, given);
    if (kind === undefined) {
      if (given.input !== undefined)
        throw new TypeError("input is for kinds: a function reads its input from the variables around it");
      // `Work` is a `TaskFunction` without its types.
      return this.#spawned(scope, work as Work, given);
    }
    const made = workOf(kind, given.input, this.core.loop.clock);
    const { input: _, ...rest } = given;
    const { lane = kind.lane, timeoutMs = kind.timeoutMs, elapsedTimeoutMs = kind.elapsedTimeoutMs } = rest;
    const { weight = kind.weight } = rest;
    return this.#spawned(scope, made.work, { ...rest, lane, timeoutMs, elapsedTimeoutMs, weight }, made);
  }

  /** A spawn by the name of a kind that is not registered here: it starts nothing, and may find a kept task. */
  #found(name: string, scope: SpawnScope, { input, ...options }: TakenOptions<TaskRef>): TaskHandle<never> {
    return new Handle<never>(this.core, this.core.spawner.found(scope, name, options, input), this.receivingSession);
  }

  #spawned(scope: SpawnScope, work: Work, options: SpawnOptions, made?: KindWork): TaskHandle<never> {
    return new Handle<never>(this.core, this.core.spawner.spawn(scope, work, options, made), this.receivingSession);
  }

  #scopeOf(place: SpawnScope, { parent: ref, root }: SpawnOptions): SpawnScope {
    if (ref !== undefined) {
      const parent = this.#taskAt("parent", ref);
      if (this.core.registry.byId(parent.id) !== parent && !parent.isOver) {
        throw new TypeError(
          `parent must be a task of this manager, and ${idInWords(parent.id)} belongs to another manager: spawn through that manager`,
        );
      }
      return { parent, sessionId: parent.sessionId };
    }
    return root ? { parent: undefined, sessionId: place.sessionId, wake: this.rootWake } : place;
  }

  // These getters return bound functions, so that `const { awaitTasks } = ctx` works.

  /**
   * Waits until the tasks have ended, as `until` says. A timeout and a failed task are results. `AwaitTasks` names the
   * errors.
   */
  get awaitTasks(): AwaitTasks {
    return (tasks, options) => this.#awaitTasks(tasks, options);
  }
  /**
   * Iterates over the outcomes of tasks in the order of their ends. One step at a time: a second `next()` before the
   * first has settled rejects with a `TypeError`.
   */
  get outcomes(): OutcomesOf {
    return (tasks, options) => this.#outcomes(tasks, options);
  }
  /**
   * Finds a task of this scope by its id, or by its name while it lives. Returns `undefined` when the task is unknown,
   * was evicted, or is outside this scope.
   */
  get get(): Get {
    return (id: string, kind?: AnyTaskKind) => this.#get(id, kind);
  }

  #awaitTasks<const H extends readonly TaskRef[]>(tasks: H, options: AwaitOptions = {}): Promise<AwaitResult<H>> {
    let targets: Targets;
    try {
      targets = this.#targetsOf(tasks);
      checkAwaitOptions(options, targets.tasks);
    } catch (error) {
      return Promise.reject(error);
    }
    const caller = this.#awaiting(targets);
    // Each outcome is at the position of its handle, so it has the type of that handle.
    return this.core.awaiter.awaitTasks(this.caller, caller, targets.tasks, options) as Promise<AwaitResult<H>>;
  }

  #outcomes<const H extends readonly TaskRef[]>(
    tasks: H,
    options: WaitOptions = {},
  ): AsyncIterable<OutcomeOf<H[number]>> {
    checkOptions("outcomes", options, "signal");
    checkSignal("signal", options.signal);
    // The tasks are read with the first step, which rejects when one of them is unknown.
    let targets: Targets = NO_TARGETS;
    const find = () => {
      targets = this.#targetsOf(tasks);
      return targets.tasks;
    };
    const view = {
      sessionOf: (task: Task) => targets.sessions?.get(task) ?? this.receivingSession,
      homeOf: (task: Task) => targets.homes?.get(task),
    };
    return this.core.awaiter.outcomes(this.caller, view, find, options) as AsyncIterable<OutcomeOf<H[number]>>;
  }

  /**
   * The newest records of the tasks of this scope and of the tasks below them, by creation. All given fields must
   * match. Throws a `TypeError` for an unknown field.
   */
  list(filter: TaskFilter = {}): readonly TaskRecord[] {
    return this.#find(filter).map((task) => task.record);
  }

  #get(id: string, kind: AnyTaskKind | undefined): TaskHandle<never> | undefined {
    checkType("id", id, "string");
    if (kind !== undefined && Kind.partsOf("kind", kind) === undefined)
      throw new TypeError(`kind must come from defineKind, got ${show(kind)}`);
    const task = this.core.registry.byId(id) ?? this.#byName(id);
    if (task === undefined || !this.owns(task)) return undefined;
    if (kind !== undefined && kind.name !== task.traits.kind) {
      const has = task.traits.kind === undefined ? "a plain function" : `of kind ${show(task.traits.kind)}`;
      throw new TypeError(
        `Task ${idInWords(id)} is ${has}, not of kind ${show(kind.name)}: pass its own kind, or none`,
      );
    }
    return new Handle<never>(this.core, task, this.receivingSession);
  }

  /**
   * Asks the matching tasks to stop, with everything below them, and resolves with their outcomes. Without a filter a
   * session or a context refuses spawns (`ScopeCancelledError`) until all of them have ended. With a filter it refuses
   * nothing. A promise that no caller reads causes no unhandled rejection.
   */
  cancelAll(filter?: TaskFilter, reason = "cancel", options: WaitOptions = {}): Promise<readonly TaskOutcome[]> {
    let tasks: Task[];
    try {
      checkText("reason", reason);
      checkOptions("cancelAll", options, "signal");
      checkSignal("signal", options.signal);
      tasks = this.#find(filter === undefined ? {} : filter).filter((task) => !task.isOver);
    } catch (error) {
      return Promise.reject(error);
    }
    const scope = filter === undefined ? this.closes : undefined;
    return this.core.awaiter.cancelAll(this.caller, tasks, scope, reason, this.#awaiting(NO_TARGETS), options);
  }

  /** The parties of a wait for `targets`: the managers of the tasks, and the session that returned each handle. */
  #awaiting({ homes, sessions }: Targets) {
    const { receivingSession } = this;
    return {
      sessionOf: (task: Task) => sessions?.get(task) ?? receivingSession,
      homeOf: (task: Task) => homes?.get(task),
      hasForeign: homes !== undefined,
      owner: this.owner,
      inboxes: new Set([this.core, ...(homes?.values() ?? [])].map((core) => core.requests)),
      isChild: (task: Task) => homes?.has(task) !== true && this.isChild(task),
      cancel: (task: Task, reason: string) => (homes?.get(task) ?? this.core).runner.stop(task, "cancel", reason),
    };
  }

  /** @internal The same two for the parts that act for this scope. */
  protected ownTasks(): OwnTasks {
    return { tasks: () => this.tasks(), owns: (task) => this.owns(task) };
  }

  #find(filter: TaskFilter): Task[] {
    checkFilter(filter);
    return this.core.list(filter, this.ownTasks());
  }

  #targetsOf(refs: readonly TaskRef[]): Targets {
    if (!Array.isArray(refs)) throw new TypeError(`tasks must be a list of ids and handles, got ${show(refs)}`);
    const tasks: Task[] = [];
    let homes: Map<Task, Core> | undefined;
    let sessions: Map<Task, string> | undefined;
    // Not `entries()`, which makes a pair for each.
    for (let index = 0; index < refs.length; index++) {
      const ref: unknown = refs[index];
      const isObject = typeof ref === "object" && ref !== null;
      // The name of the place is made only where an error may need it.
      const target = isObject ? (Handle.heldHere(ref) ?? Handle.heldBy(`tasks[${index}]`, ref)) : undefined;
      if (target === undefined) {
        tasks.push(this.#taskAt(`tasks[${index}]`, ref));
        continue;
      }
      const { core, task, sessionId } = target;
      tasks.push(task);
      if (core !== this.core) (homes ??= new Map()).set(task, core);
      if (sessionId !== undefined) (sessions ??= new Map()).set(task, sessionId);
    }
    return { tasks, homes, sessions };
  }

  /** Finds a task by its handle, its id or its name; an id takes precedence over a name (§9). */
  #taskAt(option: string, ref: unknown): Task {
    const isName = typeof ref === "string" && this.core.registry.byId(ref) === undefined;
    return (isName ? this.#byName(ref) : undefined) ?? taskOf(this.core, option, ref);
  }

  #byName(name: string): Task | undefined {
    const task = this.core.registry.byName(this.homeSession, name);
    return task !== undefined && this.owns(task) ? task : undefined;
  }
}

/** A function is the only work without a kind. Its parameters and its result cannot be checked. */
function checkWork(work: unknown): void {
  if (isThenable(work))
    throw new TypeError("spawn got a promise: pass the function that makes it, as in spawn(() => load())");
  if (typeof work !== "function")
    throw new TypeError(`spawn needs a function, a kind, or the name of a kind, got ${show(work)}`);
}

function checkAwaitOptions(options: AwaitOptions, tasks: readonly Task[]): void {
  checkOptions("awaitTasks", options, "until", "timeoutMs", "signal", "stopOnRequest", "cancelRest");
  const { until, timeoutMs, signal, stopOnRequest, cancelRest } = options;
  if (typeof until === "number") {
    const count = new Set(tasks).size;
    checkCount("until", until, 1);
    if (until > count)
      throw new RangeError(`until must be at most the number of tasks, which is ${count}, got ${until}`);
  } else checkOneOf("until", until, ["all", "any", "success", "failure"]);
  checkMs("timeoutMs", timeoutMs);
  checkSignal("signal", signal);
  if (stopOnRequest !== undefined) checkType("stopOnRequest", stopOnRequest, "boolean");
  if (cancelRest !== undefined) checkType("cancelRest", cancelRest, "boolean");
}
