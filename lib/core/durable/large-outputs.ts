// Large outputs: outputs that are too long for a line of the journal (D7).
//
// The store keeps such an output separately, before the event of it; the event then says so. In memory the task has it
// like any other.

import { isErrandError } from "../task/errors.js";
import type { TaskEvent } from "../task/events.js";
import { type LostOutput, lostInWords } from "../task/lost-output.js";
import type { Output } from "../task/state.js";
import type { Json } from "../values/json.js";
import { printed } from "../values/safe-read.js";
import type { TaskStore } from "./store.js";

const LONGEST = 64 * 1024;

/** The events as the journal stores them, and the long outputs that they leave out, by task. */
export function separateOutputs(batch: readonly TaskEvent[]): {
  readonly events: readonly TaskEvent[];
  readonly outputs: ReadonlyMap<string, Json>;
} {
  const outputs = new Map<string, Json>();
  for (const event of batch) {
    const output = longOutputOf(event);
    if (output !== undefined) outputs.set(event.taskId, output);
  }
  if (outputs.size === 0) return { events: batch, outputs };
  const events = batch.map((event) => (longOutputOf(event) === undefined ? event : withoutOutput(event)));
  return { events, outputs };
}

/** The output of an end, or of a return, when it is too long for the journal. */
export function longOutputOf(event: TaskEvent): Json | undefined {
  const output = outputOf(event);
  return output !== undefined && isLong(output) ? output : undefined;
}

function outputOf(event: TaskEvent): Json | undefined {
  if (event.type === "task.succeeded") return event.output;
  if (event.type === "task.returned" && event.outcome.status === "succeeded") return event.outcome.value;
  return undefined;
}

/** Whether the output is longer than about 64 KiB as JSON. Reads no more of it than necessary. */
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

/** Whether the store keeps the output of an ended task separately, or has lost it. */
export function isKeptApart(output: Output | undefined): boolean {
  if (output === undefined) return false;
  return "outputLost" in output || ("output" in output && isLong(output.output));
}

/** The event without its output, as the journal stores it. */
export function withoutOutput(event: TaskEvent): TaskEvent {
  if (event.type === "task.succeeded") {
    const { output: _, ...rest } = event;
    return { ...rest, outputApart: true };
  }
  if (event.type === "task.returned" && event.outcome.status === "succeeded")
    return { ...event, outcome: { ...event.outcome, value: undefined }, outputApart: true };
  return event;
}

/** Whether the output of the event is stored separately. */
export function isApart(event: TaskEvent): boolean {
  return (event.type === "task.succeeded" || event.type === "task.returned") && event.outputApart === true;
}

/** The part of a store that reads outputs. */
export type OutputKeeper = Pick<TaskStore, "getOutput" | "outputPlace">;

/**
 * The output that the store has for a task. A missing or unreadable output is returned as lost and affects nothing else
 * (D2). Rejects when the store as a whole is not available.
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

/** The event for readers of history, with its output, or with the reason why it has none. */
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

/** The event of an output that was lost before and is there again. */
function withoutReason<E extends { readonly outputOmitted?: string }>(event: E): Omit<E, "outputOmitted"> {
  const { outputOmitted: _, ...rest } = event;
  return rest;
}
