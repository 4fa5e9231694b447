// Sweep given: what promises gave, held against what was told.
//
// An outcome that anybody was given is the one the task ended with, and its end had been told before (§2: one order for all of it).

import type { TaskEvent } from "errand";
import { isEnd } from "../support/program.js";
import type { Kept, Stage } from "./sweep-stage.js";

export function breachesOfGiven({ kept, managers }: Stage): readonly string[] {
  return kept.flatMap((each) => {
    if (each.seen.is !== "fulfilled") return [];
    const { what } = each;
    const breaches: string[] = [];
    for (const { id, status } of outcomesIn(each.seen.value)) {
      const before = managers.flatMap(({ told }, index) => told.slice(0, each.told[index]).filter(isEndOf(id)));
      if (before.length === 0) breaches.push(`§2: ${what} gave the end of ${id} before it was told`);
      else if (!before.some(({ type }) => type === `task.${status}`)) breaches.push(`C6: ${what}: ${id} ${status}`);
    }
    return [...breaches, ...breachesOfOrder(each, managers)];
  });
}

/** `ended` is first to end first, as far as one manager can tell. */
function breachesOfOrder({ what, seen }: Kept, managers: Stage["managers"]): readonly string[] {
  if (seen.is !== "fulfilled" || !isObject(seen.value) || !("ended" in seen.value)) return [];
  const ids = outcomesIn(seen.value.ended).map(({ id }) => id);
  return managers.flatMap(({ told }) => {
    const ends = ids.map((id) => told.findIndex(isEndOf(id)));
    const isSorted = ends.every((end, index) => end < 0 || end > (ends[index - 1] ?? -1));
    return isSorted || ends.includes(-1) ? [] : [`§6: ${what}: ended is ${ids.join(", ")}`];
  });
}

function isEndOf(id: string): (event: TaskEvent) => boolean {
  return (event) => event.taskId === id && isEnd(event);
}

interface Outcome {
  readonly id: string;
  readonly status: string;
}

/** An outcome, a list of them, or what `awaitTasks` gave. */
function outcomesIn(value: unknown): readonly Outcome[] {
  if (Array.isArray(value)) return value.flatMap(outcomesIn);
  if (!isObject(value)) return [];
  if ("ended" in value) return outcomesIn(value.ended);
  const isOutcome = "id" in value && "status" in value && !("createdAt" in value);
  return isOutcome ? [{ id: String(value.id), status: String(value.status) }] : [];
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
