// Recovery: decides about the tasks that an earlier process left (D4, H7).
//
// Owns nothing. A pending stop is carried out. Kinds are asked whether they resume their tasks, parents first; a task
// that only another process can resume is parked; every other task ends. No function runs here: resumed tasks are
// returned, and start once all decisions are stored. The kinds share one time limit (§12). Called when a store is
// opened or a journal is taken over. Calls `fate.ts`, `asking-kinds.ts` and `unresumed.ts`.

import type { Lane } from "../lanes/lane.js";
import { attachedDescendantsOf } from "../live/family.js";
import type { Run, Task } from "../live/task.js";
import { isStopped } from "../task/decide.js";
import type { KindParts } from "../task/kind-parts.js";
import type { StopReason } from "../task/status.js";
import { runOutside } from "../values/outside.js";
import { type AskingDeps, KindAsking, type ResumedTask } from "./asking-kinds.js";
import { type Fate, fateOf, fatesOf } from "./fate.js";
import type { Replay } from "./replay.js";
import { lose, parkAll, type UnresumedTask, windDown } from "./unresumed.js";

/** The parts of a manager that recovery needs. */
export interface RecoveryDeps extends AskingDeps {
  /** Whether tasks can start in the lane. */
  readonly isDeclared: (lane: Lane<Run>) => boolean;
}

const LEAST_PATIENCE_MS = 1_000;
const MOST_PATIENCE_MS = 30_000;

/**
 * The time limit for the kinds' answers: the grace, but at least 1 s, because a kind may ask a remote, and at most 30
 * s.
 */
export function patienceOf(graceMs: number): number {
  return Math.min(Math.max(graceMs, LEAST_PATIENCE_MS), MOST_PATIENCE_MS);
}

/**
 * Decides about each replayed task that has not ended, parents before children. Resolves with the tasks that start
 * again.
 */
export async function recover(
  deps: RecoveryDeps,
  replay: Pick<Replay, "living" | "processOf" | "isRenamed">,
): Promise<readonly ResumedTask[]> {
  const { living } = replay;
  const { loop } = deps;
  const now = loop.clock.now();
  const ran = new Set(living.filter(({ state }) => state.status !== "queued" && state.ending === undefined));
  for (const task of living) if (isLate(task, now)) stopLate(deps, task, now);
  const own = new Set(living.filter((task) => isOwnWork(deps, task)));
  const fates = fatesOf(
    deps,
    living.filter((task) => !replay.isRenamed(task) && !own.has(task)),
  );
  // Tasks that end come before the questions to the kinds (H7).
  for (const task of living) {
    if (fates.has(task) || own.has(task)) continue;
    lose(deps, task, replay.processOf(task));
    // The end of a task that an earlier process has left is wound down with its other consequences.
    const isWoundDown = task.state.details.isLeft;
    if (isStopped(task.state) && ran.has(task) && !isWoundDown) void runOutside(() => windDown(deps, task));
  }
  const left: UnresumedTask[] = [];
  const asking = new KindAsking(deps, replay);
  for (const [task, fate] of fates) {
    if ("wait" in fate) left.push({ task, wait: fate.wait });
    else asking.ask(task, fate.kind);
  }
  parkAll(deps, left);
  const resumed = [...own].flatMap((task) => ownWork(deps, task));
  return [...resumed, ...(await asking.answers())];
}

/** Whether the task waited here for the process that has died, and still has its function (D9). */
function isOwnWork({ kinds }: RecoveryDeps, task: Task): boolean {
  const { state, run } = task;
  if (run === undefined || isStopped(state) || state.ending !== undefined) return false;
  return kinds.of(task)?.canReattach === undefined && kinds.usedUp(task) === undefined;
}

function ownWork({ loop, runtime }: RecoveryDeps, task: Task): readonly ResumedTask[] {
  const isSudden = task.state.stop === undefined;
  if (loop.apply(task, { type: "reattach", runtime }) !== undefined) return [];
  return [{ task, kind: undefined, isSudden }];
}

/** Resumes a parked task whose kind a spawn has brought, and the tasks parked below it (D4). */
export function resume(deps: RecoveryDeps, top: Task, kind: KindParts): void {
  if (deps.kinds.of(top) !== undefined || (top.isAttached && top.parent !== undefined && deps.handoff.has(top.parent)))
    return;
  top.kind = kind;
  const fates = new Map<Task, Fate>();
  if (top.parent !== undefined) fates.set(top.parent, { kind });
  const asking = new KindAsking(deps, { processOf: () => undefined });
  asking.isLate = true;
  for (const task of [top, ...attachedDescendantsOf(top)]) {
    if (!deps.handoff.has(task)) continue;
    const fate = fateOf(deps, task, fates);
    if (fate !== undefined) fates.set(task, fate);
    if (fate !== undefined && "kind" in fate) asking.ask(task, fate.kind);
    if (fate !== undefined || task !== top) continue;
    deps.handoff.takeBack(top);
    lose(deps, top, undefined);
  }
}

/** The total time of the task ran out while no process was running. */
function isLate({ traits, state }: Task, now: number): boolean {
  const dueAt = traits.limits?.totalDeadlineAt;
  return dueAt !== undefined && dueAt <= now && state.ending === undefined;
}

function stopLate({ loop }: RecoveryDeps, task: Task, now: number): void {
  const reason = "total_timeout";
  const stop = (each: Task, code: StopReason) =>
    loop.apply(each, { type: "stop", stop: Object.freeze({ code, reason, at: now }), isRestart: true });
  stop(task, "total_timeout");
  for (const below of attachedDescendantsOf(task)) stop(below, "cancel");
}
