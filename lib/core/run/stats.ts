// Stats: counts of tasks at the moment of the call.
//
// Owns nothing. Called by the core; reads the registry, the slots, the runner and the loop.

import type { LaneStats } from "../lanes/lane-stats.js";
import type { Slots } from "../lanes/slots.js";
import type { Registry } from "../live/registry.js";
import type { Run } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { Runner } from "./runner.js";

/** Counts of tasks at the moment of the call. */
export interface Stats {
  /**
   * Tasks in line for a first slot of their attempt: the sum of `queued` over all lanes. Tasks that wait for their rate
   * are among them.
   */
  readonly queued: number;
  /**
   * Tasks with status `queued` that have been granted a slot. Their function is called next, or once their spawn is
   * stored.
   */
  readonly starting: number;
  /** Tasks with status `queued` that are in the delay before a retry, and so in no line. */
  readonly retrying: number;
  /** Tasks with status `running`. */
  readonly running: number;
  /** Tasks with status `blocked`. They hold no slot. */
  readonly blocked: number;
  /** Functions that were abandoned and have not settled yet. */
  readonly abandoned: number;
  /** Writes of functions that were over, superseded or abandoned. Such a write changes nothing. */
  readonly droppedWrites: number;
  /** The counts of each lane, by its name. */
  readonly lanes: { readonly [lane: string]: LaneStats };
}

interface StatsDeps {
  readonly registry: Registry;
  readonly slots: Slots<Run>;
  readonly runner: Runner;
  readonly loop: Loop;
}

/** Counts the tasks; walks over all kept records. */
export function statsOf({ registry, slots, runner, loop }: StatsDeps): Stats {
  let starting = 0;
  let retrying = 0;
  let running = 0;
  let blocked = 0;
  for (const { state, run } of registry.all()) {
    if (state.status === "running") running++;
    else if (state.status === "blocked") blocked++;
    else if (state.status !== "queued") continue;
    else if (run?.holdsSlot) starting++;
    else if ((run === undefined || run.place < 0) && state.details.notBeforeAt !== undefined) retrying++;
  }
  const lanes = Object.fromEntries([...slots.lanes.values()].map((lane) => [lane.name, lane.stats()]));
  const { abandoned } = runner;
  const { droppedWrites } = loop;
  return { queued: slots.queued, starting, retrying, running, blocked, abandoned, droppedWrites, lanes };
}
