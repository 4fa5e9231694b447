// Long output: one that is too long for a line of the journal (D7).
//
// The store keeps it by itself, before the event that tells of it; the event then says so. In memory a task has it as any other.

import type { TaskEvent } from "./events.js";
import type { Json } from "./json.js";
import type { TaskStore } from "./store.js";

const LONGEST = 64 * 1024;

/** Of an output whose file is gone: its record was not to be kept any more when its process ended. */
export const NOT_KEPT = "it is not kept any more";

/** An end, or a return, whose output is long. */
export function longOutputOf(event: TaskEvent): Json | undefined {
  const output = outputOf(event);
  return output !== undefined && isLong(output) ? output : undefined;
}

function outputOf(event: TaskEvent): Json | undefined {
  if (event.type === "task.succeeded") return event.output;
  if (event.type === "task.returned" && event.outcome.status === "succeeded") return event.outcome.value;
  return undefined;
}

/** Longer than 64 KiB as JSON, or nearly so. Looks no further than it must. */
export function isLong(output: Json): boolean {
  let left = LONGEST;
  const open: (readonly Json[])[] = [[output]];
  for (let list = open.pop(); list !== undefined && left >= 0; list = open.pop()) {
    for (const json of list) {
      left -= typeof json === "string" ? json.length + 3 : 5;
      if (typeof json !== "object" || json === null || left < 0) continue;
      for (const key of Array.isArray(json) ? [] : Object.keys(json)) left -= key.length + 3;
      open.push(Object.values(json));
    }
  }
  return left < 0;
}

/** As the journal has it. */
export function withoutOutput(event: TaskEvent): TaskEvent {
  if (event.type === "task.succeeded") {
    const { output: _, ...rest } = event;
    return { ...rest, outputApart: true };
  }
  if (event.type === "task.returned" && event.outcome.status === "succeeded")
    return { ...event, outcome: { ...event.outcome, value: undefined }, outputApart: true };
  return event;
}

/** Whether its output is kept by itself. */
export function isApart(event: TaskEvent): boolean {
  return (event.type === "task.succeeded" || event.type === "task.returned") && event.outputApart === true;
}

/** As it was when it was told. */
export async function wholeOf(event: TaskEvent, store: Pick<TaskStore, "getOutput">): Promise<TaskEvent> {
  if (event.type === "task.succeeded" && event.outputApart) {
    const { outputApart: _, ...rest } = event;
    const output = await store.getOutput(event.taskId);
    return output === undefined ? { ...rest, outputOmitted: NOT_KEPT } : { ...rest, output };
  }
  if (event.type === "task.returned" && event.outcome.status === "succeeded" && event.outputApart) {
    const { outputApart: _, ...rest } = event;
    return { ...rest, outcome: { ...event.outcome, value: await store.getOutput(event.taskId) } };
  }
  return event;
}
