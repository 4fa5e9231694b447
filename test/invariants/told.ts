// Told: what somebody knows of the tasks who hears nothing but the events (§2): they must give the live record.
//
// Takes each event once, in order. What the laws ask of a moment in the past, they ask here, right after its event.

import type { TaskEvent, TaskLinks, TaskRecord } from "errand";
import { isEnd, isTerminal } from "../support/program.js";

/** A task by its events; `outcome` is the status that is final, from `task.returned` on (H1). */
export interface Known {
  readonly record: TaskRecord;
  readonly outcome?: TaskRecord["status"];
}

export class Told {
  readonly tasks = new Map<string, Known>();
  seq = 0;

  take(event: TaskEvent): void {
    this.seq = event.seq;
    // Its owner's affair: nothing of the task has changed.
    if (event.type === "task.updated" && event.patch.acknowledged !== undefined) return;
    const known = event.type === "task.created" ? { record: event.record } : this.of(event.taskId);
    const changed = { ...known.record, ...changesOf(event, known.record), updatedAt: event.at };
    const outcome =
      event.type === "task.returned" ? event.outcome.status : isEnd(event) ? changed.status : known.outcome;
    this.tasks.set(event.taskId, { record: changed, ...(outcome === undefined ? {} : { outcome }) });
  }

  of(id: string): Known {
    const known = this.tasks.get(id);
    if (known === undefined) throw new Error(`nothing was told of ${id}`);
    return known;
  }

  get records(): TaskRecord[] {
    return Array.from(this.tasks.values(), ({ record }) => record);
  }

  get living(): TaskRecord[] {
    return this.records.filter(({ status }) => !isTerminal(status));
  }
}

/** What an event says of a record. */
function changesOf(event: TaskEvent, before: TaskRecord): Partial<TaskRecord> {
  switch (event.type) {
    case "task.created":
      return event.record;
    case "task.started":
      return { status: "running", runtime: event.runtime, startedAt: before.startedAt ?? event.at };
    case "task.blocked":
      return { status: "blocked", blockedOn: event.blockedOn };
    case "task.resumed":
      return { status: "running", blockedOn: [] };
    case "task.cancelRequested":
      return { stopReason: event.stopReason, reason: event.reason, cancelRequestedAt: event.at, blockedOn: [] };
    case "task.retried":
      return {
        status: "queued",
        attempt: before.attempt + 1,
        blockedOn: [],
        notBeforeAt: event.notBeforeAt,
        error: event.error,
      };
    case "task.returned":
      return event.outcome.status === "failed" ? { error: event.outcome.error } : {};
    case "task.succeeded":
      return { ...ended("succeeded", event.at), ...(event.output === undefined ? {} : { output: event.output }) };
    case "task.failed":
      return { ...ended("failed", event.at), error: event.error };
    case "task.cancelled":
      return ended("cancelled", event.at);
    case "task.interrupted":
      return ended("interrupted", event.at);
    case "task.progressed":
      return { progress: event.progress };
    case "task.updated": {
      const { links, ...patch } = event.patch;
      return { ...patch, ...(links === undefined ? {} : { links: merged(before.links, links) }) };
    }
    case "artifact.added":
      return { artifacts: [...before.artifacts, event.artifact] };
    default:
      return {};
  }
}

function ended(status: TaskRecord["status"], at: number): Partial<TaskRecord> {
  return { status, finishedAt: at, blockedOn: [] };
}

/** S7: field by field, `resourceIds` without duplicates. */
function merged(old: TaskLinks, added: TaskLinks): TaskLinks {
  const resourceIds = [...new Set([...(old.resourceIds ?? []), ...(added.resourceIds ?? [])])];
  return { ...old, ...added, ...(resourceIds.length === 0 ? {} : { resourceIds }) };
}

/** S1, S6: what may still be told of a task that has ended. */
export function isAfterEnd(event: TaskEvent): boolean {
  return ["task.updated", "artifact.added", "task.lateSettled"].includes(event.type);
}
