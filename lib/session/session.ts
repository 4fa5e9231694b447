// Session: one owner loop, by name: what it spawned, and all that came of it.

import type { Core } from "../core/core.js";
import type { Usage } from "../core/record.js";
import type { SpawnScope } from "../core/spawn.js";
import type { Task } from "../core/task.js";
import type { Session, Spawn } from "./context.js";
import { Scope, type SpawnOptions } from "./scope.js";

export class NamedSession extends Scope implements Session {
  readonly id: string;
  protected readonly caller = undefined;
  readonly #ambientParent: () => Task | undefined;

  constructor(core: Core, id: string, ambientParent: () => Task | undefined) {
    super(core);
    this.id = id;
    this.#ambientParent = ambientParent;
  }

  get spawn(): Spawn {
    return (work: unknown, options?: SpawnOptions & { input?: unknown }) => this.start(work, options);
  }

  usage(): Usage {
    return this.core.ledger.of(this.id);
  }

  /** Inside a task of this session a spawn is that task's child; inside another it is this session's all the same. */
  protected spawnScope(): SpawnScope {
    const parent = this.#ambientParent();
    return { parent: parent !== undefined && this.owns(parent) ? parent : undefined, sessionId: this.id };
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
  protected get closes(): string {
    return this.id;
  }
}
