// Identity: when the same spawn gives the same task, and when it begins the work again (§10, D6, H7).
//
// Owns nothing: the registry finds a task by its id or its call. Called by the spawner.

import type { Kinds } from "../kinds/kind-registry.js";
import type { Task } from "../live/task.js";
import { IdConflictError } from "../task/errors.js";
import { newState, type TaskDetails, type TaskState } from "../task/state.js";
import { show } from "../values/checks.js";
import { isSameJson } from "../values/json.js";
import { idInWords } from "../values/safe-read.js";
import type { AnySpawnOptions, KindWork } from "./spawn-options.js";

/** Where a spawn was called. */
interface Owner {
  readonly parent: Task | undefined;
  readonly sessionId: string | undefined;
}

/**
 * The same id may only name the same task: same owner, same kind and same input. A plain function has no content to
 * compare (§10).
 */
export function refuseOther(
  task: Task,
  { parent, sessionId }: Owner,
  { id = task.id }: AnySpawnOptions,
  made: KindWork,
): void {
  const { kind, input } = task.traits;
  const isOwners = task.sessionId === sessionId && task.parentId === parent?.id;
  if (isOwners && kind === made.kind && (kind === undefined || isSameJson(input, made.input))) return;
  throw new IdConflictError(
    id,
    `Task ${idInWords(task.id)} was spawned with the id ${show(id)} ${isOwners ? "and other content" : "by another owner"}: use an id for each piece of work`,
  );
}

/**
 * Whether the spawn starts a child of an earlier attempt again. After a lost process that is an interrupted child
 * (D6), as often as its attempts allow (§10). In a retry it is every child that did not succeed. A parent that a
 * restart resumes finds its other children with their outcomes (H7).
 */
export function isToRunAgain(kinds: Kinds, task: Task, parent: Task | undefined): boolean {
  const attempt = parent?.attempt;
  const { isOver, endSeq, state } = task;
  if (attempt === undefined || !isOver || endSeq > attempt.startSeq) return false;
  if (state.status === "interrupted") return kinds.usedUp(task) === undefined;
  return attempt.isRetry && state.status !== "succeeded";
}

/**
 * The state of a new attempt in the place of an ended one. Deaths with a process stay counted (D4); the attempt's own
 * failure does not.
 */
export function stateAfter({ state }: Task, details: TaskDetails): TaskState {
  const { used } = state.details;
  const counted = state.status === "interrupted" && used > 0 ? Object.freeze({ ...details, used }) : details;
  return newState(counted, state.attempt + 1);
}
