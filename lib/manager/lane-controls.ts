// Lane controls: the methods of a manager that wait for room in a lane, pause its starts, and change it while it runs.
//
// Owns nothing: checks the arguments of each method and calls the part of the core that does the work. The base of
// `TaskManager`.

import type { Lane } from "../core/lanes/lane.js";
import { checkLaneChange, type LaneChange } from "../core/lanes/lane-options.js";
import type { Run } from "../core/live/task.js";
import { DEFAULT_LANE } from "../core/spawn/spawn.js";
import { checkCount, checkFinite, checkOptions, checkSignal, checkType } from "../core/values/checks.js";
import type { WaitOptions } from "../core/waits/waits.js";
import { Scope } from "../session/scope.js";

/** The lanes of a manager, for the program that made it. */
export abstract class LaneControls extends Scope {
  /**
   * Resolves when a `spawn` in `lane` (default `"default"`) would not throw `QueueFullError`. Each free place is
   * reported to one caller. Rejects with `UnknownLaneError`, with `ManagerClosedError`, also when the manager closes
   * meanwhile, or with the reason of `signal`.
   */
  room(
    options: WaitOptions & {
      /** The lane; default `"default"`. */
      lane?: string | undefined;
    } = {},
  ): Promise<void> {
    try {
      checkOptions("room", options, "signal", "lane");
      checkSignal("signal", options.signal);
      return this.core.capacity.room(this.core.spawner.laneOf(options.lane ?? DEFAULT_LANE), options.signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Holds the starts of tasks, in one lane or in all, until `resume`. Started tasks still get their slots back after a
   * wait. A task whose function has not started yet is held too: a task that was spawned in the same turn and already
   * has a slot returns to its place in the queue.
   *
   * With `untilAt`, in epoch milliseconds (for example from a `Retry-After`), the lane resumes at that instant without
   * another call, or at once when the instant is past. The longest of several pauses counts, and a pause without
   * `untilAt` lasts until `resume`. Pauses are not stored. Throws `UnknownLaneError`.
   */
  pause(
    lane?: string,
    options: {
      /** The instant at which the pause ends, in epoch milliseconds; default: when `resume` is called. */
      untilAt?: number | undefined;
    } = {},
  ): void {
    checkOptions("pause", options, "untilAt");
    if (lane !== undefined) checkType("lane", lane, "string");
    checkFinite("untilAt", options.untilAt);
    this.core.slots.pause(this.#laneNamed(lane), options.untilAt ?? Number.POSITIVE_INFINITY);
  }
  /** Ends all pauses of one lane, or of all lanes. No effect when nothing is paused. Throws `UnknownLaneError`. */
  resume(lane?: string): void {
    this.core.slots.resume(this.#laneNamed(lane));
  }

  #laneNamed(name: string | undefined): Lane<Run> | undefined {
    return name === undefined ? undefined : this.core.spawner.laneOf(name);
  }

  /**
   * Changes a lane while it runs: `setLane("model", { rate: { limit: 20, periodMs: 60_000 } })`. A field that is left
   * out stays unchanged; `null` for `rate` or `perKey` removes that bound.
   *
   * More slots start more tasks at once. Fewer slots stop no started task; later starts wait. Starts that count in the
   * old windows also count in the new ones, also when a rate was removed and is set again: the starts between count
   * too, as far back as the longest window so far, and at most the newest 10 000 while the lane has no rate. A queued
   * task that weighs more than a new limit starts when nothing else counts in that window.
   *
   * Changes are not stored: after a restart the lanes are as the options declare them. Throws `UnknownLaneError`, and
   * `TypeError` or `RangeError` for a field that does not fit; then nothing has changed.
   */
  setLane(name: string, change: LaneChange): void {
    checkType("name", name, "string");
    const lane = this.core.spawner.laneOf(name);
    checkLaneChange(change);
    this.core.laneChanges.setLane(lane, change);
  }

  /**
   * Changes the slots of the whole manager while it runs, with the effects of `setLane`: an integer ≥ 1, or `Infinity`.
   * The default lane changes too, unless it was declared with a concurrency, or has one set by `setLane`.
   */
  setConcurrency(concurrency: number): void {
    checkType("concurrency", concurrency, "number");
    checkCount("concurrency", concurrency, 1);
    this.core.laneChanges.setConcurrency(concurrency);
  }
}
