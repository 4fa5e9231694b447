// Sweep plan: which disturbances a scenario is played with, and how one of them is written down to be played again alone.
//
// SWEEP: the scenario's name, or its beginning. SWEEP_STEP: one step of it. SWEEP_AT: one run, as `told` writes it. PROVE_MS: nothing
// is left out, and in what is left of that time disturbances come two and three at a time.

import { interventions, moments } from "./sweep-interventions.js";
import type { Disturbance } from "./sweep-run.js";

const { SWEEP, SWEEP_STEP, SWEEP_AT, PROVE_MS } = process.env;

/** As many runs of one scenario as fit into the time of `npm test`. */
const RUNS = 150;

export const isAlone = SWEEP_AT !== undefined;
export const proveMs = Number(PROVE_MS ?? 0);

export function isWanted(scenario: string): boolean {
  return SWEEP === undefined || scenario.startsWith(SWEEP);
}

/** The one run that was asked for. */
export function asked(): readonly Disturbance[] {
  return (SWEEP_AT ?? "").split(" + ").map((text) => {
    const [, step, when, what] = /^(\d+) (.+?): (.+)$/.exec(text) ?? [];
    const moment = moments.find((each) => each === when);
    const intervention = interventions.find(({ name }) => name === what);
    if (moment === undefined || intervention === undefined) throw new Error(`SWEEP_AT: ${text}`);
    return { step: Number(step), moment, intervention };
  });
}

/**
 * Each step with each moment, or as much of it as there is time for: at each n-th step one moment. `turn` moves both, so that
 * interventions and scenarios take different ones.
 */
export function* planOf(steps: number, turn: number): Generator<Omit<Disturbance, "intervention">> {
  const isFull = SWEEP !== undefined || proveMs > 0;
  const stride = isFull ? 1 : Math.max(1, Math.round((steps * interventions.length) / RUNS));
  for (let step = 0; step <= steps; step += 1) {
    if (SWEEP_STEP !== undefined && step !== Number(SWEEP_STEP)) continue;
    if ((step + turn) % stride !== 0) continue;
    const place = (Math.floor((step + turn) / stride) + turn) % moments.length;
    for (const [index, moment] of moments.entries()) if (isFull || index === place) yield { step, moment };
  }
}

/** Two or three at random. */
export function several(steps: number): readonly Disturbance[] {
  const one = (): Disturbance => ({ step: below(steps + 1), moment: any(moments), intervention: any(interventions) });
  return below(2) === 0 ? [one(), one()] : [one(), one(), one()];
}

/** What to type to play a run again alone. */
export function told(scenario: string, disturbances: readonly Disturbance[]): string {
  const at = disturbances.map(({ step, moment, intervention }) => `${step} ${moment}: ${intervention.name}`);
  return `SWEEP="${scenario}" SWEEP_AT="${at.join(" + ")}" npx vitest run test/invariants/sweep`;
}

function any<T>(values: readonly T[]): T {
  const value = values[below(values.length)];
  if (value === undefined) throw new Error("there is none to choose");
  return value;
}

function below(limit: number): number {
  return Math.floor(Math.random() * limit);
}
