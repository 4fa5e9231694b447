// Random programs against the model: PROVE_MS=600000 PROVE_SEED=7 npx vitest run test/invariants/model plays for ten minutes from seed 7.

import { expect, test } from "vitest";
import { prove } from "./prove.js";

const { PROVE_MS, PROVE_SEED } = process.env;
const ms = PROVE_MS === undefined ? undefined : Number(PROVE_MS);
/** Always the same programs, unless time is given for others. */
const usual = ms === undefined ? 20 : Math.floor(Math.random() * 2 ** 31);
const seed = PROVE_SEED === undefined ? usual : Number(PROVE_SEED);

test("the manager and the model of §1–§8 agree after every step of a random program, and every law holds", {
  timeout: (ms ?? 60_000) + 300_000,
}, async () => {
  console.log(`PROVE_SEED=${seed}`);
  const runs = await prove(ms === undefined ? { seed, runs: 300 } : { seed, ms });
  console.log(`${runs} programs agree`);
  expect(runs).toBeGreaterThan(0);
});
