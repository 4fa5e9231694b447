// Weight: the amounts that one start takes from the windows of its lane (L7).
//
// Owns the checks of a weight, and whether a start of that weight can ever happen. Counts nothing: `rate-limiter.ts`
// does.

import type { Weight } from "../task/record.js";
import { checkFinite, checkType, show } from "../values/checks.js";

/** The unit of a window that names none. */
export const STARTS = "starts";
/** The unit that `ctx.reportUsage` corrects. */
export const TOKENS = "tokens";

/** A checked, frozen copy of the weight. `undefined` for none. Throws a `TypeError` or `RangeError`. */
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

/** Amount of a weight in a unit: default 1 for `starts`, 0 for every other unit. */
export function weightIn(weight: Weight | undefined, unit: string): number {
  return weight?.[unit] ?? (unit === STARTS ? 1 : 0);
}

/** The part of a window that is read here. */
interface WindowLimit {
  readonly limit: number;
  readonly periodMs: number;
  readonly unit: string;
}

/** Throws a `RangeError` when a start of `weight` can never happen in `lane`. */
export function checkFits(weight: Weight, lane: string, windows: readonly WindowLimit[]): void {
  for (const { limit, periodMs, unit } of windows) {
    const value = weightIn(weight, unit);
    if (value <= limit) continue;
    throw new RangeError(
      `weight.${unit} must be at most ${limit}, which lane ${show(lane)} allows in ${periodMs} ms, got ${value}: it would never start`,
    );
  }
}
