// Shorten: the smallest program that still disagrees in the same way.
//
// Steps name what they use, so leaving one out changes no other: those that have lost their task are left out with it. First steps go,
// in ever smaller pieces, then calls of `together`, then options; until nothing more can go.

import type { PlainStep, Program, Step } from "./steps.js";

/** `fails` plays a program; true when it still disagrees. */
export async function shorten(program: Program, fails: (program: Program) => Promise<boolean>): Promise<Program> {
  let smallest = program;
  for (let goes = true; goes; ) {
    goes = false;
    for (const smaller of candidates(smallest)) {
      if (!(await fails(smaller))) continue;
      smallest = smaller;
      goes = true;
      break;
    }
  }
  return smallest;
}

function* candidates({ rules, steps }: Program): Generator<Program> {
  for (let size = Math.ceil(steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = steps.length - size; at > -size; at -= size)
      yield { rules, steps: steps.filter((_, index) => index < at || index >= at + size) };
  }
  for (const [at, step] of steps.entries()) {
    for (const smaller of smallerSteps(step)) yield { rules, steps: steps.toSpliced(at, 1, ...smaller) };
  }
  for (const fewer of without(rules)) yield { rules: fewer, steps };
}

function* smallerSteps(step: Step): Generator<readonly Step[]> {
  if (step.do !== "together") {
    for (const smaller of smallerCalls(step)) yield [smaller];
    return;
  }
  yield step.steps;
  for (const [at, call] of step.steps.entries()) {
    yield [{ ...step, steps: step.steps.toSpliced(at, 1) }];
    for (const smaller of smallerCalls(call)) yield [{ ...step, steps: step.steps.toSpliced(at, 1, smaller) }];
  }
}

function* smallerCalls(step: PlainStep): Generator<PlainStep> {
  // What is left of the options are options of the same step.
  if ("with" in step) for (const fewer of without(step.with)) yield { ...step, with: fewer } as PlainStep;
  if ("with" in step) {
    for (const [name, value] of Object.entries(step.with)) {
      if (!Array.isArray(value)) continue;
      for (const at of (value as readonly unknown[]).keys())
        yield { ...step, with: { ...step.with, [name]: (value as readonly unknown[]).toSpliced(at, 1) } } as PlainStep;
    }
  }
  if ("calls" in step && step.calls.length > 1)
    for (const at of step.calls.keys()) yield { ...step, calls: step.calls.toSpliced(at, 1) };
  if ("tasks" in step && step.tasks.length > 1)
    for (const at of step.tasks.keys()) yield { ...step, tasks: step.tasks.toSpliced(at, 1) };
}

/** The same options, each time without one of them. */
function* without<T extends object>(options: T): Generator<T> {
  for (const name of Object.keys(options)) {
    yield Object.fromEntries(Object.entries(options).filter(([each]) => each !== name)) as T;
  }
}
