// Fate: what becomes of a task that an earlier process left and that is not over (D4, H7).
//
// Pure: a task is resumed by its kind, waits for a process that can resume it, or is over. Carried out by `recovery.ts`.

import type { Kinds } from "../kinds/kind-registry.js";
import type { Lane } from "../lanes/lane.js";
import type { Task } from "../live/task.js";
import { isStopped } from "../task/decide.js";
import type { KindParts } from "../task/kind-parts.js";
import type { Wait } from "../task/record.js";

interface FateDeps {
  readonly kinds: Kinds;
  /** Whether tasks can start in the lane. */
  readonly isDeclared: (lane: Lane<Task>) => boolean;
}

export type Fate = { readonly kind: KindParts } | { readonly wait: Wait };

/** The fate of each task that is not over, parents before children; a task that is missing in it is over. */
export function fatesOf(deps: FateDeps, living: readonly Task[]): ReadonlyMap<Task, Fate> {
  const fates = new Map<Task, Fate>();
  for (const task of living) {
    const fate = fateOf(deps, task, fates);
    if (fate !== undefined) fates.set(task, fate);
  }
  return fates;
}

/** `undefined`: it is over. */
export function fateOf({ kinds, isDeclared }: FateDeps, task: Task, fates: ReadonlyMap<Task, Fate>): Fate | undefined {
  const { state, lane, traits } = task;
  if (isStopped(state) || state.outcome !== undefined || traits.kind === undefined) return undefined;
  const above = task.isAttached && task.parent !== undefined ? fates.get(task.parent) : undefined;
  // H7: the same spawn of a parent that is resumed finds it again.
  if (task.isAttached && (above === undefined || !task.isReturnable)) return undefined;
  if (kinds.of(task) === undefined) return { wait: Object.freeze({ on: "kind", kind: traits.kind }) };
  const kind = kinds.thatReattaches(task);
  if (kind === undefined) return undefined;
  if (above !== undefined && "wait" in above) return above;
  return isDeclared(lane) ? { kind } : { wait: Object.freeze({ on: "lane", lane: lane.name }) };
}
