// Sweep run: one scenario, once, with at most a few disturbances, and every breach that was seen.
//
// Undisturbed it is the same each time, step by step; so is a disturbed one as far as its first disturbance.

import { inspect } from "node:util";
import { settled } from "../support/basics.js";
import { type Intervention, type Moment, schedule } from "./sweep-interventions.js";
import { atClose, atPause, atRest, atStep } from "./sweep-laws.js";
import { type Probe, probe } from "./sweep-probe.js";
import { type Scenario, Stage } from "./sweep-stage.js";

/** `step` 0 is before the first delivery. */
export interface Disturbance {
  readonly step: number;
  readonly moment: Moment;
  readonly intervention: Intervention;
}

export interface Run {
  /** Deliveries until everything had ended. */
  readonly steps: number;
  readonly breaches: readonly string[];
  /** How many of the tasks ended how. */
  readonly ends: Record<string, number>;
}

/** Longer than every grace, timeout and computation of a scenario, one after the other. */
const LONG_MS = 100_000;

export async function run(scenario: Scenario, disturbances: readonly Disturbance[]): Promise<Run> {
  const breaches = new Map<string, string>();
  /** Each breach once, with where it was first seen. */
  const note = (seen: readonly string[], where: string): void => {
    for (const breach of seen) {
      if (!breaches.has(breach)) breaches.set(breach, `${breach} (${where})`);
    }
  };
  const unwatch = watchProcess((trouble) => note([trouble], `at step ${steps}`));
  let steps = 0;
  let taken: number | undefined;
  const disturb = (): void => {
    for (const { step, moment, intervention } of disturbances) {
      if (step === steps) schedule(moment, () => intervention.act(stage));
    }
  };
  const seen: Probe = probe(() => {
    steps += 1;
    note(atStep(seen), `at step ${steps}`);
    if (taken === undefined) disturb();
  });
  const stage: Stage = new Stage(scenario.options ?? {}, () => {
    note(atPause(stage, seen), `at ${stage.time.now()} ms`);
  });
  try {
    scenario.play(stage);
    disturb();
    await stage.time.advance(LONG_MS);
    taken = steps;
    const first = Math.min(...disturbances.map(({ step }) => step));
    if (disturbances.length > 0 && first > taken) note([`§2: the same program ended after ${taken} steps`], "at rest");
    for (const { manager } of stage.managers) {
      stage.keep("room(), all being over", manager.room());
      stage.keep("idle(), all being over", manager.idle());
    }
    await settled();
    note(atRest(stage, seen), "at rest");
    for (const { manager } of stage.managers) stage.keep("the last close()", manager.close());
    await settled();
    note(atClose(stage), "closed");
    return { steps: taken, breaches: [...breaches.values()], ends: endsOf(seen) };
  } finally {
    seen.end();
    unwatch();
  }
}

function endsOf({ tasks }: Probe): Record<string, number> {
  const ends: Record<string, number> = {};
  for (const { state } of tasks) ends[state.status] = (ends[state.status] ?? 0) + 1;
  return ends;
}

/** C5: no rejection that nobody handles, no warning. */
function watchProcess(tell: (trouble: string) => void): () => void {
  const onRejection = (error: unknown): void => tell(`C5: unhandled rejection of ${inspect(error)}`);
  const onWarning = (warning: Error): void => tell(`C5: warning ${inspect(warning)}`);
  process.on("unhandledRejection", onRejection);
  process.on("warning", onWarning);
  return () => {
    process.off("unhandledRejection", onRejection);
    process.off("warning", onWarning);
  };
}
