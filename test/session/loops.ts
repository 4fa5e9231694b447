// What the tests of notices share: a manager on a manual clock that keeps no timer of its own, batches in short, and a watchdog.

import type { Notice, NoticeBatch, Session, TaskManagerOptions } from "errand";
import { given, type World, world } from "../core/program.js";
import { peek } from "../core/support.js";

/** Retention sets no timer here: with nothing under way, `clock.nextAt` is `undefined`. */
export function quietWorld(options: Omit<TaskManagerOptions, "clock" | "ids"> = {}): World {
  return world({ ...options, retention: { ttlMs: Number.POSITIVE_INFINITY, ...options.retention } });
}

/** What each tells of, in short: `task_1 succeeded`, `task_1 message`, `task_2 custom page`. */
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

export const PENDING = "pending";

/** How a call of `nextNotices` stands when everything is quiet: `"pending"`, a batch, or `undefined`. A hang is never waited for. */
export async function seen(next: Promise<NoticeBatch | undefined>): Promise<NoticeBatch | undefined | typeof PENDING> {
  const now = await peek(next);
  if (now.is === "rejected") throw now.error;
  return now.is === "pending" ? PENDING : now.value;
}

/** In short, what a call of `nextNotices` gives once everything is quiet. */
export async function toldBy(next: Promise<NoticeBatch | undefined>): Promise<string[] | undefined | typeof PENDING> {
  const now = await seen(next);
  return now === PENDING ? PENDING : told(now);
}

/** The batch that is there now, which must be one. */
export async function batchOf(session: Pick<Session, "nextNotices">): Promise<NoticeBatch> {
  const now = await seen(session.nextNotices());
  if (now === PENDING) throw new Error("nextNotices() waits");
  return given(now, "a batch");
}
