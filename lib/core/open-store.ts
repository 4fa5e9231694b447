// Open store: what an earlier process left is taken up, before anything else happens (D4).
//
// Reads, decides and stores, in this order; nothing runs until all of it is stored and whoever opened has had a turn to listen.

import pLimit from "p-limit";
import { Committer } from "./committer.js";
import type { Core } from "./core.js";
import { ManagerClosedError, StoreUnavailableError } from "./errors.js";
import type { TaskEvent } from "./events.js";
import type { Lane } from "./lane.js";
import { Lease } from "./lease.js";
import { isApart, readOutput } from "./long-output.js";
import { handled } from "./pending-wait.js";
import { goOn, patienceOf, type RecoveryRooms, recover, resume } from "./recovery.js";
import type { Replay } from "./replay.js";
import { type Snapshot, takeSnapshot, toSnapshot } from "./snapshot.js";
import type { Output } from "./state.js";
import type { SeizedJournal, Stored, TaskStore } from "./store.js";
import { toStoredStarts } from "./stored-starts.js";
import type { Task } from "./task.js";
import { nextTurn } from "./turn.js";

const OUTPUTS_AT_A_TIME = 8;

/** Called once, on a core of which nobody knows yet. Rejects with what the store rejects with, and gives the writer's place back. */
export async function openStore(core: Core, store: TaskStore, isStrict: boolean): Promise<void> {
  const { loop, registry, requests, runner, spawner, slots, ledger, kinds, runtime, logger } = core;
  const stored = await store.open(runtime);
  try {
    if (stored.torn !== undefined) logger.warn("The end of the journal was torn: it is left out", stored.torn);
    const evictedOutputs = new Set<string>();
    // Nobody could hear of it yet: a store that takes nothing is not opened.
    let failed: (error: unknown) => void = () => {};
    const failure = handled(new Promise<never>((_, reject) => (failed = reject)));
    core.evictedOutputs = evictedOutputs;
    let takeOver = async (_: SeizedJournal): Promise<void> => {};
    if (store.shared !== undefined) {
      core.lease = new Lease({
        shared: store.shared,
        clock: loop.clock,
        takeOver: (journal) => takeOver(journal),
        onFailed: (error) => core.storeFailed(error),
        onLost: (error) => {
          failed(error);
          core.lost(error);
        },
      });
      await core.lease.keep();
    }
    const replay = core.replay(false);
    const { snapshotSeq, seq } = await readInto(replay, store, stored);
    const committer = new Committer(
      {
        store,
        clock: loop.clock,
        onStored: (storedSeq) => {
          if (isStrict) loop.stored(storedSeq);
        },
        onFailed: (error) => {
          core.storeFailed(error);
          failed(error);
        },
        onLost: (error) => core.lost(error),
        evictedOutputs,
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
      park: (task: Task) => core.park(task),
      unpark: (task: Task) => core.unpark(task),
      isParked: (task: Task) => core.isParked(task),
      isClosed: () => core.isClosed,
      patienceMs: patienceOf(core.graceMs),
      durable: () => committer.durable(loop.seq),
    };
    core.resume = (task, kind) => resume(rooms, task, kind);
    const reattached = await recover(rooms, replay);
    await Promise.race([committer.durable(loop.seq), failure]);
    nextTurn(() => goOn(rooms, reattached));
    const takeover = new Takeover(core, rooms, committer);
    takeOver = (journal) => takeover.take(journal);
    await core.lease?.begin();
  } catch (error) {
    core.lease?.close();
    core.committer?.lose(new ManagerClosedError("it was never open"));
    await store.close();
    throw error;
  }
}

/** What another process left, beside the tasks of this one: they are this manager's, and stored as such before any of them goes on. */
class Takeover {
  readonly #core: Core;
  readonly #rooms: RecoveryRooms;
  readonly #committer: Committer;
  /** Made, and not stored yet: that is tried again. */
  readonly #made = new WeakMap<SeizedJournal, Replay>();

  constructor(core: Core, rooms: RecoveryRooms, committer: Committer) {
    this.#core = core;
    this.#rooms = rooms;
    this.#committer = committer;
  }

  async take(journal: SeizedJournal): Promise<void> {
    const committer = this.#committer;
    const replay = this.#made.get(journal) ?? (await this.#replay(journal));
    await committer.absorb(journal);
    const reattached = await recover(this.#rooms, replay);
    await committer.durable(this.#core.loop.seq);
    this.#core.notices.tookOver();
    goOn(this.#rooms, reattached);
  }

  /** Read first: what is live already goes on meanwhile, and sees all of it at once. */
  async #replay(journal: SeizedJournal): Promise<Replay> {
    const stored = await journal.peek();
    const snapshot = snapshotOf(stored);
    const apart = await outputsOf(snapshot, journal);
    const events: [TaskEvent, Output | undefined][] = [];
    await eachBehind(snapshot, journal, stored, (...event) => events.push(event));
    this.#core.notices.takeOver();
    const replay = this.#core.replay(true);
    this.#made.set(journal, replay);
    if (snapshot !== undefined) replay.snapshot(snapshot, apart);
    for (const event of events) replay.event(...event);
    replay.done();
    for (const id of replay.passedOver) {
      this.#rooms.logger.warn(`Task ${id} of journal ${journal.name} is lost: a task of this process has its id`);
    }
    return replay;
  }
}

type Kept = Pick<TaskStore, "read" | "getOutput" | "outputPlace">;

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
