// Kind registry: the kinds of a manager by name, and the kind of a task.
//
// Owns the map of kinds, and whether a kind may resume a task after a restart (D4, §10).

import type { Task } from "../live/task.js";
import { UnknownKindError } from "../task/errors.js";
import type { KindParts } from "../task/kind-parts.js";
import type { RetryHooks, RetryPolicy } from "../task/retry.js";
import { hasDiedRunning } from "../task/state.js";
import { show } from "../values/checks.js";
import type { GuardedLogger } from "../values/logger.js";
import { Kind } from "./kind.js";

/** Number of attempts that may die with their process, for a task without `retry` (§10). */
const MOST_DEATHS = 3;

/** The kinds of one manager, by name. */
export class Kinds {
  readonly #byName = new Map<string, KindParts>();
  readonly #logger: GuardedLogger;
  /** Names of kinds for which a warning was logged. */
  readonly #warned = new Set<string>();

  constructor(kinds: readonly unknown[], logger: GuardedLogger) {
    this.#logger = logger;
    for (const [index, kind] of kinds.entries()) {
      const parts = Kind.partsOf(`kinds[${index}]`, kind);
      if (parts === undefined) throw new TypeError(`kinds[${index}] must come from defineKind, got ${show(kind)}`);
      const known = this.#byName.get(parts.name);
      if (known !== undefined && known !== parts)
        throw new TypeError(`kinds[${index}]: there are two kinds named ${show(parts.name)}: give one another name`);
      this.#byName.set(parts.name, parts);
    }
  }

  /** The kinds, in the order given. */
  get all(): readonly KindParts[] {
    return [...this.#byName.values()];
  }

  /** The kind of this name, if there is one. */
  find(name: string): KindParts | undefined {
    return this.#byName.get(name);
  }

  /** The kind of this name. Throws `UnknownKindError` when there is none. */
  named(name: string): KindParts {
    const parts = this.find(name);
    if (parts === undefined) throw this.unknown(name);
    return parts;
  }

  /** Warns once about a kind that could resume its tasks and is not registered, so a restart does not know it (D4). */
  warnIfUnregistered({ name, canReattach }: KindParts): void {
    if (canReattach === undefined || this.find(name) !== undefined || this.#warned.has(name)) return;
    this.#warned.add(name);
    this.#logger.warn(
      `The kind ${show(name)} can reattach and is not registered: after a restart its tasks are parked. Add it to \`kinds\` of the manager`,
      { kind: name },
    );
  }

  /** The error of a task whose kind is not registered; `undefined` when it is, and for a plain function. */
  missingOf(task: Task): UnknownKindError | undefined {
    const { kind } = task.traits;
    return kind === undefined || this.of(task) !== undefined ? undefined : this.unknown(kind);
  }

  /** The error of a name without a kind. */
  unknown(name: string): UnknownKindError {
    return new UnknownKindError(name, [...this.#byName.keys()]);
  }

  /** The kind that may resume `task` after a restart, if there is one (D4). */
  thatReattaches(task: Task): KindParts | undefined {
    const parts = this.of(task);
    return parts?.canReattach === undefined || this.usedUp(task) !== undefined ? undefined : parts;
  }

  /**
   * Whether the next process can resume the task: its kind reattaches, and so do the kinds of all ancestors that it is
   * attached to, whose next attempt finds the task by the same spawn (H7).
   */
  canResume(task: Task): boolean {
    for (let each = task; ; ) {
      if (each.state.ending !== undefined || this.thatReattaches(each) === undefined) return false;
      const { parent } = each;
      if (parent === undefined || !each.isAttached) return true;
      if (!each.isReturnable) return false;
      each = parent;
    }
  }

  /**
   * The number of attempts of `task` that are used up now that its process has ended, when no other may begin (D4).
   * `undefined`: another attempt may begin.
   */
  usedUp(task: Task): number | undefined {
    const { state } = task;
    const used = state.details.used + (hasDiedRunning(state) ? 1 : 0);
    const most = this.retryOf(task)?.limits.maxAttempts ?? MOST_DEATHS;
    return used < most ? undefined : used;
  }

  /** The retry policy of the task, or of its kind. */
  retryOf(task: Task): RetryPolicy | undefined {
    const { retry } = task.traits.limits ?? {};
    if (retry === undefined) return this.of(task)?.retry;
    const { retryIf, backoffOf } = task.extras?.retryHooks ?? NO_HOOKS;
    return { limits: retry, retryIf, backoffOf };
  }

  /** The kind that the task was spawned as. For a task of an earlier process, the kind that has its name here. */
  of(task: Task): KindParts | undefined {
    return task.kind ?? (task.traits.kind === undefined ? undefined : this.find(task.traits.kind));
  }
}

const NO_HOOKS: RetryHooks = Object.freeze({ retryIf: undefined, backoffOf: undefined });
