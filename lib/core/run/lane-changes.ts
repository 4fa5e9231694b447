// Lane changes: changes of concurrency, rates and key bounds while tasks run (L10).
//
// Owns the declared lanes of a manager, and which of them follows its concurrency. Called by the manager. Calls the
// slots: a task that was granted a slot and has not started is granted anew.

import { Lane } from "../lanes/lane.js";
import type { LaneChange, LaneOptions } from "../lanes/lane-options.js";
import type { Slots } from "../lanes/slots.js";
import type { Registry } from "../live/registry.js";
import type { Run } from "../live/task.js";
import { DEFAULT_LANE } from "../spawn/spawn.js";
import type { Timekeeper } from "../time/clock.js";

/** The options of a manager that declare its lanes. */
interface DeclaredLanes {
  readonly concurrency: number;
  readonly lanes: { readonly [lane: string]: LaneOptions };
  readonly agingMs: number;
}

/**
 * The declared lanes, and the default lane. `follower`: the default lane when it is declared without a concurrency, or
 * not declared; it follows the concurrency of the manager.
 */
export function declaredLanes({ concurrency, lanes, agingMs }: DeclaredLanes, clock: Timekeeper) {
  const named = Object.hasOwn(lanes, DEFAULT_LANE) ? lanes : { [DEFAULT_LANE]: {}, ...lanes };
  const made: Lane<Run>[] = [];
  let follower: Lane<Run> | undefined;
  for (const [name, options] of Object.entries(named)) {
    const isFollower = name === DEFAULT_LANE && options.concurrency === undefined;
    const lane = new Lane<Run>(name, isFollower ? { ...options, concurrency } : options, agingMs, clock);
    if (isFollower) follower = lane;
    made.push(lane);
  }
  return { lanes: made, follower };
}

/** Changes of lanes. */
export class LaneChanges {
  readonly #slots: Slots<Run>;
  readonly #registry: Registry;
  /** The default lane, while its concurrency is that of the manager. */
  #follower: Lane<Run> | undefined;

  constructor(slots: Slots<Run>, registry: Registry, follower: Lane<Run> | undefined) {
    this.#slots = slots;
    this.#registry = registry;
    this.#follower = follower;
  }

  /** Changes one lane. The caller has checked `change`. */
  setLane(lane: Lane<Run>, change: LaneChange): void {
    if (this.#follower === lane && change.concurrency !== undefined) this.#follower = undefined;
    this.#slots.setLane(lane, change, this.#granted(lane));
  }

  /** Changes the concurrency of the manager. The caller has checked it. */
  setConcurrency(concurrency: number): void {
    const granted = this.#granted(undefined).map((item) => ({ lane: item.task.lane, item }));
    this.#slots.setConcurrency(concurrency, this.#follower, granted);
  }

  /** The tasks that have a slot and have not started. Needed seldom, so no index keeps them. */
  #granted(lane: Lane<Run> | undefined): Run[] {
    return [...this.#registry.all()].flatMap(({ lane: own, run, state }) => {
      const isGranted = run?.holdsSlot === true && state.status === "queued";
      return isGranted && (lane === undefined || own === lane) ? [run] : [];
    });
  }
}
