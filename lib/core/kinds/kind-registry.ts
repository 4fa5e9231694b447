// Kind registry: the kinds of a manager by name, and the kind of a task.
//
// Owns the map of kinds, and whether a kind may resume a task after a restart (D4, §10).

import type { Task } from "../live/task.js";
import { UnknownKindError } from "../task/errors.js";
import type { KindParts } from "../task/kind-parts.js";
import type { RetryHooks, RetryPolicy } from "../task/retry.js";
import { hasDiedRunning } from "../task/state.js";
import { show } from "../values/checks.js";
import { Kind } from "./kind.js";

/** Number of attempts that may die with their process, for a task without `retry` (§10). */
const MOST_DEATHS = 3;

/** The kinds of one manager, by name. */
export class Kinds {
  readonly #byName = new Map<string, KindParts>();

  constructor(kinds: readonly unknown[]) {
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
