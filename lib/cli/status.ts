// Status: the seven statuses, and how each one is displayed.

import type { TaskRecord, TaskStatus } from "errand";
import type { Span, Style } from "./line.js";

interface Sign {
  readonly mark: string;
  readonly style: Style;
}

const SIGNS: { readonly [S in TaskStatus]: Sign } = {
  queued: { mark: "·", style: "faint" },
  running: { mark: "●", style: "busy" },
  blocked: { mark: "◌", style: "waiting" },
  succeeded: { mark: "✓", style: "good" },
  failed: { mark: "✗", style: "bad" },
  cancelled: { mark: "−", style: "faint" },
  interrupted: { mark: "!", style: "bad" },
};

/** All statuses, in the order of a task's life. */
export const STATUSES: readonly string[] = Object.keys(SIGNS);

/** Whether `word` is the name of a status. */
export function isStatus(word: string): word is TaskStatus {
  return Object.hasOwn(SIGNS, word);
}

/** Whether the task has ended. */
export function isOver({ finishedAt }: TaskRecord): boolean {
  return finishedAt !== undefined;
}

/** The status with its mark. A task that waits for a person has the mark `?`, so that it stands out. */
export function statusSpan({ status, blockedOn }: TaskRecord): Span {
  const { mark, style } = SIGNS[status];
  const asks = blockedOn.some(({ on }) => on === "input");
  return { text: `${asks ? "?" : mark} ${status}`, style };
}

/** The number of tasks in each status, in the order of a task's life. */
export function countsOf(records: readonly TaskRecord[]): ReadonlyMap<string, number> {
  const counts = new Map(STATUSES.map((status) => [status, 0]));
  for (const { status } of records) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}

/** The statuses that occur, with their counts: `1 running, 2 failed`. */
export function describeCounts(records: readonly TaskRecord[]): string {
  return [...countsOf(records)].flatMap(([status, count]) => (count === 0 ? [] : `${count} ${status}`)).join(", ");
}
