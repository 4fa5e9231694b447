// Journal notes: remarks about a journal as a whole.

import type { StoreView, TaskRecord, TornTail } from "errand";
import { isOver } from "./status.js";
import { count } from "./task-text.js";

/** The message for a directory without a journal. */
export function nothingStored(directory: string): string {
  return `Nothing is stored in ${directory} yet. Is it the directory that the program gives to fileStore?`;
}

/** Describes the incomplete last batch of a journal. */
export function describeTornTail({ file, line, byte, bytes }: TornTail): string {
  return `The journal ends in half a batch: ${count(bytes, "byte")} at ${file}:${line}, byte ${byte}. Its process was killed while it wrote, or is writing now. That is harmless: the batch was never stored, and with the default durability nothing of it was delivered. The next process that opens the store cuts it off.`;
}

/**
 * Remarks on why the status of an active task may be out of date: its process is gone, or the journal has a torn tail.
 */
export function notesOf(view: StoreView): string[] {
  const lost = lostTasks(view.list());
  return [
    ...[...lost].map(([pid, tasks]) => {
      const [were, they, them] = tasks === 1 ? ["was", "it is", "it"] : ["were", "they are", "them"];
      return `${count(tasks, "task")} ${were} under way in process ${pid}, which does not run on this machine: ${they} shown as it left ${them}.`;
    }),
    ...(view.torn === undefined ? [] : [describeTornTail(view.torn)]),
  ];
}

/**
 * Counts the active tasks of each process that does not run on this machine. A running process is no proof, because
 * process ids are reused.
 */
function lostTasks(records: readonly TaskRecord[]): ReadonlyMap<number, number> {
  const under = new Map<number, number>();
  for (const record of records) {
    const pid = record.runtime?.pid;
    if (pid !== undefined && !isOver(record)) under.set(pid, (under.get(pid) ?? 0) + 1);
  }
  return new Map([...under].filter(([pid]) => !isRunning(pid)));
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // A process that may not be signalled exists: only ESRCH means that it does not.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
