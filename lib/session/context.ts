// Context: the `TaskContext` of one attempt of a task.
//
// Owns no state of the task. Every write carries the attempt, so the writes of an old attempt are dropped (S2). Every
// wait is a wait of the task whose code makes the call.

import type { Core } from "../core/core.js";
import type { Ask, AskInput, AskOptions } from "../core/inbox/question.js";
import { valid } from "../core/kinds/kind.js";
import { extrasOf } from "../core/live/extras.js";
import { isWithin } from "../core/live/family.js";
import { OutputRing } from "../core/live/output-ring.js";
import type { Attempt, Task } from "../core/live/task.js";
import type { NoticeOptions } from "../core/notices/notice-reading.js";
import type { SpawnScope } from "../core/spawn/spawn.js";
import type { Command } from "../core/task/commands.js";
import type { Work } from "../core/task/kind-parts.js";
import type { Content, Message, SendOptions } from "../core/task/message.js";
import type { ArtifactInput, LinksInput, Progress, TaskRecord, Usage, UsageReport } from "../core/task/record.js";
import type { Clock } from "../core/time/clock.js";
import { checkCount, checkMs, checkOptions, checkSignal, checkText, checkType } from "../core/values/checks.js";
import { Brand } from "../core/values/copies.js";
import { handled } from "../core/values/handled.js";
import { type Json, takeJson } from "../core/values/json.js";
import { waiterOf } from "../core/waits/ambient.js";
import { signalOf } from "../core/waits/attempt-signal.js";
import { sleep, sleepUntil } from "../core/waits/sleep.js";
import { closedError, type WaitOptions } from "../core/waits/waits.js";
import { View, type ViewOptions } from "../model/prompt/view.js";
import type { CallingLoop } from "../model/tools/caller.js";
import { sessionTools, type ToolOptions } from "../model/tools/session-tools.js";
import type { TaskTool } from "../model/tools/tool.js";
import { takeArtifact } from "./artifact.js";
import { fanOut } from "./fan-out.js";
import { Items, type Read } from "./items.js";
import { type NoticeBatch, nextBatch } from "./notice-batch.js";
import { takeLinks, takeProgress, takeUsage } from "./report.js";
import { Scope } from "./scope.js";
import type { Spawn, TaskContext, TaskFunction } from "./session.js";
import type { MapOptions, SpawnOptions } from "./spawn-arguments.js";

const MAP_OPTIONS = ["concurrency", "signal"] as const satisfies readonly (keyof MapOptions)[];

const BRAND = new Brand<Core>("context");

/** The context that a task's function receives. `TaskContext` documents its public members. */
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

  /**
   * The core of a context that any copy of errand made: a kind of one copy may run in a manager of another. Throws a
   * `TypeError` when `ctx` is not a context.
   */
  static coreOf(ctx: object): Core {
    const core = ctx instanceof Context ? ctx.core : BRAND.read("ctx", ctx);
    if (core === undefined) throw new TypeError("ctx must be the context of a task");
    return core;
  }

  // ── the session of its children ──────────────────────────────────────────

  get id(): string {
    return this.#task.id;
  }

  get spawn(): Spawn {
    return (work: unknown, options?: SpawnOptions & { input?: unknown }) => this.start(work, options);
  }

  get clock(): Required<Clock> {
    return this.core.loop.clock;
  }

  get graceMs(): number {
    return this.core.graceOf(this.#task);
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
      tasks: () => this.tasks(),
    });
    return this.#view.read(options);
  }

  tools(options?: ToolOptions): readonly TaskTool[] {
    return sessionTools(() => this.callingLoop(), options);
  }

  /** The loop for which the tools of this context act. */
  callingLoop(): CallingLoop {
    const { core, caller, spawn } = this;
    return { core, owner: this.#task, context: caller, ...this.ownTasks(), spawn };
  }

  protected spawnScope(): SpawnScope {
    if (this.caller.phase !== "open") throw closedError(this.caller, "nothing is spawned from it");
    return { parent: this.#task, sessionId: this.#task.sessionId };
  }
  protected override get homeSession(): string | undefined {
    return this.#task.sessionId;
  }
  protected owns(task: Task): boolean {
    return task !== this.#task && isWithin(task, this.#task);
  }
  protected tasks(): Iterable<Task> {
    return this.core.registry.below(this.#task);
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
      checkType("the options of map", options, "object");
      checkOptions("map", options, ...MAP_OPTIONS);
      checkType("options.concurrency", options.concurrency, "number");
      checkCount("options.concurrency", options.concurrency, 1);
      checkSignal("options.signal", options.signal);
      // A refused call reads no item.
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
      // The values report the children to the caller, so their ends make no notices.
      spawn: (item, index) =>
        this.core.spawner.spawn({ ...this.spawnScope(), wake: "silent" }, (ctx: TaskContext) => fn(ctx, item, index)),
      cancel: (child) => this.core.runner.stop(child, "cancel", "no longer needed"),
      place: this.core.capacity.placeIn(this.#task.sessionId),
    });
    // Each value is what `fn` returned in its child; `fanOut` keeps them as unknown.
    return values as Promise<B[]>;
  }

  // ── state of the attempt ─────────────────────────────────────────────────

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

  sleepUntil(at: number, options: WaitOptions = {}): Promise<void> {
    try {
      checkType("at", at, "number");
      if (Number.isNaN(at)) throw new RangeError("at must be an instant in epoch milliseconds, got NaN");
      checkOptions("sleepUntil", options, "signal");
      checkSignal("signal", options.signal);
    } catch (error) {
      return Promise.reject(error);
    }
    return sleepUntil(this.core.waits, this.caller, at, options.signal);
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
    this.#signOfLife();
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
    this.#signOfLife();
    const extras = extrasOf(this.#task);
    extras.output ??= new OutputRing();
    extras.output.write(stream, text);
  }

  heartbeat(): void {
    this.#signOfLife();
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
    this.#signOfLife();
    if (!this.#write({ type: "update", attempt: this.attempt, patch: { checkpoint } }))
      return this.core.waits.dropped(this.caller);
    return handled(this.core.loop.tell(undefined));
  }

  get lastCheckpoint(): C | undefined {
    const { checkpoint } = this.#task.state.details;
    return checkpoint === undefined ? undefined : this.#checked(checkpoint);
  }

  /** `C` is the output of the checkpoint schema; without a schema it is the type that `run` of the kind declares. */
  #checked(checkpoint: Json): C {
    const schema = this.core.kinds.of(this.#task)?.checkpoint;
    return (schema === undefined ? checkpoint : valid(schema, checkpoint, "The checkpoint")) as C;
  }

  /** A sign of life. The function of a closed context gives none. */
  #signOfLife(): void {
    if (this.caller.phase === "open") this.#task.extras?.deadlines?.sign();
  }

  #write(command: Command): boolean {
    return this.core.loop.writeOf(this.caller, command);
  }
}

/** Calls the function of a task with its context. `spawn` has checked that the work is a function. */
export function callWork(core: Core, attempt: Attempt, work: Work): unknown {
  return (work as TaskFunction<unknown>)(new Context(core, attempt));
}
