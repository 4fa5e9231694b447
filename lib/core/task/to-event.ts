// To event: the event of a fact, for the journal and the listeners. The reverse of `from-stored.ts`.
//
// Pure. Called by the loop for each fact that a listener or a store reads.

import type { Json } from "../values/json.js";
import type { Ending } from "./ending.js";
import type { Stamp, TaskEvent, TaskEventMap } from "./events.js";
import type { Fact } from "./fact.js";
import { lostInWords } from "./lost-output.js";
import type { TaskOutcome, TaskRecord } from "./record.js";
import type { Output, TaskSpec, TaskState } from "./state.js";

/** The part of a task that its events need. */
interface Subject extends TaskSpec {
  readonly state: TaskState;
  readonly decidedRecord: TaskRecord;
}

/**
 * The event of `fact`, made after `evolve` has applied the fact to `task`. It runs for every event while a listener or
 * a store reads events, so each event is one object literal: a spread costs ten times as much.
 */
export function toEvent(fact: Fact, task: Subject, seq: number, at: number): TaskEvent {
  const { id: taskId, sessionId } = task;
  const { attempt } = task.state;
  switch (fact.type) {
    case "task.created": {
      const { limits, hasGivenId, wake } = task.traits;
      const event: Growing = { type: fact.type, seq, at, taskId, attempt, record: task.decidedRecord };
      if (limits !== undefined) event.limits = limits;
      if (hasGivenId) event.hasGivenId = true;
      if (wake !== undefined) event.hasGivenWake = true;
      if (fact.runtime !== undefined) event.runtime = fact.runtime;
      if (task.state.details.used > 0) event.used = task.state.details.used;
      return seal(event, sessionId);
    }
    case "task.started":
      return seal({ type: fact.type, seq, at, taskId, attempt, runtime: fact.runtime }, sessionId);
    case "task.blocked":
      return seal(
        { type: fact.type, seq, at, taskId, attempt, blockedOn: Object.freeze([...fact.blockedOn]) },
        sessionId,
      );
    case "task.cancelRequested": {
      const { code: stopReason, reason } = fact.stop;
      return seal({ type: fact.type, seq, at, taskId, attempt, stopReason, reason }, sessionId);
    }
    case "task.returned": {
      const { output } = fact;
      const outcome = toJsonOutcome(taskId, fact.ending, output);
      return seal(
        output === undefined || "output" in output
          ? { type: fact.type, seq, at, taskId, attempt, outcome }
          : { type: fact.type, seq, at, taskId, attempt, outcome, ...omitted(output) },
        sessionId,
      );
    }
    case "task.succeeded":
    case "task.failed":
    case "task.cancelled":
    case "task.interrupted":
      return seal(toEnd(fact.ending, fact.output, { seq, at, taskId, attempt }), sessionId);
    case "task.resumed":
    case "task.abandoned":
      return seal({ type: fact.type, seq, at, taskId, attempt }, sessionId);
    case "task.retried":
      return seal(
        { type: fact.type, seq, at, taskId, attempt, error: fact.error, notBeforeAt: fact.notBeforeAt },
        sessionId,
      );
    case "task.reattached":
      return seal({ type: fact.type, seq, at, taskId, attempt, runtime: fact.runtime }, sessionId);
    case "task.parked":
      return seal({ type: fact.type, seq, at, taskId, attempt, blockedOn: fact.blockedOn }, sessionId);
    case "task.progressed":
      return seal({ type: fact.type, seq, at, taskId, attempt, progress: fact.progress }, sessionId);
    case "task.updated":
      return seal({ type: fact.type, seq, at, taskId, attempt, patch: fact.patch }, sessionId);
    case "task.lateSettled": {
      const { type, settled, message } = fact;
      const late = { type, seq, at, taskId, attempt: fact.attempt, settled };
      return seal(message === undefined ? late : { ...late, message }, sessionId);
    }
    case "message.sent":
      return seal({ type: fact.type, seq, at, taskId, attempt, message: fact.message }, sessionId);
    case "artifact.added":
      return seal({ type: fact.type, seq, at, taskId, attempt, artifact: fact.artifact }, sessionId);
    case "usage.reported":
      return seal({ type: fact.type, seq, at, taskId, attempt, usage: fact.usage }, sessionId);
    case "custom": {
      const { type, name, payload } = fact;
      if (payload === undefined) return seal({ type, seq, at, taskId, attempt, name }, sessionId);
      return seal({ type, seq, at, taskId, attempt, name, payload }, sessionId);
    }
    default:
      return seal({ type: fact.type, seq, at, taskId, attempt, request: fact.request }, sessionId);
  }
}

function seal(event: Unsealed, sessionId: string | undefined): TaskEvent {
  if (sessionId !== undefined) event.sessionId = sessionId;
  return Object.freeze(event);
}
type Growing = { -readonly [K in keyof TaskEventMap["task.created"]]: TaskEventMap["task.created"][K] };
type Unsealed = TaskEvent & { sessionId?: string };

function toJsonOutcome(id: string, ending: Ending, output: Output | undefined): TaskOutcome<Json | undefined> {
  if (ending.status === "succeeded") return { id, status: "succeeded", value: jsonOf(output) };
  return { id, ...withoutCause(ending) };
}

/** The ending without the thrown value: JSON could seldom carry it, and it stays in the process that ran the task. */
export function withoutCause<E extends Ending>(ending: E): E {
  if (!("cause" in ending)) return ending;
  const { cause: _, ...rest } = ending;
  // The same type, without an optional field.
  return rest as E;
}

/**
 * The fields of an event for an output that it does not contain. A lost output keeps its reference, so that a replay of
 * the event looks for it again.
 */
function omitted(
  output: Exclude<Output, { output: Json }>,
): Pick<TaskEventMap["task.succeeded"], "outputOmitted" | "outputApart"> {
  if ("outputOmitted" in output) return output;
  return { outputOmitted: lostInWords(output.outputLost), outputApart: true };
}

function jsonOf(output: Output | undefined): Json | undefined {
  return output !== undefined && "output" in output ? output.output : undefined;
}

function toEnd(ending: Ending, output: Output | undefined, stamp: Omit<Stamp<string>, "type">): Unsealed {
  const { seq, at, taskId, attempt } = stamp;
  switch (ending.status) {
    case "succeeded":
      if (output === undefined) return { type: "task.succeeded", seq, at, taskId, attempt };
      if ("output" in output) return { type: "task.succeeded", seq, at, taskId, attempt, output: output.output };
      return { type: "task.succeeded", seq, at, taskId, attempt, ...omitted(output) };
    case "failed":
      return { type: "task.failed", seq, at, taskId, attempt, error: ending.error };
    case "cancelled":
      return { type: "task.cancelled", seq, at, taskId, attempt, reason: ending.reason };
    case "interrupted": {
      const { status: _, abandoned: __, ...why } = ending;
      return { ...why, type: "task.interrupted", seq, at, taskId, attempt };
    }
  }
}
