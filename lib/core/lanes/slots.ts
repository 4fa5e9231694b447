// Slots: how many tasks may run at once, per lane and over the whole manager.
//
// Owns the count of held slots and the turns of the lanes. Knows no task function, no promise, no clock.
// L1: held(lane) <= lane.concurrency, sum of held <= concurrency. L4: one order per lane; lanes with waiters take turns.
// L6: `queued` is what the bound counts. L7: a start is granted only while its lane's windows have room for it. L8: a slot is taken and given
// back in this file only. L10: bounds change while tasks run; what was granted and has not started is granted anew.

import type { Weight } from "../task/record.js";
import type { Lane, Queuing, Slotted } from "./lane.js";
import type { LaneChange } from "./lane-options.js";
import { STARTS, TOKENS } from "./weight.js";

/** L4: smaller goes first. `hasHead`: a resume, and a child of a started task, enter one `agingMs` earlier. `enqueuedAt` is monotonic (C7). */
export function rankOf(lane: Lane<Slotted>, priority: number, hasHead: boolean, enqueuedAt: number): number {
  return enqueuedAt - (priority + (hasHead ? 1 : 0)) * lane.agingMs;
}

export class Slots<S extends Slotted> {
  readonly lanes: ReadonlyMap<string, Lane<S>>;
  readonly #order: Lane<S>[];
  readonly #onGrant: (item: S) => void;
  readonly #onChance: () => void;
  /** Every unit that a window of this manager has ever counted. */
  readonly #units = new Set<string>();
  #concurrency: number;
  #held = 0;
  #queued = 0;
  /** Tasks in line that belong to no session. */
  #queuedOfNone = 0;
  #arrived = 0;

  /** `onChance`: a start may find a place in line, or a slot, that it did not find before. */
  constructor(concurrency: number, lanes: readonly Lane<S>[], onGrant: (item: S) => void, onChance: () => void) {
    this.#concurrency = concurrency;
    this.lanes = new Map(lanes.map((lane) => [lane.name, lane]));
    this.#order = [...lanes];
    this.#onGrant = onGrant;
    this.#onChance = onChance;
    for (const lane of lanes) {
      lane.onRing = this.promote;
      this.#learnUnits(lane);
    }
  }

  /** First starts in line, over all lanes. */
  get queued(): number {
    return this.#queued;
  }

  /** First starts of one owner in line: those of a session by its account, else those of no session. */
  queuedOf(account: Queuing | undefined): number {
    return account === undefined ? this.#queuedOfNone : account.queued;
  }

  /** An item in line may wait for a rate: what its record says of that changes without a fact. */
  get isTimed(): boolean {
    return this.#order.some((lane) => lane.isTimed);
  }

  /** A unit of `weight` that no window counts, though there are windows; and those that are counted. */
  unknownUnit(weight: Weight): { readonly unit: string; readonly units: readonly string[] } | undefined {
    if (this.#units.size === 0) return undefined;
    const units = new Set([STARTS, TOKENS, ...this.#units]);
    const unit = Object.keys(weight).find((each) => !units.has(each));
    return unit === undefined ? undefined : { unit, units: [...units] };
  }

  #learnUnits(lane: Lane<S>): void {
    for (const { unit } of lane.allWindows) this.#units.add(unit);
  }

  /** How many starts would get a slot at once, and need no place in line; a caller that waits for one is woken when that changes. */
  startable(lane: Lane<S>): number {
    const free = Math.min(lane.startable, this.#concurrency - this.#held);
    if (free > 0) return free;
    lane.seek();
    return 0;
  }

  /** No caller waits for a place in `lane`, as far as is known. */
  unsought(lane: Lane<S>): void {
    lane.unseek();
  }

  /** Whether this start would get a slot at once, and need no place in line. */
  isStartable(lane: Lane<S>, item: Pick<Slotted, "laneKey" | "isResume" | "weight">): boolean {
    return this.#held < this.#concurrency && lane.isFree(item);
  }

  /** Asks for a slot: granted in this call when one is free and nobody is before it, else from the line. */
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
    this.promote();
  }

  /** A start that was granted its slot and may not use it: back to its place in line. Nothing when it holds none (L8). */
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

  /** L7: the function of `item`, which was granted its slot, is called. */
  started(lane: Lane<S>, item: S): void {
    if (lane.isRated) lane.started(item);
  }

  /** L7: the newest start of `item` has used so many tokens by now. */
  used(lane: Lane<S>, item: S, tokens: number): void {
    const { start } = item;
    if (start === undefined || !lane.isRated) return;
    lane.used(start, (start.tokens ?? 0) + tokens);
    if (lane.queue.starts > 0) this.promote();
  }

  /** Leaves the line without a slot. Nothing when it stands in none. */
  leave(lane: Lane<S>, item: S): void {
    if (item.place < 0) return;
    lane.queue.remove(item);
    if (item.isResume) return;
    this.#count(item, -1);
    // The next one may weigh less.
    if (lane.isRated) this.promote();
    lane.arm();
    this.#onChance();
  }

  /** What holds the slot of `item` from now on, if it has one: `item` may stand in line again. */
  handOver(item: S): Holder {
    const { laneKey, holdsSlot } = item;
    item.holdsSlot = false;
    return { laneKey, holdsSlot, start: undefined };
  }

  /** Gives the slot back, and to the next. Nothing when it holds none (L8). */
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

  /** `undefined` is every lane. */
  pause(lane: Lane<S> | undefined, untilAt: number): void {
    for (const each of lane === undefined ? this.#order : [lane]) {
      each.pause(untilAt);
      each.arm();
    }
  }

  /** `undefined` is every lane. */
  resume(lane: Lane<S> | undefined): void {
    for (const each of lane === undefined ? this.#order : [lane]) each.resume();
    this.promote();
  }

  /** L10. `granted`: those of the lane that have a slot and have not started. */
  setLane(lane: Lane<S>, change: LaneChange, granted: Iterable<S>): void {
    for (const item of granted) this.#takeBack(lane, item);
    lane.change(change);
    this.#learnUnits(lane);
    this.promote();
  }

  /** L10. `granted`: those that have a slot and have not started, with their lanes; `follower`: a lane that has the same. */
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

  /** Nothing starts any more. */
  rest(): void {
    for (const lane of this.#order) lane.disarm();
  }

  /** Grants every slot that is free to whoever may have it. Lanes with waiters take turns. */
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
    this.#onChance();
  };

  /** L6: of all, and of its owner. */
  #count({ account }: S, change: 1 | -1): void {
    this.#queued += change;
    if (account !== undefined) account.queued += change;
    else this.#queuedOfNone += change;
  }

  #grant(lane: Lane<S>, item: S): void {
    lane.granted(item);
    this.#held++;
    this.#onGrant(item);
  }
}

/** A holder of a slot: a task, or an attempt of it that another has followed. */
export type Holder = Pick<Slotted, "laneKey" | "holdsSlot" | "start">;
