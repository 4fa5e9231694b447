// Fate: what happens to a task that an earlier process left unfinished (D4, H7).
//
// Owns nothing, and is pure. A task is resumed by its kind, or waits for a process that can resume it, or ends. Called
// by `recovery.ts`, which carries it out.

import type { Kinds } from "../kinds/kind-registry.js";
import type { Lane } from "../lanes/lane.js";
import type { Run, Task } from "../live/task.js";
import { isStopped } from "../task/decide.js";
import type { KindParts } from "../task/kind-parts.js";
import type { Wait } from "../task/record.js";

interface FateDeps {
  readonly kinds: Kinds;
  /** Whether tasks can start in the lane. */
  readonly isDeclared: (lane: Lane<Run>) => boolean;
}

/** The kind that may resume the task, or the wait on which it is parked. */
export type Fate = { readonly kind: KindParts } | { readonly wait: Wait };

/** The fate of each unfinished task, parents before children. A task without a fate ends. */
export function fatesOf(deps: FateDeps, living: readonly Task[]): ReadonlyMap<Task, Fate> {
  const fates = new Map<Task, Fate>();
  for (const task of living) {
    const fate = fateOf(deps, task, fates);
    if (fate !== undefined) fates.set(task, fate);
  }
  return fates;
}

/** The fate of one task; `undefined` when the task ends. */
export function fateOf({ kinds, isDeclared }: FateDeps, task: Task, fates: ReadonlyMap<Task, Fate>): Fate | undefined {
  const { state, lane, traits } = task;
  if (isStopped(state) || state.ending !== undefined || traits.kind === undefined) return undefined;
  const above = task.isAttached && task.parent !== undefined ? fates.get(task.parent) : undefined;
  // An attached child continues only below a parent that does, and only if the same spawn finds it again (H7).
  if (task.isAttached && (above === undefined || !task.isReturnable)) return undefined;
  if (kinds.of(task) === undefined) return { wait: Object.freeze({ on: "kind", kind: traits.kind }) };
  const kind = kinds.thatReattaches(task);
  if (kind === undefined) return undefined;
  if (above !== undefined && "wait" in above) return above;
  return isDeclared(lane) ? { kind } : { wait: Object.freeze({ on: "lane", lane: lane.name }) };
}
