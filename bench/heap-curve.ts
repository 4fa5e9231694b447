// Heap curve: what stays on the heap while a process goes on, and whether that grows.
//
// Each point is `heapUsed` after full collections. The first half is warm-up; through the second goes a line, and the curve
// is flat if that line does not rise by more than a bound from its begin to its end.
import { settle } from "./interleave.js";
import { regression } from "./statistics.js";

export interface Point {
  /** How much was done. */
  readonly x: number;
  /** Bytes. */
  readonly y: number;
}
export interface Flatness {
  readonly isFlat: boolean;
  /** Bytes per unit of x. */
  readonly slope: number;
  /** Where the line begins and ends. */
  readonly from: Point;
  readonly to: Point;
  readonly rise: number;
  readonly bound: number;
}

export async function heapNow(): Promise<number> {
  await settle("full");
  return process.memoryUsage().heapUsed;
}

/** Half a megabyte, which a process keeps or drops for reasons of its own; of a large heap a hundredth. */
export function boundFor(points: readonly Point[]): number {
  return Math.max(0.5 * 1024 ** 2, 0.01 * Math.max(...points.map(({ y }) => y)));
}

export function flatness(points: readonly Point[], bound: number): Flatness {
  const half = points.slice(Math.floor(points.length / 2));
  const [first, last] = [half[0], half.at(-1)];
  if (first === undefined || last === undefined || half.length < 3) throw new RangeError("a curve needs more points");
  const { slope, intercept } = regression(half);
  const at = (x: number): Point => ({ x, y: slope * x + intercept });
  const [from, to] = [at(first.x), at(last.x)];
  const rise = to.y - from.y;
  return { isFlat: rise <= bound, slope, from, to, rise, bound };
}
