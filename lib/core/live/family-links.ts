// Family links: the children of one task, and their counts.
//
// Owns nothing else. `family.ts` writes the links and the counts of living children. `sums.ts` writes the sums, and
// `replay.ts` restores them from a snapshot. `hasBudgets` is set by the constructor of a task with a budget, and by
// `family.ts`.

import { Sums } from "./sums.js";

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
