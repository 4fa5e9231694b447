// Lane changes: concurrency, rates and bounds of keys that change while tasks run (L10).
//
// Owns which lane follows the concurrency of the manager. Tasks that were granted a slot and have not started are granted anew.

import type { Lane } from "../lanes/lane.js";
import type { LaneChange } from "../lanes/lane-options.js";
import type { Slots } from "../lanes/slots.js";
import type { Registry } from "../live/registry.js";
import type { Task } from "../live/task.js";

export class LaneChanges {
  readonly #slots: Slots<Task>;
  readonly #registry: Registry;
  /** The default lane, while its concurrency is that of the manager. */
  #follower: Lane<Task> | undefined;

  constructor(slots: Slots<Task>, registry: Registry, follower: Lane<Task> | undefined) {
    this.#slots = slots;
    this.#registry = registry;
    this.#follower = follower;
  }

  /** `change` is checked. */
  setLane(lane: Lane<Task>, change: LaneChange): void {
    if (this.#follower === lane && change.concurrency !== undefined) this.#follower = undefined;
    this.#slots.setLane(lane, change, this.#granted(lane));
  }

  /** `concurrency` is checked. */
  setConcurrency(concurrency: number): void {
    const granted = this.#granted(undefined).map((item) => ({ lane: item.lane, item }));
    this.#slots.setConcurrency(concurrency, this.#follower, granted);
  }

  /** Tasks that have a slot and have not started: few, and needed seldom. */
  #granted(lane: Lane<Task> | undefined): Task[] {
    const isGranted = (task: Task) => task.holdsSlot && task.state.status === "queued";
    return [...this.#registry.all()].filter((task) => isGranted(task) && (lane === undefined || task.lane === lane));
  }
}
