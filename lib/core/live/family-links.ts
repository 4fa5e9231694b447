// Family links: the relatives of one task. Its kin are its parent and siblings, its family its children and their
// counts.
//
// Owns nothing else. `family.ts` writes the links and the counts of living children. `sums.ts` writes the sums, and
// `replay.ts` restores them from a snapshot. `hasBudgets` is set by the constructor of a task with a budget, and by
// `family.ts`.

import { Sums } from "./sums.js";

/** The part of a task that its kin read. */
interface Relative<T> {
  readonly root: T;
  readonly depth: number;
}

/** The links of a task to its parent and its siblings. A task without a parent has none. */
export class Kin<T extends Relative<T>> {
  /** The parent. Another object takes its place only when a new attempt replaces an ended parent. */
  parent: T;
  /** The topmost ancestor. */
  readonly root: T;
  /** The number of ancestors. */
  readonly depth: number;
  /** The next older child of the parent. */
  previous: T | undefined = undefined;
  /** The next newer child of the parent. */
  next: T | undefined = undefined;

  constructor(parent: T) {
    this.parent = parent;
    this.root = parent.root;
    this.depth = parent.depth + 1;
  }
}

/** The children of one task. Most tasks have none, and share one empty family. */
export class Family<T> extends Sums {
  /** The oldest child with a kept record. */
  firstChild: T | undefined;
  /** The newest child with a kept record. */
  lastChild: T | undefined;
  /** Living attached children: the parent ends after them (H1). */
  attached = 0;
  /** Living children, detached ones included. */
  living = 0;
  /** On a root: living tasks below it. */
  descendants = 0;
  /** On a root: the root, or a task below it, has or had a budget. */
  hasBudgets = false;
}
