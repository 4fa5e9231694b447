// list_tasks: what there is, in brief: by creation, a page at a time.

import type { Task } from "../../core/live/task.js";
import { TASK_STATUSES } from "../../core/task/status.js";
import { advice } from "../prompt/tool-names.js";
import { LONGEST_ADDRESS, taskOf } from "./address.js";
import { type Host, tasksOf } from "./caller.js";
import { bytesOf, present, type Result } from "./fit-to-bytes.js";
import { Refused } from "./refusals.js";
import { idOf, inBrief } from "./task-summary.js";
import { type Calling, type Setting, type TaskTool, taskTool } from "./tool.js";
import { integer, NO_END, oneOf, optional, text } from "./tool-schema.js";

const LARGEST_PAGE = 100;
const DEFAULT_PAGE = 20;
/** Of the texts of one task. */
const MOST_OF_ONE = 120;

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
      run: ({ status, kind, after, limit = DEFAULT_PAGE, batch }, calling) => {
        const { host } = calling;
        const from = after === undefined ? undefined : taskOf(host, after);
        const counts = new Map<string, number>();
        const fitting: Task[] = [];
        let isPast = from === undefined;
        for (const task of batch === undefined ? tasksOf(host) : countedIn(host, batch)) {
          const is = task.state.status;
          counts.set(is, (counts.get(is) ?? 0) + 1);
          const fits = status === undefined || (status === "live" ? !task.isOver : status === is);
          if (isPast && fits && (kind === undefined || kind === task.traits.kind)) fitting.push(task);
          if (task === from) isPast = true;
        }
        return pageOf(fitting, Object.fromEntries(counts), limit, calling);
      },
    },
    setting,
  );
}

/** N1: the successes that the newest notices of this loop only counted, evicted or not. */
function countedIn({ core, owner, owns, tools }: Host, batch: number): Iterable<Task> {
  const last = core.notices.lastBatchOf(owner);
  if (last?.number === batch) return [...last.counted.values()].filter(owns);
  throw new Refused(
    `There is no batch ${batch}: you have had other notices since`,
    advice(tools, 'list_tasks with status "succeeded"'),
  );
}

/** As many as fit, and at least one, however little room there is. */
function pageOf(tasks: readonly Task[], counts: Result, limit: number, { host, maxBytes }: Calling): Result {
  const shown: Result[] = [];
  const page = (): Result => {
    const more = tasks.length - shown.length;
    const last = tasks[shown.length - 1];
    return present({
      tasks: shown,
      counts,
      more: more === 0 ? undefined : more,
      more_after: more === 0 || last === undefined ? undefined : idOf(last),
    });
  };
  for (const task of tasks.slice(0, limit)) {
    shown.push(inBrief(host, task, "questions", MOST_OF_ONE));
    if (bytesOf(page()) <= maxBytes) continue;
    shown.pop();
    if (shown.length === 0) shown.push(inBrief(host, task, "questions", 0));
    break;
  }
  return page();
}
