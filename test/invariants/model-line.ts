// The model's slots: who holds one, who stands in line, and who is next (L1, L2, L4, L6, L8).
//
// Plain lists, searched from end to end: slow, and easy to hold against the rules. Knows no function and no wait.

import type { Rules } from "./steps.js";

interface Place {
  readonly isResume: boolean;
  readonly rank: number;
  readonly order: number;
}

/** A task, as the line sees it. */
export interface Standing {
  readonly lane: string;
  readonly laneKey: string;
  readonly priority: number;
  holdsSlot: boolean;
  /** Its place in line; none, when it stands in none. */
  place: Place | undefined;
  /** The one it got when it was spawned. */
  firstPlace: Place | undefined;
}

interface Lane<T> {
  readonly name: string;
  readonly concurrency: number;
  readonly agingMs: number;
  readonly holdAbandoned: boolean;
  isPaused: boolean;
  line: T[];
  /** Keys with waiters, in the order of their turns. */
  keys: string[];
  held: number;
}

export class ModelSlots<T extends Standing> {
  readonly lanes: readonly Lane<T>[];
  readonly #concurrency: number;
  readonly #onGrant: (task: T, isResume: boolean) => void;
  /** The lane whose turn it is. */
  #turn = 0;
  #arrived = 0;

  constructor(rules: Rules, onGrant: (task: T, isResume: boolean) => void) {
    const { concurrency = Number.POSITIVE_INFINITY, agingMs = 1_000, lanes = {} } = rules;
    const all = "default" in lanes ? lanes : { default: { concurrency }, ...lanes };
    this.#concurrency = concurrency;
    this.#onGrant = onGrant;
    this.lanes = Object.entries(all).map(([name, lane]) => {
      const { holdAbandoned = false } = lane;
      return { agingMs, ...lane, name, holdAbandoned, isPaused: false, line: [], keys: [], held: 0 };
    });
  }

  lane(name: string): Lane<T> {
    const lane = this.lanes.find((each) => each.name === name);
    if (lane === undefined) throw new Error(`no lane ${name}`);
    return lane;
  }

  /** L6 counts first starts alone. */
  get starts(): number {
    return this.lanes.flatMap((lane) => lane.line).filter((task) => task.place?.isResume === false).length;
  }

  /** Whether a start could have a slot at once. */
  isFree(lane: Lane<T>): boolean {
    return this.#hasSlot(lane) && !lane.isPaused && lane.line.length === 0;
  }

  /** L4: `head` is 1 for a resume and for a child of a started task. */
  enter(task: T, isResume: boolean, now: number, head: number): void {
    const lane = this.lane(task.lane);
    const rank = now - task.priority * lane.agingMs - head * lane.agingMs;
    const place = { isResume, rank, order: ++this.#arrived };
    if (!isResume) task.firstPlace = place;
    if (lane.line.length === 0 && this.#hasSlot(lane) && (isResume || !lane.isPaused)) {
      this.#grant(lane, task, isResume);
      return;
    }
    this.#stand(lane, task, place);
    this.promote();
  }

  #stand(lane: Lane<T>, task: T, place: Place): void {
    task.place = place;
    lane.line.push(task);
    if (!lane.keys.includes(task.laneKey)) lane.keys.push(task.laneKey);
  }

  /** A start that was granted its slot when its lane was paused: back to its place (L4). */
  putBack(task: T): void {
    if (task.firstPlace !== undefined) this.#stand(this.lane(task.lane), task, task.firstPlace);
    this.release(task);
  }

  leave(task: T): void {
    if (task.place === undefined) return;
    task.place = undefined;
    const lane = this.lane(task.lane);
    lane.line = lane.line.filter((each) => each !== task);
    if (lane.line.every((each) => each.laneKey !== task.laneKey))
      lane.keys = lane.keys.filter((key) => key !== task.laneKey);
  }

  release(task: T): void {
    if (!task.holdsSlot) return;
    task.holdsSlot = false;
    this.lane(task.lane).held--;
    this.promote();
  }

  pause(name: string, isPaused: boolean): void {
    this.lane(name).isPaused = isPaused;
    if (!isPaused) this.promote();
  }

  /** Every free slot goes to whoever may have it; lanes take turns, and in a lane its keys. */
  promote(): void {
    for (let tried = 0; tried < this.lanes.length; tried++) {
      const at = (this.#turn + tried) % this.lanes.length;
      const lane = this.lanes[at];
      const next = lane === undefined ? undefined : this.#next(lane);
      if (lane === undefined || next === undefined) continue;
      const isResume = next.place?.isResume === true;
      this.leave(next);
      if (lane.keys.includes(next.laneKey))
        lane.keys = [...lane.keys.filter((key) => key !== next.laneKey), next.laneKey];
      this.#turn = (at + 1) % this.lanes.length;
      this.#grant(lane, next, isResume);
      this.promote();
      return;
    }
  }

  #next(lane: Lane<T>): T | undefined {
    if (!this.#hasSlot(lane)) return undefined;
    for (const key of lane.keys) {
      const [first] = lane.line
        .filter((task) => task.laneKey === key && (task.place?.isResume === true || !lane.isPaused))
        .toSorted((a, b) => rankOf(a) - rankOf(b) || orderOf(a) - orderOf(b));
      if (first !== undefined) return first;
    }
    return undefined;
  }

  #hasSlot(lane: Lane<T>): boolean {
    const held = this.lanes.reduce((sum, each) => sum + each.held, 0);
    return lane.held < lane.concurrency && held < this.#concurrency;
  }

  #grant(lane: Lane<T>, task: T, isResume: boolean): void {
    task.holdsSlot = true;
    lane.held++;
    this.#onGrant(task, isResume);
  }
}

const rankOf = (task: Standing): number => task.place?.rank ?? 0;
const orderOf = (task: Standing): number => task.place?.order ?? 0;
