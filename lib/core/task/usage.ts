// Usage: what was used, added up (§8). Whose sums there are is the affair of the family and of the ledger.

import type { UsageReport } from "./record.js";

/** Sums of reports. */
export interface Spent {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costUsd: number;
}

export const NOTHING_SPENT: Spent = Object.freeze({ inputTokens: 0, outputTokens: 0, costUsd: 0 });

export function plus(spent: Spent, { inputTokens = 0, outputTokens = 0, costUsd = 0 }: UsageReport): Spent {
  return {
    inputTokens: spent.inputTokens + inputTokens,
    outputTokens: spent.outputTokens + outputTokens,
    costUsd: spent.costUsd + costUsd,
  };
}

export function minus(spent: Spent, less: Spent): Spent {
  return {
    inputTokens: spent.inputTokens - less.inputTokens,
    outputTokens: spent.outputTokens - less.outputTokens,
    costUsd: spent.costUsd - less.costUsd,
  };
}
