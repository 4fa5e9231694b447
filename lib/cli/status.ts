// Status: the seven words, and how each looks.

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

export const STATUSES: readonly string[] = Object.keys(SIGNS);

export function isStatus(word: string): word is TaskStatus {
  return Object.hasOwn(SIGNS, word);
}

export function isOver({ finishedAt }: TaskRecord): boolean {
  return finishedAt !== undefined;
}

/** A task that waits for a person has a mark of its own: it is the one to look at. */
export function statusSpan({ status, blockedOn }: TaskRecord): Span {
  const { mark, style } = SIGNS[status];
  const asks = blockedOn.some(({ on }) => on === "input");
  return { text: `${asks ? "?" : mark} ${status}`, style };
}

/** How many there are of each, in the order of a life: `1 running, 2 failed`. */
export function countsOf(records: readonly TaskRecord[]): ReadonlyMap<string, number> {
  const counts = new Map(STATUSES.map((status) => [status, 0]));
  for (const { status } of records) counts.set(status, (counts.get(status) ?? 0) + 1);
  return counts;
}

export function countsInWords(records: readonly TaskRecord[]): string {
  return [...countsOf(records)].flatMap(([status, count]) => (count === 0 ? [] : `${count} ${status}`)).join(", ");
}
