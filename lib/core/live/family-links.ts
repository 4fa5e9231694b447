// Family links: what one task has below it, and the counts of it. Written by `family.ts` alone.

import { Sums } from "./sums.js";

/** Tasks without children, which most are, share one empty family. */
export class Family<T> extends Sums {
  firstChild: T | undefined;
  lastChild: T | undefined;
  /** Children that live and are attached: their parent ends after them (H1). */
  attached = 0;
  /** Children that live, detached ones too. */
  living = 0;
  /** For a root: tasks below it that live. */
  descendants = 0;
  /** For a root: it, or a task below it, has or had a budget. */
  hasBudgets = false;
}
