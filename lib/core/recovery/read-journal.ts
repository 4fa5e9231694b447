// Read journal: what a store kept, into a replay.
//
// Owns the order: the snapshot with its outputs, then the events behind it.

import pLimit from "p-limit";
import { isApart, readOutput } from "../durable/large-outputs.js";
import type { Stored, TaskStore } from "../durable/store.js";
import { StoreUnavailableError } from "../task/errors.js";
import type { TaskEvent } from "../task/events.js";
import type { Output } from "../task/state.js";
import type { Replay } from "./replay.js";
import { type Snapshot, toSnapshot } from "./snapshot.js";

const OUTPUTS_AT_A_TIME = 8;

/** Where a journal is read. */
export type Kept = Pick<TaskStore, "read" | "getOutput" | "outputPlace">;

/** A journal, read and not replayed yet. */
export interface ReadJournal {
  readonly snapshot: Snapshot | undefined;
  readonly apart: ReadonlyMap<string, Output>;
  readonly events: readonly (readonly [TaskEvent, Output | undefined])[];
  /** `seq` of the last event, or of the snapshot when that is later. */
  readonly seq: number;
}

/** Gives the `seq` of the snapshot, 0 without one, and of the last event: a store in use may have more by now than it had. */
export async function readInto(
  replay: Replay,
  store: Kept,
  stored: Stored,
): Promise<{ readonly snapshotSeq: number; readonly seq: number }> {
  const snapshot = snapshotOf(stored);
  if (snapshot !== undefined) replay.snapshot(snapshot, await outputsOf(snapshot, store));
  const snapshotSeq = snapshot?.seq ?? 0;
  let seq = snapshotSeq;
  await eachBehind(snapshot, store, stored, (event, output) => {
    replay.event(event, output);
    seq = event.seq;
  });
  replay.done();
  return { snapshotSeq, seq };
}

/** All of it, to be replayed in one call: what is live meanwhile sees all of it at once. */
export async function readJournal(store: Kept, stored: Stored): Promise<ReadJournal> {
  const snapshot = snapshotOf(stored);
  const apart = await outputsOf(snapshot, store);
  const events: [TaskEvent, Output | undefined][] = [];
  let seq = snapshot?.seq ?? 0;
  await eachBehind(snapshot, store, stored, (event, output) => {
    events.push([event, output]);
    seq = event.seq;
  });
  return { snapshot, apart, events, seq };
}

export function replayAll(replay: Replay, { snapshot, apart, events }: ReadJournal): void {
  if (snapshot !== undefined) replay.snapshot(snapshot, apart);
  for (const event of events) replay.event(...event);
  replay.done();
}

function snapshotOf({ snapshot: json }: Stored): Snapshot | undefined {
  if (json === undefined) return undefined;
  const snapshot = toSnapshot(json);
  if (snapshot === undefined) throw new StoreUnavailableError("its snapshot was made by another version of errand");
  return snapshot;
}

async function eachBehind(
  snapshot: Snapshot | undefined,
  store: Kept,
  { nextSeq }: Stored,
  apply: (event: TaskEvent, output: Output | undefined) => void,
): Promise<void> {
  const from = (snapshot?.seq ?? 0) + 1;
  if (nextSeq <= from) return;
  // There are many, and few are not whole.
  for await (const event of store.read({ from }))
    apply(event, isApart(event) ? await readOutput(store, event.taskId) : undefined);
}

async function outputsOf(snapshot: Snapshot | undefined, store: Kept): Promise<ReadonlyMap<string, Output>> {
  const limit = pLimit({ concurrency: OUTPUTS_AT_A_TIME, rejectOnClear: true });
  const ids = (snapshot?.tasks ?? []).filter((task) => task.outputApart).map(({ record }) => record.id);
  return new Map(await Promise.all(ids.map((id) => limit(async () => [id, await readOutput(store, id)] as const))));
}
