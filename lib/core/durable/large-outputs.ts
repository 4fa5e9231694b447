// Long output: one that is too long for a line of the journal (D7).
//
// The store keeps it by itself, before the event that tells of it; the event then says so. In memory a task has it as any other.

import { isErrandError } from "../task/errors.js";
import type { TaskEvent } from "../task/events.js";
import { type LostOutput, lostInWords } from "../task/lost-output.js";
import type { Output } from "../task/state.js";
import type { Json } from "../values/json.js";
import { printed } from "../values/safe-read.js";
import type { TaskStore } from "./store.js";

const LONGEST = 64 * 1024;

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

/** Whether the store keeps the output of an ended task by itself, or kept it and has lost it. */
export function isKeptApart(output: Output | undefined): boolean {
  if (output === undefined) return false;
  return "outputLost" in output || ("output" in output && isLong(output.output));
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

/** Where outputs are kept by themselves. */
export type OutputKeeper = Pick<TaskStore, "getOutput" | "outputPlace">;

/**
 * What the store has for a task. An output that is not there, or cannot be read, costs itself and nothing else (D2); rejects when the store as a
 * whole is not available.
 */
export async function readOutput(store: OutputKeeper, taskId: string): Promise<Output> {
  const lost = (why: string, more: Partial<LostOutput> = {}): Output => {
    const where = store.outputPlace?.(taskId) ?? "the store";
    return { outputLost: Object.freeze({ where, why, ...more }) };
  };
  try {
    const output = await store.getOutput(taskId);
    return output === undefined ? lost("it is not there") : { output };
  } catch (error) {
    if (isErrandError(error, "STORE_UNAVAILABLE")) throw error;
    if (!isErrandError(error, "JOURNAL_CORRUPT")) return lost(printed(error), { cause: error });
    return lost(error.why, { where: error.file, cause: error });
  }
}

/** The event for readers of history: with its output, or with the reason why it has none. */
export async function wholeOf(event: TaskEvent, store: OutputKeeper): Promise<TaskEvent> {
  if (!isApart(event)) return event;
  const output = await readOutput(store, event.taskId);
  if (event.type === "task.succeeded") {
    const { outputApart: _, ...rest } = event;
    if ("output" in output) return { ...withoutReason(rest), output: output.output };
    return "outputLost" in output ? { ...rest, outputOmitted: lostInWords(output.outputLost) } : rest;
  }
  if (event.type === "task.returned" && event.outcome.status === "succeeded") {
    const { outputApart: _, ...rest } = event;
    if ("output" in output) return { ...rest, outcome: { ...event.outcome, value: output.output } };
    return "outputLost" in output ? { ...rest, outputOmitted: lostInWords(output.outputLost) } : rest;
  }
  return event;
}

/** One that was lost for a while, and is there again. */
function withoutReason<E extends { readonly outputOmitted?: string }>(event: E): Omit<E, "outputOmitted"> {
  const { outputOmitted: _, ...rest } = event;
  return rest;
}
