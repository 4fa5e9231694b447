// Stored starts: what the windows of the lanes count, as a store keeps it over a restart (L7).
//
// A snapshot has the starts that some window counts, by the wall clock; behind it each `task.started` is one more. Owns the way there and
// back between the two clocks. What no window of this process counts is left out.

import type { Lane } from "../lanes/lane.js";
import { Start } from "../lanes/rate-limiter.js";
import type { Task } from "../live/task.js";
import type { UsageReport, Weight } from "../task/record.js";

/** One start that a window counts. */
export interface StoredStart {
  /** Instant of the start by the wall clock, in epoch milliseconds. */
  readonly at: number;
  readonly key?: string;
  readonly weight?: Weight;
  /** Tokens that were reported, in place of the weight's. */
  readonly tokens?: number;
  /** The task of the start, while it lives: its later reports count for this start. */
  readonly taskId?: string;
}

/** The starts of each lane. */
export type StoredStarts = { readonly [lane: string]: readonly StoredStart[] };

type Lanes = ReadonlyMap<string, Lane<Task>>;

/** `undefined` when no window counts anything. */
export function toStoredStarts(lanes: Lanes, tasks: Iterable<Task>): StoredStarts | undefined {
  const rated = [...lanes.values()].filter((lane) => lane.isRated);
  if (rated.length === 0) return undefined;
  const living = new Map<Start, string>();
  for (const task of tasks) if (task.start !== undefined && !task.isOver) living.set(task.start, task.id);
  const stored = rated.map((lane) => {
    const { name, starts, apart } = lane;
    return [name, starts.map((start) => toStored(start, living.get(start), apart))] as const;
  });
  const some = stored.filter(([, starts]) => starts.length > 0);
  return some.length === 0 ? undefined : Object.fromEntries(some);
}

function toStored(start: Start, taskId: string | undefined, apart: number): StoredStart {
  const { at = 0, key, weight, tokens } = start;
  return {
    at: at + apart,
    ...(key === undefined ? {} : { key }),
    ...(weight === undefined ? {} : { weight }),
    ...(tokens === undefined ? {} : { tokens }),
    ...(taskId === undefined ? {} : { taskId }),
  };
}

/** The starts of an earlier process, collected while its journal is replayed. */
export class ReplayedStarts {
  readonly #lanes: Lanes;
  readonly #byLane = new Map<Lane<Task>, Start[]>();
  /** The newest start of each task that may still report. */
  readonly #newest = new Map<string, Start>();

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  /** Takes the starts of a snapshot; a snapshot from before there were windows has none. */
  stored(starts: StoredStarts | undefined): void {
    for (const [name, ofLane] of Object.entries(starts ?? {})) {
      const lane = this.#lanes.get(name);
      if (lane === undefined || !lane.isRated) continue;
      for (const { at, key, weight, tokens, taskId } of ofLane) {
        const start = new Start(key, weight, at);
        start.tokens = tokens;
        this.#add(lane, start, taskId);
      }
    }
  }

  started({ id, lane, laneKey, weight }: Task, at: number): void {
    if (lane.isRated) this.#add(lane, new Start(laneKey, weight, at), id);
  }

  reported({ id }: Task, { inputTokens = 0, outputTokens = 0 }: UsageReport): void {
    const start = this.#newest.get(id);
    if (start !== undefined) start.tokens = (start.tokens ?? 0) + inputTokens + outputTokens;
  }

  over({ id }: Task): void {
    this.#newest.delete(id);
  }

  #add(lane: Lane<Task>, start: Start, taskId: string | undefined): void {
    const starts = this.#byLane.get(lane);
    if (starts === undefined) this.#byLane.set(lane, [start]);
    else starts.push(start);
    if (taskId !== undefined) this.#newest.set(taskId, start);
  }

  /** All of it was read: the windows count it. */
  done(): void {
    for (const [lane, starts] of this.#byLane) lane.restore(starts);
    this.#byLane.clear();
    this.#newest.clear();
  }
}
