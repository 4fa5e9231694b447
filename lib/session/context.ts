// Context: what a task's function receives: the session of its children, and its own line to the outside.
//
// A view of one attempt: every write carries the attempt (S2), every wait is the wait of the task whose code makes it. It owns nothing.

import type { Core } from "../core/core.js";
import type { Ask, AskInput, AskOptions } from "../core/inbox/question.js";
import { type TaskKind, valid } from "../core/kinds/kind.js";
import { extrasOf } from "../core/live/extras.js";
import { isWithin } from "../core/live/family.js";
import { OutputRing } from "../core/live/output-ring.js";
import type { Attempt, Task } from "../core/live/task.js";
import type { NoticeOptions } from "../core/notices/notice-reading.js";
import type { SpawnScope } from "../core/spawn/spawn.js";
import type { Command } from "../core/task/commands.js";
import type { Work } from "../core/task/kind-parts.js";
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
import {
  checkCount,
  checkFields,
  checkMs,
  checkOptions,
  checkSignal,
  checkText,
  checkType,
} from "../core/values/checks.js";
import { Brand } from "../core/values/copies.js";
import { handled } from "../core/values/handled.js";
import { type Json, takeJson } from "../core/values/json.js";
import { waiterOf } from "../core/waits/ambient.js";
import { signalOf } from "../core/waits/attempt-signal.js";
import { sleep, sleepUntil } from "../core/waits/sleep.js";
import { closedError, type WaitOptions } from "../core/waits/waits.js";
import { View, type ViewOptions } from "../model/prompt/view.js";
import type { Loop } from "../model/tools/caller.js";
import { sessionTools, type ToolOptions } from "../model/tools/session-tools.js";
import type { TaskTool } from "../model/tools/tool.js";
import { takeArtifact } from "./artifact.js";
import { fanOut } from "./fan-out.js";
import type { TaskHandle } from "./handle.js";
import { Items, type Read } from "./items.js";
import { type NoticeBatch, nextBatch } from "./notice-batch.js";
import { takeLinks, takeProgress, takeUsage } from "./report.js";
import { type AwaitTasks, type Get, type OutcomesOf, Scope, type SpawnOptions } from "./scope.js";

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

const MAP_OPTIONS = ["concurrency", "signal"] as const satisfies readonly (keyof MapOptions)[];

const BRAND = new Brand<Core>("context");

export class Context<C = unknown> extends Scope implements TaskContext<C> {
  protected readonly caller: Attempt;
  readonly #task: Task;
  #view: View | undefined;
  #stopped: Promise<void> | undefined;

  constructor(core: Core, attempt: Attempt) {
    super(core);
    this.caller = attempt;
    this.#task = attempt.task;
  }

  static {
    BRAND.mark(this.prototype, (context: Context) => context.core);
  }

  /** The core of the context of any copy: a kind that another copy made runs here. */
  static coreOf(ctx: object): Core {
    const core = ctx instanceof Context ? ctx.core : BRAND.read("ctx", ctx);
    if (core === undefined) throw new TypeError("ctx must be the context of a task");
    return core;
  }

  /** Waits as `ctx.sleep` does, until an instant, and no longer than until the wall clock is found to be set. Used by kinds that are built on a context. */
  static sleepUntil(ctx: object, at: number): Promise<void> {
    if (!(ctx instanceof Context)) throw new TypeError("ctx must be the context of a task");
    return sleepUntil(ctx.core.waits, ctx.caller, at);
  }

  // ── the session of its children ──────────────────────────────────────────

  get id(): string {
    return this.#task.id;
  }

  get spawn(): Spawn {
    return (work: unknown, options?: SpawnOptions & { input?: unknown }) => this.start(work, options);
  }

  usage(): Usage {
    return this.#task.usageBelow();
  }

  nextNotices(options?: NoticeOptions): Promise<NoticeBatch | undefined> {
    return nextBatch(this.core, this.#task, this.caller, options);
  }

  view(options?: ViewOptions): string {
    this.#view ??= new View({
      core: this.core,
      own: this.#task,
      sessionId: this.#task.sessionId,
      owns: (task) => this.owns(task),
    });
    return this.#view.read(options);
  }

  tools(options?: ToolOptions): readonly TaskTool[] {
    return sessionTools(() => this.toolHost(), options);
  }

  /** For whom its tools act. */
  toolHost(): Loop {
    const { core, caller, spawn } = this;
    return { core, owner: this.#task, context: caller, owns: (task) => this.owns(task), spawn };
  }

  protected spawnScope(): SpawnScope {
    if (this.caller.phase !== "open") throw closedError(this.caller, "nothing is spawned from it any more");
    return { parent: this.#task, sessionId: this.#task.sessionId };
  }
  protected override get homeSession(): string | undefined {
    return this.#task.sessionId;
  }
  protected owns(task: Task): boolean {
    return task !== this.#task && isWithin(task, this.#task);
  }
  protected isChild(task: Task): boolean {
    return task.parent === this.#task;
  }
  protected get closes(): Task {
    return this.#task;
  }

  map<A, B>(
    items: Iterable<A> | AsyncIterable<A>,
    fn: (ctx: TaskContext, item: A, index: number) => B | PromiseLike<B>,
    options: MapOptions,
  ): Promise<B[]> {
    const attempt = waiterOf(this.caller) ?? this.caller;
    let reader: Items<A>;
    let first: Read<A>;
    try {
      checkType("fn", fn, "function");
      checkFields("the options of map", options, MAP_OPTIONS);
      checkType("options.concurrency", options.concurrency, "number");
      checkCount("options.concurrency", options.concurrency, 1);
      checkSignal("options.signal", options.signal);
      // A call that is refused reads nothing.
      const refused = attempt.waits.refusal(attempt, options.signal);
      if (refused !== undefined) return refused;
      reader = new Items(items);
      first = reader.read();
    } catch (error) {
      return Promise.reject(error);
    }
    if (!("then" in first) && first.done) return Promise.resolve([]);
    const values = fanOut(attempt, options.signal, {
      items: reader,
      first,
      concurrency: options.concurrency,
      // What it gives is what its loop is told of them.
      spawn: (item, index) =>
        this.core.spawner.spawn({ ...this.spawnScope(), wake: "silent" }, (ctx: TaskContext) => fn(ctx, item, index)),
      cancel: (child) => this.core.runner.stop(child, "cancel", "not needed any more"),
    });
    // What `fn` gave, as it came out of its child.
    return values as Promise<B[]>;
  }

  // ── what it is, and whether it goes on ───────────────────────────────────

  get attempt(): number {
    return this.caller.number;
  }
  get record(): TaskRecord {
    return this.#task.record;
  }
  get totalDeadlineAt(): number | undefined {
    return this.#task.totalDeadlineAt;
  }
  get signal(): AbortSignal {
    return signalOf(this.caller);
  }
  get isCancelled(): boolean {
    return this.caller.stop !== undefined;
  }

  cancelled(): Promise<void> {
    const { signal } = this;
    this.#stopped ??= new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
    return this.#stopped;
  }

  // ── waits ────────────────────────────────────────────────────────────────

  get ask(): Ask {
    return <const T = string>(request: AskInput<T>) => this.core.asking.ask(this.caller, request, false);
  }

  approve(question: string, options: AskOptions = {}): Promise<void> {
    try {
      checkOptions("approve", options, "details", "key", "timeoutMs", "signal");
    } catch (error) {
      return Promise.reject(error);
    }
    return this.core.asking.ask<void>(this.caller, { ...options, question }, true);
  }

  receive(options?: WaitOptions & { timeoutMs?: number | undefined }): Promise<Message | undefined> {
    return this.core.messages.receive(this.caller, options);
  }

  sleep(ms: number, options: WaitOptions = {}): Promise<void> {
    try {
      checkType("ms", ms, "number");
      checkMs("ms", ms);
      checkOptions("sleep", options, "signal");
      checkSignal("signal", options.signal);
    } catch (error) {
      return Promise.reject(error);
    }
    return sleep(this.core.waits, this.caller, ms, options.signal);
  }

  // ── writes ───────────────────────────────────────────────────────────────

  post(content: Content, options?: SendOptions): Promise<Message> {
    return this.core.messages.post(this.caller, content, options);
  }

  emit(name: string, payload?: unknown): void {
    checkType("name", name, "string");
    checkText("name", name);
    const taken = payload === undefined ? {} : { payload: takeJson("payload", payload) };
    this.#write({ type: "emit", attempt: this.attempt, name, ...taken });
  }

  progress(progress: Progress): void {
    const taken = takeProgress(progress);
    this.#sign();
    this.#write({ type: "progress", attempt: this.attempt, progress: taken });
  }

  summary(text: string): void {
    checkType("text", text, "string");
    this.#write({ type: "update", attempt: this.attempt, patch: { summary: text } });
  }

  reportUsage(report: UsageReport): void {
    const usage = takeUsage(report);
    if (this.#write({ type: "reportUsage", attempt: this.attempt, usage }))
      this.core.budgets.reported(this.#task, usage);
  }

  artifact(artifact: ArtifactInput): void {
    this.#write({ type: "addArtifact", attempt: this.attempt, artifact: takeArtifact(artifact) });
  }

  link(links: LinksInput): void {
    this.#write({ type: "update", attempt: this.attempt, patch: { links: takeLinks(links) } });
  }

  output(stream: string, text: string): void {
    checkType("stream", stream, "string");
    checkType("text", text, "string");
    if (this.caller.phase !== "open") {
      this.core.loop.droppedWrites++;
      return;
    }
    this.#sign();
    const desk = extrasOf(this.#task);
    desk.output ??= new OutputRing();
    desk.output.write(stream, text);
  }

  heartbeat(): void {
    this.#sign();
    const patch = { heartbeatAt: this.core.loop.clock.now() };
    this.#write({ type: "update", attempt: this.attempt, patch });
  }

  checkpoint(value: C): Promise<void> {
    let checkpoint: Json;
    try {
      checkpoint = takeJson("checkpoint", value);
      this.#checked(checkpoint);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#sign();
    if (!this.#write({ type: "update", attempt: this.attempt, patch: { checkpoint } }))
      return this.core.waits.dropped(this.caller);
    return handled(this.core.loop.tell(undefined));
  }

  get lastCheckpoint(): C | undefined {
    const { checkpoint } = this.#task.state.details;
    return checkpoint === undefined ? undefined : this.#checked(checkpoint);
  }

  /** What `defineKind` put to the kind as `C` is what its schema gives, or what its `run` says. */
  #checked(checkpoint: Json): C {
    const schema = this.core.kinds.of(this.#task)?.checkpoint;
    return (schema === undefined ? checkpoint : valid(schema, checkpoint, "The checkpoint")) as C;
  }

  /** Of life: of a function that is over there is none. */
  #sign(): void {
    if (this.caller.phase === "open") this.#task.extras?.deadlines?.sign();
  }

  #write(command: Command): boolean {
    return this.core.loop.writeOf(this.caller, command);
  }
}

/** Calls a task's function. What `spawn` took as work was a `TaskFunction`: it is checked there, and called here alone. */
export function callWork(core: Core, attempt: Attempt, work: Work): unknown {
  return (work as TaskFunction<unknown>)(new Context(core, attempt));
}
