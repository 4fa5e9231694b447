// Host: for whom a tool acts: the loop of a named session, or of a task.
//
// Owns nothing. It says which tasks are that loop's, and how the loop waits and is told, for all six tools alike.

import { waiterOf } from "../../core/ambient.js";
import { type Awaited, type AwaitOptions, awaitTasks } from "../../core/await-tasks.js";
import type { Core } from "../../core/core.js";
import type { TaskHandle } from "../../core/handle.js";
import { isEnd } from "../../core/notice.js";
import { type NoticeOwner, ownerOf } from "../../core/notice-owner.js";
import type { SpawnOptions } from "../../core/spawn-options.js";
import type { Attempt, Task } from "../../core/task.js";
import { quoted } from "../escaped.js";
import { Refused } from "./refusals.js";

export interface Host {
  readonly core: Core;
  /** Whose notices are this loop's. */
  readonly owner: NoticeOwner;
  /** Of the task whose loop it is, if it is one. */
  readonly context: Attempt | undefined;
  readonly owns: (task: Task) => boolean;
  readonly spawn: (kind: string, options: SpawnOptions<string> & { input?: unknown }) => TaskHandle;
}

/** By creation. */
export function* tasksOf({ core, owns }: Host): Generator<Task> {
  for (const task of core.registry.all()) if (owns(task)) yield task;
}

/** The task that a model names. What it may not see is unknown to it. */
export function taskOf(host: Host, id: string): Task {
  const task = host.core.registry.byId(id);
  if (task !== undefined && host.owns(task)) return task;
  throw unknownTask(host, id);
}

function unknownTask(host: Host, id: string): Refused {
  const known: string[] = [];
  for (const task of tasksOf(host)) {
    if (task.traits.name === id && !task.isOver)
      return new Refused(`${shown(id)} is a name, not a task id`, `Use its id: ${shown(task.id)}`);
    known.push(task.id);
  }
  if (known.length === 0)
    return new Refused(`There is no task ${shown(id)}`, "You have no tasks: spawn_task starts one");
  // The newest are the likeliest to be meant.
  const named = known.slice(-MOST_NAMED).map(shown).join(", ");
  const more = known.length > MOST_NAMED ? `, and ${known.length - MOST_NAMED} older` : "";
  return new Refused(
    `There is no task ${shown(id)}, or not any more`,
    `There are ${named}${more}: list_tasks shows them`,
  );
}
const MOST_NAMED = 5;
const MOST_SHOWN = 60;

function shown(id: string): string {
  return quoted(id, MOST_SHOWN);
}

/**
 * Waits as `awaitTasks` does, and hands nothing out: of what it gives, a tool may have no room to show everything, and only what it shows
 * is told (N2).
 */
export function wait(host: Host, tasks: readonly Task[], options: AwaitOptions): Promise<Awaited> {
  const { core, owner } = host;
  const attempt = waiterOf(host.context);
  const caller = {
    waits: core.waits,
    inboxes: new Set([core.requests]),
    homeOf: () => core.waits,
    owner: attempt?.task ?? owner,
    isChild: () => false,
    cancel: () => {},
    receiver: { attempt: undefined, sessionOf: () => undefined, noticesOf: () => core.notices },
  };
  return awaitTasks(caller, attempt, tasks, options);
}

/** The tool shows how `task` ended: its loop is not told of it once more (N2). */
export function handed({ core, owner }: Host, task: Task): void {
  if (task.isOver && ownerOf(task) === owner) core.notices.handed(task);
}

/**
 * Whether `task` has ended and this loop, whose task it is, has not been told. A silent one makes no notice: of those that a model's call
 * started, it is told by what shows them.
 */
export function isUntold({ owner }: Host, task: Task): boolean {
  if (!task.isOver || ownerOf(task) !== owner) return false;
  if (task.noticed === undefined) return task.traits.callId !== undefined && !task.isHanded;
  for (const { what } of task.noticed.pending) if (isEnd(what)) return true;
  return false;
}

/** Whether the end of `task` will be told to this loop: only of one that reads what it is told. */
function willWake(host: Host, task: Task): boolean {
  return mayWake(host, task) && host.core.notices.isRead(host.owner);
}
function mayWake({ owner }: Host, task: Task): boolean {
  return task.wake !== "silent" && ownerOf(task) === owner;
}

/** What a model may count on, of tasks that go on. */
export function wakeInWords(host: Host, tasks: readonly Task[]): string {
  const ends = tasks.length === 1 ? "it ends" : "they end";
  const waking = tasks.filter((task) => willWake(host, task)).length;
  if (waking === tasks.length) return `You will be told when ${ends}: go on, do not poll.`;
  if (waking > 0) return "You will be told of some of them when they end: await_tasks tells of all.";
  // Whether this loop reads notices shows when it does: until then what is said is so in either case.
  if (tasks.every((task) => mayWake(host, task))) return `await_tasks waits until ${ends}: do not poll.`;
  return `Nothing will tell you when ${ends}: await_tasks does.`;
}
