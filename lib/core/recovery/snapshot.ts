// Snapshot: the whole state of a manager at one `seq`, in the form of its store (D6).
//
// Owns that form. A snapshot is taken in one call, so all of it is of one instant; `replay.ts` makes tasks from it. An
// output that is too long for the journal stays in its separate place, and the task says so. Called by the committer,
// and by a reader of a store.

import type { Cut } from "../durable/committer.js";
import { isLong } from "../durable/large-outputs.js";
import type { StoredStarts } from "../durable/stored-starts.js";
import type { Noticed } from "../live/notice-queue.js";
import type { StoredSession } from "../live/session-usage.js";
import type { Task } from "../live/task.js";
import type { Ending } from "../task/ending.js";
import { type BesideRecord, besideOf, type SpawnBesideRecord } from "../task/from-stored.js";
import type { Message } from "../task/message.js";
import type { StoredNotice } from "../task/notice.js";
import type { Runtime, TaskOutcome, TaskRecord } from "../task/record.js";
import type { InboxRequest } from "../task/request.js";
import { withoutCause } from "../task/to-event.js";
import { NOTHING_SPENT, type Spent } from "../task/usage.js";
import type { Json } from "../values/json.js";

const SNAPSHOT_VERSION = 1;

/** One task in a snapshot. */
export interface StoredTask extends BesideRecord, SpawnBesideRecord {
  /** The record. Its `usage` covers the task and everything below it. */
  readonly record: TaskRecord;
  /** The id before a takeover gave the task its present one (D9). */
  readonly formerId?: string;
  /** The usage of the task itself. */
  readonly ownSpent?: Spent;
  /** All messages of the task. */
  readonly messages?: readonly Message[];
  /** Ids of the messages that the kind receives when the next attempt starts; only for a task between two attempts. */
  readonly unsteered?: readonly string[];
  /** The number of notices that the task has made, and those that its owner has not acknowledged. */
  readonly notices?: { readonly made: number; readonly pending: readonly StoredNotice[] };
  /** The position of the task among all ends; only for an ended task. */
  readonly endOrder?: number;
  /** The store keeps the output separately, or has lost it. */
  readonly outputApart?: true;
}

/** The state of a manager. */
export interface Snapshot {
  /** The version of the form. */
  readonly version: typeof SNAPSHOT_VERSION;
  /** The snapshot replaces every event up to this `seq`. */
  readonly seq: number;
  /** The process that took the snapshot. */
  readonly runtime: Runtime;
  /** The tasks in order of creation, so each comes after its parent. */
  readonly tasks: readonly StoredTask[];
  /** The requests in order of opening. */
  readonly requests: readonly InboxRequest[];
  /** The usage of named sessions, evicted tasks included. */
  readonly sessions: { readonly [id: string]: StoredSession };
  /** The starts that the windows of rated lanes count. */
  readonly starts?: StoredStarts;
}

/** The ids of tasks whose outputs the store keeps beside this snapshot; none for a snapshot of another version. */
export function tasksApartIn(json: Json): readonly string[] {
  return (toSnapshot(json)?.tasks ?? []).filter((task) => task.outputApart).map(({ record }) => record.id);
}

/** Takes a snapshot. */
export function takeSnapshot(
  seq: number,
  runtime: Runtime,
  tasks: Iterable<Task>,
  requests: readonly InboxRequest[],
  sessions: Snapshot["sessions"],
  starts: StoredStarts | undefined,
): Cut {
  const apart = new Map<string, Json>();
  const stored = Array.from(tasks, (task) => toStored(task, apart));
  const snapshot: Snapshot = {
    version: SNAPSHOT_VERSION,
    seq,
    runtime,
    tasks: stored,
    requests,
    sessions,
    ...(starts === undefined ? {} : { starts }),
  };
  // Records, requests, messages and sums are JSON, so the snapshot is JSON.
  return { json: snapshot as unknown as Json, seq, tasks: stored.length, apart };
}

/** The snapshot in a stored value; `undefined` for another version. */
export function toSnapshot(json: Json): Snapshot | undefined {
  const snapshot = json as unknown as Partial<Snapshot> | null;
  return snapshot?.version === SNAPSHOT_VERSION ? (snapshot as Snapshot) : undefined;
}

function toStored(task: Task, apart: Map<string, Json>): StoredTask {
  const { decidedRecord: record, state, traits, family, endOrder, isOver } = task;
  const { ending, output, details } = state;
  const messages = task.extras?.mailbox?.list() ?? [];
  const unsteered = task.extras?.unsteered ?? [];
  const isKept = output !== undefined && "output" in output && isLong(output.output);
  if (isKept) apart.set(task.id, output.output);
  // A lost output is looked for again when the snapshot is read (D2).
  const isApart = isKept || (output !== undefined && "outputLost" in output);
  return {
    record: isApart ? withoutOutput(record) : record,
    ...besideOf(traits),
    ...(task.extras?.formerId === undefined ? {} : { formerId: task.extras.formerId }),
    ...(ending === undefined ? {} : { outcome: toPlain(task.id, ending) }),
    ...(output === undefined || isOver || isApart ? {} : { output }),
    ...(details.checkpoint === undefined ? {} : { checkpoint: details.checkpoint }),
    ...(details.readsNotices ? { readsNotices: true } : {}),
    ...(details.isLeft ? { isLeft: true } : {}),
    ...(state.attempt === 1 && details.used === 0 ? {} : { used: details.used }),
    ...(family.ownSpent === NOTHING_SPENT ? {} : { ownSpent: family.ownSpent }),
    ...(messages.length === 0 ? {} : { messages }),
    ...(unsteered.length === 0 || state.startedAt === undefined ? {} : { unsteered: unsteered.map(({ id }) => id) }),
    ...(task.noticed === undefined || task.noticed.made === 0 ? {} : { notices: toNotices(task.noticed) }),
    ...(isOver ? { endOrder } : {}),
    ...(isApart ? { outputApart: true } : {}),
  };
}

/** The outcome as JSON, for the next process. The function does not run there, so `abandoned` is left out. */
function toPlain(id: string, ending: Ending): TaskOutcome<undefined> {
  if (ending.status === "succeeded") return { id, status: "succeeded", value: undefined };
  const { abandoned: _, ...rest } = withoutCause(ending);
  return { id, ...rest };
}

function toNotices(noticed: Noticed<Task>): NonNullable<StoredTask["notices"]> {
  return { made: noticed.made, pending: Array.from(noticed, ({ id, at, order, what }) => ({ id, at, order, what })) };
}

function withoutOutput({ output: _, outputOmitted: __, ...record }: TaskRecord): TaskRecord {
  return record;
}
