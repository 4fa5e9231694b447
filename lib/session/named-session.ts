// Named session: one owner loop, by name: what it spawned, and all that came of it.

import type { Core } from "../core/core.js";
import { NO_BOUNDS, type SessionBounds } from "../core/live/session-account.js";
import type { Task } from "../core/live/task.js";
import type { NoticeOptions } from "../core/notices/notices.js";
import type { SessionOptions } from "../core/spawn/session-bounds.js";
import type { SpawnScope } from "../core/spawn/spawn.js";
import type { Usage, Wake } from "../core/task/record.js";
import { ambientAttempt } from "../core/waits/ambient.js";
import { View, type ViewOptions } from "../model/prompt/view.js";
import type { Loop } from "../model/tools/caller.js";
import { sessionTools, type ToolOptions } from "../model/tools/session-tools.js";
import type { TaskTool } from "../model/tools/tool.js";
import { Context } from "./context.js";
import { type NoticeBatch, nextBatch } from "./notice-batch.js";
import { Scope } from "./scope.js";
import type { Session, Spawn, SpawnOptions } from "./session.js";

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
    this.#bounds = options === undefined ? undefined : core.boundSession(id, options);
  }

  get spawn(): Spawn {
    return (work: unknown, options?: SpawnOptions & { input?: unknown }) => this.start(work, options);
  }

  nextNotices(options?: NoticeOptions): Promise<NoticeBatch | undefined> {
    const acting = this.#acting();
    if (acting !== undefined) return acting.nextNotices(options);
    // The queue of the session is kept as long as its account.
    this.core.sessions.use(this.id);
    return nextBatch(this.core, this.id, undefined, options);
  }

  view(options?: ViewOptions): string {
    const acting = this.#acting();
    if (acting !== undefined) return acting.view(options);
    this.#view ??= new View({ core: this.core, own: undefined, sessionId: this.id, owns: (task) => this.owns(task) });
    return this.#view.read(options);
  }

  tools(options?: ToolOptions): readonly TaskTool[] {
    return sessionTools(() => this.#acting()?.toolHost() ?? this.#toolHost(), options);
  }

  #toolHost(): Loop {
    const { core, id, spawn } = this;
    return { core, owner: id, context: undefined, owns: (task) => this.owns(task), spawn };
  }

  /** The context of the task whose function makes the call: inside a task of this session, that task's loop is meant. */
  #acting(): Context | undefined {
    const attempt = ambientAttempt();
    if (attempt?.phase !== "open" || attempt.waits !== this.core.waits || !this.owns(attempt.task)) return undefined;
    return new Context(this.core, attempt);
  }

  usage(): Usage {
    return this.core.sessions.of(this.id);
  }

  /** Inside a task of this session a spawn is that task's child; inside another it is this session's all the same. */
  protected spawnScope(): SpawnScope {
    if (this.#bounds !== undefined) this.#bound(this.#bounds);
    const parent = this.#ambientParent();
    if (parent !== undefined && this.owns(parent)) return { parent, sessionId: this.id };
    return { parent: undefined, sessionId: this.id, wake: this.rootWake };
  }
  /** D6: a session that was forgotten has lost its bounds. */
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
  protected isChild(task: Task): boolean {
    return task.parent === undefined && this.owns(task);
  }
  protected override get told(): string {
    return this.id;
  }
  protected get closes(): string {
    return this.id;
  }
}
