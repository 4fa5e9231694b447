// The sweep: each scenario is played again and again, and disturbed at another step each time.
//
// Whatever is done at whatever step, a run breaks no rule and leaves nothing behind. What a failure prints plays that run alone.

import { beforeAll, describe, expect, test } from "vitest";
import { asking } from "./scenarios-asking.js";
import { crossing } from "./scenarios-crossing.js";
import { families } from "./scenarios-families.js";
import { standing } from "./scenarios-standing.js";
import { stopping } from "./scenarios-stopping.js";
import { waiting } from "./scenarios-waiting.js";
import { interventions } from "./sweep-interventions.js";
import { asked, isAlone, isWanted, planOf, proveMs, several, told } from "./sweep-plan.js";
import { type Disturbance, type Run, run } from "./sweep-run.js";
import type { Scenario } from "./sweep-stage.js";

const scenarios = [...waiting, ...asking, ...families, ...stopping, ...standing, ...crossing];
const wanted = scenarios.filter(({ name }) => isWanted(name));
const timeout = 120_000 + 2 * proveMs;

describe.each(wanted)("$name", { timeout }, (scenario) => {
  test("undisturbed, every task ends as it should, and nothing is left behind", async () => {
    const { ends } = await unbroken(scenario, []);
    expect(ends).toEqual(scenario.ends);
  });

  if (isAlone) {
    test("disturbed as SWEEP_AT says, no rule is broken and nothing is left behind", async () => {
      await unbroken(scenario, asked());
    });
    return;
  }

  /** Of the time there is for all scenarios, this one's share; its single disturbances are played whatever they take. */
  let until = 0;
  beforeAll(() => {
    until = Date.now() + proveMs / wanted.length;
  });

  describe("S6 H1 L8 C5 D8 disturbed at any step, no rule is broken and nothing is left behind", () => {
    test.each(interventions)("$name", async (intervention) => {
      const { steps } = await unbroken(scenario, []);
      const turn = scenarios.indexOf(scenario) + interventions.indexOf(intervention);
      for (const place of planOf(steps, turn)) await unbroken(scenario, [{ ...place, intervention }]);
    });
    if (proveMs === 0) return;

    test("two or three things at a time", async () => {
      const { steps } = await unbroken(scenario, []);
      while (Date.now() < until) await unbroken(scenario, several(steps));
    });
  });
});

/** Throws what was broken, and how to see it again. */
async function unbroken(scenario: Scenario, disturbances: readonly Disturbance[]): Promise<Run> {
  const seen = await run(scenario, disturbances);
  if (seen.breaches.length === 0) return seen;
  throw new Error(`${told(scenario.name, disturbances)}\n  ${seen.breaches.join("\n  ")}`);
}
