// Open store: what an earlier process left is taken up, before anything else happens (D4).
//
// Reads, decides and stores, in this order; nothing runs until all of it is stored and whoever opened has had a turn to listen.

import { setImmediate } from "node:timers";
import pLimit from "p-limit";
import { Committer } from "./committer.js";
import type { Core } from "./core.js";
import { StoreUnavailableError } from "./errors.js";
import type { Json } from "./json.js";
import { isApart, wholeOf } from "./long-output.js";
import { goOn, recover } from "./recovery.js";
import type { Replay } from "./replay.js";
import type { Lane } from "./slots.js";
import { type Snapshot, takeSnapshot, toSnapshot } from "./snapshot.js";
import type { Stored, TaskStore } from "./store.js";
import type { Task } from "./task.js";

const OUTPUTS_AT_A_TIME = 8;

/** Called once, on a core of which nobody knows yet. Rejects with what the store rejects with, and gives the writer's place back. */
export async function openStore(core: Core, store: TaskStore, isStrict: boolean): Promise<void> {
  const { loop, registry, requests, runner, spawner, slots, ledger, kinds, runtime, logger } = core;
  const stored = await store.open(runtime);
  try {
    if (stored.torn !== undefined) logger?.warn("The end of the journal was torn: it is left out", stored.torn);
    const evictedOutputs = new Set<string>();
    core.evictedOutputs = evictedOutputs;
    const replay = core.replay();
    const { snapshotSeq, seq } = await readInto(replay, store, stored);
    const committer = new Committer(
      {
        store,
        clock: loop.clock,
        onStored: (storedSeq) => {
          if (isStrict) loop.stored(storedSeq);
        },
        onFailed: (error) => core.storeFailed(error),
        evictedOutputs,
        snapshot: () => takeSnapshot(loop.seq, runtime, registry.all(), requests.all, ledger.all),
      },
      seq,
      seq - snapshotSeq,
    );
    core.committer = committer;
    loop.attach(committer, seq, isStrict, runtime);
    registry.hasGivenIds = true;
    const rooms = {
      loop,
      kinds,
      requests,
      runner,
      spawner,
      runtime,
      logger,
      isDeclared: (lane: Lane<Task>) => slots.lanes.get(lane.name) === lane,
    };
    const living = [...registry.all()].filter((task) => !task.isOver);
    const reattached = await recover(rooms, living, (task) => replay.processOf(task));
    await committer.durable(loop.seq);
    setImmediate(() => goOn(rooms, reattached));
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Gives the `seq` of the snapshot, 0 without one, and of the last event: a store in use may have more by now than it had. */
export async function readInto(
  replay: Replay,
  store: TaskStore,
  stored: Stored,
): Promise<{ readonly snapshotSeq: number; readonly seq: number }> {
  let snapshotSeq = 0;
  if (stored.snapshot !== undefined) {
    const snapshot = toSnapshot(stored.snapshot);
    if (snapshot === undefined) throw new StoreUnavailableError("its snapshot was made by another version of errand");
    replay.snapshot(snapshot, await outputsOf(snapshot, store));
    snapshotSeq = snapshot.seq;
  }
  let seq = snapshotSeq;
  if (stored.nextSeq > snapshotSeq + 1) {
    for await (const event of store.read({ from: snapshotSeq + 1 })) {
      // There are many, and few are not whole.
      replay.event(isApart(event) ? await wholeOf(event, store) : event);
      seq = event.seq;
    }
  }
  return { snapshotSeq, seq };
}

async function outputsOf(snapshot: Snapshot, store: TaskStore): Promise<ReadonlyMap<string, Json | undefined>> {
  const limit = pLimit({ concurrency: OUTPUTS_AT_A_TIME, rejectOnClear: true });
  const ids = snapshot.tasks.filter((task) => task.outputApart).map(({ record }) => record.id);
  return new Map(await Promise.all(ids.map((id) => limit(async () => [id, await store.getOutput(id)] as const))));
}
