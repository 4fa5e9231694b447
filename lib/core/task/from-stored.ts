// From stored: the state and the facts of a task, made from what a store kept. The reverse of `toRecord` and `toEvent`.
//
// Pure. Stored values are plain JSON; they are frozen here, because records and events share them.

import { freezeJson, type Json } from "../values/json.js";
import type { Ending } from "./ending.js";
import type { Fact, TaskEvent } from "./events.js";
import type { TaskOutcome, TaskRecord, Wait } from "./record.js";
import { type Made, NO_DETAILS, NO_WAITS, newState, type Output, type TaskDetails, type TaskState } from "./state.js";
import { copyShown, type Growing, NO_TRAITS, SHOWN_TRAITS, type TaskLimits, type TaskTraits } from "./traits.js";

/**
 * The fact of `event`. `toState` handles `task.created`. `apart`: the output that is stored separately from the event.
 */
export function toFact(event: Exclude<TaskEvent, { type: "task.created" }>, apart?: Output): Fact {
  switch (event.type) {
    case "task.blocked":
    case "task.parked":
      return { type: event.type, blockedOn: toWaits(event.blockedOn) };
    case "task.cancelRequested":
      return {
        type: event.type,
        stop: Object.freeze({ code: event.stopReason, reason: event.reason, at: event.at }),
      };
    case "task.returned": {
      const { outcome, outputOmitted } = event;
      if (outcome.status !== "succeeded") return { type: event.type, ending: endingIn(outcome), output: undefined };
      const output = freezeOutput(apart ?? outputOf({ output: outcome.value, outputOmitted }));
      return { type: event.type, ending: succeeded(output), output };
    }
    case "task.succeeded": {
      const output = freezeOutput(apart ?? outputOf(event));
      return { type: event.type, ending: succeeded(output), output };
    }
    case "task.failed":
      return {
        type: event.type,
        ending: Object.freeze({ status: "failed", error: freezeJson(event.error) }),
        output: undefined,
      };
    case "task.cancelled":
      return {
        type: event.type,
        ending: Object.freeze({ status: "cancelled", reason: event.reason }),
        output: undefined,
      };
    case "task.interrupted": {
      const { reason, instanceId, pid, attemptsUsed } = event;
      const process = { ...(instanceId === undefined ? {} : { instanceId }), ...(pid === undefined ? {} : { pid }) };
      const used = attemptsUsed === undefined ? {} : { attemptsUsed };
      return {
        type: event.type,
        ending: Object.freeze({ status: "interrupted", reason, ...process, ...used }),
        output: undefined,
      };
    }
    case "task.retried":
      return { type: event.type, error: freezeJson(event.error), notBeforeAt: event.notBeforeAt };
    case "task.updated":
      return { type: event.type, patch: freezeJson(event.patch) };
    case "task.progressed":
      return { type: event.type, progress: freezeJson(event.progress) };
    case "artifact.added":
      return { type: event.type, artifact: freezeJson(event.artifact) };
    case "message.sent":
      return { type: event.type, message: freezeJson(event.message) };
    case "request.opened":
    case "request.answered":
    case "request.rejected":
    case "request.expired":
    case "request.withdrawn":
      return { type: event.type, request: freezeJson(event.request) };
    default:
      return event;
  }
}

/** The ending of a stored outcome, without `abandoned`: the function of a dead process does not run. */
function endingIn({ id: _, ...outcome }: Exclude<TaskOutcome, { status: "succeeded" }>): Ending {
  if (outcome.abandoned === undefined) return freezeJson(outcome);
  const { abandoned: __, ...ending } = outcome;
  return freezeJson(ending);
}

/** The part of a spawn that the record does not show. */
export interface SpawnBesideRecord {
  /** The time limits of the spawn. */
  readonly limits?: TaskLimits;
  /** The spawn gave the id. */
  readonly hasGivenId?: true;
  /** The spawn gave the `wake`. */
  readonly hasGivenWake?: true;
}

/** The part of the traits that the record does not show. `toTraits` reads it back. */
export function besideOf({ limits, hasGivenId, wake }: TaskTraits): SpawnBesideRecord {
  return {
    ...(limits === undefined ? {} : { limits }),
    ...(hasGivenId ? { hasGivenId } : {}),
    ...(wake === undefined ? {} : { hasGivenWake: true }),
  };
}

/** The traits of a task from its record and the part of its spawn beside it. */
export function toTraits(record: TaskRecord, { limits, hasGivenWake, ...spawned }: SpawnBesideRecord): TaskTraits {
  const hasGivenId = spawned.hasGivenId === true;
  const wake = hasGivenWake ? record.wake : undefined;
  // Most tasks show no traits, and a long journal has many tasks.
  if (limits === undefined && !hasGivenId && wake === undefined && !showsAny(record)) return NO_TRAITS;
  const traits: Growing<TaskTraits> = { ...NO_TRAITS, limits, hasGivenId, wake };
  copyShown(record, traits);
  for (const name of SHOWN_TRAITS) freezeJson(traits[name]);
  return traits;
}

function showsAny(record: TaskRecord): boolean {
  for (const name of SHOWN_TRAITS) if (record[name] !== undefined && record[name] !== NO_TRAITS[name]) return true;
  return false;
}

/** The state of a task that its record does not contain. */
export interface BesideRecord {
  /** The outcome of a task that has returned or ended, without the value, which `output` has. */
  readonly outcome?: TaskOutcome<undefined>;
  /** The output of a task that has returned and waits for its children. Its record does not show it yet. */
  readonly output?: Output;
  /** Data that `ctx.checkpoint` stored. */
  readonly checkpoint?: TaskDetails["checkpoint"];
  /** The loop of the task reads notices. */
  readonly readsNotices?: true;
  /** An attempt was running when its process died, and no other has begun since. */
  readonly isLeft?: true;
  /**
   * Attempts that are used up. Absent in the data of an earlier version, where every attempt before this one counts.
   */
  readonly used?: number;
}

/** The state of a task from its record and the state beside it. */
export function toState(record: TaskRecord, beside: BesideRecord = {}): TaskState {
  // Most new tasks have no details and share one state.
  const isUntouched = record.attempt === 1 && record.updatedAt === record.createdAt && record.stopReason === undefined;
  if (record.status === "queued" && isUntouched && record.blockedOn.length === 0)
    return newState(toDetails(record, beside));
  const { stopReason, reason, cancelRequestedAt } = record;
  const output = beside.output ?? outputOf(record);
  return {
    status: record.status,
    attempt: record.attempt,
    blockedOn: toWaits(record.blockedOn),
    stop:
      stopReason === undefined || cancelRequestedAt === undefined
        ? undefined
        : Object.freeze({ code: stopReason, reason: reason ?? stopReason, at: cancelRequestedAt }),
    ending: beside.outcome === undefined ? undefined : withValue(beside.outcome, output),
    output: freezeOutput(output),
    runtime: freezeJson(record.runtime),
    startedAt: record.startedAt,
    finishedAt: record.finishedAt,
    updatedAt: record.updatedAt,
    details: toDetails(record, beside),
  };
}

function toDetails(record: TaskRecord, beside: BesideRecord): TaskDetails {
  const { checkpoint, used = record.attempt - 1 } = beside;
  const readsNotices = beside.readsNotices === true;
  const isLeft = beside.isLeft === true;
  const { notBeforeAt } = record;
  const lastError = beside.outcome === undefined ? record.error : undefined;
  const { title, detached, progress, summary, links, tags, metadata, heartbeatAt } = record;
  const isPlain = title === undefined && !detached && tags.length === 0 && isEmpty(metadata) && isEmpty(links);
  const isNew = progress === undefined && summary === undefined && heartbeatAt === undefined;
  if (
    isPlain &&
    isNew &&
    record.artifacts.length === 0 &&
    checkpoint === undefined &&
    !readsNotices &&
    !isLeft &&
    used === 0 &&
    lastError === undefined
  )
    return NO_DETAILS;
  let made: Made | undefined;
  for (const artifact of freezeJson(record.artifacts)) made = Object.freeze({ artifact, before: made });
  const linked = isEmpty(links) ? undefined : Object.freeze({ added: freezeJson(links), before: undefined });
  const kept = freezeJson({
    title,
    detached,
    progress,
    summary,
    tags,
    metadata,
    heartbeatAt,
    checkpoint,
    lastError,
  });
  return Object.freeze({ ...NO_DETAILS, ...kept, made, linked, readsNotices, isLeft, notBeforeAt, used });
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

function withValue(outcome: TaskOutcome<undefined>, output: Output | undefined): Ending {
  return outcome.status === "succeeded" ? succeeded(output) : endingIn(outcome);
}

function succeeded(output: Output | undefined): Ending {
  return Object.freeze({
    status: "succeeded",
    value: output !== undefined && "output" in output ? output.output : undefined,
  });
}

function outputOf(of: {
  readonly output?: Json | undefined;
  readonly outputOmitted?: string | undefined;
}): Output | undefined {
  if (of.output !== undefined) return { output: of.output };
  return of.outputOmitted === undefined ? undefined : { outputOmitted: of.outputOmitted };
}

/** Freezes an output. The error that a store gave for a lost output is not JSON, and is not frozen. */
function freezeOutput(output: Output | undefined): Output | undefined {
  return output !== undefined && "outputLost" in output ? Object.freeze(output) : freezeJson(output);
}

function toWaits(waits: readonly Wait[]): readonly Wait[] {
  return waits.length === 0 ? NO_WAITS : freezeJson(waits);
}
