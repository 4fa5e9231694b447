// Scope: the verbs that a manager, a session and a context share: spawn, list, get, awaitTasks, outcomes, cancelAll, usage.
//
// Each view differs only in what it spawns under and which tasks are its own. Inputs are checked here, once for all three.

import type { Core } from "../core/core.js";
import type { Owner } from "../core/inbox/requests.js";
import { type AnyTaskKind, Kind, type KindWork, workOf } from "../core/kinds/kind.js";
import { checkFilter } from "../core/live/filter.js";
import type { Attempt, Task } from "../core/live/task.js";
import type { AwaitOptions } from "../core/outcomes/await-tasks.js";
import type { SpawnScope } from "../core/spawn/spawn.js";
import { checkSpawnNames } from "../core/spawn/spawn-options.js";
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
import { idInWords } from "../core/values/safe-read.js";
import type { WaitOptions } from "../core/waits/waits.js";
import { Handle, type TaskHandle, type TaskRef, taskOf } from "./handle.js";
import type { AwaitResult, AwaitTasks, Get, OutcomeOf, OutcomesOf, SpawnOptions } from "./session.js";

export abstract class Scope {
  protected readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  /** The attempt whose context this is, if it is one. */
  protected abstract readonly caller: Attempt | undefined;
  /** What a spawn here is a child of, and of which session, when its options do not say. */
  protected abstract spawnScope(): SpawnScope;
  /** Who is told of a request once (W4), where no task makes the call. */
  protected get owner(): Owner {
    return this;
  }
  /** Whether `task` is one of this scope's. */
  protected abstract owns(task: Task): boolean;
  /** The session whose names are addresses here; `undefined`: those of tasks of no session. */
  protected get homeSession(): string | undefined {
    return undefined;
  }
  /** Whether `task` is one this scope spawned itself. */
  protected abstract isChild(task: Task): boolean;
  /** The session whose loop is told of what is asked here (N2), where no task makes the call. */
  protected get told(): string | undefined {
    return undefined;
  }
  /** When a root that is spawned here wakes its owner, unless it says so itself. */
  protected get rootWake(): Wake | undefined {
    return undefined;
  }
  /** What `cancelAll()` closes to spawns until it resolves (H3). */
  protected abstract readonly closes: Task | string | undefined;

  /** What is spawned has the type that `Spawn` says: a handle of `never` stands for each. */
  protected start(work: unknown, options: (SpawnOptions & { input?: unknown }) | undefined): TaskHandle<never> {
    const kind = typeof work === "string" ? this.core.kinds.named(work) : Kind.partsOf("work", work);
    if (kind === undefined) {
      checkType("work", work, "function");
      if (options?.input !== undefined) throw new TypeError("input is for kinds: a function has what it closes over");
      // A `TaskFunction`, checked as far as a function can be.
      return this.#spawned(this.#scopeOf(options), work as Work, options);
    }
    // First of all: what is refused does not parse.
    const scope = this.#scopeOf(options);
    const made = workOf(kind, options?.input, this.core.loop.clock);
    const { input: _, ...rest } = options ?? {};
    const { lane = kind.lane, timeoutMs = kind.timeoutMs, elapsedTimeoutMs = kind.elapsedTimeoutMs } = rest;
    const { weight = kind.weight } = rest;
    return this.#spawned(scope, made.work, { ...rest, lane, timeoutMs, elapsedTimeoutMs, weight }, made);
  }

  #spawned(scope: SpawnScope, work: Work, options: SpawnOptions | undefined, made?: KindWork): TaskHandle<never> {
    return new Handle<never>(this.core, this.core.spawner.spawn(scope, work, options, made), this.told);
  }

  #scopeOf(options: SpawnOptions | undefined): SpawnScope {
    // First of all, and whatever the options say: a function that is over, or was abandoned, spawns nothing (H0).
    const scope = this.spawnScope();
    if (options !== undefined) checkSpawnNames(options);
    if (options?.parent !== undefined) {
      const parent = this.#taskAt("parent", options.parent);
      if (this.core.registry.byId(parent.id) !== parent && !parent.isOver) {
        throw new TypeError(`parent must be a task of this manager; ${idInWords(parent.id)} is another's`);
      }
      return { parent, sessionId: parent.sessionId };
    }
    return options?.root ? { parent: undefined, sessionId: scope.sessionId, wake: this.rootWake } : scope;
  }

  // The verbs that can be taken off their object, `const { spawn } = ctx`, stay bound to it.

  /** Waits until the tasks have ended, as `until` says. A timeout and a failed task are results. See `AwaitTasks` for what it rejects with. */
  get awaitTasks(): AwaitTasks {
    return (tasks, options) => this.#awaitTasks(tasks, options);
  }
  /** Each outcome in order of ending, as an async iterable. One step at a time: a second `next()` before the first has settled is a `TypeError`. */
  get outcomes(): OutcomesOf {
    return (tasks, options) => this.#outcomes(tasks, options);
  }
  /** A handle for one of its tasks, by id or by the name of a living one; `undefined` when it is unknown, evicted, or not one of its own. */
  get get(): Get {
    return (id: string, kind?: AnyTaskKind) => this.#get(id, kind);
  }

  #awaitTasks<const H extends readonly TaskRef[]>(tasks: H, options: AwaitOptions = {}): Promise<AwaitResult<H>> {
    let found: Task[];
    try {
      found = this.#tasksOf(tasks);
      checkAwaitOptions(options, found);
    } catch (error) {
      return Promise.reject(error);
    }
    // The outcomes stand at the positions of their handles, so each has the type that its handle has.
    return this.core.awaitTasks(this.caller, this.#awaiting(tasks), found, options) as Promise<AwaitResult<H>>;
  }

  #outcomes<const H extends readonly TaskRef[]>(
    tasks: H,
    options: WaitOptions = {},
  ): AsyncIterable<OutcomeOf<H[number]>> {
    checkOptions("outcomes", options, "signal");
    checkSignal("signal", options.signal);
    return this.core.outcomes(this.caller, this.#awaiting(tasks), () => this.#tasksOf(tasks), options) as AsyncIterable<
      OutcomeOf<H[number]>
    >;
  }

  /** Its tasks and those below them, by creation: the newest snapshots. Every given field must fit. `TypeError`: a field that is none. */
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
      throw new TypeError(`Task ${idInWords(id)} is ${has}, not of kind ${show(kind.name)}`);
    }
    return new Handle<never>(this.core, task, this.told);
  }

  /**
   * Asks all that fit to stop, each with what is below it, and resolves with how each ended. Without a filter a session, or a context,
   * spawns nothing until then (`ScopeCancelledError`); a filter is not a scope. Left unread, it never rejects.
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
    return this.core.cancelAll(this.caller, tasks, scope, reason, this.#awaiting([]), options);
  }

  #awaiting(refs: readonly TaskRef[]) {
    /** Of the tasks of other managers. */
    const homes = new Map<Task, Core>();
    /** Of the tasks that a session gave out. */
    const sessions = new Map<Task, string>();
    const given: readonly unknown[] = Array.isArray(refs) ? refs : [];
    for (const ref of given) {
      if (typeof ref !== "object" || ref === null) continue;
      const held = Handle.heldBy("tasks", ref);
      if (held === undefined) continue;
      const { core: home, task, sessionId } = held;
      if (home !== this.core) homes.set(task, home);
      if (sessionId !== undefined) sessions.set(task, sessionId);
    }
    return {
      sessionOf: (task: Task) => sessions.get(task) ?? this.told,
      coreOf: (task: Task) => homes.get(task),
      owner: this.owner,
      inboxes: new Set([this.core, ...homes.values()].map((core) => core.requests)),
      isChild: (task: Task) => !homes.has(task) && this.isChild(task),
      cancel: (task: Task, reason: string) => (homes.get(task) ?? this.core).stop(task, "cancel", reason),
    };
  }

  #find(filter: TaskFilter): Task[] {
    checkFilter(filter);
    return this.core.list(filter, (task) => this.owns(task));
  }

  #tasksOf(refs: readonly TaskRef[]): Task[] {
    if (!Array.isArray(refs)) throw new TypeError(`tasks must be a list of ids and handles, got ${show(refs)}`);
    return refs.map((ref: unknown, index) => this.#taskAt(`tasks[${index}]`, ref));
  }

  /** Finds a task by handle, by id or by name: §9 names are unique among the living tasks of a session. An id comes first. */
  #taskAt(option: string, ref: unknown): Task {
    const isName = typeof ref === "string" && this.core.registry.byId(ref) === undefined;
    return (isName ? this.#byName(ref) : undefined) ?? taskOf(this.core, option, ref);
  }

  #byName(name: string): Task | undefined {
    const task = this.core.registry.byName(this.homeSession, name);
    return task !== undefined && this.owns(task) ? task : undefined;
  }
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
