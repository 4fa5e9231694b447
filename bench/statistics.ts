// Statistics: what is said of samples: quartiles, ratios round by round, and the line that fits a curve best.
//
// Pure, and knows nothing of where a number comes from.

/** Microseconds or bytes per unit, in order of rounds. */
export type Samples = readonly number[];
export interface Quartiles {
  readonly low: number;
  readonly median: number;
  readonly high: number;
}

export function quartiles(samples: Samples): Quartiles {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => {
    const place = (sorted.length - 1) * share;
    const below = sorted[Math.floor(place)] ?? Number.NaN;
    const above = sorted[Math.ceil(place)] ?? Number.NaN;
    return below + (above - below) * (place - Math.floor(place));
  };
  return { low: at(0.25), median: at(0.5), high: at(0.75) };
}

/** Round by round, so that what slowed a whole round cancels out; then quartiles. */
export function ratio(samples: Samples | undefined, against: Samples | undefined): Quartiles | undefined {
  if (samples === undefined || against === undefined) return undefined;
  return quartiles(samples.map((sample, round) => sample / (against[round] ?? Number.NaN)));
}

/** By least squares. */
export interface Line {
  readonly slope: number;
  readonly intercept: number;
}
export function regression(points: readonly { readonly x: number; readonly y: number }[]): Line {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(points.map(({ x }) => x));
  const meanY = mean(points.map(({ y }) => y));
  const spread = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  const slope = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / spread;
  return { slope, intercept: meanY - slope * meanX };
}
