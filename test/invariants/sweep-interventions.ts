// Sweep interventions: what is done to a run at one step of it, and how soon after that step.
//
// Each acts on whatever is there just then, from outside every task, and bears a refusal: it knows nothing of the scenario.

import type { TaskRecord } from "errand";
import type { Stage } from "./sweep-stage.js";

export interface Intervention {
  readonly name: string;
  act(stage: Stage): void;
}

export const interventions: readonly Intervention[] = [
  { name: "cancel the newest leaf", act: (stage) => cancel(stage, leavesOf(stage).at(-1)) },
  { name: "cancel the oldest leaf", act: (stage) => cancel(stage, leavesOf(stage).at(0)) },
  { name: "cancel the root", act: (stage) => cancel(stage, livingOf(stage).at(0)) },
  { name: "cancel everything", act: ({ manager, keep }) => keep("cancelAll()", manager.cancelAll()) },
  { name: "close", act: ({ manager, keep }) => keep("close()", manager.close()) },
  { name: "close without grace", act: ({ manager, keep }) => keep("close()", manager.close({ graceMs: 0 })) },
  { name: "a listener throws", act: ({ failing }) => failing.fail("throws") },
  { name: "a listener rejects", act: ({ failing }) => failing.fail("rejects") },
  { name: "abort the newest signal", act: ({ controllers }) => controllers.at(-1)?.abort() },
  { name: "abort every signal", act: ({ controllers }) => controllers.forEach((controller) => controller.abort()) },
  { name: "pause for a while", act: pauseForAWhile },
  { name: "wait for everything", act: waitForEverything },
  { name: "close the newest manager", act: closeNewest },
  { name: "answer every question", act: answerAll },
  { name: "reject every question", act: rejectAll },
  { name: "let a task cancel everything", act: letATask(({ manager }) => manager.cancelAll()) },
  { name: "let a task wait for everything", act: letATask((stage) => stage.manager.awaitTasks(idsOf(stage))) },
  { name: "spawn below everything", act: spawnBelowEverything },
];

/** From a listener's place in the loop's order to the code of those whose promise was settled by it, and later. */
export const moments = ["in the delivery", "a microtask later", "some microtasks later", "a macrotask later"] as const;
export type Moment = (typeof moments)[number];

export function schedule(moment: Moment, act: () => void): void {
  switch (moment) {
    case "in the delivery":
      return act();
    case "a microtask later":
      return queueMicrotask(act);
    case "some microtasks later":
      return later(4, act);
    case "a macrotask later":
      setImmediate(act);
  }
}

function later(microtasks: number, act: () => void): void {
  queueMicrotask(microtasks === 0 ? act : () => later(microtasks - 1, act));
}

function livingOf({ manager }: Stage): readonly TaskRecord[] {
  return manager.list({ status: ["queued", "running", "blocked"] });
}

function leavesOf(stage: Stage): readonly TaskRecord[] {
  const living = livingOf(stage);
  const parents = new Set(living.map(({ parentId }) => parentId));
  return living.filter(({ id }) => !parents.has(id));
}

function cancel({ manager, keep }: Stage, record: TaskRecord | undefined): void {
  const cancelled = record === undefined ? undefined : manager.get(record.id)?.cancel("swept");
  if (cancelled !== undefined) keep("cancel()", cancelled);
}

function pauseForAWhile({ manager, time, at }: Stage): void {
  manager.pause();
  at(time.now() + 25, () => manager.resume());
}

function closeNewest({ managers, keep }: Stage): void {
  keep("close()", managers.at(-1)?.manager.close({ graceMs: 3 }) ?? Promise.resolve());
}

const by = { by: "the sweep" };

function answerAll({ manager, keep }: Stage): void {
  for (const { id, kind } of manager.inbox.list()) {
    keep("answer()", manager.inbox.answer(id, kind === "approval" ? true : "swept", by));
  }
}

function rejectAll({ manager, keep }: Stage): void {
  for (const { id } of manager.inbox.list()) keep("reject()", manager.inbox.reject(id, "swept", by));
}

function waitForEverything(stage: Stage): void {
  const { manager, keep } = stage;
  const ids = idsOf(stage);
  keep("awaitTasks()", manager.awaitTasks(ids));
  keep("awaitTasks() with a timeout", manager.awaitTasks(ids, { timeoutMs: 7, stopOnRequest: true }));
  for (const id of ids) keep("outcome()", manager.get(id)?.outcome() ?? Promise.resolve());
  keep("idle()", manager.idle());
  keep("room()", manager.room());
}

/** One more task does it, ahead of the others. */
function letATask(act: (stage: Stage) => Promise<unknown>): (stage: Stage) => void {
  return (stage) =>
    stage.attempt("the sweep's own task", () => stage.manager.spawn(() => act(stage), { priority: 99 }).outcome());
}

function spawnBelowEverything(stage: Stage): void {
  const { manager, attempt, compute } = stage;
  for (const parent of idsOf(stage)) {
    attempt("a child", () => manager.spawn((ctx) => ctx.sleep(2), { parent }).outcome());
    attempt("a detached child", () => manager.spawn((ctx) => compute(ctx, 2), { parent, detached: true }).outcome());
  }
}

function idsOf(stage: Stage): readonly string[] {
  return livingOf(stage).map(({ id }) => id);
}
