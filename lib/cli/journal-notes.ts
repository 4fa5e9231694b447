// Journal notes: what there is to say of a journal as a whole, beside its tasks.

import type { StoreView, TaskRecord, TornTail } from "errand";
import { isOver } from "./status.js";
import { count } from "./task-words.js";

export function nothingStored(directory: string): string {
  return `Nothing is stored in ${directory} yet. Is it the directory that the program gives to fileStore?`;
}

export function tornInWords({ file, line, byte, bytes }: TornTail): string {
  return `The journal ends in half a batch: ${count(bytes, "byte")} at ${file}:${line}, byte ${byte}. Its process was killed while it wrote, or is writing now. That is harmless: nobody was told of it, and the next process that opens the store cuts it off.`;
}

/** What makes the statuses of living tasks old news. */
export function notesOf(view: StoreView): string[] {
  const lost = lostTasks(view.list());
  return [
    ...[...lost].map(([pid, tasks]) => {
      const [were, they, them] = tasks === 1 ? ["was", "it is", "it"] : ["were", "they are", "them"];
      return `${count(tasks, "task")} ${were} under way in process ${pid}, which does not run on this machine: ${they} shown as it left ${them}.`;
    }),
    ...(view.torn === undefined ? [] : [tornInWords(view.torn)]),
  ];
}

/** How many living tasks each process had that is not there. That a process is there proves nothing: its number is used again. */
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
    // Not to be signalled is to be there.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
