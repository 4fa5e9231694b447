// Line capacity: places in the bounded line, offered to the callers that wait for one (L6).
//
// Owns the callers of `room()` and the places offered in this turn. Called by the core and by the slots (a place may be
// free). A caller spawns a little later than its place is offered, so an offered place counts as taken for the rest of
// the turn. An unused place is offered again in the next turn: no place is offered twice in a turn, and none is
// forgotten.

import type { Lane } from "../lanes/lane.js";
import type { Slots } from "../lanes/slots.js";
import type { OpenWait } from "../live/open-wait.js";
import type { Run } from "../live/task.js";
import type { Loop } from "../loop.js";
import { ManagerClosedError } from "../task/errors.js";
import { nextTurn } from "../time/turn.js";
import { waiterOf } from "../waits/ambient.js";
import { metAlready, waitForSlot } from "../waits/slot-wait.js";
import type { Waits } from "../waits/waits.js";
import { DEFAULT_LANE, type Spawner } from "./spawn.js";

/**
 * The lane in which a caller wants to spawn. `lent`: slots of that lane that are free only while the caller waits here.
 */
interface PlaceRequest {
  readonly lane: Lane<Run>;
  readonly lent: number;
  /** Whether the spawn of this caller finds a place. Default: whether the line of the manager has one. */
  readonly isFree?: () => boolean;
}

/** The part of a pending wait that a place is offered to. */
type Seeker = Pick<OpenWait<void>, "resolve" | "reject">;

/** A place in line for the next spawn of one caller. */
export interface Place {
  /** Whether the spawn finds a place now. */
  readonly isFree: () => boolean;
  /** Resolves `seeker` when a place may be free. The returned function ends the search; call it in any case. */
  readonly seek: (seeker: Seeker) => () => void;
}

interface CapacityDeps {
  readonly loop: Loop;
  readonly waits: Waits;
  readonly slots: Slots<Run>;
  readonly spawner: Spawner;
}

/** Offers free places in the line. */
export class LineCapacity {
  /** The waiting callers, in order of asking. */
  readonly #seekers = new Map<Seeker, PlaceRequest>();
  readonly #deps: CapacityDeps;
  /** Places offered in this turn. */
  #offered = 0;
  #isScheduled = false;

  constructor(deps: CapacityDeps) {
    this.#deps = deps;
  }

  /** Resolves when the line has a place for a spawn in `lane`. */
  room(lane: Lane<Run>, signal: AbortSignal | undefined): Promise<void> {
    const { waits, loop } = this.#deps;
    if (loop.phase.isClosed) return Promise.reject(noRoom());
    if (this.#take(lane)) return metAlready(waits, signal);
    const lent = waiterOf(undefined)?.task.lane === lane ? 1 : 0;
    return waitForSlot(waits, signal, (wait) => this.#seek({ lane, lent }, wait));
  }

  /** The place in line of the next spawn without options in a session, for the children of a `ctx.map`. */
  placeIn(sessionId: string | undefined): Place {
    const { spawner } = this.#deps;
    const lane = spawner.laneOf(DEFAULT_LANE);
    const wanted = { lane, lent: 0, isFree: () => spawner.hasPlace(sessionId, lane) };
    return { isFree: () => this.#isFree(wanted), seek: (seeker) => this.#seek(wanted, seeker) };
  }

  /** Takes a place, if one is free and no earlier caller waits. */
  #take(lane: Lane<Run>): boolean {
    if (this.#seekers.size > 0 || this.#deps.spawner.roomIn(lane, 0) <= this.#offered) return false;
    this.#offered++;
    this.offer();
    return true;
  }

  /** Whether there is a place that is not offered to another caller in this turn. */
  #isFree({ lane, lent, isFree }: PlaceRequest): boolean {
    const { spawner } = this.#deps;
    if (isFree === undefined) return spawner.roomIn(lane, lent) > this.#offered;
    return isFree() && (this.#offered === 0 || spawner.roomIn(lane, lent) > this.#offered);
  }

  /** Resolves `wait` when there is a place, unless the returned function is called first. */
  #seek(wanted: PlaceRequest, wait: Seeker): () => void {
    this.#seekers.set(wait, wanted);
    this.offer();
    return () => {
      this.#seekers.delete(wait);
      // The lane may have no known caller now.
      this.#deps.slots.unsought(wanted.lane);
      // The place is free for the other callers.
      this.offer();
    };
  }

  /** Places may have become free: offers them in the next turn, after the callers of this turn have spawned. */
  offer(): void {
    if (this.#isScheduled || (this.#seekers.size === 0 && this.#offered === 0)) return;
    this.#isScheduled = true;
    nextTurn(() => {
      this.#isScheduled = false;
      this.#offered = 0;
      for (const [seeker, wanted] of this.#seekers) {
        if (!this.#isFree(wanted)) continue;
        this.#offered++;
        seeker.resolve();
      }
      if (this.#offered > 0) this.offer();
    });
  }

  /** The manager closes: rejects all waiting callers. */
  close(): void {
    for (const seeker of this.#seekers.keys()) seeker.reject(noRoom());
  }
}

function noRoom(): ManagerClosedError {
  return new ManagerClosedError("no room will come free");
}
