// list_tasks: a model reads the tasks of its loop in brief, by creation, one page at a time.

import type { Task } from "../../core/live/task.js";
import { TASK_STATUSES } from "../../core/task/status.js";
import { advice } from "../prompt/tool-names.js";
import { LONGEST_ADDRESS, taskOf } from "./address.js";
import type { Caller } from "./caller.js";
import { bytesOf, definedFields, type Result } from "./fit-to-bytes.js";
import { ToolRefusal } from "./refusals.js";
import { idOf, summaryOf } from "./task-summary.js";
import { type Execution, type Setting, type TaskTool, taskTool } from "./tool.js";
import { integer, NO_END, oneOf, optional, text } from "./tool-schema.js";

const LARGEST_PAGE = 100;
const DEFAULT_PAGE = 20;
/** The most bytes of each text of one task. */
const MOST_OF_ONE = 120;

/** Makes the tool `list_tasks`. */
export function listTasks(setting: Setting): TaskTool {
  return taskTool(
    {
      name: "list_tasks",
      description: "Your tasks and those below them, oldest first.",
      fields: {
        status: optional(oneOf(["live", ...TASK_STATUSES])),
        kind: optional(text(LONGEST_ADDRESS)),
        after: optional(text(LONGEST_ADDRESS, "Read on after this task_id")),
        limit: optional(integer(1, LARGEST_PAGE)),
        batch: optional(integer(1, NO_END, "Only those that your last notices counted")),
      },
      isRead: true,
      run: ({ status, kind, after, limit = DEFAULT_PAGE, batch }, execution) => {
        const { caller } = execution;
        const from = after === undefined ? undefined : taskOf(caller, after);
        const counts = new Map<string, number>();
        const fitting: Task[] = [];
        let isPast = from === undefined;
        for (const task of batch === undefined ? caller.tasks() : countedIn(caller, batch)) {
          const is = task.state.status;
          counts.set(is, (counts.get(is) ?? 0) + 1);
          const fits = status === undefined || (status === "live" ? !task.isOver : status === is);
          if (isPast && fits && (kind === undefined || kind === task.traits.kind)) fitting.push(task);
          if (task === from) isPast = true;
        }
        return pageOf(fitting, Object.fromEntries(counts), limit, execution);
      },
    },
    setting,
  );
}

/** The successes that the newest batch of this loop only counted, including evicted tasks (N1). */
function countedIn({ core, owner, owns, tools }: Caller, batch: number): Iterable<Task> {
  const last = core.notices.lastBatchOf(owner);
  if (last?.number === batch) return [...last.counted.values()].filter(owns);
  throw new ToolRefusal(
    `There is no batch ${batch}: you have had other notices since`,
    advice(tools, 'list_tasks with status "succeeded"'),
  );
}

/** One page: as many tasks as fit, and at least one. */
function pageOf(tasks: readonly Task[], counts: Result, limit: number, { caller, maxBytes }: Execution): Result {
  const shown: Result[] = [];
  const page = (): Result => {
    const more = tasks.length - shown.length;
    const last = tasks[shown.length - 1];
    return definedFields({
      tasks: shown,
      counts,
      more: more === 0 ? undefined : more,
      more_after: more === 0 || last === undefined ? undefined : idOf(last),
    });
  };
  for (const task of tasks.slice(0, limit)) {
    shown.push(summaryOf(caller, task, "questions", MOST_OF_ONE));
    if (bytesOf(page()) <= maxBytes) continue;
    shown.pop();
    if (shown.length === 0) shown.push(summaryOf(caller, task, "questions", 0));
    break;
  }
  return page();
}
