// Task row: shows a task in one row of a list.

import type { TaskRecord } from "errand";
import { describeDuration, relative } from "./duration.js";
import type { Row } from "./line.js";
import { idWord } from "./printable.js";
import { isOver, statusSpan } from "./status.js";
import {
  describeProgress,
  describeReason,
  describeUsage,
  describeWaits,
  kindOf,
  labelOf,
  phrase,
  type Setting,
} from "./task-text.js";
import { cutTo } from "./width.js";

/** The index of the time cell, which is aligned right. */
export const TIME_CELL = 4;

/** The cells of the row: status, id with its branches, kind, label, time, details. */
export function taskRow(twigs: string, record: TaskRecord, setting: Setting, columns: number | undefined): Row {
  const label = labelOf(record);
  return [
    statusSpan(record),
    `${twigs}${idWord(record.id)}`,
    { text: kindOf(record), style: "faint" },
    // A long title is cut, so that columns remain for what the task waits for.
    columns === undefined ? label : cutTo(label, Math.max(12, Math.floor(columns / 4))),
    { text: timeOf(record, setting.now), style: "faint" },
    detailsOf(record, setting).join(" · "),
  ];
}

/**
 * The time since the start of an active task, or the duration of an ended one; empty for a task that ended without a
 * start.
 */
function timeOf({ createdAt, startedAt, finishedAt }: TaskRecord, now: number): string {
  if (finishedAt === undefined) return describeDuration(now - (startedAt ?? createdAt));
  return startedAt === undefined ? "" : describeDuration(finishedAt - startedAt);
}

function detailsOf(record: TaskRecord, setting: Setting): string[] {
  const { attempt, detached, finishedAt, progress, blockedOn, cancelRequestedAt, reason, usage, summary } = record;
  const isAskedToStop = cancelRequestedAt !== undefined && !isOver(record);
  return [
    finishedAt === undefined ? "" : relative(finishedAt, setting.now),
    attempt > 1 ? `attempt ${attempt}` : "",
    detached ? "detached" : "",
    isAskedToStop ? `asked to stop: ${phrase(reason ?? "")}` : "",
    describeWaits(blockedOn, setting),
    progress === undefined || isOver(record) ? "" : phrase(describeProgress(progress)),
    describeReason(record),
    phrase(summary ?? ""),
    describeUsage(usage),
  ].filter((detail) => detail !== "");
}
