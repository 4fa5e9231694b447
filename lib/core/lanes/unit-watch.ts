// Unit watch: warns of a window that counts nothing, because its unit is misspelt, or is another word for a well-known
// one (L7, §12).
//
// Owns the units that need no more checks, so each unit is judged once. A unit of the user's own is right: `weight` has
// it. Called by the spawner for each spawn into a lane that has a rate.

import type { Weight } from "../task/record.js";
import { show } from "../values/checks.js";
import type { GuardedLogger } from "../values/logger.js";
import { nearestName } from "../values/nearest-name.js";
import { STARTS, TOKENS } from "./weight.js";

/** Words for the well-known units. */
const WORDS: ReadonlyMap<string, string> = new Map([
  [STARTS, STARTS],
  ["requests", STARTS],
  ["calls", STARTS],
  [TOKENS, TOKENS],
]);

/** The windows of a lane. */
interface RatedLane {
  readonly name: string;
  readonly allWindows: readonly { readonly unit: string }[];
}

/** The units of one manager. */
export class UnitWatch {
  readonly #logger: GuardedLogger;
  readonly #judged = new Set<string>([STARTS, TOKENS]);

  constructor(logger: GuardedLogger) {
    this.#logger = logger;
  }

  /** A task of `weight` enters `lane`. `ofKinds`: the weights of the kinds of the manager. */
  spawned(lane: RatedLane, weight: Weight | undefined, ofKinds: () => readonly (Weight | undefined)[]): void {
    for (const { unit } of lane.allWindows) {
      if (this.#judged.has(unit)) continue;
      this.#judged.add(unit);
      const nearest = nearestName(unit, WORDS.keys());
      const meant = nearest === undefined ? undefined : WORDS.get(nearest);
      if (meant === undefined || [weight, ...ofKinds()].some((each) => each?.[unit] !== undefined)) continue;
      this.#logger.warn(
        `A window of lane ${show(lane.name)} counts ${show(unit)}, and no weight of a kind or of this spawn has that unit: it counts nothing. Did you mean ${show(meant)}?`,
        { lane: lane.name, unit },
      );
    }
  }
}
