// Recovery: what becomes of the tasks that an earlier process left (D4, H7).
//
// A stop that was asked for is carried out. What a kind may resume is asked for, parents first; what this process cannot resume and another may is
// parked; all else is over. Nothing runs here: what is resumed is returned, and starts once all of this is stored. The kinds share one time limit
// (§12): a task whose kind has not answered by then is parked until it does.

import type { Lane } from "../lanes/lane.js";
import { attachedDescendantsOf } from "../live/family.js";
import type { Task } from "../live/task.js";
import { isStopped } from "../task/decide.js";
import type { KindParts } from "../task/kind-parts.js";
import type { StopReason } from "../task/status.js";
import { runOutside } from "../values/outside.js";
import { type AskingDeps, KindAsking, type Reattached } from "./asking-kinds.js";
import { type Fate, fateOf, fatesOf } from "./fate.js";
import type { Replay } from "./replay.js";
import { type Left, lose, parkAll, windDown } from "./unresumed.js";

/** What recovery needs of its manager. */
export interface RecoveryDeps extends AskingDeps {
  /** Whether tasks can start in it. */
  readonly isDeclared: (lane: Lane<Task>) => boolean;
  readonly isParked: (task: Task) => boolean;
}

const LEAST_PATIENCE_MS = 1_000;
const MOST_PATIENCE_MS = 30_000;

/** A kind that asks a remote needs a moment, also where functions get a short grace. */
export function patienceOf(graceMs: number): number {
  return Math.min(Math.max(graceMs, LEAST_PATIENCE_MS), MOST_PATIENCE_MS);
}

/**
 * Decides of each task that was replayed and is not over (parents before children) what becomes of it.
 * Gives the tasks that are to start again.
 */
export async function recover(
  deps: RecoveryDeps,
  replay: Pick<Replay, "living" | "processOf" | "isRenamed">,
): Promise<readonly Reattached[]> {
  const { living } = replay;
  const { loop } = deps;
  const now = loop.clock.now();
  const ran = new Set(living.filter(({ state }) => state.status !== "queued" && state.outcome === undefined));
  for (const task of living) if (isLate(task, now)) stopLate(deps, task, now);
  const own = new Set(living.filter((task) => isOwnWork(deps, task)));
  const fates = fatesOf(
    deps,
    living.filter((task) => !replay.isRenamed(task) && !own.has(task)),
  );
  // H7: before any kind is asked.
  for (const task of living) {
    if (fates.has(task) || own.has(task)) continue;
    lose(deps, task, replay.processOf(task));
    if (isStopped(task.state) && ran.has(task)) void runOutside(() => windDown(deps, task));
  }
  const left: Left[] = [];
  const asking = new KindAsking(deps, replay);
  for (const [task, fate] of fates) {
    if ("wait" in fate) left.push({ task, wait: fate.wait });
    else asking.ask(task, fate.kind);
  }
  parkAll(deps, left);
  const resumed = [...own].flatMap((task) => ownWork(deps, task));
  return [...resumed, ...(await asking.answers())];
}

/** D9: it waited here for the process that has died, and has its function with it. */
function isOwnWork({ kinds }: RecoveryDeps, task: Task): boolean {
  const { state, work } = task;
  if (work === undefined || isStopped(state) || state.outcome !== undefined) return false;
  return kinds.of(task)?.canReattach === undefined && kinds.usedUp(task) === undefined;
}

function ownWork({ loop, runtime }: RecoveryDeps, task: Task): readonly Reattached[] {
  const isSudden = task.state.stop === undefined;
  if (loop.apply(task, { type: "reattach", runtime }) !== undefined) return [];
  return [{ task, kind: undefined, isSudden }];
}

/** A spawn has brought the kind of a task that is parked for want of it: it is resumed, and what is parked below it (D4). */
export function resume(deps: RecoveryDeps, top: Task, kind: KindParts): void {
  if (deps.kinds.of(top) !== undefined || (top.isAttached && top.parent !== undefined && deps.isParked(top.parent)))
    return;
  top.kind = kind;
  const fates = new Map<Task, Fate>();
  if (top.parent !== undefined) fates.set(top.parent, { kind });
  const asking = new KindAsking(deps, { processOf: () => undefined });
  asking.isLate = true;
  for (const task of [top, ...attachedDescendantsOf(top)]) {
    if (!deps.isParked(task)) continue;
    const fate = fateOf(deps, task, fates);
    if (fate !== undefined) fates.set(task, fate);
    if (fate !== undefined && "kind" in fate) asking.ask(task, fate.kind);
    if (fate !== undefined || task !== top) continue;
    deps.unpark(top);
    lose(deps, top, undefined);
  }
}

/** Its time ran out while no process was there. */
function isLate({ traits, state }: Task, now: number): boolean {
  const dueAt = traits.limits?.totalDeadlineAt;
  return dueAt !== undefined && dueAt <= now && state.outcome === undefined;
}

function stopLate({ loop }: RecoveryDeps, task: Task, now: number): void {
  const reason = "total_timeout";
  const stop = (each: Task, code: StopReason) =>
    loop.apply(each, { type: "stop", stop: Object.freeze({ code, reason, at: now }), isRestart: true });
  stop(task, "total_timeout");
  for (const below of attachedDescendantsOf(task)) stop(below, "cancel");
}
