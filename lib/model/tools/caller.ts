// Caller: the loop for which a tool acts: the loop of a named session, or of a task.
//
// Owns no state. All six tools use it to find the tasks of the loop, to wait for them, and to mark outcomes that they
// have shown (N2).

import type { Core, OwnTasks } from "../../core/core.js";
import type { Attempt, Task } from "../../core/live/task.js";
import { type NoticeOwner, ownerOf } from "../../core/notices/notice-owner.js";
import { outcomeRead } from "../../core/notices/unread.js";
import { type Awaited, type AwaitOptions, awaitTasks } from "../../core/outcomes/await-tasks.js";
import type { AnySpawnOptions } from "../../core/spawn/spawn-options.js";
import { waiterOf } from "../../core/waits/ambient.js";
import { advice, type ToolSet } from "../prompt/tool-names.js";

/** The loop of a named session or of a task. */
export interface CallingLoop extends OwnTasks {
  /** The core of its manager. */
  readonly core: Core;
  /** The owner of the notices of this loop: a task, or a session by its id. */
  readonly owner: NoticeOwner;
  /** The attempt of the task whose loop it is; `undefined` for a named session. */
  readonly context: Attempt | undefined;
  /** Spawns a task of a registered kind for this loop. */
  readonly spawn: (kind: string, options: AnySpawnOptions<string> & { input?: unknown }) => { readonly id: string };
}

/** A loop, and the tools of its model. */
export interface Caller extends CallingLoop {
  /** The tools of one set: a text of one of them names no other tool. */
  readonly tools: ToolSet;
}

/** The loop for a model that has `tools`. With `kinds`, tasks of other kinds are unknown to the model. */
export function callerFor(loop: CallingLoop, tools: ToolSet, kinds: ReadonlySet<string> | undefined): Caller {
  if (kinds === undefined) return { ...loop, tools };
  const isOffered = ({ traits: { kind } }: Task): boolean => kind !== undefined && kinds.has(kind);
  return {
    ...loop,
    tools,
    tasks: () => [...loop.tasks()].filter(isOffered),
    owns: (task) => isOffered(task) && loop.owns(task),
  };
}

/**
 * Waits like `awaitTasks`, but does not count the outcomes as delivered: the result of a tool may be too small for all
 * of them. The tool calls `markShown` for each outcome that it shows (N2).
 */
export function wait(caller: Caller, tasks: readonly Task[], options: AwaitOptions): Promise<Awaited> {
  const { core, owner } = caller;
  const attempt = waiterOf(caller.context);
  const awaiter = {
    waits: core.waits,
    inboxes: new Set([core.requests]),
    homeOf: () => core.waits,
    hasForeign: false,
    owner: attempt?.task ?? owner,
    isChild: () => false,
    cancel: () => {},
    receiver: { attempt: undefined, sessionOf: () => undefined, noticesOf: () => core.notices },
  };
  return awaitTasks(awaiter, attempt, tasks, options);
}

/** Counts the outcome of `task` as delivered, because a tool shows it: the loop receives no notice of it (N2). */
export function markShown({ core, owner }: Caller, task: Task): void {
  if (task.isOver) outcomeRead(task);
  if (task.isOver && ownerOf(task) === owner) core.notices.handed(task);
}

/**
 * Whether `task` is a task of this loop whose end was not delivered to it. A silent task makes no notice: the end of a
 * silent task that a model's call started is delivered when a tool shows it.
 */
export function isUnreported({ owner }: Caller, task: Task): boolean {
  if (!task.isOver || ownerOf(task) !== owner) return false;
  if (task.noticed === undefined) return task.traits.callId !== undefined && !task.isHanded;
  return task.noticed.ends.length > 0;
}

/** Whether this loop will receive a notice of the end of `task`. A loop that reads no notices receives none. */
function willWake(caller: Caller, task: Task): boolean {
  return mayWake(caller, task) && caller.core.notices.isRead(caller.owner);
}
function mayWake({ owner }: Caller, task: Task): boolean {
  return task.wake !== "silent" && ownerOf(task) === owner;
}

/**
 * The advice to a model about tasks that continue: whether their ends will be notified, and which tool waits for them.
 */
export function describeWake(caller: Caller, tasks: readonly Task[]): string {
  const [ends, stand, them] = tasks.length === 1 ? ["it ends", "it stands", "it"] : ["they end", "they stand", "them"];
  const waking = tasks.filter((task) => willWake(caller, task)).length;
  if (waking === tasks.length) return `You get a notice when ${ends}: go on, do not poll.`;
  if (waking > 0) {
    const some = "You get notices of some of them when they end";
    return advice(caller.tools, `${some}: await_tasks reports all.`, `${some}.`);
  }
  // The loop may begin to read notices later. The text that follows is true in either case.
  const shows = [`get_task shows how ${stand}.`, `list_tasks shows how ${stand}.`];
  if (tasks.every((task) => mayWake(caller, task)))
    return advice(caller.tools, `await_tasks waits until ${ends}: do not poll.`, ...shows);
  const nothing = `You get no notice when ${ends}`;
  return advice(
    caller.tools,
    `${nothing}: await_tasks waits for ${them}.`,
    `${nothing}: get_task shows ${them}.`,
    `${nothing}: list_tasks shows ${them}.`,
    `${nothing}.`,
  );
}
