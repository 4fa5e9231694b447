// Open store: restores the tasks of earlier processes before anything else happens (D4).
//
// Reads, decides and stores, in this order. No task runs until all of it is stored and the caller of `open` has had a
// turn to add listeners.

import type { Core } from "../core/core.js";
import { Committer } from "../core/durable/committer.js";
import { Lease } from "../core/durable/lease.js";
import type { OtherJournal, SeizedJournal, TaskStore } from "../core/durable/store.js";
import { fromStore } from "../core/durable/store-failure.js";
import { toStoredStarts } from "../core/durable/stored-starts.js";
import type { Lane } from "../core/lanes/lane.js";
import type { Run, Task } from "../core/live/task.js";
import { goOn } from "../core/recovery/asking-kinds.js";
import { readInto } from "../core/recovery/read-journal.js";
import { patienceOf, recover, resume } from "../core/recovery/recovery.js";
import { takeSnapshot } from "../core/recovery/snapshot.js";
import { Standbys } from "../core/recovery/standbys.js";
import { ManagerClosedError } from "../core/task/errors.js";
import { nextTurn } from "../core/time/turn.js";
import { handled } from "../core/values/handled.js";
import { Takeover, unwantedIn } from "./takeover.js";

/** The longest interval between two checks whether a task with the same id has ended in another process. */
const LONGEST_CHECK_MS = 1_000;

/**
 * Opens the store for a new core that has no tasks yet. Rejects with the errors of the store, and closes the store
 * then.
 */
export async function openStore(core: Core, store: TaskStore, isStrict: boolean): Promise<void> {
  const { loop, registry, requests, runner, spawner, slots, sessions: ledger, kinds, runtime, logger } = core;
  const unwanted = store.shared === undefined ? [] : await unwantedIn(core, store.shared);
  const stored = await fromStore("open", () => store.open(runtime, unwanted));
  try {
    if (stored.brokenSnapshot !== undefined)
      logger.warn("The snapshot is broken: everything was read from the journal instead", stored.brokenSnapshot);
    if (stored.torn !== undefined) logger.warn("The end of the journal was torn: it is left out", stored.torn);
    const evictedOutputs = new Set<string>();
    // A store that cannot store makes `open` reject: no listener exists yet that could be informed.
    let failed: (error: unknown) => void = () => {};
    const failure = handled(new Promise<never>((_, reject) => (failed = reject)));
    core.evictedOutputs = evictedOutputs;
    /** Holds the takeover after the tasks of this journal are decided; free journals are refused until then. */
    const later: { takeover?: Takeover } = {};
    if (store.shared !== undefined) {
      core.lease = new Lease({
        shared: store.shared,
        clock: loop.clock,
        isWanted: async (journal: OtherJournal) => later.takeover?.isWanted(journal) ?? false,
        takeOver: async (journal: SeizedJournal) => later.takeover?.take(journal),
        onFailed: (error) => core.storeFailed(error),
        onLost: (error) => {
          failed(error);
          core.lost(error);
        },
      });
      await fromStore("lease", () => core.lease?.keep());
    }
    const replay = core.replay(undefined);
    const { snapshotSeq, seq } = await readInto(replay, store, stored);
    const ids = store.shared?.ids;
    if (ids !== undefined && store.shared !== undefined) {
      core.standbys = new Standbys({
        loop,
        registry,
        runner,
        spawner,
        kinds,
        runtime,
        ids,
        everyMs: Math.min(LONGEST_CHECK_MS, store.shared.leaseMs / 3),
        logger,
      });
    }
    core.standbys?.renamed(replay.formerIds);
    const committer = new Committer(
      {
        store,
        clock: loop.clock,
        mark: loop.stored,
        onStored: () => loop.deliverStored(),
        onFailed: (error) => {
          core.storeFailed(error);
          failed(error);
        },
        onLost: (error) => core.lost(error),
        evictedOutputs,
        evictedIds: core.evictedIds,
        standbys: core.standbys,
        snapshot: () =>
          takeSnapshot(
            loop.seq,
            runtime,
            registry.all(),
            requests.all,
            ledger.all,
            toStoredStarts(slots.lanes, registry.all()),
          ),
      },
      seq,
      seq - snapshotSeq,
    );
    loop.attach(committer, seq, isStrict, runtime);
    const deps = {
      loop,
      kinds,
      requests,
      runner,
      spawner,
      runtime,
      logger,
      isDeclared: (lane: Lane<Run>) => slots.lanes.get(lane.name) === lane,
      handoff: core.handoff,
      patienceMs: patienceOf(core.graceMs),
      isStandby: (task: Task) => core.standbys?.has(task) === true,
    };
    core.resume = (task, kind) => resume(deps, task, kind);
    const reattached = await recover(deps, replay);
    await Promise.race([loop.stored.until(loop.seq), failure]);
    nextTurn(() => goOn(deps, reattached));
    later.takeover = new Takeover(core, deps, committer);
    await fromStore("lease", () => core.lease?.begin());
  } catch (error) {
    core.lease?.close();
    loop.committer?.lose(new ManagerClosedError("it was never open"));
    // The reason why the store did not open is what the caller needs, also when closing it fails too.
    await fromStore("close", () => store.close()).catch(() => undefined);
    throw error;
  }
}
