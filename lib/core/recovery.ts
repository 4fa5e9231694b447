// Recovery: what becomes of the tasks that an earlier process left (D4, H7).
//
// A stop that was asked for is carried out. What a kind may go on with is asked for, parents first; all else is over. Nothing is run
// here: what goes on is handed back, and starts once all of this is stored.

import pLimit from "p-limit";
import { isStopped } from "./decide.js";
import { attachedDescendantsOf } from "./hierarchy.js";
import type { Requests } from "./inbox.js";
import { workAgain } from "./kind.js";
import type { Kinds } from "./kinds.js";
import type { Lane } from "./lane.js";
import type { GuardedLogger } from "./logger.js";
import type { Loop } from "./loop.js";
import type { Runtime } from "./record.js";
import type { Replay } from "./replay.js";
import type { Runner } from "./runner.js";
import type { Spawner } from "./spawn.js";
import type { StopReason } from "./status.js";
import type { Task } from "./task.js";
import type { KindParts } from "./work.js";

export interface RecoveryRooms {
  readonly loop: Loop;
  readonly kinds: Kinds;
  readonly requests: Requests;
  readonly runner: Runner;
  readonly spawner: Spawner;
  readonly runtime: Runtime;
  readonly logger: GuardedLogger;
  /** Whether tasks can start in it. */
  readonly isDeclared: (lane: Lane<Task>) => boolean;
}

/** A task that its kind goes on with. */
export interface Reattached {
  readonly task: Task;
  readonly kind: KindParts;
}

const ASKED_AT_A_TIME = 8;

/**
 * Decides of each task that was replayed and is not over (parents before children) how it goes on.
 * Gives the tasks that are to start again.
 */
export async function recover(
  rooms: RecoveryRooms,
  replay: Pick<Replay, "living" | "processOf">,
): Promise<readonly Reattached[]> {
  const { living } = replay;
  const { loop, requests, runner, runtime } = rooms;
  const now = loop.clock.now();
  const ran = new Set(living.filter(({ state }) => state.status !== "queued" && state.outcome === undefined));
  for (const task of living) if (isLate(task, now)) stopLate(rooms, task, now);
  const candidates = new Map<Task, KindParts>();
  for (const task of living) {
    const kind = candidateKind(rooms, task, now);
    if (kind !== undefined && (!task.isAttached || isReturnable(task, candidates))) candidates.set(task, kind);
  }
  // H7: before any kind is asked.
  for (const task of living) {
    if (candidates.has(task)) continue;
    runner.lose(task, replay.processOf(task));
    if (isStopped(task.state) && ran.has(task)) void windDown(rooms, task);
  }

  const reattached: Reattached[] = [];
  const limit = pLimit({ concurrency: ASKED_AT_A_TIME, rejectOnClear: true });
  for (const generation of generationsOf(candidates.keys())) {
    const answers = await Promise.all(
      generation.map((task) =>
        limit(async () => ({ task, kind: candidates.get(task), goesOn: await mayGoOn(rooms, task, candidates) })),
      ),
    );
    for (const { task, kind, goesOn } of answers) {
      if (kind !== undefined && goesOn && loop.apply(task, { type: "reattach", runtime }) === undefined) {
        reattached.push({ task, kind });
        requests.goOn(task);
      } else {
        candidates.delete(task);
        runner.lose(task, replay.processOf(task));
      }
    }
  }
  return reattached;
}

/** They start, or stand in line, as they did before. */
export function goOn({ spawner, loop }: RecoveryRooms, reattached: readonly Reattached[]): void {
  for (const { task, kind } of reattached) spawner.again(task, workAgain(kind, task.traits.input, loop.clock));
}

/** Its time ran out while no process was there. */
function isLate({ traits, state }: Task, now: number): boolean {
  const dueAt = traits.limits?.totalDeadlineAt;
  return dueAt !== undefined && dueAt <= now && state.outcome === undefined;
}

function stopLate({ loop }: RecoveryRooms, task: Task, now: number): void {
  const words = "total_timeout";
  const stop = (each: Task, reason: StopReason) =>
    loop.apply(each, { type: "stop", stop: Object.freeze({ reason, words, at: now }), isRestart: true });
  stop(task, "total_timeout");
  for (const below of attachedDescendantsOf(task)) stop(below, "cancel");
}

/** Nobody stopped it, it has not returned, and its kind can. */
function candidateKind({ kinds, isDeclared }: RecoveryRooms, task: Task, now: number): KindParts | undefined {
  const { state, lane } = task;
  return isStopped(state) || state.outcome !== undefined || !isDeclared(lane)
    ? undefined
    : kinds.thatReattaches(task, now);
}

/** H7: the same spawn of a parent that goes on finds it again. */
function isReturnable(task: Task, candidates: ReadonlyMap<Task, KindParts>): boolean {
  const { parent } = task;
  return parent !== undefined && candidates.has(parent) && task.isReturnable;
}

/** By depth, so that a parent is asked before its children. */
function generationsOf(tasks: Iterable<Task>): readonly (readonly Task[])[] {
  const generations = new Map<number, Task[]>();
  for (const task of tasks) {
    const generation = generations.get(task.depth);
    if (generation === undefined) generations.set(task.depth, [task]);
    else generation.push(task);
  }
  return [...generations].toSorted(([a], [b]) => a - b).map(([, generation]) => generation);
}

/** D4: a stop that was asked for is carried out, also where the work goes on outside. Nobody waits for it. */
export async function windDown({ kinds, logger }: Pick<RecoveryRooms, "kinds" | "logger">, task: Task): Promise<void> {
  const { record } = task;
  try {
    await kinds.of(task)?.cancel?.(record, record.reason ?? "cancel");
  } catch (error) {
    logger.warn(`cancel of kind ${record.kind} threw: task ${record.id}`, { error });
  }
}

async function mayGoOn(
  { logger }: RecoveryRooms,
  task: Task,
  candidates: ReadonlyMap<Task, KindParts>,
): Promise<boolean> {
  const { parent } = task;
  if (task.isAttached && (parent === undefined || !candidates.has(parent))) return false;
  try {
    return (await candidates.get(task)?.canReattach?.(task.record)) === true;
  } catch (error) {
    logger.warn(`canReattach of kind ${task.traits.kind} threw: task ${task.id} does not go on`, { error });
    return false;
  }
}
