// Host: for whom a tool acts: the loop of a named session, or of a task.
//
// Owns nothing. It says which tasks are that loop's, which tools its model has, and how the loop waits and is told, for all six tools alike.

import type { Core } from "../../core/core.js";
import type { Attempt, Task } from "../../core/live/task.js";
import { outcomeRead } from "../../core/live/unread.js";
import { type NoticeOwner, ownerOf } from "../../core/notices/notice-owner.js";
import { type Awaited, type AwaitOptions, awaitTasks } from "../../core/outcomes/await-tasks.js";
import type { SpawnOptions } from "../../core/spawn/spawn-options.js";
import { waiterOf } from "../../core/waits/ambient.js";
import { advice, type ToolSet } from "../prompt/tool-names.js";

export interface Loop {
  readonly core: Core;
  /** Whose notices are this loop's. */
  readonly owner: NoticeOwner;
  /** Of the task whose loop it is, if it is one. */
  readonly context: Attempt | undefined;
  readonly owns: (task: Task) => boolean;
  readonly spawn: (kind: string, options: SpawnOptions<string> & { input?: unknown }) => { readonly id: string };
}

export interface Host extends Loop {
  /** The tools that were given out together: what a text of one of them may name. */
  readonly tools: ToolSet;
}

/** The same as `loop`, for a model that has these tools, and to which the tasks of other kinds are unknown. */
export function hostFor(loop: Loop, tools: ToolSet, kinds: ReadonlySet<string> | undefined): Host {
  if (kinds === undefined) return { ...loop, tools };
  const isOffered = ({ traits: { kind } }: Task): boolean => kind !== undefined && kinds.has(kind);
  return { ...loop, tools, owns: (task) => isOffered(task) && loop.owns(task) };
}

/** The tasks, in the order of their creation. */
export function* tasksOf({ core, owns }: Host): Generator<Task> {
  for (const task of core.registry.all()) if (owns(task)) yield task;
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
  if (task.isOver) outcomeRead(task);
  if (task.isOver && ownerOf(task) === owner) core.notices.handed(task);
}

/**
 * Whether `task` has ended and this loop, whose task it is, has not been told. A silent one makes no notice: of those that a model's call
 * started, it is told by what shows them.
 */
export function isUntold({ owner }: Host, task: Task): boolean {
  if (!task.isOver || ownerOf(task) !== owner) return false;
  if (task.noticed === undefined) return task.traits.callId !== undefined && !task.isHanded;
  return task.noticed.ends.length > 0;
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
  const [ends, stand, them] = tasks.length === 1 ? ["it ends", "it stands", "it"] : ["they end", "they stand", "them"];
  const waking = tasks.filter((task) => willWake(host, task)).length;
  if (waking === tasks.length) return `You will be told when ${ends}: go on, do not poll.`;
  if (waking > 0) {
    const some = "You will be told of some of them when they end";
    return advice(host.tools, `${some}: await_tasks tells of all.`, `${some}.`);
  }
  // Whether this loop reads notices shows when it does: until then what is said is so in either case.
  const shows = [`get_task shows how ${stand}.`, `list_tasks shows how ${stand}.`];
  if (tasks.every((task) => mayWake(host, task)))
    return advice(host.tools, `await_tasks waits until ${ends}: do not poll.`, ...shows);
  const nothing = `Nothing will tell you when ${ends}`;
  return advice(
    host.tools,
    `${nothing}: await_tasks does.`,
    `${nothing}: get_task shows ${them}.`,
    `${nothing}: list_tasks shows ${them}.`,
    `${nothing}.`,
  );
}
