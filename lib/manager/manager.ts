// Manager: the public front of errand. Checks the arguments and calls the part of the core that does the work.

import { Core } from "../core/core.js";
import { checkStore } from "../core/durable/store-methods.js";
import type { Inbox } from "../core/inbox/inbox.js";
import { treeOf } from "../core/live/family.js";
import type { Task } from "../core/live/task.js";
import { type Stats } from "../core/run/stats.js";
import type { SessionOptions } from "../core/spawn/session-bounds.js";
import { ambientParent, NO_PLACE, type SpawnScope } from "../core/spawn/spawn.js";
import { EVENT_TYPES, type ManagerEventMap, type TaskEvent } from "../core/task/events.js";
import type { Runtime, TaskTree } from "../core/task/record.js";
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
import { runOutside } from "../core/values/outside.js";
import { ambientAttempt } from "../core/waits/ambient.js";
import type { WaitOptions } from "../core/waits/waits.js";
import { Context, callWork } from "../session/context.js";
import { keepShapes } from "../session/kept-shapes.js";
import { NamedSession } from "../session/named-session.js";
import type { Session, Spawn, TaskContext } from "../session/session.js";
import type { SpawnOptions } from "../session/spawn-arguments.js";
import { LaneControls } from "./lane-controls.js";
import { checkManagerOptions, type TaskManagerOptions } from "./manager-options.js";
import { openStore } from "./open-store.js";

/**
 * Spawns tasks, limits them, and lists them. In memory; with `TaskManager.open` and a store also across restarts.
 *
 * @example
 * ```ts
 * import { TaskManager } from "errand";
 *
 * const manager = new TaskManager({ concurrency: 4 });
 * const task = manager.spawn(async (ctx) => {
 *   await ctx.sleep(10);
 *   return 42;
 * });
 * console.log(await task.result()); // 42
 * await manager.close();
 * ```
 */
export class TaskManager extends LaneControls {
  /** The open questions of all tasks, and the methods with which people answer them. */
  readonly inbox: Inbox;
  /** @internal */
  protected readonly caller = undefined;
  /** @internal */
  protected readonly closes = undefined;

  /**
   * Creates a manager in memory. Throws a `TypeError` or `RangeError` that names an option that does not fit. A `store`
   * is a `TypeError`: use `TaskManager.open`.
   */
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
        onIdle: (core) => keepShapes(core, () => new TaskManager()),
      }),
    );
    this.inbox = this.core.inbox;
  }

  /**
   * Restores the state of the store. Then each task that a dead process left is resumed or ended:
   * - A task whose kind `canReattach` is `queued` again as its next attempt.
   * - A task that was asked to stop ends as that stop says.
   * - A task whose kind or lane this manager does not know is parked: it stays active, `blockedOn` names the missing
   *   kind or lane, and `logger.warn` names the task.
   * - Every other task is `interrupted`, and its record names the process.
   *
   * The changes are stored when this resolves, and resumed tasks start after the turn in which it resolved. Without a
   * `store` it creates a manager in memory.
   *
   * Rejects with `StoreLockedError` (another process has the store open), `JournalCorruptError`,
   * `StoreUnavailableError`, or the errors of the constructor.
   *
   * @example
   * ```ts
   * import { defineKind, TaskManager } from "errand";
   * import { fileStore } from "errand/stores/file";
   *
   * const greet = defineKind({ name: "greet", run: (_ctx, name: string) => `Hello ${name}` });
   * const first = await TaskManager.open({ store: fileStore("greetings"), kinds: [greet] });
   * await first.spawn(greet, { id: "greet-ada", input: "Ada" }).result();
   * await first.close();
   *
   * const second = await TaskManager.open({ store: fileStore("greetings"), kinds: [greet] });
   * console.log(await second.get("greet-ada")?.result()); // Hello Ada
   * await second.close();
   * ```
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
   * Starts work and returns a handle at once. The function runs later in the same turn when a slot is free, and never
   * inside this call. Inside a task's function it makes a child of that task, unless `root` or `parent` says otherwise;
   * outside a task it makes a root. Throws the errors that `Spawn` lists; no task exists then.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const parent = manager.spawn(async (ctx) => {
   *   const child = ctx.spawn(() => "read", { title: "Read the file", timeoutMs: 5_000 });
   *   return child.result(); // the wait lends the slot of the parent
   * });
   * console.log(await parent.result()); // read
   * ```
   */
  readonly spawn: Spawn = (work: unknown, options?: SpawnOptions & { input?: unknown }) => this.start(work, options);

  /** @internal */
  protected spawnScope(): SpawnScope {
    const parent = this.#ambientParent();
    return parent === undefined ? NO_PLACE : { parent, sessionId: parent.sessionId };
  }

  /** The task whose function makes this call. A task of another manager is no parent here (H0). */
  #ambientParent(): Task | undefined {
    return ambientAttempt()?.waits === this.core.waits ? ambientParent() : undefined;
  }

  /** @internal */
  protected owns(): boolean {
    return true;
  }
  /** @internal */
  protected tasks(): Iterable<Task> {
    return this.core.registry.all();
  }
  /** @internal */
  protected isChild(task: Task): boolean {
    return task.parent === undefined;
  }

  /** Every root with its kept descendants, or only the tree under `id`. Empty when `id` is unknown. */
  tree(id?: string): readonly TaskTree[] {
    if (id === undefined) return this.core.registry.tops().map(treeOf);
    checkType("id", id, "string");
    const task = this.core.registry.byId(id);
    return task === undefined ? [] : [treeOf(task)];
  }

  /**
   * The session of one owner loop, by name: the same id is the same session in each call.
   *
   * `options` bound the sum over all tasks of the session. They apply from this call on, to each handle of the session;
   * a later call changes the fields that it names. They are not stored: pass them again after a restart.
   *
   * A session without a kept record is removed after `retention.ttlMs`, with its usage. Throws `TypeError` or
   * `RangeError` when an option does not fit.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const session = manager.session("chat-42", { limits: { maxLiving: 50 } });
   * session.spawn(() => "done", { name: "reader" });
   * console.log(session.list().map((record) => record.name)); // [ 'reader' ]
   * await session.cancelAll();
   * ```
   */
  session(id: string, options?: SessionOptions): Session {
    checkType("id", id, "string");
    checkText("id", id);
    return new NamedSession(this.core, id, () => this.#ambientParent(), options);
  }

  /**
   * The context of the task whose function makes this call, for code that did not receive it, such as a tool inside
   * another library. `undefined` outside tasks, in a task of another manager, with `ambient: false`, and after that
   * function has settled.
   */
  get current(): TaskContext | undefined {
    const attempt = ambientAttempt();
    if (attempt?.phase !== "open" || attempt.waits !== this.core.waits) return undefined;
    return new Context(this.core, attempt);
  }

  /**
   * Calls `listener` with each event of that type after the event is stored, outside any task. Returns a function that
   * removes the listener; a second call of that function has no effect. A listener that throws changes nothing else:
   * the error is reported as the event `listener.failed`.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const off = manager.on("task.failed", (event) => console.log(event.error.message)); // no network
   * await manager.spawn(() => Promise.reject(new Error("no network"))).outcome();
   * await manager.idle();
   * off();
   * ```
   */
  on<K extends keyof ManagerEventMap>(type: K, listener: (event: ManagerEventMap[K]) => unknown): () => void {
    checkOneOf("type", type, EVENT_TYPES);
    checkType("listener", listener, "function");
    return this.core.loop.listeners.on(type, listener, this.core.loop.nextSeq);
  }

  /** Removes a listener that `on` added. No effect when the listener is not registered. */
  off<K extends keyof ManagerEventMap>(type: K, listener: (event: ManagerEventMap[K]) => unknown): void {
    checkOneOf("type", type, EVENT_TYPES);
    this.core.loop.listeners.off(type, listener);
  }

  /**
   * The kept events from the `seq` `from` on (default: the oldest kept one), then new events. Ends when `signal` aborts
   * or the manager closes. Buffers nothing. With `taskId` it gives only the events of that task, and does not end when
   * the task ends.
   *
   * `from: 0` and `from: 1` are the beginning of the journal. `from: "now"` is the next event. A reader that remembers
   * the `seq` of its last event passes that `seq` + 1, also when that event does not exist yet. A larger `from` is a
   * `RangeError` that names the newest `seq`.
   *
   * With a store it reads all events that the journal keeps. In memory it reads the newest 10 000 since its first call.
   * A reader whose `from` is older than the oldest kept event gets `EventsCompactedError`, which names that event.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const events = manager.events({ from: "now" })[Symbol.asyncIterator]();
   * const first = events.next(); // the reader begins here
   * manager.spawn(() => "done");
   * console.log((await first).value.type); // task.created
   * await manager.close(); // ends the reader
   * ```
   */
  events(
    options: {
      /** The `seq` of the first event, or `"now"` for the next new event; default the oldest kept event. */
      from?: number | "now" | undefined;
      /** Only events of this task. */
      taskId?: string | undefined;
      /** Only events of tasks of this session. */
      sessionId?: string | undefined;
      /** Ends the iteration. */
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

  /** The `seq` of the first event for a reader; `undefined`: the oldest kept event. */
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

  /** The instance of this manager: the `runtime` in the records of tasks that run here. */
  get runtime(): Runtime {
    return this.core.runtime;
  }

  /** The current counts of tasks, slots and lanes. */
  stats(): Stats {
    return this.core.stats();
  }

  /**
   * Resolves when every task has ended; at once when there is none. Inside a task it rejects with `AwaitCycleError`.
   */
  idle(options: WaitOptions = {}): Promise<void> {
    try {
      checkOptions("idle", options, "signal");
      checkSignal("signal", options.signal);
      return this.core.whenIdle(options.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Refuses new work, aborts every signal with the stop reason `shutdown`, and waits up to `graceMs` (default: the
   * `graceMs` of the manager): a function that returns is `succeeded`, a function that rejects or does not settle is
   * `interrupted`. Then open promises reject with `ManagerClosedError`. A second call has no further effect. To let
   * work finish first, `await manager.idle()`. Inside a task it rejects with `AwaitCycleError` and closes nothing.
   */
  close(
    options: {
      /** The time for running functions to settle, in milliseconds ≥ 0; default: the `graceMs` of the manager. */
      graceMs?: number | undefined;
    } = {},
  ): Promise<void> {
    try {
      checkOptions("close", options, "graceMs");
      checkMs("graceMs", options.graceMs);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.core.close(options.graceMs ?? this.core.graceMs);
  }

  /** Closes the manager, like `close()`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
