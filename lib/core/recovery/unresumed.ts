// Unresumed: how a task of an earlier process ends or is parked when its kind does not resume it here (D4).
//
// Owns nothing: each step is a command to the loop or the runner. Called by `recovery.ts` and `asking-kinds.ts`; the
// consequences call `windDown` too.

import type { Requests } from "../inbox/requests.js";
import type { Kinds } from "../kinds/kind-registry.js";
import type { Task } from "../live/task.js";
import type { Loop } from "../loop.js";
import type { Handoff } from "../run/handoff.js";
import type { Runner } from "../run/runner.js";
import type { Spawner } from "../spawn/spawn.js";
import { isStopped } from "../task/decide.js";
import type { Runtime, Wait } from "../task/record.js";
import { boundedList } from "../values/bounded-list.js";
import { show } from "../values/checks.js";
import type { GuardedLogger } from "../values/logger.js";

/** The parts that ending and parking need. */
export interface UnresumedDeps {
  readonly loop: Loop;
  readonly kinds: Kinds;
  readonly requests: Requests;
  readonly runner: Runner;
  readonly spawner: Spawner;
  readonly logger: GuardedLogger;
  readonly handoff: Handoff;
}

/** Ends a task that no process resumes. */
export function lose({ kinds, runner, logger }: UnresumedDeps, task: Task, process: Runtime | undefined): void {
  const { state } = task;
  const isExhausted = !isStopped(state) && state.ending === undefined && kinds.of(task)?.canReattach !== undefined;
  const attemptsUsed = isExhausted ? kinds.usedUp(task) : undefined;
  runner.lose(task, process, attemptsUsed);
  if (attemptsUsed !== undefined)
    logger.warn(`Task ${show(task.id)} of kind ${show(task.traits.kind)} is not resumed: its attempts are used up`, {
      attemptsUsed,
    });
}

// ── parking ──────────────────────────────────────────────────────────────────

/** A task that this process cannot resume. */
export interface UnresumedTask {
  /** The task. */
  readonly task: Task;
  /** The missing kind or lane. */
  readonly wait: Wait;
}

/** Parks tasks: they stay active, with their questions, for a process that can resume them (D4). */
export function parkAll(deps: UnresumedDeps, left: readonly UnresumedTask[]): void {
  const missing = new Map<string, string[]>();
  for (const { task, wait } of left) {
    parkOn(deps, task, wait);
    const what = missingIn(wait);
    const ids = missing.get(what);
    if (ids === undefined) missing.set(what, [task.id]);
    else ids.push(task.id);
  }
  for (const [what, ids] of missing) {
    deps.logger.warn(`${what}: parked until a process can resume them: ${listIds(ids)}`, { taskIds: ids });
  }
}

/** A list of ids for a message: `"a", "b", "c", "d", … and 3 more`. */
export function listIds(ids: readonly string[]): string {
  return boundedList(ids.map(show), ", ", MOST_NAMED);
}
const MOST_NAMED = 4;

function missingIn(wait: Wait): string {
  if (wait.on === "kind") return `The kind ${show(wait.kind)} is not registered in \`kinds\` of this manager`;
  return `The lane ${show(wait.on === "lane" ? wait.lane : wait.on)} is not declared in \`lanes\` of this manager`;
}

/** Parks one task. */
export function parkOn({ loop, requests, spawner, handoff }: UnresumedDeps, task: Task, wait: Wait): void {
  if (!isParkedOn(task, wait)) loop.apply(task, { type: "park", blockedOn: Object.freeze([wait]) });
  requests.parked(task);
  spawner.limitTotal(task);
  handoff.handOff(task);
}

/** Whether an earlier process has parked the task on the same wait. */
function isParkedOn({ state: { blockedOn } }: Task, wait: Wait): boolean {
  const [first] = blockedOn;
  if (first?.on === "kind") return wait.on === "kind" && first.kind === wait.kind;
  return first?.on === "lane" && wait.on === "lane" && first.lane === wait.lane;
}

/**
 * Calls `cancel` of the task's kind, because the work may continue outside this process. No caller waits for it (D4).
 */
export async function windDown({ kinds, logger }: Pick<UnresumedDeps, "kinds" | "logger">, task: Task): Promise<void> {
  const { record } = task;
  const kind = kinds.of(task);
  if (kind === undefined && record.kind !== undefined)
    logger.warn(
      `Task ${show(record.id)} was stopped, and its kind ${show(record.kind)} is not registered here: work that it has outside was not wound down`,
    );
  try {
    await kind?.cancel?.(record, record.reason ?? "cancel");
  } catch (error) {
    logger.warn(`cancel of kind ${record.kind} threw: task ${record.id}`, { error });
  }
}
