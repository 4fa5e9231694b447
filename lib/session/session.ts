// Session: the public contract of an owner loop and of a task's function.
//
// Owns types alone. `NamedSession` and `Context` implement them with the verbs of `Scope`.

import type { Ask, AskOptions } from "../core/inbox/question.js";
import type { TaskKind } from "../core/kinds/kind.js";
import type { NoticeOptions } from "../core/notices/notice-reading.js";
import type { Message } from "../core/task/message.js";
import type { TaskFilter, TaskOutcome, TaskRecord, Usage } from "../core/task/record.js";
import type { Clock } from "../core/time/clock.js";
import type { WaitOptions } from "../core/waits/waits.js";
import type { ViewOptions } from "../model/prompt/view.js";
import type { ToolOptions } from "../model/tools/session-tools.js";
import type { TaskTool } from "../model/tools/tool.js";
import type { AwaitTasks, OutcomesOf } from "./awaiting.js";
import type { NoticeBatch } from "./notice-batch.js";
import type { MapOptions, SpawnArguments, SpawnInput, SpawnOptions } from "./spawn-arguments.js";
import type { Get, TaskHandle } from "./task-handle.js";
import type { TaskReports } from "./task-reports.js";

/**
 * The function of a task. A returned value, or the value of a returned promise, is the result. A throw fails the task,
 * unless it was asked to stop.
 */
export type TaskFunction<T> = (ctx: TaskContext) => T | PromiseLike<T>;

/**
 * Starts work and returns its handle at once. The function runs later in the same turn, when a slot is free, and never
 * inside this call. With a store it runs once the spawn is stored.
 *
 * Throws and starts nothing: `QueueFullError`, `LimitExceededError`, `ScopeCancelledError` (the scope or the parent was
 * stopped or has failed), `UnknownLaneError`, `UnknownKindError`, `InvalidInputError`, `IdConflictError`,
 * `NameTakenError`, `ReservedNameError`, `TaskNotFoundError` (an unknown parent), `TaskTerminatedError` (a parent that
 * has succeeded), `StoreUnavailableError`, `ManagerClosedError`, and `TypeError` or `RangeError` for a bad option.
 */
export interface Spawn {
  /**
   * Starts a registered kind by its name. The schema of the kind checks the input. A name that is not registered is
   * `UnknownKindError`, unless the `id` or the `callId` is that of a task of this kind that an earlier process left:
   * then the handle of that task is returned, and the task stays parked until a process knows the kind.
   */
  (
    kind: string,
    options?: SpawnOptions & {
      /** The input of the kind, as JSON can carry it; checked at run time only. */
      input?: unknown;
    },
  ): TaskHandle;
  /** Starts a kind that takes an input. */
  <I, T>(kind: TaskKind<I, T>, options: SpawnOptions & SpawnInput<NoInfer<I>>): TaskHandle<T>;
  /** Starts a plain function, or a kind that takes no input. */
  <T>(work: TaskFunction<T> | TaskKind<undefined, T>, options?: SpawnOptions & { input?: undefined }): TaskHandle<T>;
  /**
   * The three signatures above in one. A compiler explains a call that fits no signature by the last one, so this one
   * makes it name the misspelt option or field.
   */
  <T, I = undefined>(
    work: string | TaskFunction<T> | TaskKind<I, T>,
    ...options: SpawnArguments<NoInfer<I>>
  ): TaskHandle<T>;
}

/** One owner loop: the tasks that it spawned, and everything that it and its model read about them. */
export interface Session {
  /** The id of the session. For a context, the id of the task. */
  readonly id: string;
  /** Starts work under this session. Inside a task of the session the work is a child of that task. */
  readonly spawn: Spawn;
  /** Waits until tasks have ended. */
  readonly awaitTasks: AwaitTasks;
  /** Iterates over the outcomes of tasks in the order of their ends. */
  readonly outcomes: OutcomesOf;
  /**
   * The newest records of the tasks of this session and of the tasks below them, by creation. All given fields must
   * match.
   */
  list(filter?: TaskFilter): readonly TaskRecord[];
  /** Finds a task of this session; `undefined` for every other task. */
  readonly get: Get;
  /**
   * Asks the matching tasks to stop, with everything below them, and resolves with their outcomes. Without a filter the
   * session refuses spawns (`ScopeCancelledError`) until all of them have ended. With a filter it refuses nothing.
   */
  cancelAll(filter?: TaskFilter, reason?: string, options?: WaitOptions): Promise<readonly TaskOutcome[]>;
  /**
   * Usage of all tasks of this session, including tasks whose records were evicted. A session that was forgotten starts
   * at 0. For a context: usage of the children of the task and of everything below them.
   */
  usage(): Usage;
  /**
   * Resolves with the notices that this loop has not acknowledged, as soon as there are any. The `wake` of a task
   * decides which of its events become notices. Messages to the task of this loop are in the batch too, unless
   * `receive` has read them first.
   *
   * An outcome that this loop has awaited does not become a notice. These waits count: all waits of this session and of
   * its tools, and all waits for a handle that this session returned, by `spawn` or `get`. In a task, every wait of its
   * function for a child counts. Outside a task, a wait of the manager for an id, and a wait for a handle of
   * `manager.get`, do not count: they belong to no session.
   *
   * A first call with `timeoutMs: 0`, before the first model call of a loop, says that this loop reads notices: only
   * then do the tools tell the model that it will be informed of an end. With a store, such a call just after an end
   * may return an empty batch where a manager in memory returns `undefined`: the answer `undefined` is not given before
   * everything that it rests on is stored.
   *
   * All notices of one turn are one batch, as far as its text can hold them. The other notices are the next batch,
   * which is available at once. Without `ack` the same notices are delivered again. The batch is empty when `timeoutMs`
   * passes first. The call resolves with `undefined` when nothing can wake this loop any longer: the loop may end.
   *
   * When a task ends, the notices of its loop pass to the nearest living ancestor, else to the named session. Inside a
   * task of a named session, the call on that session delivers the notices of the task.
   *
   * Rejects with the reason of an aborted `signal`, with `TaskCancelledError` when the calling task is stopped, with
   * `ManagerClosedError`, and in a task whose function is over with `ScopeCancelledError` or `TaskTerminatedError`. The
   * notices remain unacknowledged then.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const session = manager.session("chat-42");
   * session.spawn(() => "12 pages", { title: "Count the pages" });
   * const batch = await session.nextNotices();
   * console.log(batch?.notices.map((notice) => notice.type)); // [ 'task.succeeded' ]
   * await batch?.ack(); // batch.text is in the prompt now
   * console.log(await session.nextNotices()); // undefined
   * ```
   */
  nextNotices(options?: NoticeOptions): Promise<NoticeBatch | undefined>;
  /**
   * The living tasks as text for a prompt, by creation: the state, the open questions and the remaining budget of each.
   * Returns `""` when no task lives. The text has at most `maxChars` characters (default 2 000; below 256 a
   * `RangeError`) and then counts the tasks that did not fit. It is the same text while nothing has changed. Texts of
   * the tasks are quoted, bounded and escaped. Put the view after the last message of each step, so that the prompt
   * before it stays cached.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const session = manager.session("chat-42");
   * session.spawn((ctx) => ctx.sleep(60_000), { title: "Wait for the build" });
   * const prompt = ["Is the build ready?", session.view()].join("\n\n");
   * console.log(prompt.includes("Wait for the build")); // true
   * await session.cancelAll();
   * ```
   */
  view(options?: ViewOptions): string;
  /**
   * The six tools for a model. They act for this loop. The tools of a named session, called inside one of its tasks,
   * act for that task. A task that they start wakes this loop by its questions and messages too, unless `spawn.wake`
   * says otherwise. An outcome that a tool has shown is not delivered again by `nextNotices`. Throws `TypeError` or
   * `RangeError` for an option that does not fit, and `UnknownKindError`.
   *
   * A loop that reads notices calls `nextNotices({ timeoutMs: 0 })` before its first model call. Until the first
   * `nextNotices`, `spawn_task` tells the model to wait with `await_tasks`, because nothing else would inform it of the
   * end; from then on it says that the end is reported.
   *
   * @example
   * ```ts
   * import { defineKind, TaskManager } from "errand";
   *
   * const add = defineKind({ name: "add", run: (_ctx, { a, b }: { a: number; b: number }) => a + b });
   * const session = new TaskManager({ kinds: [add] }).session("chat-42");
   * const tools = session.tools(); // give their name, description and inputSchema to your model
   * const spawnTask = tools.find(({ name }) => name === "spawn_task");
   * await spawnTask?.execute({ kind: "add", input: { a: 1, b: 2 }, title: "Add" }, { callId: "call_1" });
   * console.log(session.list()[0]?.title); // Add
   * ```
   */
  tools(options?: ToolOptions): readonly TaskTool[];
}

/**
 * The context of a task's function: the session of its children, and its connection to the owner of the task.
 *
 * Every wait of a context lends the slot and rejects with `TaskCancelledError` in the turn in which the task is
 * stopped. When the function has settled or was abandoned, the context is closed. A closed context drops writes. Its
 * spawns throw `TaskTerminatedError`, or `ScopeCancelledError` when the function was stopped or has failed.
 */
export interface TaskContext<C = unknown> extends Session, TaskReports<C> {
  /** The number of this execution: 1 for the first one. Retries, and restarts that resume the task, each add 1. */
  readonly attempt: number;
  /** The newest record of the task. */
  readonly record: TaskRecord;
  /**
   * The instant at which `totalTimeoutMs` of the task, or of a task above it, will have passed, in epoch milliseconds.
   * `undefined` without such a limit.
   */
  readonly totalDeadlineAt: number | undefined;
  /**
   * The `AbortSignal` of this execution. It aborts with `TaskCancelledError` when the task is stopped, for any reason.
   */
  readonly signal: AbortSignal;
  /**
   * The time that the function has to settle after a stop, in milliseconds: the `graceMs` of the task, or less while
   * the manager closes with a shorter one. A function that takes longer is abandoned. `Infinity`: no limit.
   */
  readonly graceMs: number;
  /**
   * The clock of the manager: in a test the clock of the test. A kind measures its own intervals and sets its timers
   * with it. All methods of `Clock` are there, also those that the clock of the manager leaves out: `onSet` then calls
   * at most 30 s after the wall clock was set. Clear your timers when the function ends.
   */
  readonly clock: Required<Clock>;
  /** Whether the task has been asked to stop. */
  readonly isCancelled: boolean;
  /** Resolves when the task is asked to stop, and never rejects. The call is not a wait: the task keeps its slot. */
  cancelled(): Promise<void>;

  /**
   * Asks a question and resolves with the answer; the task is blocked on `input` until then. Rejects with
   * `RequestRejectedError`, `RequestExpiredError`, or `IdConflictError` (the key belongs to another question).
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const task = manager.spawn((ctx) => ctx.ask({ question: "Which colour?", choices: ["red", "blue"] }));
   * for await (const request of manager.inbox.watch()) {
   *   await manager.inbox.answer(request.id, "blue", { by: "ada" });
   *   break;
   * }
   * console.log(await task.result()); // blue
   * ```
   */
  ask: Ask;
  /**
   * Asks a person for an approval. Resolves on "yes", and rejects on "no" with `RequestRejectedError`, whose `reason` a
   * model can read. So a forgotten `if` never counts as a yes. Rejects with `RequestExpiredError` after `timeoutMs`.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const task = manager.spawn((ctx) => ctx.approve("Delete the branch?"));
   * for await (const request of manager.inbox.watch()) {
   *   await manager.inbox.reject(request.id, "It is not merged.", { by: "ada" });
   *   break;
   * }
   * console.log((await task.outcome()).status); // failed
   * ```
   */
  approve(question: string, options?: AskOptions): Promise<void>;
  /**
   * The oldest unread inbound message. Resolves with `undefined` when `timeoutMs` passes first; with 0 it never waits.
   */
  receive(
    options?: WaitOptions & {
      /** The longest wait, in milliseconds ≥ 0; default no limit. */
      timeoutMs?: number | undefined;
    },
  ): Promise<Message | undefined>;
  /**
   * Waits for `ms` milliseconds, ≥ 0; the task is blocked on `time`. `Infinity` waits until the task is stopped.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const nap = manager.spawn((ctx) => ctx.sleep(60_000)); // holds no slot
   * console.log((await nap.cancel()).status); // cancelled
   * ```
   */
  sleep(ms: number, options?: WaitOptions): Promise<void>;
  /**
   * Waits until the wall clock has reached `at`, in epoch milliseconds, and holds no slot meanwhile. An instant in the
   * past is reached at once, `Infinity` never. When the wall clock is set or the machine sleeps, the wait ends at most
   * 30 s after the instant, and never before it. Rejects with `TaskCancelledError` at a stop and with the reason of
   * `signal`. `TypeError` or `RangeError`: `at` is no number.
   */
  sleepUntil(at: number, options?: WaitOptions): Promise<void>;
  /**
   * Runs `fn` for each item as a child task, at most `concurrency` at a time. Resolves with the values in the order of
   * the items. An item is read when a child for it may start, so a source of any length works: a list, a generator, or
   * an async iterable such as a stream of pages.
   *
   * The first child that does not succeed stops the reading, closes the source and cancels the other children. When
   * those have ended, within their grace, the call rejects with the `TaskOutcomeError` of that child. A source that
   * throws and a spawn that is refused fail the call in the same way. A full line is no refusal: at a `maxQueued` of
   * the manager or of the session, the next child waits for a place, as after `room()`. An aborted `signal` closes the
   * source and rejects with its reason; the children that run continue. Rejects with a `TypeError` when `items` is not
   * iterable, or when an option does not fit.
   *
   * The children have no `id`, so a retry or a restart of the task runs `fn` for all items again. To run each item
   * once, spawn the children with an `id` of their own by `ctx.spawn`, and wait with `awaitTasks`.
   *
   * @example
   * ```ts
   * import { TaskManager } from "errand";
   *
   * const manager = new TaskManager();
   * const lengths = await manager
   *   .spawn((ctx) => ctx.map(["river", "lake"], (_child, word) => word.length, { concurrency: 2 }))
   *   .result();
   * console.log(lengths); // [ 5, 4 ]
   * ```
   */
  map<A, B>(
    items: Iterable<A> | AsyncIterable<A>,
    fn: (ctx: TaskContext, item: A, index: number) => B | PromiseLike<B>,
    options: MapOptions,
  ): Promise<B[]>;
}
