// Limits: how many tasks a manager may have, by depth, below one parent and below one root (H4, L6).
//
// Owns the numbers; the families own the counts. Called by the spawner before each spawn.

import type { Kinds } from "../kinds/kind-registry.js";
import type { Task } from "../live/task.js";
import { LimitExceededError } from "../task/errors.js";
import type { KindParts } from "../task/kind-parts.js";
import { checkCount, checkOptions, show } from "../values/checks.js";
import { idInWords } from "../values/safe-read.js";

/**
 * Bounds on the number of tasks of one manager. A spawn beyond a bound throws `LimitExceededError`; beyond `maxQueued`
 * it throws `QueueFullError`.
 */
export interface Limits {
  /** The deepest level of a task: an integer ≥ 0. A root has depth 0. Default 8. */
  maxDepth?: number | undefined;
  /** Living children of one parent: an integer ≥ 0. Default no limit. */
  maxChildren?: number | undefined;
  /** Living tasks below one root: an integer ≥ 0. Default no limit. */
  maxDescendants?: number | undefined;
  /**
   * Tasks in line for a slot, over all lanes: an integer ≥ 0. Default 10 000. When the line is full, an owner without a
   * task in it (a session, or the program itself) still gets one place. So the line holds at most twice as many tasks,
   * and one session cannot fill it for the others.
   */
  maxQueued?: number | undefined;
}

/** Checks the `limits` of a manager's options. Throws a `TypeError` or `RangeError` that names the field. */
export function checkLimits(limits: Limits): void {
  checkOptions("limits", limits, "maxDepth", "maxChildren", "maxDescendants", "maxQueued");
  checkCount("limits.maxDepth", limits.maxDepth, 0);
  checkCount("limits.maxChildren", limits.maxChildren, 0);
  checkCount("limits.maxDescendants", limits.maxDescendants, 0);
  checkCount("limits.maxQueued", limits.maxQueued, 0);
}

/** The limits on depth, children and descendants. */
export class FamilyLimits {
  readonly #kinds: Kinds;
  readonly #maxDepth: number;
  readonly #maxChildren: number;
  readonly #maxDescendants: number;

  constructor(limits: Limits, kinds: Kinds) {
    this.#kinds = kinds;
    this.#maxDepth = limits.maxDepth ?? 8;
    this.#maxChildren = limits.maxChildren ?? Number.POSITIVE_INFINITY;
    this.#maxDescendants = limits.maxDescendants ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Refuses one more child of `parent` with `LimitExceededError`, where a limit of the manager or of a kind is reached.
   */
  check(parent: Task, kind: KindParts | undefined): void {
    const { id, root } = parent;
    const depth = parent.depth + 1;
    if (depth > this.#maxDepth) {
      throw new LimitExceededError(
        "maxDepth",
        this.#maxDepth,
        `A task under ${idInWords(id)} would be ${depth} levels deep: do this work in ${idInWords(id)} itself`,
      );
    }
    const nested = kind?.limits === undefined ? 0 : countAbove(parent, kind.name);
    if (kind?.limits !== undefined && nested >= kind.limits.maxDepth) {
      throw new LimitExceededError(
        "maxDepth",
        kind.limits.maxDepth,
        `${nested} tasks of kind ${show(kind.name)} are above one another at ${idInWords(id)}: do this work in ${idInWords(id)} itself`,
      );
    }
    const maxChildren = Math.min(this.#maxChildren, this.#kinds.of(parent)?.limits?.maxChildren ?? Infinity);
    if (parent.family.living >= maxChildren) {
      throw new LimitExceededError(
        "maxChildren",
        maxChildren,
        `Task ${idInWords(id)} has ${parent.family.living} living children: wait for one to end`,
      );
    }
    if (root.family.descendants >= this.#maxDescendants) {
      throw new LimitExceededError(
        "maxDescendants",
        this.#maxDescendants,
        `${root.family.descendants} tasks live below root ${idInWords(root.id)}: wait for one to end`,
      );
    }
  }
}

function countAbove(parent: Task, kind: string): number {
  let count = 0;
  for (let task: Task | undefined = parent; task !== undefined; task = task.parent)
    if (task.traits.kind === kind) count++;
  return count;
}
