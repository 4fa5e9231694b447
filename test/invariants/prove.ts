// Prove: random programs, one after another, until the budget is used up or the model and the manager disagree.
//
// fast-check draws every number a program is made of, so a seed gives the same programs again. What fails is shortened and thrown
// as text: the seed, what differs, and a program that can be pasted as a test.

import { type Arbitrary, asyncProperty, check, gen, nat, noBias } from "fast-check";
import { Dice } from "./dice.js";
import { Model } from "./model.js";
import { Disagreement, Play, watchingRejections } from "./play.js";
import { printed } from "./program.js";
import { shorten } from "./shorten.js";
import type { Program, Rules } from "./steps.js";

export interface Budget {
  readonly seed: number;
  /** How many programs, or for how long. */
  readonly runs?: number;
  readonly ms?: number;
  /** Steps of the longest program. */
  readonly steps?: number;
  readonly model?: (rules: Rules) => Model;
}

/** Small numbers are no likelier than others: here they are no simpler. */
const evenly = (max: number): Arbitrary<number> => noBias(nat({ max }));

/** The programs played. */
export function prove(budget: Budget): Promise<number> {
  return watchingRejections(() => search(budget));
}

async function search(budget: Budget): Promise<number> {
  const { seed, ms, runs = Number.MAX_SAFE_INTEGER, steps = 60, model = (rules: Rules) => new Model(rules) } = budget;
  let failed: Program | undefined;
  const property = asyncProperty(gen(), async (draw) => {
    const dice = new Dice((sides) => (sides < 2 ? 0 : draw(evenly, sides - 1)));
    const rules = dice.rules();
    const play = new Play(rules, model(rules));
    try {
      for (let left = 15 + draw(evenly, steps - 15); left > 0; left--) await play.step(dice.step(rules, play.model));
      await windDown(play);
    } catch (error) {
      failed = { rules, steps: play.played };
      throw error;
    }
  });
  const limit = ms === undefined ? {} : { interruptAfterTimeLimit: ms, skipAllAfterTimeLimit: ms };
  const details = await check(property, { seed, numRuns: runs, endOnFailure: true, ...limit });
  if (failed === undefined) {
    if (details.failed && !details.interrupted) throw details.errorInstance;
    return details.numRuns;
  }
  const kinds = new Set((await disagreement(failed, model))?.lines.map(kindOf));
  const isSame = async (program: Program): Promise<boolean> =>
    (await disagreement(program, model))?.lines.some((line) => kinds.has(kindOf(line))) === true;
  const smallest = await shorten(failed, isSame);
  const lines = (await disagreement(smallest, model))?.lines ?? ["it fails no more when played again"];
  throw new Error([`PROVE_SEED=${seed}`, ...lines, "", printed(smallest)].join("\n"));
}

/** Ends every function that can still end, so that what is left behind shows (L8). */
async function windDown(play: Play): Promise<void> {
  for (const lane of play.model.slots.lanes) await play.step({ do: "resume", lane: lane.name });
  for (let round = 0; round < 3; round++) {
    for (const task of play.model.tasks.keys()) await play.step({ do: "return", task });
    await play.step({ do: "advance", ms: 100 });
  }
}

/** What differs, or which law is broken, whoever it is about: a shortened program must not fail for another reason. */
function kindOf(line: string): string {
  const [what = ""] = line.split(":");
  return what.replace(/ (?:of )?\w+$/, "");
}

/** What the model and the manager disagree in when they play `program`. */
export async function disagreement(
  { rules, steps }: Program,
  model: (rules: Rules) => Model = (of) => new Model(of),
): Promise<Disagreement | undefined> {
  try {
    const play = new Play(rules, model(rules));
    for (const step of steps) await play.step(step);
    return undefined;
  } catch (error) {
    return error instanceof Disagreement ? error : new Disagreement([String(error)]);
  }
}
