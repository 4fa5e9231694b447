// Same end: whether an ended task of another journal and an ended task of this process are one task (D9, N1).
//
// Pure: its input is a journal that was read. A standby that got the outcome of the other process's task has the same
// id, content and end, and never ran. Called by a takeover.

import type { Task } from "../live/task.js";
import { toFact, toState } from "../task/from-stored.js";
import type { TaskFailure } from "../task/record.js";
import type { Output, TaskState } from "../task/state.js";
import { isSameJson, type Json } from "../values/json.js";
import type { ReadJournal } from "./read-journal.js";
import { isEnd } from "./standbys.js";

/** How a task of a journal ended, and when it started there. */
export type Ended = Pick<TaskState, "ending" | "output" | "startedAt">;

/** The ends of the journal's tasks that have ended, by id. */
export function endsIn({ snapshot, apart, events }: ReadJournal): ReadonlyMap<string, Ended> {
  const ends = new Map<string, Ended>();
  const starts = new Map<string, number>();
  for (const stored of snapshot?.tasks ?? []) {
    const { id, startedAt, finishedAt } = stored.record;
    if (startedAt !== undefined) starts.set(id, startedAt);
    const output = stored.outputApart ? apart.get(id) : undefined;
    if (finishedAt !== undefined)
      ends.set(id, toState(stored.record, output === undefined ? stored : { ...stored, output }));
  }
  for (const [event, output] of events) {
    const { taskId: id } = event;
    if (event.type === "task.created") {
      ends.delete(id);
      starts.delete(id);
    } else if (event.type === "task.started") starts.set(id, event.at);
    else if (isEnd(event)) {
      const fact = toFact(event, output);
      if ("ending" in fact) ends.set(id, { ending: fact.ending, output: fact.output, startedAt: starts.get(id) });
    }
  }
  return ends;
}

/**
 * Whether one of the two tasks is a standby that got the end of the other. The end of an interrupted task is delivered
 * to no standby.
 */
export function isSameEnd({ state }: Task, end: Ended): boolean {
  if (state.startedAt !== undefined && end.startedAt !== undefined) return false;
  const { ending: here } = state;
  const { ending: there } = end;
  if (here?.status === "succeeded") return there?.status === "succeeded" && isSameOutput(state.output, end.output);
  if (here?.status === "failed") return there?.status === "failed" && isSameFailure(here.error, there.error);
  return here?.status === "cancelled" && there?.status === "cancelled" && here.reason === there.reason;
}

/** Whether the outputs are equal. A lost output equals every output. */
function isSameOutput(a: Output | undefined, b: Output | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if ("outputLost" in a || "outputLost" in b) return true;
  if ("output" in a) return "output" in b && isSameJson(a.output, b.output);
  return "outputOmitted" in b && a.outputOmitted === b.outputOmitted;
}

/** Whether the failures are equal as JSON: the thrown value exists only in its process. */
function isSameFailure(a: TaskFailure, b: TaskFailure): boolean {
  return isSameJson({ ...a } as unknown as Json, { ...b } as unknown as Json);
}
