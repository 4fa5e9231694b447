// Stored starts: the starts that the windows of the lanes count, kept in a store over a restart (L7).
//
// A snapshot has the starts that some window counts, by the wall clock; each later `task.started` is one more. Owns the
// translation between the two clocks. A start that no window of this process counts is left out.

import type { Lane } from "../lanes/lane.js";
import { Start } from "../lanes/rate-limiter.js";
import type { Run, Task } from "../live/task.js";
import type { UsageReport, Weight } from "../task/record.js";

/** One start that a window counts. */
export interface StoredStart {
  /** Instant of the start by the wall clock, in epoch milliseconds. */
  readonly at: number;
  /** Key of the start within its lane. */
  readonly key?: string;
  /** Weight of the start. */
  readonly weight?: Weight;
  /** Tokens that the attempt reported, in place of those of the weight. */
  readonly tokens?: number;
  /** The task of the start, while it is alive: its later reports count for this start. */
  readonly taskId?: string;
}

/** The starts of each lane. */
export type StoredStarts = { readonly [lane: string]: readonly StoredStart[] };

type Lanes = ReadonlyMap<string, Lane<Run>>;

/** The starts for a snapshot. `undefined` when no window counts any. */
export function toStoredStarts(lanes: Lanes, tasks: Iterable<Task>): StoredStarts | undefined {
  const rated = [...lanes.values()].filter((lane) => lane.isRecording);
  if (rated.length === 0) return undefined;
  const living = new Map<Start, string>();
  for (const { id, run } of tasks) if (run?.start !== undefined) living.set(run.start, id);
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
  readonly #byLane = new Map<Lane<Run>, Start[]>();
  /** The newest start of each task that may still report usage. */
  readonly #newest = new Map<string, Start>();

  constructor(lanes: Lanes) {
    this.#lanes = lanes;
  }

  /** Adds the starts of a snapshot. A snapshot of a version without windows has none. */
  stored(starts: StoredStarts | undefined): void {
    for (const [name, ofLane] of Object.entries(starts ?? {})) {
      const lane = this.#lanes.get(name);
      if (lane === undefined || !lane.isRecording) continue;
      for (const { at, key, weight, tokens, taskId } of ofLane) {
        const start = new Start(key, weight, at);
        start.tokens = tokens;
        this.#add(lane, start, taskId);
      }
    }
  }

  /** Adds the start of a replayed `task.started`. */
  started({ id, lane, traits: { laneKey, weight } }: Task, at: number): void {
    if (lane.isRecording) this.#add(lane, new Start(laneKey, weight, at), id);
  }

  /** Adds reported tokens to the newest start of the task. */
  reported({ id }: Task, { inputTokens = 0, outputTokens = 0 }: UsageReport): void {
    const start = this.#newest.get(id);
    if (start !== undefined) start.tokens = (start.tokens ?? 0) + inputTokens + outputTokens;
  }

  /** The task has ended: it reports no more usage. */
  over({ id }: Task): void {
    this.#newest.delete(id);
  }

  #add(lane: Lane<Run>, start: Start, taskId: string | undefined): void {
    const starts = this.#byLane.get(lane);
    if (starts === undefined) this.#byLane.set(lane, [start]);
    else starts.push(start);
    if (taskId !== undefined) this.#newest.set(taskId, start);
  }

  /** Ends the replay: the windows count the collected starts. */
  done(): void {
    for (const [lane, starts] of this.#byLane) lane.restore(starts);
    this.#byLane.clear();
    this.#newest.clear();
  }
}
