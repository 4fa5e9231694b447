// What a failing proof says: the seed, what differs, and a short program that fails again when it is pasted.

import { expect, test } from "vitest";
import { Model } from "./model.js";
import type { ModelTask } from "./model-state.js";
import { Disagreement } from "./play.js";
import { printed, program } from "./program.js";
import { prove } from "./prove.js";
import type { Rules } from "./steps.js";

/** Believes that nobody is attached to anybody: no H1, no H2. */
class Childless extends Model {
  protected override attached(): ModelTask[] {
    return [];
  }
}

/** Believes that a wait is over when its task is stopped in the next turn, and not in this one (C3). */
class Patient extends Model {
  protected override rejectAll(): void {}
}

async function failureOf(model: (rules: Rules) => Model): Promise<string> {
  try {
    await prove({ seed: 1, runs: 1_000, model });
  } catch (error) {
    return String(error);
  }
  return "";
}

/** The text as a test's body: `program` is what it says, over `model`. */
function pasted(text: string, model: (rules: Rules) => Model): Promise<void> {
  const body = text.slice(text.indexOf("const p = "));
  // oxlint-disable-next-line typescript/no-implied-eval -- what is proved here is that the printed text runs
  const run = new Function("program", `return (async () => {${body}})();`) as (of: unknown) => Promise<void>;
  return run((rules: Rules) => program(rules, model(rules)));
}

test.each([
  ["a model without families", (rules: Rules) => new Childless(rules), /(status|outcome|blockedOn) of /],
  ["a model that rejects no wait", (rules: Rules) => new Patient(rules), /(wait|status|blockedOn|request) /],
])("%s is refuted by a short program that can be pasted", async (_, model, difference) => {
  const text = await failureOf(model);

  expect(text).toContain("PROVE_SEED=1\n");
  expect(text).toMatch(difference);
  expect(text).toContain("const p = program({");
  expect(text.match(/await p\./g)?.length).toBeLessThanOrEqual(8);
  await expect(pasted(text, model)).rejects.toThrow(Disagreement);
  await pasted(text, (rules) => new Model(rules));
});

test("a program is printed as it is written", async () => {
  const p = program({ concurrency: 1, lanes: { slow: { concurrency: 1 } } });
  await p.spawn("a", { lane: "slow", first: [{ do: "sleep", as: "w1", ms: 5, with: { by: "a" } }] });
  await p.ask("w2", { by: "a", key: "k" });
  await p.together((q) => [q.answer("w2"), q.cancel("w3", "a", { reason: "enough" })]);
  await p.advance(5);

  expect(printed({ rules: p.play.rules, steps: p.play.played })).toBe(
    `const p = program({ concurrency: 1, lanes: { slow: { concurrency: 1 } } });
await p.spawn("a", { lane: "slow", first: [{ do: "sleep", as: "w1", ms: 5, with: { by: "a" } }] });
await p.ask("w2", { by: "a", key: "k" });
await p.together((q) => [
  q.answer("w2"),
  q.cancel("w3", "a", { reason: "enough" }),
]);
await p.advance(5);`,
  );
});

test("a step with nothing to do is said, not passed over", async () => {
  const p = program();

  await expect(p.return("a")).rejects.toThrow("return has nothing to do here");
});
