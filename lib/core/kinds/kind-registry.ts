// Kinds: those a manager knows by name, and which of them a task is of.

import type { Task } from "../live/task.js";
import { UnknownKindError } from "../task/errors.js";
import type { KindParts } from "../task/kind-parts.js";
import type { RetryHooks, RetryPolicy } from "../task/retry.js";
import { hasDiedRunning } from "../task/state.js";
import { show } from "../values/checks.js";
import { Kind } from "./kind.js";

/** Attempts that may die with their process before no other begins, for a task without `retry` (§10). */
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

  /** In the order given. */
  get all(): readonly KindParts[] {
    return [...this.#byName.values()];
  }

  find(name: string): KindParts | undefined {
    return this.#byName.get(name);
  }

  named(name: string): KindParts {
    const parts = this.find(name);
    if (parts === undefined) throw new UnknownKindError(name, [...this.#byName.keys()]);
    return parts;
  }

  /** The kind that may go on with `task` after a restart, if there is one (D4). */
  thatReattaches(task: Task): KindParts | undefined {
    const parts = this.of(task);
    return parts?.canReattach === undefined || this.usedUp(task) !== undefined ? undefined : parts;
  }

  /** How many attempts of `task` are used up now that its process is gone, when no other may begin (D4). `undefined`: one may. */
  usedUp(task: Task): number | undefined {
    const { state } = task;
    const used = state.details.used + (hasDiedRunning(state) ? 1 : 0);
    const most = this.retryOf(task)?.limits.maxAttempts ?? MOST_DEATHS;
    return used < most ? undefined : used;
  }

  /** Its own, or its kind's. */
  retryOf(task: Task): RetryPolicy | undefined {
    const { retry } = task.traits.limits ?? {};
    if (retry === undefined) return this.of(task)?.retry;
    const { retryIf, backoffOf } = task.extras?.retryHooks ?? NO_HOOKS;
    return { limits: retry, retryIf, backoffOf };
  }

  /** The kind it was spawned as; of one from before a restart, that of the name it has. */
  of(task: Task): KindParts | undefined {
    return task.kind ?? (task.traits.kind === undefined ? undefined : this.find(task.traits.kind));
  }
}

const NO_HOOKS: RetryHooks = Object.freeze({ retryIf: undefined, backoffOf: undefined });
