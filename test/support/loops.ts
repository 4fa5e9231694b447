// Loops: the common parts of the notice tests: a manager without timers of its own, short forms of batches, a watchdog.

import type { Notice, NoticeBatch, Session, TaskManagerOptions } from "errand";
import { peek } from "./basics.js";
import { given, type World, world } from "./program.js";

/** A world whose retention sets no timer: `clock.nextAt` is `undefined` while nothing is under way. */
export function quietWorld(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}): World {
  return world({ ...options, retention: { ttlMs: Number.POSITIVE_INFINITY, ...options.retention } });
}

/** The notices of a batch in short: `task_1 succeeded`, `task_1 message`, `task_2 custom page`. */
export function told(batch: { readonly notices: readonly Notice[] } | undefined): string[] | undefined {
  return batch?.notices.map((notice) => {
    switch (notice.type) {
      case "message.sent":
        return `${notice.taskId} message`;
      case "request.opened":
        return `${notice.taskId} request`;
      case "custom":
        return `${notice.taskId} custom ${notice.name}`;
      default:
        return `${notice.taskId} ${notice.type.slice("task.".length)}`;
    }
  });
}

/** The result of a call that has not settled. */
export const PENDING = "pending";

/**
 * The result of a call of `nextNotices` once everything is quiet: `"pending"`, a batch, or `undefined`. Never hangs.
 */
export async function seen(next: Promise<NoticeBatch | undefined>): Promise<NoticeBatch | undefined | typeof PENDING> {
  const now = await peek(next);
  if (now.is === "rejected") throw now.error;
  return now.is === "pending" ? PENDING : now.value;
}

/** The notices of a call of `nextNotices` in short, once everything is quiet. */
export async function toldBy(next: Promise<NoticeBatch | undefined>): Promise<string[] | undefined | typeof PENDING> {
  const now = await seen(next);
  return now === PENDING ? PENDING : told(now);
}

/** The batch that is ready now. Throws when there is none. */
export async function batchOf(session: Pick<Session, "nextNotices">): Promise<NoticeBatch> {
  const now = await seen(session.nextNotices());
  if (now === PENDING) throw new Error("nextNotices() waits");
  return given(now, "a batch");
}
