// Named session: the `Session` that `manager.session(id)` returns.
//
// Owns its last view and the bounds that its options gave: tasks, usage and notices are in the core. A call inside a
// task of the session acts for the loop of that task.

import type { Core } from "../core/core.js";
import { NO_BOUNDS, type SessionBounds } from "../core/live/session-account.js";
import type { Task } from "../core/live/task.js";
import type { NoticeOptions } from "../core/notices/notice-reading.js";
import type { SessionOptions } from "../core/spawn/session-bounds.js";
import type { SpawnScope } from "../core/spawn/spawn.js";
import type { Usage, Wake } from "../core/task/record.js";
import { ambientAttempt } from "../core/waits/ambient.js";
import { View, type ViewOptions } from "../model/prompt/view.js";
import type { CallingLoop } from "../model/tools/caller.js";
import { sessionTools, type ToolOptions } from "../model/tools/session-tools.js";
import type { TaskTool } from "../model/tools/tool.js";
import { Context } from "./context.js";
import { type NoticeBatch, nextBatch } from "./notice-batch.js";
import { Scope } from "./scope.js";
import type { Session, Spawn } from "./session.js";
import type { SpawnOptions } from "./spawn-arguments.js";

/** One owner loop by its name. `Session` documents its public members. */
export class NamedSession extends Scope implements Session {
  readonly id: string;
  protected readonly caller = undefined;
  readonly #ambientParent: () => Task | undefined;
  readonly #bounds: SessionBounds | undefined;
  #view: View | undefined;

  constructor(core: Core, id: string, ambientParent: () => Task | undefined, options?: SessionOptions) {
    super(core);
    this.id = id;
    this.#ambientParent = ambientParent;
    this.#bounds = options === undefined ? undefined : core.budgets.bound(id, options);
  }

  get spawn(): Spawn {
    return (work: unknown, options?: SpawnOptions & { input?: unknown }) => this.start(work, options);
  }

  nextNotices(options?: NoticeOptions): Promise<NoticeBatch | undefined> {
    const acting = this.#actingContext();
    if (acting !== undefined) return acting.nextNotices(options);
    // The notice queue of a session is kept as long as its account.
    this.core.sessions.use(this.id);
    return nextBatch(this.core, this.id, undefined, options);
  }

  view(options?: ViewOptions): string {
    const acting = this.#actingContext();
    if (acting !== undefined) return acting.view(options);
    this.#view ??= new View({ core: this.core, own: undefined, sessionId: this.id, tasks: () => this.tasks() });
    return this.#view.read(options);
  }

  tools(options?: ToolOptions): readonly TaskTool[] {
    return sessionTools(() => this.#actingContext()?.callingLoop() ?? this.#ownLoop(), options);
  }

  #ownLoop(): CallingLoop {
    const { core, id, spawn } = this;
    return { core, owner: id, context: undefined, ...this.ownTasks(), spawn };
  }

  /**
   * The context of the calling task when it is a task of this session: the call then acts for the loop of that task.
   */
  #actingContext(): Context | undefined {
    const attempt = ambientAttempt();
    if (attempt?.phase !== "open" || attempt.waits !== this.core.waits || !this.owns(attempt.task)) return undefined;
    return new Context(this.core, attempt);
  }

  usage(): Usage {
    return this.core.sessions.of(this.id);
  }

  /**
   * Inside a task of this session a spawn makes a child of that task. Everywhere else it makes a root of this session.
   */
  protected spawnScope(): SpawnScope {
    if (this.#bounds !== undefined) this.#bound(this.#bounds);
    const parent = this.#ambientParent();
    if (parent !== undefined && this.owns(parent)) return { parent, sessionId: this.id };
    return { parent: undefined, sessionId: this.id, wake: this.rootWake };
  }
  /** Sets the bounds again after the session was forgotten (D6). */
  #bound(bounds: SessionBounds): void {
    const account = this.core.sessions.find(this.id) ?? this.core.sessions.use(this.id);
    if (account.bounds === NO_BOUNDS) account.bounds = bounds;
  }
  protected override get homeSession(): string {
    return this.id;
  }
  protected override get rootWake(): Wake {
    return "onTerminal";
  }
  protected override get owner(): string {
    return this.id;
  }
  protected owns(task: Task): boolean {
    return task.sessionId === this.id;
  }
  protected tasks(): Iterable<Task> {
    return this.core.registry.ofSession(this.id);
  }
  protected isChild(task: Task): boolean {
    return task.parent === undefined && this.owns(task);
  }
  protected override get receivingSession(): string {
    return this.id;
  }
  protected get closes(): string {
    return this.id;
  }
}
