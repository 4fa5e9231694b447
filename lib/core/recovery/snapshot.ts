// Snapshot: everything a manager knows at one `seq`, as its store keeps it (D6).
//
// Owns the form. Taken in one call, so it is of one instant; `replay.ts` makes tasks of it again. An output that is too long for the
// journal is too long for the snapshot too: it stays where it is, and the task says so.

import type { Cut } from "../durable/committer.js";
import { isLong } from "../durable/large-outputs.js";
import type { StoredStarts } from "../durable/stored-starts.js";
import type { Noticed } from "../live/notice-queue.js";
import type { StoredSession } from "../live/session-usage.js";
import type { Task } from "../live/task.js";
import { withoutCause } from "../task/events.js";
import type { BesideRecord } from "../task/from-stored.js";
import type { Message } from "../task/message.js";
import type { StoredNotice } from "../task/notice.js";
import type { Runtime, TaskOutcome, TaskRecord } from "../task/record.js";
import type { InboxRequest } from "../task/request.js";
import type { TaskLimits } from "../task/state.js";
import { NOTHING_SPENT, type Spent } from "../task/usage.js";
import type { Json } from "../values/json.js";

const SNAPSHOT_VERSION = 1;

export interface StoredTask extends BesideRecord {
  /** Its `usage` is that of the task and everything below it. */
  readonly record: TaskRecord;
  readonly limits?: TaskLimits;
  readonly hasGivenId?: true;
  readonly hasGivenWake?: true;
  /** What the task used itself. */
  readonly ownSpent?: Spent;
  readonly messages?: readonly Message[];
  /** How many it has made, and those that its owner has not acknowledged. */
  readonly notices?: { readonly made: number; readonly pending: readonly StoredNotice[] };
  /** Of an ended task: its place among all ends. */
  readonly endOrder?: number;
  readonly outputApart?: true;
}

export interface Snapshot {
  readonly version: typeof SNAPSHOT_VERSION;
  /** It stands for every event up to this one. */
  readonly seq: number;
  /** The process that took it. */
  readonly runtime: Runtime;
  /** By creation, so that each comes after its parent. */
  readonly tasks: readonly StoredTask[];
  /** By opening. */
  readonly requests: readonly InboxRequest[];
  /** What named sessions have used, tasks that are not kept any more included. */
  readonly sessions: { readonly [id: string]: StoredSession };
  /** The starts that the windows of rated lanes count. */
  readonly starts?: StoredStarts;
}

/** The tasks whose outputs the store keeps beside a snapshot; none in one of another version. */
export function tasksApartIn(json: Json): readonly string[] {
  return (toSnapshot(json)?.tasks ?? []).filter((task) => task.outputApart).map(({ record }) => record.id);
}

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
  // Records, requests, messages and sums are JSON; so is what is made of them.
  return { json: snapshot as unknown as Json, seq, tasks: stored.length, apart };
}

/** What a store gave back, which kept it as it was. `undefined`: it is of another version. */
export function toSnapshot(json: Json): Snapshot | undefined {
  const snapshot = json as unknown as Partial<Snapshot> | null;
  return snapshot?.version === SNAPSHOT_VERSION ? (snapshot as Snapshot) : undefined;
}

function toStored(task: Task, apart: Map<string, Json>): StoredTask {
  const { decidedRecord: record, state, traits, family, endOrder, isOver } = task;
  const { outcome, output, details } = state;
  const messages = task.extras?.mailbox?.list() ?? [];
  const isKept = output !== undefined && "output" in output && isLong(output.output);
  if (isKept) apart.set(task.id, output.output);
  // D2: whoever reads the snapshot looks for a lost one again.
  const isApart = isKept || (output !== undefined && "outputLost" in output);
  return {
    record: isApart ? withoutOutput(record) : record,
    ...(traits.limits === undefined ? {} : { limits: traits.limits }),
    ...(traits.hasGivenId ? { hasGivenId: true } : {}),
    ...(traits.wake === undefined ? {} : { hasGivenWake: true }),
    ...(outcome === undefined ? {} : { outcome: toPlain(outcome) }),
    ...(output === undefined || isOver || isApart ? {} : { output }),
    ...(details.checkpoint === undefined ? {} : { checkpoint: details.checkpoint }),
    ...(details.readsNotices ? { readsNotices: true } : {}),
    ...(details.isLeft ? { isLeft: true } : {}),
    ...(state.attempt === 1 && details.used === 0 ? {} : { used: details.used }),
    ...(family.ownSpent === NOTHING_SPENT ? {} : { ownSpent: family.ownSpent }),
    ...(messages.length === 0 ? {} : { messages }),
    ...(task.noticed === undefined || task.noticed.made === 0 ? {} : { notices: toNotices(task.noticed) }),
    ...(isOver ? { endOrder } : {}),
    ...(isApart ? { outputApart: true } : {}),
  };
}

/** As JSON, and as the next process has it: there the function does not run on (`abandoned`). */
function toPlain(outcome: TaskOutcome): TaskOutcome<undefined> {
  if (outcome.status === "succeeded") return { id: outcome.id, status: outcome.status, value: undefined };
  const { abandoned: _, ...rest } = withoutCause(outcome);
  return rest;
}

function toNotices(noticed: Noticed<Task>): NonNullable<StoredTask["notices"]> {
  return { made: noticed.made, pending: Array.from(noticed, ({ id, at, order, what }) => ({ id, at, order, what })) };
}

function withoutOutput({ output: _, outputOmitted: __, ...record }: TaskRecord): TaskRecord {
  return record;
}
