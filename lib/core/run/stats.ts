// Stats: how many tasks are where, at the moment of the call.

import type { LaneStats } from "../lanes/lane.js";
import type { Slots } from "../lanes/slots.js";
import type { Registry } from "../live/registry.js";
import type { Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { Runner } from "./runner.js";

/** Counts of the moment: how many tasks are where. */
export interface Stats {
  /**
   * Tasks in line for a first slot of their attempt: the sum of `queued` over all lanes. Tasks that wait for their rate
   * are among them.
   */
  readonly queued: number;
  /**
   * Tasks with status `queued` that have been granted their slot: their function is called next, or once their spawn is
   * stored.
   */
  readonly starting: number;
  /** Tasks with status `queued` that stand in no line: in the delay before a retry. */
  readonly retrying: number;
  /** Tasks with status `running`. */
  readonly running: number;
  /** Tasks with status `blocked`. They hold no slot. */
  readonly blocked: number;
  /** Functions that were abandoned and have not settled yet. */
  readonly abandoned: number;
  /** Writes of functions that were over, superseded or abandoned; such a write changes nothing. */
  readonly droppedWrites: number;
  /** The counts of each lane, by its name. */
  readonly lanes: { readonly [lane: string]: LaneStats };
}

interface Counted {
  readonly registry: Registry;
  readonly slots: Slots<Task>;
  readonly runner: Runner;
  readonly loop: Loop;
}

export function statsOf({ registry, slots, runner, loop }: Counted): Stats {
  let starting = 0;
  let retrying = 0;
  let running = 0;
  let blocked = 0;
  for (const { state, holdsSlot, place } of registry.all()) {
    if (state.status === "running") running++;
    else if (state.status === "blocked") blocked++;
    else if (state.status !== "queued") continue;
    else if (holdsSlot) starting++;
    else if (place < 0 && state.details.notBeforeAt !== undefined) retrying++;
  }
  const lanes = Object.fromEntries([...slots.lanes.values()].map((lane) => [lane.name, lane.stats()]));
  const { abandoned } = runner;
  const { droppedWrites } = loop;
  return { queued: slots.queued, starting, retrying, running, blocked, abandoned, droppedWrites, lanes };
}
