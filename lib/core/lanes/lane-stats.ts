// Lane stats: the state of a lane, as `stats` reports it.
//
// Owns types, and the one place where a lane becomes plain JSON: JSON has no `Infinity`, so an absent limit is an
// absent field.

import type { WindowRule } from "./rate-limiter.js";

/** One window of a lane at this moment. */
export interface WindowStats {
  /** The unit that the window counts. */
  readonly unit: string;
  /** The limit of the window. Absent for a window without a limit. */
  readonly limit?: number;
  /** Length of the window, in milliseconds. */
  readonly periodMs: number;
  /**
   * Amount that counts in the window now, tasks that are about to start included. More than `limit` when tasks reported
   * more than was expected.
   */
  readonly used: number;
}

/** A lane at this moment. */
export interface LaneStats {
  /** The limit of the lane. Absent for a lane without a limit. */
  readonly concurrency?: number;
  /** Slots in use, those of tasks that are about to start included. */
  readonly held: number;
  /**
   * `concurrency` less `held`, at least 0. The `concurrency` of the manager may leave less. Absent for a lane without a
   * limit.
   */
  readonly free?: number;
  /** Tasks in line for the first slot of their attempt. */
  readonly queued: number;
  /** Whether starts are paused. */
  readonly paused: boolean;
  /** Instant at which the lane resumes, in epoch milliseconds. Present for a lane that is paused until an instant. */
  readonly resumesAt?: number;
  /** Present for a lane that has a rate, or a rate for each key. */
  readonly rate?: {
    /** The windows of the lane itself, in the order given. */
    readonly windows: readonly WindowStats[];
    /** Tasks in line that wait for the rate of the lane, or of their key. */
    readonly waiting: number;
    /**
     * Earliest instant at which the rate lets one of them start, in epoch milliseconds. Absent while no task waits for
     * the rate.
     */
    readonly nextAt?: number;
  };
}

/** The parts of `LaneStats`, with `Infinity` for an absent limit. */
export interface LaneReading {
  /** The limit of the lane. */
  readonly concurrency: number;
  /** Slots in use. */
  readonly held: number;
  /** First starts in line. */
  readonly queued: number;
  /** Instant until which the lane is paused. `undefined`: it is not paused. */
  readonly pausedUntil: number | undefined;
  /** Present for a lane that has a rate. */
  readonly rate: RateReading | undefined;
}

interface RateReading {
  readonly windows: readonly (WindowRule & { readonly used: number })[];
  readonly waiting: number;
  readonly nextAt: number | undefined;
}

/** The stats of a lane as plain JSON. */
export function toLaneStats({ concurrency, held, queued, pausedUntil, rate }: LaneReading): LaneStats {
  return {
    ...(concurrency === Infinity ? {} : { concurrency }),
    held,
    ...(concurrency === Infinity ? {} : { free: Math.max(0, concurrency - held) }),
    queued,
    paused: pausedUntil !== undefined,
    ...(pausedUntil === undefined || pausedUntil === Infinity ? {} : { resumesAt: pausedUntil }),
    ...(rate === undefined ? {} : { rate: toRateStats(rate) }),
  };
}

function toRateStats({ windows, waiting, nextAt }: RateReading): NonNullable<LaneStats["rate"]> {
  return {
    windows: windows.map(({ limit, ...window }) => (limit === Infinity ? window : { ...window, limit })),
    waiting,
    ...(nextAt === undefined ? {} : { nextAt }),
  };
}
