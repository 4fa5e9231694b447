// Slots: how many tasks may run at once, per lane and over the whole manager.
//
// Owns the count of held slots and the lines of those waiting. Knows no task function, no promise, no clock.
// L1: held(lane) <= lane.concurrency, sum of held <= concurrency. L4: one order per lane; lanes with waiters take turns.
// L6: `queued` is what the bound counts. L8: a slot is taken and given back in this file only.

import { Line, type Standing } from "./line.js";
import { type Rate, RateGate } from "./rate-gate.js";

export interface LaneOptions {
  /** Started tasks without a pending wait, in this lane: an integer ≥ 1, or `Infinity`. The manager's `concurrency` caps it too. */
  concurrency: number;
  /** At most `limit` first starts in any `periodMs`; resumes take none. Real time: the gate does not follow an injected clock. */
  rate?: Rate | undefined;
  /** What one step of priority is worth; default the manager's. */
  agingMs?: number | undefined;
  /** An abandoned function keeps its slot until it really ends. */
  holdAbandoned?: boolean | undefined;
}

export interface LaneStats {
  readonly concurrency: number;
  /** Slots out, those reserved for tasks about to start too. */
  readonly held: number;
  /** `concurrency` less `held`; the manager's own `concurrency` may leave less. */
  readonly free: number;
  /** First starts in line. */
  readonly queued: number;
  readonly paused: boolean;
}

export interface Slotted extends Standing {
  holdsSlot: boolean;
}

export class Lane<S extends Slotted> {
  readonly name: string;
  readonly concurrency: number;
  readonly agingMs: number;
  readonly holdAbandoned: boolean;
  readonly gate: RateGate | undefined;
  readonly line = new Line<S>();
  held = 0;
  paused = false;

  constructor(name: string, options: LaneOptions, agingMs: number) {
    this.name = name;
    this.concurrency = options.concurrency;
    this.agingMs = options.agingMs ?? agingMs;
    this.holdAbandoned = options.holdAbandoned ?? false;
    this.gate = options.rate === undefined ? undefined : new RateGate(options.rate);
  }

  /** Who may have the next slot of this lane, were one free. Asks the gate for a token when only that is missing. */
  next(onToken: () => void): S | undefined {
    if (this.held >= this.concurrency) return undefined;
    const first = this.line.first(!this.paused);
    if (first === undefined || first.isResume || this.hasToken(onToken)) return first;
    return this.line.first(false);
  }

  /** Whether the rate lets one start; asks for a token when it has none. `onToken` is called when one comes later. */
  hasToken(onToken: () => void): boolean {
    this.gate?.ask(onToken);
    return this.gate === undefined || this.gate.isOpen;
  }

  stats(): LaneStats {
    const { concurrency, held, paused } = this;
    return { concurrency, held, free: concurrency - held, queued: this.line.starts, paused };
  }
}

/** L4: smaller goes first. `hasHead`: a resume, and a child of a started task, enter one `agingMs` earlier. `enqueuedAt` is monotonic (C7). */
export function rankOf(lane: Lane<Slotted>, priority: number, hasHead: boolean, enqueuedAt: number): number {
  return enqueuedAt - (priority + (hasHead ? 1 : 0)) * lane.agingMs;
}

export class Slots<S extends Slotted> {
  readonly lanes: ReadonlyMap<string, Lane<S>>;
  readonly #concurrency: number;
  readonly #order: Lane<S>[];
  readonly #onGrant: (item: S) => void;
  readonly #onChance: () => void;
  #held = 0;
  #queued = 0;
  #arrived = 0;

  /** `onChance`: a start may find a place in line, or a slot, that it did not find before. */
  constructor(concurrency: number, lanes: readonly Lane<S>[], onGrant: (item: S) => void, onChance: () => void) {
    this.#concurrency = concurrency;
    this.lanes = new Map(lanes.map((lane) => [lane.name, lane]));
    this.#order = [...lanes];
    this.#onGrant = onGrant;
    this.#onChance = onChance;
  }

  /** First starts in line, over all lanes. */
  get queued(): number {
    return this.#queued;
  }

  /** How many starts would get a slot at once, and need no place in line. A lane with a rate is asked for a token. */
  startable(lane: Lane<S>): number {
    if (!this.#canStart(lane)) return 0;
    const free = Math.min(lane.concurrency - lane.held, this.#concurrency - this.#held);
    return lane.gate === undefined ? free : 1;
  }

  /** Asks for a slot: granted in this call when one is free and nobody is before it, else from the line. */
  enter(lane: Lane<S>, item: S, rank: number): void {
    const { isResume } = item;
    item.rank = rank;
    item.order = ++this.#arrived;
    if (isResume ? this.#isFree(lane) : this.#canStart(lane)) {
      if (!isResume) lane.gate?.take();
      this.#grant(lane, item);
      return;
    }
    lane.line.add(item);
    if (!isResume) this.#queued++;
    this.promote();
  }

  /** A start that was granted its slot and may not use it: back to its place in line. Nothing when it holds none (L8). */
  putBack(lane: Lane<S>, item: S): void {
    if (!item.holdsSlot) return;
    lane.gate?.giveBack();
    lane.line.add(item);
    this.#queued++;
    this.release(lane, item);
  }

  /** Leaves the line without a slot. Nothing when it stands in none. */
  leave(lane: Lane<S>, item: S): void {
    if (item.place < 0) return;
    lane.line.remove(item);
    if (item.isResume) return;
    this.#queued--;
    if (lane.line.starts === 0) lane.gate?.rest();
    this.#onChance();
  }

  /** What holds the slot of `item` from now on, if it has one: `item` may stand in line again. */
  handOver(item: S): Slotted {
    const { laneKey, isResume, rank, order, place, holdsSlot } = item;
    item.holdsSlot = false;
    return { laneKey, isResume, rank, order, place, holdsSlot };
  }

  /** Gives the slot back, and to the next. Nothing when it holds none (L8). */
  release(lane: Lane<S>, item: Slotted): void {
    if (!item.holdsSlot) return;
    item.holdsSlot = false;
    lane.held--;
    this.#held--;
    this.promote();
  }

  /** `undefined` is every lane. */
  setPaused(paused: boolean, lane: Lane<S> | undefined): void {
    for (const each of lane === undefined ? this.#order : [lane]) {
      each.paused = paused;
      if (paused) each.gate?.rest();
    }
    if (!paused) this.promote();
  }

  /** Nothing starts any more. */
  rest(): void {
    for (const lane of this.#order) lane.gate?.rest();
  }

  /** Grants every slot that is free to whoever may have it. Lanes with waiters take turns. */
  readonly promote = (): void => {
    let refused = 0;
    while (refused < this.#order.length && this.#held < this.#concurrency) {
      const lane = this.#order[0];
      if (lane === undefined) return;
      const item = lane.next(this.promote);
      if (item === undefined) refused++;
      else {
        refused = 0;
        lane.line.take(item);
        if (!item.isResume) {
          this.#queued--;
          lane.gate?.take();
        }
        this.#grant(lane, item);
      }
      if (this.#order.length > 1) this.#order.push(...this.#order.splice(0, 1));
    }
    this.#onChance();
  };

  #canStart(lane: Lane<S>): boolean {
    return this.#isFree(lane) && !lane.paused && lane.hasToken(this.promote);
  }

  /** A slot is free, and nobody stands in line for it. */
  #isFree(lane: Lane<S>): boolean {
    return lane.held < lane.concurrency && this.#held < this.#concurrency && lane.line.size === 0;
  }

  #grant(lane: Lane<S>, item: S): void {
    item.holdsSlot = true;
    lane.held++;
    this.#held++;
    this.#onGrant(item);
  }
}
