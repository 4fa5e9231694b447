// Weight: what one start takes from the windows of its lane (L7).
//
// Owns what a weight may say, and whether a start of it can ever happen. Counts nothing: `rate-limiter.ts` does.

import type { Weight } from "../task/record.js";
import { checkFinite, checkType, show } from "../values/checks.js";

/** The unit of a window that names none. */
export const STARTS = "starts";
/** The unit that `ctx.reportUsage` corrects. */
export const TOKENS = "tokens";

/** Checked, and a copy that no caller changes. `undefined` stays so. */
export function takeWeight(weight: unknown): Weight | undefined {
  if (weight === undefined) return undefined;
  checkType("weight", weight, "object");
  if (Array.isArray(weight)) throw new TypeError("weight must be an object of numbers by unit, got a list");
  const taken: { [unit: string]: number } = {};
  for (const [unit, value] of Object.entries(weight as { [unit: string]: unknown })) {
    const option = `weight.${unit}`;
    if (value === undefined) continue;
    checkFinite(option, value);
    checkType(option, value, "number");
    if (Number(value) < 0) throw new RangeError(`${option} must be a finite number ≥ 0, got ${show(value)}`);
    taken[unit] = Number(value);
  }
  return Object.keys(taken).length === 0 ? undefined : Object.freeze(taken);
}

export function weightIn(weight: Weight | undefined, unit: string): number {
  return weight?.[unit] ?? (unit === STARTS ? 1 : 0);
}

/** The part of a window's declaration that is read here. */
interface Limited {
  readonly limit: number;
  readonly periodMs: number;
  readonly unit: string;
}

/** A start of `weight` that can never happen in `lane`: `RangeError`. */
export function checkFits(weight: Weight, lane: string, windows: readonly Limited[]): void {
  for (const { limit, periodMs, unit } of windows) {
    const value = weightIn(weight, unit);
    if (value <= limit) continue;
    throw new RangeError(
      `weight.${unit} must be at most ${limit}, which lane ${show(lane)} allows in ${periodMs} ms, got ${value}: it would never start`,
    );
  }
}
