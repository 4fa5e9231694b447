// Evolve: what a fact makes of a task. THE rules, with `decide`.
//
// Pure: no clock, no random, no promise, no Node import. Live and restored state come from this one function.
// S3, S4 (leaving `blocked`), S5 and S7 are kept here.

import type { Fact, TaskPatch } from "./events.js";
import { type LinksInput, NO_WAITS, type TaskDetails, type TaskLinks, type TaskState } from "./record.js";

export function evolve(state: TaskState | undefined, fact: Fact, at: number): TaskState {
  if (fact.type === "task.created") return fact.state;
  if (state === undefined) throw new TypeError(`${fact.type} of a task that was never created`);
  switch (fact.type) {
    case "task.started":
      return { ...state, status: "running", runtime: fact.runtime, startedAt: state.startedAt ?? at, updatedAt: at };
    case "task.blocked":
      return { ...state, status: "blocked", blockedOn: fact.blockedOn, updatedAt: at };
    case "task.resumed":
      return { ...state, status: "running", blockedOn: NO_WAITS, updatedAt: at };
    case "task.cancelRequested": {
      // C3: a stop ends every pending wait; a blocked task stays without a slot until its function settles.
      const stop = Object.freeze({ reason: fact.stopReason, words: fact.reason, at });
      return { ...state, stop, blockedOn: NO_WAITS, updatedAt: at };
    }
    case "task.returned":
      return { ...state, outcome: fact.outcome, output: fact.output, updatedAt: at };
    case "task.succeeded":
    case "task.failed":
    case "task.cancelled":
    case "task.interrupted":
      return {
        ...state,
        status: fact.outcome.status,
        outcome: fact.outcome,
        output: fact.output,
        blockedOn: NO_WAITS,
        finishedAt: at,
        updatedAt: at,
      };
    case "task.progressed":
      return detailed(state, { progress: fact.progress }, at);
    case "task.updated":
      return detailed(state, patched(state.details, fact.patch), at);
    case "artifact.added":
      return detailed(state, { artifacts: Object.freeze([...state.details.artifacts, fact.artifact]) }, at);
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
      return { ...state, updatedAt: at };
    default:
      return fact satisfies never;
  }
}

function detailed(state: TaskState, changes: Partial<TaskDetails>, at: number): TaskState {
  return { ...state, details: Object.freeze({ ...state.details, ...changes }), updatedAt: at };
}

function patched(details: TaskDetails, patch: TaskPatch): Partial<TaskDetails> {
  return patch.links === undefined ? patch : { ...patch, links: mergeLinks(details.links, patch.links) };
}

/** S7: field by field, `resourceIds` without duplicates. */
function mergeLinks(old: TaskLinks, added: LinksInput): TaskLinks {
  const { childSessionId = old.childSessionId, remoteTaskId = old.remoteTaskId, resourceIds } = added;
  const resources = [...new Set([...(old.resourceIds ?? []), ...(resourceIds ?? [])])];
  return Object.freeze({
    ...(childSessionId === undefined ? {} : { childSessionId }),
    ...(remoteTaskId === undefined ? {} : { remoteTaskId }),
    ...(resources.length === 0 ? {} : { resourceIds: Object.freeze(resources) }),
  });
}
