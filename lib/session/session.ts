// Session: the public contract of a loop and of a task's function: what both can start, read and wait for.
//
// Types alone: `Scope`, `NamedSession` and `Context` keep them.

import type { Ask, AskOptions } from "../core/inbox/question.js";
import type { TaskKind } from "../core/kinds/kind.js";
import type { NoticeOptions } from "../core/notices/notices.js";
import type { AwaitOptions } from "../core/outcomes/await-tasks.js";
import type { SpawnOptions as AnySpawnOptions } from "../core/spawn/spawn-options.js";
import type { Content, Message, SendOptions } from "../core/task/message.js";
import type {
  ArtifactInput,
  LinksInput,
  Progress,
  TaskFilter,
  TaskOutcome,
  TaskRecord,
  Usage,
  UsageReport,
} from "../core/task/record.js";
import type { WaitOptions } from "../core/waits/waits.js";
import type { ViewOptions } from "../model/prompt/view.js";
import type { ToolOptions } from "../model/tools/session-tools.js";
import type { TaskTool } from "../model/tools/tool.js";
import type { TaskHandle, TaskRef } from "./handle.js";
import type { NoticeBatch } from "./notice-batch.js";

export type SpawnOptions = AnySpawnOptions<TaskRef>;

export type OutcomeOf<R> = R extends TaskHandle<infer T> ? TaskOutcome<T> : TaskOutcome;

export interface AwaitResult<H extends readonly TaskRef[]> {
  readonly reason: "done" | "timeout" | "request";
  /** One place for each task, in the order asked; `undefined` where it has not ended. */
  readonly outcomes: { readonly [K in keyof H]: OutcomeOf<H[K]> | undefined };
  /** Those that ended, first to end first. */
  readonly ended: readonly OutcomeOf<H[number]>[];
  readonly pending: readonly TaskRecord[];
}

/**
 * Never misses: a task that has already ended counts. A failed task is a result. Inside a task this lends its slot.
 * `TaskNotFoundError`: an id is unknown, and nothing was waited for. `AwaitCycleError`: it could never end. An aborted `signal` rejects with its reason.
 */
export interface AwaitTasks {
  <const H extends readonly TaskRef[]>(tasks: H, options?: AwaitOptions): Promise<AwaitResult<H>>;
}
/** Each outcome in order of ending, subscribed once, O(1) a step; every step is a wait. Leaving the loop withdraws it. Same errors as `awaitTasks`. */
export interface OutcomesOf {
  <const H extends readonly TaskRef[]>(tasks: H, options?: WaitOptions): AsyncIterable<OutcomeOf<H[number]>>;
}

/**
 * A handle for a task, also one from long ago; `undefined` when unknown, or when it is not one of this scope's. A task is found by its id, or by
 * its name while it lives: a name is an address within its session. An id comes before a name.
 */
export interface Get {
  (id: string): TaskHandle | undefined;
  /** The kind types the result. A task of another kind is a `TypeError` that names both. */
  <T>(id: string, kind: TaskKind<never, T>): TaskHandle<T> | undefined;
}

export type TaskFunction<T> = (ctx: TaskContext) => T | PromiseLike<T>;

export interface SpawnInput<I> {
  input: I;
}

/**
 * Starts work and returns at once; the function runs later in the same turn, when a slot is free, never inside this call; with a
 * store, once its spawn is stored. Throws, and starts nothing: `QueueFullError`, `LimitExceededError`, `ScopeCancelledError`,
 * `UnknownLaneError`, `UnknownKindError`, `InvalidInputError`, `IdConflictError`, `NameTakenError`, `ReservedNameError`, `TaskNotFoundError`
 * (an unknown parent), `TaskTerminatedError` (a parent that is over), `StoreUnavailableError`, `ManagerClosedError`.
 */
export interface Spawn {
  /** By name: the input is checked against the registered kind's schema. */
  (kind: string, options?: SpawnOptions & { input?: unknown }): TaskHandle;
  <I, T>(kind: TaskKind<I, T>, options: SpawnOptions & SpawnInput<NoInfer<I>>): TaskHandle<T>;
  <T>(work: TaskFunction<T> | TaskKind<undefined, T>, options?: SpawnOptions & { input?: undefined }): TaskHandle<T>;
  /** The three above in one. A compiler explains a call that fits none of them by the last one, so that it names the misspelt option or field. */
  <T, I = undefined>(
    work: string | TaskFunction<T> | TaskKind<I, T>,
    ...options: SpawnArguments<NoInfer<I>>
  ): TaskHandle<T>;
}

/** The options of a kind: without an input where it takes none. */
export type SpawnArguments<I> = undefined extends I
  ? [options?: SpawnOptions & { input?: I | undefined }]
  : [options: SpawnOptions & SpawnInput<I>];

export interface MapOptions extends WaitOptions {
  /** Children at a time: an integer ≥ 1, or `Infinity`. Required. */
  concurrency: number;
}

/** One owner loop: the tasks that it spawned, and what it and its model read about them. */
export interface Session {
  /** The id of the session; for a context, the task's id. */
  readonly id: string;
  readonly spawn: Spawn;
  readonly awaitTasks: AwaitTasks;
  readonly outcomes: OutcomesOf;
  /** Its tasks and those below them, by creation. */
  list(filter?: TaskFilter): readonly TaskRecord[];
  /** `undefined` when unknown, or not in `list()`. */
  readonly get: Get;
  /** Without a filter spawns are refused (`ScopeCancelledError`) until this resolves; a filter is not a scope. */
  cancelAll(filter?: TaskFilter, reason?: string, options?: WaitOptions): Promise<readonly TaskOutcome[]>;
  /**
   * Usage of all tasks of this session, including tasks whose records were evicted; a session that was forgotten starts at 0. For a context: usage
   * of the task's children and everything below them.
   */
  usage(): Usage;
  /**
   * Resolves with the notices that this loop has not acknowledged, as soon as there are any. The `wake` of a task says which of its events become
   * notices; an outcome that this loop has awaited does not. Messages to the loop's own task come with them, unless `receive` reads them first.
   *
   * One turn is one batch, as far as its text has room; the other notices are the next batch, which is there at once. Without `ack` the same
   * notices come again. An empty batch: `timeoutMs` passed. `undefined`: nothing left can wake this loop, so it may end. When an owner is
   * gone, its notices pass to its nearest living ancestor, else to its named session. Called inside a task of the named session, it delivers the
   * notices of that task.
   *
   * Rejects with the reason of an aborted `signal`, with `TaskCancelledError` when the calling task is stopped, and with
   * `ManagerClosedError`. The notices stay then.
   */
  nextNotices(options?: NoticeOptions): Promise<NoticeBatch | undefined>;
  /**
   * The living tasks as text for a prompt, by creation: how each stands, what it asks, what is left of a budget. `""` when there are none. At most
   * `maxChars` (default 2 000; below 256 a `RangeError`), and then how many more there are; the same text while nothing has changed. What tasks say
   * of themselves is quoted, bounded and escaped. Put it after the last message of each step, so that what comes before it stays cached.
   */
  view(options?: ViewOptions): string;
  /**
   * The six tools for a model. They act for this loop; those of a named session, called inside one of its tasks, for that task. What they start
   * wakes this loop by all it does, questions too, unless `spawn.wake` says otherwise. An outcome that one of them has shown is not delivered again
   * by `nextNotices`. `TypeError`, `RangeError`: an option does not fit; `UnknownKindError`.
   */
  tools(options?: ToolOptions): readonly TaskTool[];
}

/**
 * What a task's function receives: the session of its children, and its own line to the outside.
 * Every wait here lends the slot, and rejects with `TaskCancelledError` in the turn the task is stopped. Once the function has settled, or was
 * abandoned, the context is closed: writes are dropped, spawns are `TaskTerminatedError` (`ScopeCancelledError` if it was stopped or failed).
 */
export interface TaskContext<C = unknown> extends Session {
  readonly attempt: number;
  readonly record: TaskRecord;
  /** The instant at which `totalTimeoutMs`, its own or that of a task above it, will have passed, in epoch milliseconds; `undefined` when there is no such limit. */
  readonly totalDeadlineAt: number | undefined;
  /** The platform's own. Aborts with `TaskCancelledError` when the task is stopped, for whatever reason. */
  readonly signal: AbortSignal;
  /** A stop was asked for. */
  readonly isCancelled: boolean;
  /** Resolves when a stop is asked for; never rejects. Not a wait: keeps the slot. */
  cancelled(): Promise<void>;

  /** Blocks on `input`. Rejects with `RequestRejectedError`, `RequestExpiredError`, or `IdConflictError` (same key, another question). */
  ask: Ask;
  /** Returns on "yes" and rejects on "no" (`RequestRejectedError`, whose `reason` a model can read): a forgotten `if` is never a silent yes. */
  approve(question: string, options?: AskOptions): Promise<void>;
  /** The oldest unread inbound message; `undefined` when `timeoutMs` passes first, at once with 0. */
  receive(options?: WaitOptions & { timeoutMs?: number | undefined }): Promise<Message | undefined>;
  /** Blocks on `time` for `ms` ≥ 0; `Infinity` until the task is stopped. */
  sleep(ms: number, options?: WaitOptions): Promise<void>;
  /**
   * Runs each item as a child task, at most `concurrency` at a time, and resolves with the values in the order of the items. An item is read when
   * there is room for its child, so a source of any length works: a list, a generator, an async iterable such as a stream of pages.
   * The first child that does not succeed stops the reading, closes the source and cancels the other children; when those have ended, within their
   * grace, the call rejects with the `TaskOutcomeError` of that child. A source that throws, and a spawn that is refused, fail it in the same way.
   * Aborting `signal` closes the source and rejects with its reason; the children that run continue.
   * `TypeError`: `items` is no iterable, or an option does not fit.
   */
  map<A, B>(
    items: Iterable<A> | AsyncIterable<A>,
    fn: (ctx: TaskContext, item: A, index: number) => B | PromiseLike<B>,
    options: MapOptions,
  ): Promise<B[]>;

  /**
   * A message to the owner; resolves when stored. A function that has settled, was abandoned or was followed by another attempt posts nothing: the
   * call rejects with `ScopeCancelledError`, or with `TaskTerminatedError` after a return. `TypeError`: content that is none.
   */
  post(content: Content, options?: SendOptions): Promise<Message>;
  /** A `custom` event. `TypeError`: a payload that JSON cannot carry. */
  emit(name: string, payload?: unknown): void;
  /** Replaces what was there. A sign of life. `TypeError`: a field that progress does not have, or of a wrong type; nothing is replaced then. */
  progress(progress: Progress): void;
  /** One line for people and models. */
  summary(text: string): void;
  /**
   * Added up along the ancestors. The report that overspends a budget stops the task that carries it, and what is below, in the same call; it
   * does not throw. `TypeError`: a field that a report does not have; `RangeError`: an amount below 0. Nothing is added then.
   */
  reportUsage(report: UsageReport): void;
  /** Something it made: a path, a url, both, or a chunk of data; appended, never replaced. `TypeError`: none of these, data beside a path or url, or a field that an artifact does not have. */
  artifact(artifact: ArtifactInput): void;
  /** Merged field by field with what was there. `TypeError`: a field that links do not have. */
  link(links: LinksInput): void;
  /** Frequent and cheap: a ring of 64 KiB, never journalled. A sign of life. */
  output(stream: "stdout" | "stderr" | (string & {}), text: string): void;
  /** A sign of life, for `stallTimeoutMs`; stamped as `heartbeatAt`. */
  heartbeat(): void;
  /**
   * Resolves when stored; the next attempt finds it as `lastCheckpoint`. Again replaces. Not a wait: keeps the slot. Rejects with
   * `InvalidInputError` when it does not fit the kind's schema, `TypeError` when JSON cannot carry it. A function that has settled, was
   * abandoned or was followed by another attempt stores nothing: the call rejects with `ScopeCancelledError`, or with `TaskTerminatedError` after a
   * return.
   */
  checkpoint(value: C): Promise<void>;
  /** The newest checkpoint; `undefined` in a task that never stored one. `InvalidInputError`: the stored value no longer fits the kind's schema. */
  readonly lastCheckpoint: C | undefined;
}
