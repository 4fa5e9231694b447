// cancel_task: a model stops a task with everything below it, and reads how the task actually ended.

import { attachedDescendantsOf } from "../../core/live/family.js";
import type { Task } from "../../core/live/task.js";
import { address, taskOf } from "./address.js";
import { describeWake, markShown, wait } from "./caller.js";
import { bytesOf, definedFields, fitToBytes, type Result } from "./fit-to-bytes.js";
import { endReader, idOf } from "./task-summary.js";
import { type Execution, type Setting, type TaskTool, taskTool } from "./tool.js";
import { integer, optional, text } from "./tool-schema.js";

const LONGEST_WAIT_MS = 60_000;
/** The most characters of a reason: the record keeps it. */
const LONGEST_REASON = 500;
const DEFAULT_WAIT_MS = 5_000;
const DEFAULT_REASON = "by your cancel";

/** Makes the tool `cancel_task`. */
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
      run: async ({ task_id, reason = DEFAULT_REASON, wait_ms: timeoutMs = DEFAULT_WAIT_MS }, execution) => {
        const { caller, signal } = execution;
        const task = taskOf(caller, task_id);
        if (task.isOver) return resultFor(task, [], "It had ended before: nothing was stopped", execution);
        const swept = attachedDescendantsOf(task).filter(caller.owns);
        caller.core.runner.stop(task, "cancel", reason);
        await wait(caller, [task], { timeoutMs, signal });
        return resultFor(task, swept, noteFor(task, execution), execution);
      },
    },
    setting,
  );
}

function noteFor(task: Task, { caller }: Execution): string | undefined {
  const { status } = task.state;
  if (!task.isOver) return `Asked to stop, and still winding down. ${describeWake(caller, [task])}`.trimEnd();
  return status === "cancelled" ? undefined : `It was not stopped in time: it ${status} all the same`;
}

function resultFor(
  task: Task,
  swept: readonly Task[],
  note: string | undefined,
  { caller, maxBytes }: Execution,
): Result {
  markShown(caller, task);
  const end = endReader(caller, task);
  return fitToBytes(maxBytes, (bytes) => {
    const shown = idsIn(swept, bytes);
    return definedFields({
      task_id: idOf(task),
      status: task.state.status,
      ...end(bytes),
      stopped_below: shown.length === 0 ? undefined : shown,
      more_stopped_below: shown.length < swept.length ? swept.length - shown.length : undefined,
      note,
    });
  });
}

function idsIn(tasks: readonly Task[], bytes: number): readonly string[] {
  const ids: string[] = [];
  let left = bytes / 2;
  for (const task of tasks) {
    const id = idOf(task);
    left -= bytesOf(id) + 1;
    if (left < 0) break;
    ids.push(id);
  }
  return ids;
}
