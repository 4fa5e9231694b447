// Task row: a task in one line of a list.

import type { TaskRecord } from "errand";
import { inWords, relative } from "./duration.js";
import type { Row } from "./line.js";
import { idWord } from "./printable.js";
import { isOver, statusSpan } from "./status.js";
import {
  kindOf,
  labelOf,
  phrase,
  progressInWords,
  type Setting,
  usageInWords,
  waitsInWords,
  whyInWords,
} from "./task-words.js";
import { cutTo } from "./width.js";

/** Which cell is flush right. */
export const TIME_CELL = 4;

/** Cells: status, id on its twigs, kind, label, time, and what else there is to say. */
export function taskRow(twigs: string, record: TaskRecord, setting: Setting, columns: number | undefined): Row {
  const label = labelOf(record);
  return [
    statusSpan(record),
    `${twigs}${idWord(record.id)}`,
    { text: kindOf(record), style: "faint" },
    // Beside a long title there is still room to say what its task waits for.
    columns === undefined ? label : cutTo(label, Math.max(12, Math.floor(columns / 4))),
    { text: timeOf(record, setting.now), style: "faint" },
    detailsOf(record, setting).join(" · "),
  ];
}

/** How long it lives, or how long it took; nothing of what never started. */
function timeOf({ createdAt, startedAt, finishedAt }: TaskRecord, now: number): string {
  if (finishedAt === undefined) return inWords(now - (startedAt ?? createdAt));
  return startedAt === undefined ? "" : inWords(finishedAt - startedAt);
}

function detailsOf(record: TaskRecord, setting: Setting): string[] {
  const { attempt, detached, finishedAt, progress, blockedOn, cancelRequestedAt, reason, usage, summary } = record;
  const isAskedToStop = cancelRequestedAt !== undefined && !isOver(record);
  return [
    finishedAt === undefined ? "" : relative(finishedAt, setting.now),
    attempt > 1 ? `attempt ${attempt}` : "",
    detached ? "detached" : "",
    isAskedToStop ? `asked to stop: ${phrase(reason ?? "")}` : "",
    waitsInWords(blockedOn, setting),
    progress === undefined || isOver(record) ? "" : phrase(progressInWords(progress)),
    whyInWords(record),
    phrase(summary ?? ""),
    usageInWords(usage),
  ].filter((detail) => detail !== "");
}
