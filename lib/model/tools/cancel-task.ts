// cancel_task: a model stops a task and what is below it, and is told how that really ended.

import { attachedDescendantsOf } from "../../core/live/family.js";
import type { Task } from "../../core/live/task.js";
import { address, taskOf } from "./address.js";
import { handed, wait, wakeInWords } from "./caller.js";
import { bytesOf, fitted, present, type Result } from "./fit-to-bytes.js";
import { endReader, idOf } from "./task-summary.js";
import { type Calling, type Setting, type TaskTool, taskTool } from "./tool.js";
import { integer, optional, text } from "./tool-schema.js";

const LONGEST_WAIT_MS = 60_000;
/** Kept in the record. */
const LONGEST_REASON = 500;
const DEFAULT_WAIT_MS = 5_000;
const DEFAULT_REASON = "by your cancel";

export function cancelTask(setting: Setting): TaskTool {
  return taskTool(
    {
      name: "cancel_task",
      description: "Stop a task and all below it. Tells how it really ended.",
      fields: {
        task_id: address(),
        reason: optional(text(LONGEST_REASON)),
        wait_ms: optional(integer(0, LONGEST_WAIT_MS, `For its end, default ${DEFAULT_WAIT_MS}`)),
      },
      run: async ({ task_id, reason = DEFAULT_REASON, wait_ms: timeoutMs = DEFAULT_WAIT_MS }, calling) => {
        const { host, signal } = calling;
        const task = taskOf(host, task_id);
        if (task.isOver) return told(task, [], "It had ended before: nothing was stopped", calling);
        const swept = attachedDescendantsOf(task).filter(host.owns);
        host.core.runner.stop(task, "cancel", reason);
        await wait(host, [task], { timeoutMs, signal });
        return told(task, swept, noteFor(task, calling), calling);
      },
    },
    setting,
  );
}

function noteFor(task: Task, { host }: Calling): string | undefined {
  const { status } = task.state;
  if (!task.isOver) return `Asked to stop, and still winding down. ${wakeInWords(host, [task])}`.trimEnd();
  return status === "cancelled" ? undefined : `It was not stopped in time: it ${status} all the same`;
}

function told(task: Task, swept: readonly Task[], note: string | undefined, { host, maxBytes }: Calling): Result {
  handed(host, task);
  const end = endReader(host, task);
  return fitted(maxBytes, (room) => {
    const shown = idsIn(swept, room);
    return present({
      task_id: idOf(task),
      status: task.state.status,
      ...end(room),
      stopped_below: shown.length === 0 ? undefined : shown,
      more_stopped_below: shown.length < swept.length ? swept.length - shown.length : undefined,
      note,
    });
  });
}

function idsIn(tasks: readonly Task[], room: number): readonly string[] {
  const ids: string[] = [];
  let left = room / 2;
  for (const task of tasks) {
    const id = idOf(task);
    left -= bytesOf(id) + 1;
    if (left < 0) break;
    ids.push(id);
  }
  return ids;
}
