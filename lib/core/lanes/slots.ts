// Slots: how many tasks run at once, in each lane and in the whole manager.
//
// Owns the count of held slots and the turns of the lanes. Knows no task function, no promise and no clock. L1:
// held(lane) <= lane.concurrency, sum of held <= concurrency. L4: one order for each lane; lanes with waiting tasks
// take turns. L6: `queued` is the number that `maxQueued` bounds. L7: a start is granted only while the windows of its
// lane have capacity for it. L8: a slot is taken and given back in this file only. L10: bounds change while tasks run;
// grants that have not started are taken back and granted again.

import type { Weight } from "../task/record.js";
import type { Lane } from "./lane.js";
import type { QueueAccount, Slotted } from "./lane-item.js";
import type { LaneChange } from "./lane-options.js";
import { STARTS, TOKENS } from "./weight.js";

/**
 * The rank of an item: smaller goes first (L4). `hasHead`: a resume, and a child of a started task, enter one `agingMs`
 * earlier. `enqueuedAt` is of the clock that cannot be set (C7).
 */
export function rankOf(lane: Lane<Slotted>, priority: number, hasHead: boolean, enqueuedAt: number): number {
  return enqueuedAt - (priority + (hasHead ? 1 : 0)) * lane.agingMs;
}

/** The reports of the slots to the rest of the manager. */
interface SlotsPort<S> {
  /** The item has its slot. */
  granted(item: S): void;
  /** A start may find a place in line, or a slot, that it did not find before. */
  placeFreed(): void;
}

/** The slots of one manager. */
export class Slots<S extends Slotted> {
  /** The lanes, by name. */
  readonly lanes: ReadonlyMap<string, Lane<S>>;
  readonly #order: Lane<S>[];
  readonly #port: SlotsPort<S>;
  /** Every unit that a window of this manager has ever counted. */
  readonly #units = new Set<string>();
  #concurrency: number;
  #held = 0;
  #queued = 0;
  /** First starts in line that belong to no session. */
  #queuedOfNone = 0;
  #arrived = 0;

  constructor(concurrency: number, lanes: readonly Lane<S>[], port: SlotsPort<S>) {
    this.#concurrency = concurrency;
    this.lanes = new Map(lanes.map((lane) => [lane.name, lane]));
    this.#order = [...lanes];
    this.#port = port;
    for (const lane of lanes) {
      lane.onRing = this.promote;
      this.#learnUnits(lane);
    }
  }

  /** First starts in line, over all lanes. */
  get queued(): number {
    return this.#queued;
  }

  /** First starts of one owner in line: of the session of `account`, or of no session. */
  queuedOf(account: QueueAccount | undefined): number {
    return account === undefined ? this.#queuedOfNone : account.queued;
  }

  /** Whether an item in line may wait for a rate: its record then changes without an event. */
  get isTimed(): boolean {
    return this.#order.some((lane) => lane.isTimed);
  }

  /**
   * A unit of `weight` that no window counts, with the units that are counted. `undefined`: there is none, or the
   * manager has no windows.
   */
  unknownUnit(weight: Weight): { readonly unit: string; readonly units: readonly string[] } | undefined {
    if (this.#units.size === 0) return undefined;
    const units = new Set([STARTS, TOKENS, ...this.#units]);
    const unit = Object.keys(weight).find((each) => !units.has(each));
    return unit === undefined ? undefined : { unit, units: [...units] };
  }

  #learnUnits(lane: Lane<S>): void {
    for (const { unit } of lane.allWindows) this.#units.add(unit);
  }

  /**
   * How many starts would get a slot at once, without a place in line. When it is 0, the lane wakes the caller when
   * that may have changed.
   */
  startable(lane: Lane<S>): number {
    const free = Math.min(lane.startable, this.#concurrency - this.#held);
    if (free > 0) return free;
    lane.seek();
    return 0;
  }

  /** No known caller waits for a place in `lane`. */
  unsought(lane: Lane<S>): void {
    lane.unseek();
  }

  /** Whether this start would get a slot at once, without a place in line. */
  isStartable(lane: Lane<S>, item: Pick<Slotted, "laneKey" | "isResume" | "weight">): boolean {
    return this.#held < this.#concurrency && lane.isFree(item);
  }

  /**
   * Asks for a slot. The item gets it in this call when one is free and no item is before it; otherwise it enters the
   * line.
   */
  enter(lane: Lane<S>, item: S, rank: number): void {
    const { isResume } = item;
    item.rank = rank;
    item.order = ++this.#arrived;
    if (this.isStartable(lane, item)) {
      this.#grant(lane, item);
      return;
    }
    lane.queue.add(item);
    if (!isResume) this.#count(item, 1);
    // A full manager grants nothing: most tasks come while it is full.
    if (this.#held < this.#concurrency) this.promote();
    else this.#port.placeFreed();
  }

  /**
   * Takes the slot of a start that has not begun and may not use it, and puts the start back into the line. Has no
   * effect when it holds no slot (L8).
   */
  putBack(lane: Lane<S>, item: S): void {
    if (!item.holdsSlot) return;
    this.#takeBack(lane, item);
    this.promote();
  }

  #takeBack(lane: Lane<S>, item: S): void {
    this.#free(lane, item);
    lane.queue.add(item);
    this.#count(item, 1);
  }

  /** Records that the function of `item`, which was granted its slot, is called (L7). */
  started(lane: Lane<S>, item: S): void {
    if (lane.isRecording) lane.started(item);
  }

  /** Adds tokens that the newest start of `item` has used (L7). */
  used(lane: Lane<S>, item: S, tokens: number): void {
    const { start } = item;
    if (start === undefined || !lane.isRecording) return;
    lane.used(start, (start.tokens ?? 0) + tokens);
    if (lane.queue.starts > 0) this.promote();
  }

  /** Removes `item` from the line without a slot. Has no effect when it stands in none. */
  leave(lane: Lane<S>, item: S): void {
    if (item.place < 0) return;
    lane.queue.remove(item);
    if (item.isResume) return;
    this.#count(item, -1);
    // The next item may weigh less.
    if (lane.isRated) this.promote();
    lane.arm();
    this.#port.placeFreed();
  }

  /** Moves the slot of `item`, if it has one, to a holder of its own, so that `item` may stand in line again. */
  handOver(item: S): Holder {
    const { laneKey, holdsSlot } = item;
    item.holdsSlot = false;
    return { laneKey, holdsSlot, start: undefined };
  }

  /** Gives the slot back, and grants it to the next item. Has no effect when the holder has no slot (L8). */
  release(lane: Lane<S>, item: Holder): void {
    if (!item.holdsSlot) return;
    this.#free(lane, item);
    this.promote();
  }

  #free(lane: Lane<S>, item: Holder): void {
    lane.freed(item);
    this.#held--;
  }

  // ── bounds that change ───────────────────────────────────────────────────

  /** Pauses starts of a lane, or of every lane for `undefined`. */
  pause(lane: Lane<S> | undefined, untilAt: number): void {
    for (const each of lane === undefined ? this.#order : [lane]) {
      each.pause(untilAt);
      each.arm();
    }
  }

  /** Ends the pause of a lane, or of every lane for `undefined`. */
  resume(lane: Lane<S> | undefined): void {
    for (const each of lane === undefined ? this.#order : [lane]) each.resume();
    this.promote();
  }

  /** Changes the bounds of a lane (L10). `granted`: the items of the lane that have a slot and have not started. */
  setLane(lane: Lane<S>, change: LaneChange, granted: Iterable<S>): void {
    for (const item of granted) this.#takeBack(lane, item);
    lane.change(change);
    this.#learnUnits(lane);
    this.promote();
  }

  /**
   * Changes the limit of the manager (L10). `granted`: the items that have a slot and have not started, with their
   * lanes. `follower`: a lane that has the same limit.
   */
  setConcurrency(
    concurrency: number,
    follower: Lane<S> | undefined,
    granted: Iterable<{ readonly lane: Lane<S>; readonly item: S }>,
  ): void {
    for (const { lane, item } of granted) this.#takeBack(lane, item);
    this.#concurrency = concurrency;
    follower?.change({ concurrency });
    this.promote();
  }

  /** Cancels the alarms of all lanes: the manager starts no more tasks. */
  rest(): void {
    for (const lane of this.#order) lane.disarm();
  }

  /** Grants every free slot to the items that may have one. Lanes with waiting items take turns. */
  readonly promote = (): void => {
    let refused = 0;
    while (refused < this.#order.length && this.#held < this.#concurrency) {
      const lane = this.#order[0];
      if (lane === undefined) return;
      const item = lane.next();
      if (item === undefined) {
        refused++;
        lane.arm();
      } else {
        refused = 0;
        lane.queue.take(item);
        if (!item.isResume) this.#count(item, -1);
        this.#grant(lane, item);
      }
      if (this.#order.length > 1) this.#order.push(...this.#order.splice(0, 1));
    }
    this.#port.placeFreed();
  };

  /** Counts first starts in line, in all and of their owner (L6). */
  #count({ account }: S, change: 1 | -1): void {
    this.#queued += change;
    if (account !== undefined) account.queued += change;
    else this.#queuedOfNone += change;
  }

  #grant(lane: Lane<S>, item: S): void {
    lane.granted(item);
    this.#held++;
    this.#port.granted(item);
  }
}

/** A holder of a slot: a task, or an earlier attempt of a task. */
export type Holder = Pick<Slotted, "laneKey" | "holdsSlot" | "start">;
