// Lane queue: the items that wait for a slot of one lane, and which of them is next (L4).
//
// Keys with waiting items take turns; inside a key the smallest rank goes first. Starts and resumes of one key stand in
// two queues, so a paused or rated lane can pass over its starts and still let started tasks return. A key at its own
// bound (L6 `perKey`) is never examined: the keys that may go stand in heaps by their turn, so no search is needed.
// Knows no slot count, no clock and no promise.

import { Heap, isBefore, type Ranked } from "../values/heap.js";
import { RankQueue } from "./rank-queue.js";

/** An item that can stand in a line. */
export interface QueueEntry extends Ranked {
  /** Key of the item within its lane. */
  readonly laneKey: string | undefined;
  /** Whether the item is a started task that returns from a wait. */
  readonly isResume: boolean;
}

/** The bounds of the keys of a lane, beside those of the lane itself. */
export interface KeyBounds<S extends QueueEntry> {
  /** Whether some key may be at a bound. */
  readonly isBounding: boolean;
  /** Whether the key may hold one more slot. */
  hasSlot(key: string | undefined): boolean;
  /** The instant at which the rate of its key lets `start` go. `undefined`: now. `Infinity`: not known yet. */
  startsAt(start: S): number | undefined;
}

/** The place of a key in one heap. */
class Place<T> implements Ranked {
  readonly of: T;
  rank = 0;
  order = 0;
  place = -1;

  constructor(of: T) {
    this.of = of;
  }
}

class KeyQueue<S extends QueueEntry> {
  readonly key: string | undefined;
  readonly starts = new RankQueue<S>();
  readonly resumes = new RankQueue<S>();
  /** Turn of the key: the smallest is next. */
  turn: number;
  /** Whether the bounds of the key let its first start go. */
  mayStart = false;
  /** Instant until which the rate of the key holds its first start back, when it is known. */
  dueAt: number | undefined;
  readonly open = new Place<KeyQueue<S>>(this);
  readonly back = new Place<KeyQueue<S>>(this);
  readonly due = new Place<KeyQueue<S>>(this);

  constructor(key: string | undefined, turn: number) {
    this.key = key;
    this.turn = turn;
  }

  /** Number of items. */
  get size(): number {
    return this.starts.size + this.resumes.size;
  }

  queueOf(isResume: boolean): RankQueue<S> {
    return isResume ? this.resumes : this.starts;
  }

  /** The first item that may go. */
  first(startsToo: boolean): S | undefined {
    const resume = this.resumes.first();
    const start = startsToo && this.mayStart ? this.starts.first() : undefined;
    if (resume === undefined || start === undefined) return resume ?? start;
    return isBefore(start, resume) ? start : resume;
  }
}

/** The queue of one lane. */
export class LaneQueue<S extends QueueEntry> {
  readonly #keys = new Map<string, KeyQueue<S>>();
  /** The items without a key. Most lanes have no others, so they need no look into the map. */
  readonly #keyless = new KeyQueue<S>(undefined, 0);
  /** Keys with items, the missing key among them. */
  #keysInUse = 0;
  readonly #bounds: KeyBounds<S>;
  /** Keys of which an item may go; keys of which a resume may go; keys that wait for their rate, by instant. */
  readonly #open = new Heap<Place<KeyQueue<S>>>();
  readonly #back = new Heap<Place<KeyQueue<S>>>();
  readonly #due = new Heap<Place<KeyQueue<S>>>();
  #lastTurn = 0;
  #starts = 0;
  #resumes = 0;

  constructor(bounds: KeyBounds<S>) {
    this.#bounds = bounds;
  }

  /** First starts in line, which `maxQueued` counts (L6). */
  get starts(): number {
    return this.#starts;
  }
  /** Items in line. */
  get size(): number {
    return this.#starts + this.#resumes;
  }

  /** Whether the line has no item that may go, and no item of `key`. */
  isClear(key: string | undefined): boolean {
    return this.size === 0 || (this.#open.size === 0 && !this.#has(key));
  }

  #find(key: string | undefined): KeyQueue<S> | undefined {
    return key === undefined ? this.#keyless : this.#keys.get(key);
  }

  #has(key: string | undefined): boolean {
    return key === undefined ? this.#keyless.size > 0 : this.#keys.has(key);
  }

  /** Adds an item that stands in no line. */
  add(item: S): void {
    const { laneKey: key, isResume } = item;
    let turn = this.#find(key);
    if (turn === undefined) {
      turn = new KeyQueue(key, 0);
      if (key !== undefined) this.#keys.set(key, turn);
    }
    const isNew = turn.size === 0;
    if (isNew) {
      turn.turn = ++this.#lastTurn;
      this.#keysInUse++;
    }
    const queue = turn.queueOf(isResume);
    queue.add(item);
    if (isResume) this.#resumes++;
    else this.#starts++;
    if (isNew || queue.size === 1 || this.#bounds.isBounding) this.#settle(turn);
  }

  /** Removes an item that stands in this line. */
  remove(item: S): void {
    const { laneKey: key, isResume } = item;
    const turn = this.#find(key);
    if (turn === undefined) return;
    const queue = turn.queueOf(isResume);
    queue.remove(item);
    if (isResume) this.#resumes--;
    else this.#starts--;
    if (turn.size === 0) {
      if (key !== undefined) this.#keys.delete(key);
      this.#keysInUse--;
    }
    // Without bounds, the place of a key depends only on which of its two queues have items.
    if (queue.size === 0 || this.#bounds.isBounding) this.#settle(turn);
  }

  /** The next item; with `startsToo: false` the next resume. */
  first(startsToo: boolean): S | undefined {
    return (startsToo ? this.#open : this.#back).first()?.of.first(startsToo);
  }

  /** Removes the next item; its key goes to the back. */
  take(item: S): void {
    this.remove(item);
    if (this.#keysInUse < 2 || !this.#has(item.laneKey)) return;
    const turn = this.#find(item.laneKey);
    if (turn === undefined) return;
    turn.turn = ++this.#lastTurn;
    this.#settle(turn);
  }

  // ── the bounds of its keys ───────────────────────────────────────────────

  /** Called when the bounds of `key` have changed. */
  changed(key: string | undefined): void {
    const turn = this.#find(key);
    if (turn !== undefined) this.#settle(turn);
  }

  /** Called when the bounds of every key have changed. */
  allChanged(): void {
    this.#settle(this.#keyless);
    for (const turn of this.#keys.values()) this.#settle(turn);
  }

  /** The earliest instant at which the rate of a key lets a start go. */
  get dueAt(): number | undefined {
    return this.#due.first()?.rank;
  }

  /** Examines again the keys whose instant has come by `now`. */
  wake(now: number): void {
    for (let due = this.#due.first(); due !== undefined && due.rank <= now; due = this.#due.first()) {
      const before = due.rank;
      this.#settle(due.of);
      // A key is examined once in a call, whatever its bounds say.
      if (this.#due.first() === due && due.rank <= before) return;
    }
  }

  /**
   * Instant until which the rate of `key` holds it back, when it is known. `undefined`: the rate does not hold it back.
   */
  heldUntil(key: string | undefined): number | undefined {
    return this.#find(key)?.dueAt;
  }

  /** Number of starts that wait for the rate of their key. */
  get heldBack(): number {
    let held = this.#keyless.dueAt === undefined ? 0 : this.#keyless.starts.size;
    for (const turn of this.#keys.values()) if (turn.dueAt !== undefined) held += turn.starts.size;
    return held;
  }

  #settle(turn: KeyQueue<S>): void {
    const { key, resumes } = turn;
    const { isBounding } = this.#bounds;
    const isOpen = !isBounding || this.#bounds.hasSlot(key);
    const start = isBounding && isOpen ? turn.starts.first() : undefined;
    turn.dueAt = start === undefined ? undefined : this.#bounds.startsAt(start);
    turn.mayStart = turn.dueAt === undefined && (isBounding ? start !== undefined : turn.starts.size > 0);
    const mayReturn = isOpen && resumes.size > 0;
    put(this.#open, turn.open, mayReturn || turn.mayStart ? turn.turn : undefined);
    put(this.#back, turn.back, mayReturn ? turn.turn : undefined);
    put(this.#due, turn.due, turn.dueAt === Number.POSITIVE_INFINITY ? undefined : turn.dueAt);
  }
}

/** Moves a place to its rank; without a rank it leaves its heap. */
function put<T>(heap: Heap<Place<T>>, place: Place<T>, rank: number | undefined): void {
  const isIn = place.place >= 0;
  if (isIn && place.rank === rank) return;
  if (isIn) heap.remove(place);
  if (rank === undefined) return;
  place.rank = rank;
  heap.add(place);
}
