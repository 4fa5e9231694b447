// Evolve: the next state of a task after a fact. With `decide`, these are the rules of a task.
//
// Pure: no clock, no random, no promise, no Node import. Live and restored state come from this one function. Keeps S3,
// S4 (leaving `blocked`), S5 and S7.

import type { Fact, TaskPatch } from "./events.js";
import { hasDiedRunning, isPausing, NO_WAITS, type TaskDetails, type TaskState } from "./state.js";

/** The state after `fact`, which happened at `at`. The first fact of a task is `task.created`. */
export function evolve(state: TaskState | undefined, fact: Fact, at: number): TaskState {
  if (fact.type === "task.created") return fact.state;
  if (state === undefined) throw new TypeError(`${fact.type} of a task that was never created`);
  // Only the notices of the task change.
  if (fact.type === "task.updated" && fact.patch.acknowledged !== undefined) return state;
  const next = copyOf(state, at);
  switch (fact.type) {
    case "task.started":
      next.status = "running";
      next.blockedOn = NO_WAITS;
      next.runtime = fact.runtime;
      next.startedAt ??= at;
      if (state.details.isLeft || state.details.notBeforeAt !== undefined)
        next.details = detailed(state, { isLeft: false, notBeforeAt: undefined });
      return next;
    case "task.blocked":
      next.status = "blocked";
      next.blockedOn = fact.blockedOn;
      return next;
    case "task.resumed":
      next.status = "running";
      next.blockedOn = NO_WAITS;
      return next;
    case "task.cancelRequested":
      next.stop = fact.stop;
      // A stop ends every pending wait; a blocked task stays without a slot until its function settles (C3).
      next.blockedOn = NO_WAITS;
      return next;
    case "task.parked":
      if (state.status !== "queued") {
        next.details = left(state);
        next.status = "blocked";
      }
      next.blockedOn = fact.blockedOn;
      next.stop = undefined;
      return next;
    case "task.reattached":
      if (state.status !== "queued") next.details = left(state);
      next.status = "queued";
      // During a retry delay no attempt has begun, so the attempt stays the same.
      next.attempt = isPausing(state, at) ? state.attempt : state.attempt + 1;
      next.blockedOn = NO_WAITS;
      next.stop = undefined;
      next.runtime = fact.runtime;
      return next;
    case "task.retried":
      next.status = "queued";
      next.attempt = state.attempt + 1;
      next.blockedOn = NO_WAITS;
      next.stop = undefined;
      next.details = detailed(state, {
        notBeforeAt: fact.notBeforeAt,
        lastError: fact.error,
        used: state.details.used + 1,
      });
      return next;
    case "task.returned":
      next.ending = fact.ending;
      next.output = fact.output;
      return next;
    case "task.succeeded":
    case "task.failed":
    case "task.cancelled":
    case "task.interrupted":
      next.status = fact.ending.status;
      next.ending = fact.ending;
      next.output = fact.output;
      next.blockedOn = NO_WAITS;
      if (state.details.notBeforeAt !== undefined) next.details = detailed(state, { notBeforeAt: undefined });
      // D4: the next attempt, which the same spawn of a resumed parent begins, counts this death.
      if (fact.type === "task.interrupted" && hasDiedRunning(state))
        next.details = detailed(state, { notBeforeAt: undefined, used: state.details.used + 1 });
      next.finishedAt = at;
      return next;
    case "task.progressed":
      next.details = detailed(state, { progress: fact.progress });
      return next;
    case "task.updated":
      next.details = detailed(state, patched(state.details, fact.patch));
      return next;
    case "artifact.added":
      next.details = detailed(state, { made: Object.freeze({ artifact: fact.artifact, before: state.details.made }) });
      return next;
    case "task.abandoned":
    case "task.lateSettled":
    case "request.opened":
    case "request.answered":
    case "request.rejected":
    case "request.expired":
    case "request.withdrawn":
    case "message.sent":
    case "usage.reported":
    case "custom":
      return next;
    default:
      return fact satisfies never;
  }
}

/** A copy, field by field: an object from a spread is half as large again, and each step of each task makes one. */
function copyOf(state: TaskState, at: number): { -readonly [K in keyof TaskState]: TaskState[K] } {
  return {
    status: state.status,
    attempt: state.attempt,
    blockedOn: state.blockedOn,
    stop: state.stop,
    ending: state.ending,
    output: state.output,
    runtime: state.runtime,
    startedAt: state.startedAt,
    finishedAt: state.finishedAt,
    updatedAt: at,
    details: state.details,
  };
}

function detailed({ details }: TaskState, changes: Partial<TaskDetails>): TaskDetails {
  return Object.freeze({ ...details, ...changes });
}

/**
 * The details after the end of a process: an attempt is used up when its process died while the function ran, and not
 * otherwise (D4).
 */
function left(state: TaskState): TaskDetails {
  return detailed(state, { isLeft: true, used: state.details.used + (hasDiedRunning(state) ? 1 : 0) });
}

function patched({ linked }: TaskDetails, { links, ...rest }: TaskPatch): Partial<TaskDetails> {
  return links === undefined ? rest : { ...rest, linked: Object.freeze({ added: links, before: linked }) };
}
