// Usage: sums of usage reports, and their arithmetic (§8).
//
// Pure. `live/sums.ts` and `live/session-usage.ts` own the sums.

import type { UsageReport } from "./record.js";

/** Sum of usage reports. */
export interface Spent {
  /** Tokens that models read. */
  readonly inputTokens: number;
  /** Tokens that models wrote. */
  readonly outputTokens: number;
  /** Cost in US dollars. */
  readonly costUsd: number;
}

/** The sum of no report. */
export const NOTHING_SPENT: Spent = Object.freeze({ inputTokens: 0, outputTokens: 0, costUsd: 0 });

/** The sum, with one report added. */
export function plus(spent: Spent, { inputTokens = 0, outputTokens = 0, costUsd = 0 }: UsageReport): Spent {
  return {
    inputTokens: spent.inputTokens + inputTokens,
    outputTokens: spent.outputTokens + outputTokens,
    costUsd: spent.costUsd + costUsd,
  };
}

/** The sum, without a part of it. */
export function minus(spent: Spent, less: Spent): Spent {
  return {
    inputTokens: spent.inputTokens - less.inputTokens,
    outputTokens: spent.outputTokens - less.outputTokens,
    costUsd: spent.costUsd - less.costUsd,
  };
}
