// Read journal: reads a store's snapshot and events into a replay.
//
// Owns the order: the snapshot with its outputs, then the later events. Called when a store is opened and when a
// journal is taken over. Calls the store and the replay.

import pLimit from "p-limit";
import { listsOf } from "../durable/event-lists.js";
import { isApart, readOutput } from "../durable/large-outputs.js";
import type { Stored, TaskStore } from "../durable/store.js";
import { storeFailure } from "../durable/store-failure.js";
import { StoreUnavailableError } from "../task/errors.js";
import type { TaskEvent } from "../task/events.js";
import type { Output } from "../task/state.js";
import type { Replay } from "./replay.js";
import { type Snapshot, toSnapshot } from "./snapshot.js";

const OUTPUTS_AT_A_TIME = 8;

/** The parts of a store that reading needs. */
export type JournalSource = Pick<TaskStore, "read" | "readLists" | "getOutput" | "outputPlace">;

/** A journal that was read and is not replayed yet. */
export interface ReadJournal {
  /** The newest snapshot, if there is one. */
  readonly snapshot: Snapshot | undefined;
  /** The outputs that the store keeps beside the snapshot, by task id. */
  readonly apart: ReadonlyMap<string, Output>;
  /** The later events, each with its output if the store keeps that separately. */
  readonly events: readonly (readonly [TaskEvent, Output | undefined])[];
  /** `seq` of the last event, or of the snapshot when that is later. */
  readonly seq: number;
}

/**
 * Replays a store. Returns the `seq` of the snapshot (0 without one) and of the last event. A store in use may have
 * grown since it was opened.
 */
export async function readInto(
  replay: Replay,
  store: JournalSource,
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

/** Reads a whole journal, so that it can be replayed in one call: live code sees all of it at once. */
export async function readJournal(store: JournalSource, stored: Stored): Promise<ReadJournal> {
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

/** Replays a journal that was read. */
export function replayAll(replay: Replay, { snapshot, apart, events }: ReadJournal): void {
  if (snapshot !== undefined) replay.snapshot(snapshot, apart);
  for (const event of events) replay.event(...event);
  replay.done();
}

function snapshotOf({ snapshot: json }: Stored): Snapshot | undefined {
  if (json === undefined) return undefined;
  const snapshot = toSnapshot(json);
  if (snapshot === undefined)
    throw new StoreUnavailableError(
      "its snapshot was made by another version of errand: open it with that version, or a newer one",
    );
  return snapshot;
}

async function eachBehind(
  snapshot: Snapshot | undefined,
  store: JournalSource,
  { nextSeq }: Stored,
  apply: (event: TaskEvent, output: Output | undefined) => void,
): Promise<void> {
  const from = (snapshot?.seq ?? 0) + 1;
  if (nextSeq <= from) return;
  // Few events have a separate output, so each one is read when its event comes.
  let isReading = true;
  try {
    for await (const events of listsOf(store, { from })) {
      isReading = false;
      for (const event of events) apply(event, isApart(event) ? await readOutput(store, event.taskId) : undefined);
      isReading = true;
    }
  } catch (error) {
    throw isReading ? storeFailure("read", error) : error;
  }
}

async function outputsOf(snapshot: Snapshot | undefined, store: JournalSource): Promise<ReadonlyMap<string, Output>> {
  const limit = pLimit({ concurrency: OUTPUTS_AT_A_TIME, rejectOnClear: true });
  const ids = (snapshot?.tasks ?? []).filter((task) => task.outputApart).map(({ record }) => record.id);
  return new Map(await Promise.all(ids.map((id) => limit(async () => [id, await readOutput(store, id)] as const))));
}
